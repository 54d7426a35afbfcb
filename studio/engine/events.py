"""Everything that can happen in a session, one small frozen class per kind.

The union `Event` is the contract between the engine, the log, the stream and the pages. The engine
emits the first group; the runner adds the second, which concerns the session as a whole.
Fields that are None are left out of the stored row.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from .session_events import (
    ArtifactSaved as ArtifactSaved,
)
from .session_events import (
    InputReceived as InputReceived,
)
from .session_events import (
    LimitReached as LimitReached,
)
from .session_events import (
    NetworkUsed as NetworkUsed,
)
from .session_events import (
    SavedFile as SavedFile,
)
from .session_events import (
    SessionFinished as SessionFinished,
)
from .session_events import (
    SessionStarted as SessionStarted,
)
from .session_events import (
    StatusChanged as StatusChanged,
)


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """An agent begins to answer; `attempt` counts from 1 and grows when a crash cut the turn."""

    turn: int
    attempt: int
    agent: str
    kind: Literal["turn_started"] = field(default="turn_started", init=False)


@dataclass(frozen=True, slots=True)
class SpeakerSelected:
    """Who speaks next and why. `trace` holds the selector's prompts and replies."""

    agent: str
    method: str
    candidates: list[str]
    reason: str
    trace: list[dict[str, Any]] | None = None
    kind: Literal["speaker_selected"] = field(default="speaker_selected", init=False)


@dataclass(frozen=True, slots=True)
class ModelCalled:
    """One answered model call. Times in ms; `left_out` counts messages that did not fit."""

    turn: int
    agent: str
    model: str
    purpose: Literal["turn", "select", "summary"]
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    latency_ms: int
    first_token_ms: int | None
    cached: bool
    effect: str
    estimated: bool | None = None
    left_out: int | None = None
    kind: Literal["model_called"] = field(default="model_called", init=False)


@dataclass(frozen=True, slots=True)
class MessageSent:
    """One turn: a message of `agent`, seen by all. `to` is the receiving agent or manager."""

    turn: int
    attempt: int
    agent: str
    to: str
    content: Any
    tool_calls: list[dict[str, Any]] | None = None
    tool_responses: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None
    role: Literal["tool", "function"] | None = None
    kind: Literal["message"] = field(default="message", init=False)


@dataclass(frozen=True, slots=True)
class ToolCalled:
    turn: int
    call_id: str
    name: str
    arguments: str
    kind: Literal["tool_called"] = field(default="tool_called", init=False)


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """`printed` is what the function wrote beside its result."""

    turn: int
    call_id: str
    content: str
    ok: bool
    seconds: float
    printed: str | None = None
    kind: Literal["tool_returned"] = field(default="tool_returned", init=False)


@dataclass(frozen=True, slots=True)
class CodeExecuted:
    """`artifacts` names the files that were made or changed, `limit` says what stopped it."""

    turn: int
    agent: str
    language: str
    exit_code: int
    output: str
    seconds: float
    artifacts: list[str]
    limit: str | None = None
    kind: Literal["code_executed"] = field(default="code_executed", init=False)


@dataclass(frozen=True, slots=True)
class ChatStarted:
    """A chat begins inside another one; first event of its path.

    form   an agent's nested chat, a team that speaks as one, a step of a sequence, a graph's node
    title  the workflow's name, or the agent's where a node holds one agent
    agent  who answers with what it comes to; in a node, the agent it holds
    of     the id of the node, the number of the step
    visit  how often this node or step has begun in the run, from 1
    """

    form: Literal["nested", "team", "step", "node"]
    title: str
    agent: str | None = None
    of: str | None = None
    visit: int = 1
    kind: Literal["chat_started"] = field(default="chat_started", init=False)


@dataclass(frozen=True, slots=True)
class ChatEnded:
    """A chat inside another one is over; only edges may still be taken from there."""

    reason: str
    kind: Literal["chat_ended"] = field(default="chat_ended", init=False)


@dataclass(frozen=True, slots=True)
class EdgeTaken:
    """A graph goes on from the node whose chat this is; `reason` says which condition held."""

    from_: str
    to: str
    times: int
    reason: str
    kind: Literal["edge_taken"] = field(default="edge_taken", init=False)


@dataclass(frozen=True, slots=True)
class ContextChanged:
    """Context variables have new values; `by` is who set them, "" for the definition."""

    changes: dict[str, Any]
    by: str
    kind: Literal["context_changed"] = field(default="context_changed", init=False)


@dataclass(frozen=True, slots=True)
class InputRequested:
    """A person is asked. `actions` names what may be done beside answering: skip, end.

    schema   of the values, where the form is fields
    payload  what is to be approved: a call, code, hosts; `payload_hash` stands for exactly that
    timeout  {"seconds", "then": auto_reply, end or fail}, counted from this event's time
    """

    question: str
    form: Literal["text", "approval", "choice", "fields"]
    prompt: str
    agent: str
    actions: list[str]
    choices: list[str] | None = None
    schema: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None
    payload_hash: str | None = None
    timeout: dict[str, Any] | None = None
    kind: Literal["input_requested"] = field(default="input_requested", init=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """Something failed and a person should know; `detail` is the provider's or tool's own text."""

    who: Literal["definition", "model", "tool", "sandbox", "storage"]
    message: str
    retryable: bool
    turn: int | None = None
    agent: str | None = None
    detail: str | None = None
    kind: Literal["error"] = field(default="error", init=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """Live text of an open turn; never stored, has no seq. `offset` counts characters.

    An offset at or below what was shown restarts the text from there (a retry began anew).
    """

    chat: str
    turn: int
    attempt: int
    agent: str
    offset: int
    text: str
    kind: Literal["delta"] = field(default="delta", init=False)


Event = (
    TurnStarted
    | SpeakerSelected
    | ModelCalled
    | MessageSent
    | ToolCalled
    | ToolReturned
    | CodeExecuted
    | ChatStarted
    | ChatEnded
    | EdgeTaken
    | ContextChanged
    | InputRequested
    | Failure
    | SessionStarted
    | InputReceived
    | ArtifactSaved
    | NetworkUsed
    | LimitReached
    | StatusChanged
    | SessionFinished
)


_NAMES: dict[type[Any], tuple[tuple[str, str], ...]] = {
    event_type: tuple((f.name, f.name.rstrip("_")) for f in fields(event_type))
    for event_type in (*get_args(Event), Delta)
}


def as_row(event: Event | Delta) -> dict[str, Any]:
    """The event as the flat JSON object that is stored and streamed; content is never missing."""
    row = {
        public: value
        for name, public in _NAMES[type(event)]
        if (value := getattr(event, name)) is not None
    }
    if isinstance(event, MessageSent):
        row.setdefault("content", "")
    return row
