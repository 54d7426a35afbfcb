"""The schema comes from migrations alone, and a database of a newer studio is left untouched."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlmodel import SQLModel

from studio.errors import UnavailableError
from studio.store.database import Database

from ..conftest import ROOT, clean_environment, serve_command

VERSIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A database file that was made and closed properly."""
    path = tmp_path / "home" / "studio.db"
    Database(_url(path)).close()
    return path


def test_an_empty_folder_gets_the_schema_of_the_code(made: Path) -> None:
    def difference(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))

    database = Database(_url(made))
    assert database.read_now(difference) == []
    database.close()


def test_the_version_in_the_file_is_the_newest_migration(made: Path) -> None:
    with closing(sqlite3.connect(made)) as connection:
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert VERSIONS[-1].stem.split("_")[1] == version


def test_opening_again_changes_nothing(made: Path) -> None:
    before = _dump(made)
    Database(_url(made)).close()
    assert _dump(made) == before


def test_a_migration_is_named_by_date_number_and_purpose() -> None:
    numbers = [v.stem.split("_")[1] for v in VERSIONS]
    assert numbers == [f"{n:04}" for n in range(1, len(VERSIONS) + 1)]
    assert all(len(v.stem.split("_", 2)) == 3 and v.stem[:2] == "20" for v in VERSIONS)


@pytest.fixture
def newer(made: Path) -> Path:
    with closing(sqlite3.connect(made)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("CREATE TABLE from_the_future (a)")
    return made


def test_a_newer_database_is_refused_and_untouched(newer: Path) -> None:
    before, dump = newer.read_bytes(), _dump(newer)
    with pytest.raises(UnavailableError, match=r"newer.*9999"):
        Database(_url(newer))
    assert _dump(newer) == dump
    assert newer.read_bytes() == before


def test_serve_says_that_the_database_is_newer(newer: Path) -> None:
    before = _dump(newer)
    done = subprocess.run(
        serve_command(newer.parent), cwd=ROOT, env=clean_environment(None), capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "newer" in done.stderr
    assert "Traceback" not in done.stderr
    assert _dump(newer) == before


def test_a_file_that_is_no_database_is_said_plainly(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "studio.db").write_bytes(b"This is not a database. " * 100)
    done = subprocess.run(
        serve_command(home), cwd=ROOT, env=clean_environment(None), capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert (home / "studio.db").read_bytes().startswith(b"This is not a database.")
