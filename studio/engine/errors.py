"""What can go wrong in a conversation, split by who must act."""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose. `str(error)` is fit for a person."""

    who = "definition"


class DefinitionError(EngineError, ValueError):
    """The author must change an agent or a group chat: the definition cannot run.

    A ValueError too, which is what AutoGen 0.2 raises.
    """

    who = "definition"


class CarryoverError(DefinitionError):
    """Something was to be carried over that is neither text nor a list (InvalidCarryOverType)."""


class SkippedChoiceError(DefinitionError, AttributeError):
    """AutoGen 0.2 fails when a person skips a choice that a function asked for."""


class ModelError(EngineError):
    """A model could not answer.

    `status` is the HTTP status where there was one, `retryable` says whether the same request may
    succeed later, `retry_after` is the pause in seconds that the server asked for, `detail` holds
    the provider's own words.
    """

    who = "model"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        detail: str = "",
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = retryable
        self.retry_after = retry_after
        self.detail = detail
        self.code = code


class ModelTimeoutError(ModelError, TimeoutError):
    """A model gave no full answer in its time; a TimeoutError too, as in AutoGen 0.2."""


class DivergenceError(EngineError):
    """A replayed chat asked for something other than what its log recorded."""

    who = "storage"


class SandboxError(EngineError):
    """The box in which code should run cannot run it; nothing was run outside of it."""

    who = "sandbox"


class Suspend(BaseException):
    """Unwinds a chat that cannot go on now and will be replayed later.

    Not an `Exception`: no reply function may swallow it by accident.
    `state` is "waiting" (for a person) or "paused".
    """

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason
