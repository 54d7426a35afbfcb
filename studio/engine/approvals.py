"""Approvals: a person sees exactly what is about to happen, and lets it happen, changes or refuses
it.

An approval is an effect like any other answer of a person, so a session that waits for one holds
nothing. It is bound to the hash of what was shown: anything else asks again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from .context import current_context
from .effects import Effect
from .events import InputRequested

if TYPE_CHECKING:
    from .agents import ConversableAgent

HostNames = tuple[str, ...] | Literal["open"]
NOBODY = "nobody answered in time"
YES = ("y", "yes")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`edited` is what shall happen instead of what was asked, None where nothing was changed."""

    approved: bool
    edited: str | None = None
    reason: str = ""

    @property
    def refusal(self) -> str:
        return f"refused by a person: {self.reason}" if self.reason else "refused by a person"


def hash_of(payload: dict[str, Any]) -> str:
    """The same for the same JSON, in whatever order its names stand."""
    text = json.dumps(payload, sort_keys=True, default=str)
    return blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


async def refused_network(agent: ConversableAgent, whose: str, hosts: HostNames) -> str:
    """ "" once a person has agreed that `whose` code may reach these hosts; else why not.

    It is asked once: the answer holds for the workflow.
    """
    if not hosts:
        return ""
    named = hosts if hosts == "open" else sorted(hosts)
    payload = {"kind": "network", "whose": whose, "hosts": named}
    verdict = await approve(agent, payload, f"May {whose} reach these hosts?", remember=True)
    return "" if verdict.approved else f"The network was {verdict.refusal}"


async def approve(
    agent: ConversableAgent, payload: dict[str, Any], prompt: str, *, remember: bool
) -> Verdict:
    """Asks a person; with `remember` what was approved unchanged is not asked about again on this
    line of the conversation."""
    context = current_context()
    digest = hash_of(payload)
    if remember and digest in context.strand.approved:
        return Verdict(approved=True)
    key = context.next_key()
    question = InputRequested(
        question=context.identifier(key),
        form="approval",
        prompt=prompt,
        agent=agent.name,
        actions=[],
        payload=payload,
        payload_hash=digest,
        timeout=agent.asking.timeout,
    )
    context.emit(question)

    async def ask(_: int) -> dict[str, Any]:
        said = (await context.ask(question)).strip()
        return {"approve": said.lower() in YES, "reason": "" if said.lower() in YES else said}

    request: dict[str, Any] = {
        "question": question.question, "form": question.form, "payload_hash": digest,
    }  # fmt: skip
    if question.timeout is not None:
        request["timeout"] = question.timeout
    effect = Effect(key, "input", context.turns + 1, agent.name, request)
    result = (await context.effects.do(effect, ask)).result
    if "approve" not in result:
        return Verdict(approved=False, reason=NOBODY)
    verdict = Verdict(
        approved=bool(result["approve"]),
        edited=result.get("edited"),
        reason=str(result.get("reason") or ""),
    )
    if verdict.approved and remember and verdict.edited is None:
        context.strand.approved = context.strand.approved | {digest}
    return verdict
