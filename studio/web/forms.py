"""HTML forms and definitions: flat names with dots on one side, nested JSON on the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import Problem
from .formats import field_name

KEEP = "_keep"  # what a control says of a value that it cannot show
KEEP_EMPTY = frozenset({"description", "system_message", "default_auto_reply", "ask"})


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """{"a": {"b": [1]}} as {"a.b.0": "1"}: what the controls of a form show."""
    if isinstance(value, dict):
        pairs: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    else:
        shown = (
            "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        )
        return {prefix: shown}
    flat: dict[str, str] = {}
    for key, inner in pairs:
        flat |= flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat


def unflatten(items: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The nested body that a form describes; empty controls are left out.

    A later value of a name wins, so that a hidden "false" before a checkbox works. Names that end
    in [] gather all their values. Numbered keys become lists, without their gaps.
    """
    tree: dict[str, Any] = {}
    for name, value in items:
        if name.startswith("_") or value == KEEP:
            continue
        if name.endswith("[]"):
            values = tree.setdefault(name[:-2], [])
            if isinstance(values, list):
                values.append(value)
            continue
        *path, last = name.split(".")[:8]
        place = tree
        for part in path:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[last] = value.replace("\r\n", "\n").replace("\x00", "")
    return _cleaned(tree)  # type: ignore[no-any-return]


def _cleaned(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        inner = {k: _cleaned(v, k) for k, v in value.items()}
        kept = {k: v for k, v in inner.items() if not _is_empty(v, k)}
        if kept and all(_is_number(k) for k in kept):
            return [kept[k] for k in sorted(kept, key=int)]
        return kept
    return value


def _is_number(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 5


def part(body: dict[str, Any], name: str) -> dict[str, Any]:
    """A group of fields as a new dict; a client that sent something else gets an empty one."""
    value = body.get(name)
    return dict(value) if isinstance(value, dict) else {}


def words(value: Any) -> str:
    return value if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _is_empty(value: Any, name: str) -> bool:
    if value == "":
        return name not in KEEP_EMPTY
    return value in ({}, [])


def carried(
    stored: dict[str, Any], given: dict[str, Any], shown: set[str], path: str = ""
) -> dict[str, Any]:
    """`given`, and what is stored in the fields that the form does not show."""
    whole = dict(given)
    for key, old in stored.items():
        place = f"{path}.{key}" if path else key
        inside = any(name.startswith(f"{place}.") for name in shown)
        new = given.get(key, {})
        if isinstance(old, dict) and isinstance(new, dict) and inside:
            whole[key] = carried(old, new, shown, place)
        elif key not in given and not inside and place not in shown:
            whole[key] = old
    return whole


@dataclass
class FormState:
    """What a form shows: values by name, and the problems that were found in them.

    aside  controls that are no part of the definition; their names begin with an underscore
    """

    values: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    draft: bool = False
    users: list[dict[str, str]] = field(default_factory=list)
    aside: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def problem(self, name: str) -> Problem | None:
        for problem in self.problems:
            found = field_name(problem.loc)
            if found == name or found.startswith(f"{name}."):
                return problem
        return None

    def stray(self) -> list[Problem]:
        """Problems that no control of the form can show."""
        return [p for p in self.problems if not p.loc or field_name(p.loc) not in self.values]

    def rows(self, name: str, extra: int = 0) -> list[int]:
        """The numbers of a repeated group, and `extra` empty ones behind."""
        numbers = {
            int(key.split(".")[1])
            for key in self.values
            if key.startswith(f"{name}.") and _is_number(key.split(".")[1])
        }
        last = max(numbers, default=-1)
        return [*sorted(numbers), *range(last + 1, last + 1 + extra)]
