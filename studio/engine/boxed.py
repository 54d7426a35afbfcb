"""Functions that run elsewhere: in a box, or at a server. Agents call them like any other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .approvals import HostNames, hash_of
from .execution.executor import SavedFile

if TYPE_CHECKING:
    from .agents import ConversableAgent
    from .group_chat import GroupChat
    from .messages import Message

Approval = Literal["never", "always", "once"]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`content` is what the model reads; `printed` what the function wrote beside its result."""

    ok: bool
    content: str
    seconds: float = 0.0
    printed: str = ""
    files: list[SavedFile] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"content": self.content, "ok": self.ok, "seconds": self.seconds}
        if self.printed:
            told["printed"] = self.printed
        if self.files:
            told["artifacts"] = [asdict(one) for one in self.files]
        return told


@dataclass(frozen=True)
class BoxedTool:
    """approval    whether a person sees a call before it is made: never, always, or once for the
                same arguments in a conversation
    of          what it belongs to, for people: the name of the skill
    version     of what would run: an approval holds for this version only
    hosts       what it may reach, once a person has agreed
    repeatable  a call that a crash cut may be made again without asking
    run         makes the call, with its arguments and an idempotency key; never raises for what
                the function did
    """

    name: str
    of: str
    run: Callable[[dict[str, Any], str], Awaitable[ToolResult]]
    approval: Approval = "always"
    version: str = ""
    hosts: HostNames = ()
    repeatable: bool = False

    def payload(self, arguments: str) -> dict[str, Any]:
        """What a person approves: exactly this."""
        return {
            "kind": "tool",
            "skill": self.of,
            "name": self.name,
            "arguments": arguments,
            "version": self.version,
        }

    async def __call__(self, **arguments: Any) -> str:
        """As a plain function, for whoever calls it without a conversation."""
        return (await self.run(arguments, hash_of({"name": self.name, **arguments}))).content


def runs_for_itself(agent: ConversableAgent, message: Message) -> bool:
    """Whether all that a message calls are boxed functions of this agent."""
    calls = message.get("tool_calls") or []
    names = [str((call.get("function") or {}).get("name")) for call in calls]
    return bool(names) and all(isinstance(agent.function_map.get(n), BoxedTool) for n in names)


def has_the_word(group: GroupChat, last: ConversableAgent) -> str:
    """Why `last` goes on speaking in a group, "" where the group chooses: it runs the boxed
    functions that it called itself, and then reads what they returned."""
    if not group.messages or last not in group.agents:
        return ""
    said = group.messages[-1]
    if runs_for_itself(last, said):
        return f"{last.name} runs what it called"
    before = group.messages[-2] if len(group.messages) > 1 else {}
    if said.get("tool_responses") and runs_for_itself(last, before):
        return f"{last.name} reads what its call returned"
    return ""
