"""One writer for all: jobs that are committed together fail alone, and nothing kills the writer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from studio.errors import UnavailableError
from studio.store.database import Database
from studio.store.settings import get_setting, set_setting

OWNER = "owner"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'home' / 'studio.db'}")
    yield opened
    opened.close()


def _put(name: str, value: object = 1) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        set_setting(connection, OWNER, name, value)
        return name

    return work


def _put_and_fail(name: str, error: Exception) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        set_setting(connection, OWNER, name, 1)
        raise error

    return work


def _stored(database: Database, name: str) -> Any:
    return database.read_now(lambda c: get_setting(c, OWNER, name))


def _together(database: Database, *jobs: Callable[[Connection], Any]) -> list[Future[Any]]:
    """Hands in all jobs while the writer is busy, so that they are committed as one group."""
    busy, go = threading.Event(), threading.Event()

    def block(_: Connection) -> None:
        busy.set()
        assert go.wait(10)

    with ThreadPoolExecutor(len(jobs) + 1) as pool:
        pool.submit(database.write_now, block)
        assert busy.wait(10)
        futures = []
        for job in jobs:
            before = database._jobs.qsize()
            futures.append(pool.submit(database.write_now, job))
            while database._jobs.qsize() == before:
                assert not futures[-1].done()
        go.set()
    return futures


def test_each_job_of_a_group_fails_alone(database: Database) -> None:
    first, second = ValueError("first"), KeyError("second")
    results = _together(
        database, _put("a"), _put_and_fail("b", first), _put("c"), _put_and_fail("d", second),
        lambda c: c.exec_driver_sql("SELECT * FROM no_such_table"), _put("e"),
    )  # fmt: skip
    errors = [f.exception() for f in results]
    assert errors[1] is first
    assert errors[3] is second
    assert isinstance(errors[4], UnavailableError)
    assert [errors[i] for i in (0, 2, 5)] == [None] * 3
    stored = {name: _stored(database, name) for name in "abcde"}
    assert stored == {"a": 1, "b": None, "c": 1, "d": None, "e": 1}


def test_a_job_alone_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ValueError, match="no"):
        database.write_now(_put_and_fail("a", ValueError("no")))
    assert _stored(database, "a") is None
    assert database.write_now(_put("a")) == "a"


def test_a_full_disk_fails_the_writes_and_not_the_writer(database: Database) -> None:
    """SECURITY R33: a clear reason now, and work goes on when there is space again."""
    database.write_now(lambda c: c.exec_driver_sql("PRAGMA max_page_count=60"))
    with pytest.raises(UnavailableError, match="full"):
        database.write_now(_put("big", "x" * 1_000_000))
    group = _together(database, _put("big", "x" * 1_000_000), _put("big2", "x" * 1_000_000))
    assert all(isinstance(f.exception(), UnavailableError) for f in group)
    assert _stored(database, "big") is None
    database.write_now(lambda c: c.exec_driver_sql("PRAGMA max_page_count=1000000"))
    database.write_now(_put("big", "x" * 1_000_000))
    assert len(_stored(database, "big")) == 1_000_000


def test_a_caller_that_gives_up_does_not_end_the_writer(database: Database) -> None:
    """A request may be cut, or a session stopped, while its write stands in the queue."""
    busy, go = threading.Event(), threading.Event()

    def block(_: Connection) -> None:
        busy.set()
        assert go.wait(10)

    async def give_up() -> None:
        blocking = asyncio.create_task(database.write(block))
        await asyncio.to_thread(busy.wait, 10)
        waiting = asyncio.create_task(database.write(_put("late")))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        go.set()
        await blocking
        async with asyncio.timeout(20):
            await database.write(_put("next"))

    asyncio.run(give_up())
    assert _stored(database, "next") == 1
    assert _stored(database, "late") == 1, "the promise: cancelling does not undo the write"


def test_what_was_written_is_read_after_reopening(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    first = Database(url)
    names = [first.write_now(_put(f"n{i}", i)) for i in range(20)]
    first.close()
    second = Database(url)
    assert [_stored(second, name) for name in names] == list(range(20))
    second.close()


@pytest.mark.parametrize(("synchronous", "number"), [("full", 2), ("normal", 1)])
def test_the_file_is_used_as_was_measured(tmp_path: Path, synchronous: str, number: int) -> None:
    database = Database(f"sqlite:///{tmp_path / 'studio.db'}", synchronous)

    def pragmas(connection: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in names]

    wanted = ["wal", number, 1, 10_000]
    assert database.write_now(pragmas) == wanted
    assert database.read_now(pragmas) == wanted
    database.close()
