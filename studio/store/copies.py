"""Whole copies of an SQLite database, for backups."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

BUSY_SECONDS = 30


def copy_file(source: Path, target: Path) -> None:
    """Copies one state of a database, whatever other processes write meanwhile.

    Logins are left out: a browser logs in again, wherever the copy is restored.
    """
    with (
        closing(
            sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        ) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")
        new.execute("DELETE FROM login")
        new.commit()
        new.execute("VACUUM")


def broken(file: Path) -> str:
    """What is wrong with a database file; "" when nothing is."""
    try:
        with closing(sqlite3.connect(file)) as database:
            (found,) = database.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else str(found)
