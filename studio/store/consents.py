"""What people have agreed to for good: the hosts that the code of a workflow may reach."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from .settings import names, set_setting
from .tables import now


def keep(
    connection: Connection,
    owner: str,
    workflow: str,
    question: dict[str, Any],
    answer: dict[str, Any],
    by: str,
) -> None:
    """Keeps the answer to a question about the network; what else is asked is not for good."""
    payload = question.get("payload") or {}
    if payload.get("kind") != "network" or not answer.get("approve"):
        return
    told = {"by": by, "at": now(), "whose": payload["whose"], "hosts": payload["hosts"]}
    set_setting(connection, owner, f"{_prefix(workflow)}{question['payload_hash']}", told)


def kept(connection: Connection, owner: str, workflow: str) -> list[str]:
    """The hashes of what was agreed to."""
    prefix = _prefix(workflow)
    return sorted(name.removeprefix(prefix) for name in names(connection, owner, prefix))


def _prefix(workflow: str) -> str:
    return f"network:{workflow}:"
