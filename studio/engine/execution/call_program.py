"""The program that calls one function of a skill, inside a box. Any Python from 3.9 on runs it.

calls.py reads this file as text and hands it to `python3 -c`: nothing of the studio is in the box.
It reads one JSON document from standard input, {name, source, function, arguments, secrets, key,
marker, most}, and writes one to standard output between two markers. What the function prints goes
the usual way, before them.
"""

import sys

# A file json.py in the working folder, or a package of that name, must not stand for Python's own.
_GIVEN = [entry for entry in sys.path if entry not in ("", "/work")]
sys.path[:] = [entry for entry in _GIVEN if not entry.startswith("/packages")]

import contextlib  # noqa: E402
import json  # noqa: E402
import linecache  # noqa: E402
import os  # noqa: E402
import traceback  # noqa: E402
import types  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any, get_origin, get_type_hints  # noqa: E402


def main() -> None:
    asked = json.loads(sys.stdin.buffer.read())
    marker = asked.pop("marker").encode()
    answers = os.dup(1)  # stays what it is, whatever the function does to its standard output
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(asked.pop("secrets"))
    if asked["key"]:
        os.environ["IDEMPOTENCY_KEY"] = asked["key"]
    sys.path[:] = [*_GIVEN, "/work"]
    told = json.dumps(_answer(**asked)).encode()
    for stream in (sys.stdout, sys.stderr):
        # the function may have put something else there, or closed it
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    with os.fdopen(answers, "wb") as out:
        out.write(marker + told + marker)


def _answer(
    name: str,
    source: str,
    function: str,
    arguments: dict[str, Any],
    most: int,
    **_: Any,
) -> dict[str, Any]:
    file = f"{name}.py"
    try:
        content, is_json = _text(_call(file, source, function, arguments))
    except BaseException as error:  # noqa: BLE001 - sys.exit too: whatever it is, it is the answer
        return {"ok": False, "content": f"Error: {_said(error)}", "traceback": _trace(error, file)}
    if len(content) > most:
        content, is_json = content[:most] + f"\n(cut: {len(content):,} characters)", False
    return {"ok": True, "content": content, "is_json": is_json, "traceback": ""}


def _call(file: str, source: str, name: str, arguments: dict[str, Any]) -> Any:
    module = types.ModuleType("skill")
    module.__file__ = file
    sys.modules["skill"] = module
    # without a time, so that it is never taken for a file that has changed
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - this is the box
    function = getattr(module, name)
    given = _fitted(function, arguments)
    code = getattr(function, "__code__", None)
    unnamed = code.co_varnames[: code.co_posonlyargcount] if code else ()
    first = [given.pop(one) for one in unnamed if one in given]
    value = function(*first, **given)
    if not hasattr(value, "__await__"):
        return value
    import asyncio

    async def awaited() -> Any:
        return await value

    return asyncio.run(awaited())


def _fitted(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists only: a parameter that is a set or a tuple gets one."""
    if not any(isinstance(value, list) for value in arguments.values()):
        return dict(arguments)
    try:
        hints = get_type_hints(function)
    except Exception:  # noqa: BLE001 - a name in an annotation is unknown: the call shall say it
        hints = {}
    given = {}
    for name, value in arguments.items():
        hint = hints.get(name)
        kind: Any = get_origin(hint) or hint
        is_other = isinstance(value, list) and kind in (set, frozenset, tuple)
        given[name] = kind(value) if is_other else value
    return given


def _text(value: Any) -> tuple[str, bool]:
    """As engine/tool_text.py makes it; and whether it is JSON."""
    if isinstance(value, str):
        return value, False
    if hasattr(value, "model_dump_json") and not isinstance(value, type):
        return value.model_dump_json(), True
    try:
        return json.dumps(value, ensure_ascii=False, default=_model_as_json), True
    except (TypeError, ValueError, RecursionError):
        return str(value), False


def _model_as_json(value: Any) -> Any:
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is not JSON")


def _said(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the function ended its program: sys.exit({error.code!r})"
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - its __str__ is the skill's
        return type(error).__name__


def _trace(error: BaseException, file: str) -> str:
    """The traceback without the frames that are not the skill's own."""
    try:
        whole = traceback.TracebackException.from_exception(error)
        waiting: list[Any] = [whole]
        while waiting:
            one = waiting.pop()
            one.stack[:] = [frame for frame in one.stack if frame.filename == file]
            waiting += [cause for cause in (one.__cause__, one.__context__) if cause]
        lines = whole.format() if whole.stack or whole.__cause__ else whole.format_exception_only()
        return "".join(lines)
    except Exception:  # noqa: BLE001 - as above
        return ""


if __name__ == "__main__":
    main()
