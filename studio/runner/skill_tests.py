"""Tests of skills: one call of one function, outside of any session, in a box of its own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, assert_never

import orjson

from ..definitions.skills import (
    McpSkillDefinition,
    OfferedTool,
    PythonSkillDefinition,
    SkillDefinition,
)
from ..engine.errors import SandboxError
from ..engine.execution.arguments import argument_problems
from ..engine.execution.calls import Called, call_job, read_call
from ..errors import InvalidError, Problem, UnavailableError
from ..store.known_secrets import KnownSecrets, Mask
from ..store.tables import new_id
from .boxes import Boxes, Told
from .mcp import McpServers
from .mcp_errors import MissingError, ServerError
from .proxy_policy import NetworkRequest
from .workshop import skill_needs

MOST_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of a test; `waited` are the seconds before its turn came."""

    called: Called
    requests: list[NetworkRequest]
    waited: float


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool that a server offers now. `chosen` is by the skill as it is saved; `changed` when it
    was described otherwise then."""

    tool: OfferedTool
    chosen: bool
    changed: bool


class SkillTests:
    """The tests of one studio: a few at once, the others wait. Lives in one event loop."""

    def __init__(self, boxes: Boxes, secrets: KnownSecrets, mcp: McpServers) -> None:
        self._boxes, self._secrets, self._mcp = boxes, secrets, mcp
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(
        self, owner: str, skill: SkillDefinition, function: str, arguments: dict[str, Any]
    ) -> Tested:
        """Calls a function of a skill as it is saved. Who cancels this stops the call.

        Raises InvalidError at "function", "arguments" or "secrets", and UnavailableError where
        there is no box. What comes back is without the values of secrets.
        """
        checked(skill, function, arguments)
        requests: list[NetworkRequest] = []
        asked = time.monotonic()
        async with self._room:
            waited = time.monotonic() - asked
            try:
                called = await self._called(owner, skill, function, arguments, requests.append)
            except (SandboxError, MissingError) as error:
                raise UnavailableError(str(error)) from None
        return Tested(_masked(called, await self._secrets.mask(owner)), requests, waited)

    async def _called(
        self,
        owner: str,
        skill: SkillDefinition,
        function: str,
        arguments: dict[str, Any],
        told: Told,
    ) -> Called:
        given = await self._given(owner, skill.secrets)
        match skill:
            case PythonSkillDefinition():
                job = call_job(
                    skill.source,
                    function,
                    arguments,
                    name=skill.name,
                    secrets=given,
                    key=f"test:{new_id()}",
                )
                return read_call(await self._boxes.try_out(skill_needs(skill), job, told), job)
            case McpSkillDefinition():
                async with self._mcp.aside() as session_id:
                    return await self._mcp.call(
                        session_id, "server", skill, function, arguments, given,
                        owner=owner, told=told,
                    )  # fmt: skip
            case _:
                assert_never(skill)

    async def tools(self, owner: str, skill: McpSkillDefinition) -> list[ListedTool]:
        """What the server of a skill offers now: it is started for that, in a box of its own.

        Raises UnavailableError that says why there is nothing to see, and InvalidError as `run`.
        """
        given = await self._given(owner, skill.secrets)
        async with self._room:
            try:
                async with self._mcp.aside() as session_id:
                    found = await self._mcp.tools(session_id, "server", skill, given, owner=owner)
            except (SandboxError, MissingError) as error:
                raise UnavailableError(str(error)) from None
            except ServerError as error:
                mask = await self._secrets.mask(owner)
                words = f"The server: {error}\n\n{error.errors}".strip()
                raise UnavailableError(mask.text(words)) from None
        before = {tool.name: tool for tool in skill.offered}
        return [
            ListedTool(
                tool=tool,
                chosen=tool.name in skill.tools,
                changed=tool.name in before and not tool.same_as(before[tool.name]),
            )
            for tool in found
        ]

    async def _given(self, owner: str, names: list[str]) -> dict[str, str]:
        found = {name: await self._secrets.key(owner, name, "") for name in names}
        missing = [
            Problem(["secrets", at], f"The secret {name} is not set", "secret_missing")
            for at, name in enumerate(names)
            if found[name] is None
        ]
        if missing:
            raise InvalidError(missing)
        return {name: value for name, value in found.items() if value is not None}


def checked(skill: SkillDefinition, function: str, arguments: dict[str, Any]) -> None:
    """Whether a skill has this function, and the arguments fit it. Raises InvalidError."""
    schema = next((one for one in skill.schemas() if one.name == function), None)
    if schema is None:
        names = ", ".join(one.name for one in skill.schemas()) or "none"
        problem = Problem(["function"], f"There is no such function; there are {names}", "unknown")
        raise InvalidError([problem])
    problems = argument_problems(schema.parameters, arguments)
    if problems:
        raise InvalidError([Problem(["arguments", *p.place], p.msg, p.code) for p in problems])


def _masked(called: Called, mask: Mask) -> Called:
    try:
        value = orjson.loads(mask.text(orjson.dumps(called.value).decode()))
    except (TypeError, ValueError):  # too large a number, too deep, or a number that is a secret
        value = None
    return replace(
        called,
        content=mask.text(called.content),
        value=value,
        printed=mask.text(called.printed),
        errors=mask.text(called.errors),
    )
