# Everything lives in .venv; the data of the studio in STUDIO_HOME (~/.roundtable).
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# make bench VS=1 measures AutoGen Studio beside ours; it gets an environment of its own (777 MB)
VS ?=
BESIDE := .cache/autogenstudio/bin/autogenstudio

.PHONY: run test lint bench clean

run: .venv/run.stamp
	@$(BIN)/studio model pull || echo "The built-in model is not here yet; the first page offers it again."
	@$(BIN)/studio serve $(ARGS)

test: .venv/test.stamp
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/test.stamp $(if $(VS),$(BESIDE))
	$(BIN)/python -m tests.benchmarks $(if $(VS),--beside $(BESIDE)) $(ARGS)

$(BESIDE):
	$(PYTHON) -m venv .cache/autogenstudio
	.cache/autogenstudio/bin/python -m pip install --quiet autogenstudio==0.4.2.2

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/run.stamp: .venv/bin/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/test.stamp: .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist
