"""What can be wrong with an MCP server, in words that a person and a model can read."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import StudioError

INSTALL = "MCP servers need more of the studio: pip install 'roundtable-studio[mcp]'"


class ServerError(StudioError):
    """`errors` is the last that the server's program wrote to its standard error."""

    code = "mcp_server"

    def __init__(self, message: str, errors: str = "") -> None:
        super().__init__(message)
        self.errors = errors


class LostError(ServerError):
    """The conversation is over: the server has to be started again."""


class HungError(ServerError):
    """No answer came in time."""

    def __init__(self, seconds: float, errors: str = "") -> None:
        super().__init__(f"no answer came within {seconds:g} s", errors)
        self.limit = f"the time limit of {seconds:g} s"


class MissingError(StudioError):
    """The studio was installed without what speaks to MCP servers."""

    code = "mcp_missing"

    def __init__(self) -> None:
        super().__init__(INSTALL)


def is_missing() -> bool:
    """Whether the studio was installed without it. Nothing is imported."""
    return find_spec("mcp") is None
