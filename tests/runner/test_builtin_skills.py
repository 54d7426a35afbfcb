"""The skills that come with the studio: what is said of them, and those that need no network."""

from __future__ import annotations

import json
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from studio.engine.execution.box import Kind, Probe

from ..boxes import ready
from ..conftest import serving
from .skill_bench import SKILLS, Bench, recorded


@pytest.fixture
def bench(tmp_path: Path, probes: dict[Kind, Probe]) -> Bench:
    ready(probes["sandbox"])
    return Bench(tmp_path, "sandbox")


# -- what is said of them


def test_which_there_are_and_what_they_may() -> None:
    needs = {
        name: (skill.approval, skill.network if isinstance(skill.network, str) else "hosts")
        for name, skill in SKILLS.items()
    }
    assert needs == {
        "Calculator": ("never", "none"), "Files": ("never", "none"), "Plot": ("never", "none"),
        "Run Python": ("never", "none"), "Fetch page": ("once", "open"),
        "Web search": ("never", "hosts"), "arXiv": ("never", "hosts"),
        "Wikipedia": ("never", "hosts"),
    }  # fmt: skip
    assert [s.name for s in SKILLS.values() if s.secrets] == ["Web search"]
    assert [s.name for s in SKILLS.values() if s.packages] == []
    assert [s.name for s in SKILLS.values() if not s.idempotent] == ["Run Python"]
    for skill in SKILLS.values():
        assert skill.description
        for schema in skill.schemas():
            assert len(schema.description) > 60, schema.name
            assert all("type" in p or "enum" in p for p in schema.parameters["properties"].values())


def test_their_sources_keep_our_own_rules_on_the_oldest_python(tmp_path: Path) -> None:
    """ruff for Python 3.9, without the rules of security that boxes are for."""
    for name, skill in SKILLS.items():
        tmp_path.joinpath(f"{name.replace(' ', '_').lower()}.py").write_text(skill.source)
    root = Path(__file__).parents[2]
    command = [
        sys.executable, "-m", "ruff", "check", "--no-cache", "--config", root / "pyproject.toml",
        "--target-version", "py39", "--ignore", "S,B905", tmp_path,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# -- without a network


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 * (3 + 4)^2", "98"), ("0.1 + 0.2", "0.3"), ("7 // 2 % 2", "1"), ("-2**2", "-4"),
        ("sqrt(2)", "1.4142135623731"), ("log(8, 2)", "3"), ("mean(1, 2, 4.5)", "2.5"),
        ("sum([1, 2, 3])", "6"), ("factorial(20)", "2432902008176640000"), ("1e3", "1000"),
        ("comb(5, 2) + gcd(12, 18) + lcm(4, 6)", "28"), ("round(pi, 2)", "3.14"),
        ("2^70", "1180591620717411303424"), ("cbrt(-27)", "-3"), ("sin(0) + cos(0)", "1"),
    ],
)  # fmt: skip
def test_the_calculator(bench: Bench, expression: str, value: str) -> None:
    found = bench.call("Calculator", "calculate", expression=expression)
    assert (found.ok, found.content) == (True, value)


def test_the_calculator_refuses_in_words_and_at_once(bench: Bench) -> None:
    """One program asks for all of them: what it must not do is run or count without end."""
    wrong = {
        "1 / 0": "Division by zero", "9**9**9": "too large", "2^99999": "too large",
        "factorial(10^8)": "from 0 to 1000", "__import__('os').getpid()": "Not allowed",
        "open('/etc/passwd')": "no function open", "(1).__class__": "Not allowed",
        "x + 1": "called x",
        "[1, 2]": "Not allowed", "'a' * 10**9": "is no number", "sqrt(-1)": "sqrt of -1",
        "(-8)^(1/3)": "not a real number", "1e999": "no number", "10.0^400": "too large",
        "lambda: 1": "Not allowed", "2 if 1 else 3": "Not allowed", "1 +": "cannot be read",
        "round(1, -10^9)": "cannot be rounded", "(" * 240 + ")" * 240: "", "": "1 to 500",
        "-" * 501: "1 to 500", "log(0)": "log of 0", "atan2(1)": "cannot take",
    }  # fmt: skip
    source = SKILLS["Calculator"].source.replace("from __future__ import annotations", "")
    calls = "\n".join(
        ["import json", source,
         f"for expression in {list(wrong)!r}:",
         "    try: print(json.dumps([expression, False, str(calculate(expression))]))",
         "    except ValueError as error: print(json.dumps([expression, True, str(error)]))"]
    )  # fmt: skip
    found = bench.call("Run Python", "run_python", code=calls)
    rows = [json.loads(line) for line in found.content.splitlines() if line.startswith("[")]
    assert [row[0] for row in rows] == list(wrong)
    for expression, is_refused, words in rows:
        assert is_refused, (expression, words)
        assert wrong[expression] in words
    assert found.seconds < 10


def test_files_are_written_listed_and_read_again(bench: Bench) -> None:
    text = "".join(f"line {n} ü\n" for n in range(1, 11))
    made = bench.call("Files", "write_file", path="notes/today.txt", content=text)
    assert made.content == f"notes/today.txt has {len(text.encode())} bytes now"
    assert bench.work.joinpath("notes/today.txt").read_text() == text
    assert bench.call("Files", "list_files").content == "notes/today.txt  101 bytes"
    read = bench.call("Files", "read_file", path="notes/today.txt", first_line=3, last_line=4)
    assert read.content == "line 3 ü\nline 4 ü\n"
    whole = bench.call("Files", "read_file", path="notes/today.txt")
    assert whole.content == text


def test_a_long_file_says_where_to_go_on(bench: Bench) -> None:
    bench.work.joinpath("long.txt").write_text("".join(f"{n:>99}\n" for n in range(1, 1001)))
    part = bench.call("Files", "read_file", path="long.txt").content
    assert part.endswith("\n[1000 lines in all; go on with first_line=501]")
    rest = bench.call("Files", "read_file", path="long.txt", first_line=501).content
    assert rest.startswith(f"{501:>99}\n")
    assert rest.endswith(f"{1000:>99}\n")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/passwd", "outside"), ("../x", "outside"), ("a/../../x", "outside"),
        ("link", "outside"), (".hidden", "hidden"), ("a/.b/c", "hidden"), ("nothing", "no file"),
        ("a\0b", "NUL"), ("raw", "no text file"), (".", ""),
    ],
)  # fmt: skip
def test_files_stay_in_the_working_folder(bench: Bench, path: str, words: str) -> None:
    bench.work.joinpath("link").symlink_to("/etc/passwd")
    bench.work.joinpath("raw").write_bytes(b"\x89PNG\0\0")
    found = bench.call("Files", "read_file", path=path)
    assert not found.ok
    assert words in found.content
    if words in ("outside", "hidden"):
        found = bench.call("Files", "write_file", path=path, content="x")
        assert (found.ok, words in found.content) == (False, True)
    assert bench.call("Files", "list_files").content == "raw  6 bytes"


def test_python_runs_and_tells_all_it_wrote(bench: Bench) -> None:
    bench.work.joinpath("mine.py").write_text("N = 41\n")
    code = (
        "import sys, mine\nprint('ü', mine.N + 1)\nprint('oh', file=sys.stderr)\n"
        "open('made.txt', 'w').write('x')\nsys.exit(3)"
    )
    found = bench.call("Run Python", "run_python", code=code)
    assert found.content == "exit code 3\n--- stdout\nü 42\n--- stderr\noh"
    assert bench.work.joinpath("made.txt").read_text() == "x"
    failed = bench.call("Run Python", "run_python", code="x = 1\nx / 0").content
    assert failed.startswith("exit code 1\n--- stderr\nTraceback")
    assert "line 2" in failed
    long = bench.call("Run Python", "run_python", code="print('a' * 50_000 + 'end')").content
    assert len(long) < 21_000
    assert "30,004 bytes left out" in long
    assert long.endswith("aend")


def test_a_program_left_behind_keeps_nobody_waiting(bench: Bench) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '25']); print('done')"
    found = bench.call("Run Python", "run_python", code=code)
    assert found.content == "exit code 0\n--- stdout\ndone"
    assert found.seconds < 10


SVG = "{http://www.w3.org/2000/svg}"


def drawn(bench: Bench, csv: str, **arguments: Any) -> ElementTree.Element:
    bench.work.joinpath("data.csv").write_text(csv)
    found = bench.call("Plot", "plot_csv", file="data.csv", **arguments)
    assert found.ok, found.content
    return ElementTree.fromstring(bench.work.joinpath("plot.svg").read_text())


def texts(drawing: ElementTree.Element) -> list[str]:
    return [str(node.text) for node in drawing.iter(f"{SVG}text")]


