"""Nothing outlives a job or a box of either kind (SECURITY R27), and programs that run on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from studio.engine.execution.box import MB, Box, Job
from tests.builders import until

from .conftest import Boxes
from .programs import FILL_DISK, FOREVER, SHOUT

DAEMON = """
import os, sys, time
print("bye", flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for stream in (0, 1, 2):
            os.close(stream)
        open("grandchild", "w").close()
        time.sleep(1e6)
    os._exit(0)
while not os.path.exists("grandchild"):
    time.sleep(0.01)
"""


def _cancelled(boxes: Boxes) -> None:
    async def stop_it(box: Box) -> None:
        task = asyncio.create_task(box.run(boxes.job(FOREVER)))
        await asyncio.to_thread(until, (boxes.work_dir() / "started").exists)
        task.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 3

    boxes.use(stop_it)


def _out_of_time(boxes: Boxes) -> None:
    assert boxes.run(boxes.job(FOREVER, seconds=1)).limit == "the time limit of 1 s"


def _daemonised(boxes: Boxes) -> None:
    async def look(box: Box) -> None:
        ended = await box.run(boxes.job(DAEMON))
        assert (ended.exit_code, ended.stdout) == (0, b"bye\n")
        await asyncio.to_thread(boxes.nothing_is_left)  # while the box is open
        assert (await box.run(boxes.job("print(2)"))).stdout == b"2\n"

    boxes.use(look)


def _closed(boxes: Boxes) -> None:
    async def close_it(box: Box) -> None:
        task = asyncio.create_task(box.run(boxes.job(FOREVER)))
        await asyncio.to_thread(until, (boxes.work_dir() / "started").exists)
        await box.close()
        await asyncio.to_thread(boxes.nothing_is_left)
        await asyncio.wait({task}, timeout=20)
        assert task.done()
        task.exception()

    boxes.use(close_it)


@pytest.mark.parametrize("end", [_cancelled, _out_of_time, _daemonised, _closed])
def test_nothing_outlives_its_job(boxes: Boxes, end: Callable[[Boxes], None]) -> None:
    """R27. That no process and no container is left is what the fixture looks for."""
    end(boxes)


def test_cancelled_at_any_moment_nothing_is_left(boxes: Boxes) -> None:
    async def hurry(box: Box) -> None:
        for pause in (0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3):
            task = asyncio.create_task(box.run(boxes.job("import time; time.sleep(1e6)")))
            await asyncio.wait({task}, timeout=pause)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await box.run(boxes.job("print(1)"))).stdout == b"1\n"

    boxes.use(hurry)


ECHO = "import sys\nfor line in sys.stdin:\n print('you said', line, end='', flush=True)"


def test_a_program_that_runs_on_can_be_talked_to(boxes: Boxes) -> None:
    async def talk(box: Box) -> None:
        one = await box.start(boxes.job(ECHO))
        two = await box.start(boxes.job(ECHO))
        for number in range(3):
            await one.write(f"one {number}\n".encode())
            await two.write(b"two\n")
            assert await one.read_line() == f"you said one {number}\n".encode()
            assert await two.read_line() == b"you said two\n"
        assert (await box.run(boxes.job("print(1)"))).stdout == b"1\n"
        await one.kill()
        assert await one.read_line() == b""
        with pytest.raises(BrokenPipeError):
            await one.write(b"still there?\n")
        await two.write(b"x" * 200_000 + b"\n")
        assert len(await two.read_line()) == 200_010

    boxes.use(talk)


def test_a_program_that_runs_on_tells_its_errors_and_its_end(boxes: Boxes) -> None:
    program = (
        "import sys\nprint('a line', flush=True)\nsys.stderr.write('oh no\\n' * 10_000)\n"
        "sys.exit('it ended')"
    )

    async def listen(box: Box) -> None:
        process = await box.start(boxes.job(program))
        assert await process.read_line() == b"a line\n"
        assert await process.read_line() == b""
        assert process.errors().rstrip().endswith("it ended")
        assert len(process.errors()) < 100_000
        await process.kill()

    boxes.use(listen)


def test_a_program_that_runs_on_but_is_not_there_says_so(boxes: Boxes) -> None:
    async def listen(box: Box) -> None:
        process = await box.start(Job(("no-such-program", "1"), stdin=b"hello"))
        assert await process.read_line() == b""
        await process.kill()
        assert "no-such-program" in process.errors()

    boxes.use(listen)


def test_limits_but_for_time_hold_for_a_program_that_runs_on(boxes: Boxes) -> None:
    program = FOREVER.replace("time.sleep(1e6)", FILL_DISK)

    async def listen(box: Box) -> None:
        process = await box.start(boxes.job(program, disk=20 * MB, seconds=0.1))
        assert await process.read_line() == b"begun\n"
        while await process.read_line():
            pass
        await process.kill()
        assert "the disk limit of 20 MB" in process.errors()

    boxes.use(listen)
    assert sum(path.stat().st_size for path in boxes.work_dir().iterdir()) < 20 * MB


def test_unread_output_of_a_program_that_runs_on_does_not_fill_the_memory(boxes: Boxes) -> None:
    async def ignore(box: Box) -> None:
        process = await box.start(boxes.job(f"{FOREVER}".replace("time.sleep(1e6)", SHOUT)))
        await asyncio.to_thread(until, (boxes.work_dir() / "started").exists)
        modest = await box.run(boxes.job("print(1)"))
        assert modest.stdout == b"1\n"
        await process.kill()

    boxes.use(ignore)


def test_closing_a_box_ends_what_runs_on(boxes: Boxes) -> None:
    async def start(box: Box) -> None:
        process = await box.start(boxes.job(ECHO))
        await process.write(b"hello\n")
        assert await process.read_line() == b"you said hello\n"
        await box.close()
        await asyncio.to_thread(boxes.nothing_is_left)

    boxes.use(start)
