"""Sync callers and sync callables around one async core.

A sync method hands its coroutine to one event loop in a thread of its own, started when it is
first needed, and waits. Plain functions that users supply (tools, reply functions, `input`) run in
the waiting caller's thread, where Ctrl-C, the debugger and thread-bound objects work as people
expect; an async caller's run in a worker thread. Either way the loop stays free, so that such a
function may itself call a sync method, to any depth.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
Outcome = tuple[Any, BaseException | None]
CLOSE_SECONDS = 2.0


@dataclass
class _Work:
    """A plain function that the waiting caller is to run, in the context of who asked."""

    call: Callable[[], Any]
    done: Future[Any] = field(default_factory=Future)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def run(self) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.done.set_result(self.context.run(self._alone))
        except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt too: the chat decides
            self.done.set_exception(error)

    def _alone(self) -> Any:
        """While this runs its thread waits for nobody: an event loop that it starts is its own."""
        _caller.set(None)
        return self.call()


@dataclass
class _Caller:
    """A thread that waits for a coroutine, and runs plain functions for it meanwhile."""

    work: SimpleQueue[_Work | None] = field(default_factory=SimpleQueue)
    task: asyncio.Task[Any] | None = None
    interrupted: bool = False

    def interrupt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ctrl-C while the chat itself was at work: it is told, and may go on (ENGINE 2.2)."""
        self.interrupted = True
        if self.task is not None:
            loop.call_soon_threadsafe(self.task.cancel)


_caller: ContextVar[_Caller | None] = ContextVar("waiting_caller", default=None)
_starting = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on the library's loop and waits, from any thread but the loop's own.

    Raises what the coroutine raises, and RuntimeError when called from the loop itself.
    """
    loop = _started()
    if threading.current_thread() is _thread:
        coroutine.close()
        raise RuntimeError("A sync method was called inside the event loop; await its a_ twin")
    caller = _Caller()
    token = _caller.set(caller)
    try:
        future = asyncio.run_coroutine_threadsafe(_outcome(coroutine, caller), loop)
    finally:
        _caller.reset(token)
    future.add_done_callback(lambda _: caller.work.put(None))
    while (asked := _next(caller, loop)) is not None:
        asked.run()
    result, error = future.result()
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _next(caller: _Caller, loop: asyncio.AbstractEventLoop) -> _Work | None:
    while True:
        try:
            return caller.work.get()
        except KeyboardInterrupt:
            caller.interrupt(loop)


async def call_plain(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Runs a plain function where it may block: with the waiting caller, or in a worker thread."""
    caller = _caller.get()
    if caller is None:
        return await asyncio.to_thread(function, *arguments, **named)
    work = _Work(lambda: function(*arguments, **named))
    caller.work.put(work)
    result: T = await asyncio.wrap_future(work.done)
    return result


def is_sync() -> bool:
    """Whether the running chat was begun by a sync method."""
    return _caller.get() is not None


def was_interrupted(error: BaseException) -> bool:
    """Whether this is a person's Ctrl-C; if so it counts as dealt with."""
    if isinstance(error, KeyboardInterrupt):
        return True
    caller, task = _caller.get(), asyncio.current_task()
    if caller is None or task is None or not caller.interrupted:
        return False
    caller.interrupted = False
    task.uncancel()
    return True


async def outcome_of(coroutine: Coroutine[Any, Any, Any]) -> Outcome:
    """The result or the error as a value: a KeyboardInterrupt in a task would end the loop."""
    try:
        return await coroutine, None
    except BaseException as error:  # noqa: BLE001 - whoever waits for the task raises it again
        return None, error


async def _outcome(coroutine: Coroutine[Any, Any, Any], caller: _Caller) -> Outcome:
    caller.task = asyncio.current_task()
    result, error = await outcome_of(coroutine)
    if isinstance(error, asyncio.CancelledError) and was_interrupted(error):
        return None, KeyboardInterrupt()
    return result, error


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Closes connections before the interpreter ends; a hanging server holds nobody up."""
    with suppress(Exception):
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(CLOSE_SECONDS)
    loop.call_soon_threadsafe(loop.stop)


def _forget() -> None:
    """In a forked process the thread of the loop does not exist; it gets a loop of its own."""
    global _loop, _thread, _starting
    _loop, _thread, _starting = None, None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _started() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    with _starting:
        if _loop is None or _thread is None or not _thread.is_alive():
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="studio-engine", daemon=True)
            _thread.start()
            atexit.register(_end, _loop)
        return _loop