def test_lines_over_dates_with_a_legend(bench: Bench) -> None:
    csv = "date,META,T<S>A\n2026-01-02,1,\n2026-01-05,3,-2.5\n2026-01-09,2,4\n"
    drawing = drawn(bench, csv, x="date", y="META, T<S>A", title="Gain & loss")
    lines = [p.get("d", "") for p in drawing.iter(f"{SVG}path") if p.get("stroke-width") == "2"]
    assert [line.count("L") for line in lines] == [2, 1]
    shown = texts(drawing)
    assert {"Gain & loss", "META", "T<S>A", "date", "2026-01-02", "2026-01-09", "4"} <= set(shown)
    assert drawing.find(f"{SVG}rect").get("fill") == "#ffffff"  # type: ignore[union-attr]


def test_bars_stand_on_zero_and_points_where_they_belong(bench: Bench) -> None:
    drawing = drawn(bench, "city;n\nUlm;30\nBern;-10\n", x="city", y="n", kind="bar")
    up, down = [r for r in drawing.iter(f"{SVG}rect") if r.get("fill") == "#0b62a8"]
    foot = float(up.get("y", 0)) + float(up.get("height", 0))
    assert foot == pytest.approx(float(down.get("y", 0)), abs=0.2)
    assert float(up.get("height", 0)) == pytest.approx(3 * float(down.get("height", 0)), abs=0.5)
    assert {"Ulm", "Bern"} <= set(texts(drawing))
    drawing = drawn(bench, "a,b\n1,10\n3,20\n2,15\n", x="a", y="b", kind="scatter")
    at = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in drawing.iter(f"{SVG}circle")]
    assert at[2] == pytest.approx(((at[0][0] + at[1][0]) / 2, (at[0][1] + at[1][1]) / 2), abs=0.2)


@pytest.mark.parametrize(
    ("csv", "arguments", "words"),
    [
        ("a,b\n1,2\n", {"y": "c"}, "has no column c; it has a, b"),
        ("a,b\n1,2\n2,x\n", {}, "Line 3: “x” in b is no number"),
        ("a,b\n", {}, "no rows"),
        ("a,b\n1,\n", {}, "no numbers"),
        ("a,b\n1,2\n", {"output": "x.html"}, "ends in .svg"),
        ("a,b\n1,2\n", {"output": "../x.svg"}, "outside"),
        ("a,b\n1,2\n", {"file": "/etc/passwd"}, "outside"),
        ("a,b\n1,2\n", {"kind": "pie"}, "line, bar or scatter"),
        ("a,b\n" + "1,2\n" * 201, {"kind": "bar"}, "200 rows at most"),
    ],
)
def test_a_diagram_that_cannot_be_drawn(
    bench: Bench, csv: str, arguments: dict[str, str], words: str
) -> None:
    bench.work.joinpath("data.csv").write_text(csv)
    given = {"file": "data.csv", "x": "a", "y": "b", **arguments}
    found = bench.call("Plot", "plot_csv", **given)
    assert not found.ok
    assert words in found.content


# -- the other kind of box


def test_they_work_in_a_container_too(tmp_path: Path, probes: dict[Kind, Probe]) -> None:
    ready(probes["docker"])
    bench = Bench(tmp_path, "docker")
    assert bench.call("Calculator", "calculate", expression="6 * 7").content == "42"
    assert bench.call("Run Python", "run_python", code="print(1)").content.endswith("\n1")
    bench.call("Files", "write_file", path="data.csv", content="a,b\n1,2\n3,4\n")
    assert bench.call("Plot", "plot_csv", file="data.csv", x="a", y="b").ok
    found, _ = bench.online(recorded("arxiv.xml"), "arXiv", "search_arxiv", query="agents")
    assert found.content.startswith("## Round Tables of Agents")


# -- in the studio


def test_they_are_offered_to_agents_and_stay_away_once_deleted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, gallery=True) as studio:
        ids = {one["name"]: one["id"] for one in studio.everything("skills")}
        assert set(SKILLS) <= set(ids)
        listed = studio.http.get("/skills").text
        assert [s.name for s in SKILLS.values() if s.description not in unescape(listed)] == []
        call = {"tool_calls": [{"name": "calculate", "arguments": {"expression": "6 * 7"}}]}
        replies = [{"content": None, **call}, "It is 42."]
        model = studio.create("models", provider="scripted", replies=replies)["id"]
        one = studio.start(studio.pair_of(studio.assistant(model, skills=[ids["Calculator"]]), 3))
        studio.wait(one)
        returned = [e for e in studio.events(one) if e["kind"] == "tool_returned"]
        assert [(e["ok"], e["content"]) for e in returned] == [(True, "42")]
        assert studio.call("DELETE", f"skills/{ids['Plot']}").status_code == 204
    with serving(home, gallery=True) as studio:
        names = {one["name"] for one in studio.everything("skills")}
        assert set(SKILLS) - names == {"Plot"}
