"""What the agents of one session run code and skills with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, assert_never

from ..definitions.agents import AgentDefinition, CodeExecutionConfig
from ..definitions.common import Hosts
from ..definitions.skills import McpSkillDefinition, PythonSkillDefinition, SkillDefinition
from ..engine.approvals import HostNames, hash_of
from ..engine.boxed import BoxedTool, ToolResult
from ..engine.code_replies import CodeExecution
from ..engine.context import current_context
from ..engine.errors import SandboxError
from ..engine.events import NetworkUsed
from ..engine.execution.arguments import argument_error
from ..engine.execution.box import BoxLimits
from ..engine.execution.calls import Called, call_job, read_call
from ..engine.execution.in_box import BoxedCode
from ..engine.schema import FunctionSchema
from ..store.known_secrets import KnownSecrets
from .boxes import Boxes, Needs
from .mcp import McpServers
from .mcp_errors import MissingError
from .proxy_policy import NetworkRequest

Offer = tuple[dict[str, Any], BoxedTool]  # the schema as a model is offered it, and what runs it


@dataclass(frozen=True)
class Workshop:
    """The boxes, servers and secrets of one session of `owner`."""

    boxes: Boxes
    mcp: McpServers
    secrets: KnownSecrets
    owner: str
    session_id: str

    def code(self, agent: AgentDefinition, config: CodeExecutionConfig) -> CodeExecution:
        needs = code_needs(config)
        return CodeExecution(
            BoxedCode(
                lambda: self.boxes.room(self.session_id, needs, telling(agent.name)),
                BoxLimits(seconds=config.timeout),
            ),
            config.last_n_messages,
            _hosts(needs),
            config.approval,
        )

    def tools(self, agent: AgentDefinition, one: str, skill: SkillDefinition) -> Iterator[Offer]:
        """Each function of a skill, as this agent may call it."""
        version = hash_of(skill.model_dump(mode="json", by_alias=True))
        for schema in skill.schemas():
            tool = BoxedTool(
                name=schema.name,
                of=skill.name,
                run=self._calling(agent, one, skill, schema),
                approval=skill.approval,
                version=version,
                hosts=_hosts(skill_needs(skill)),
                repeatable=skill.idempotent,
            )
            yield offered(schema), tool

    def _calling(
        self, agent: AgentDefinition, one: str, skill: SkillDefinition, schema: FunctionSchema
    ) -> Any:
        async def call(arguments: dict[str, Any], key: str) -> ToolResult:
            if error := argument_error(schema.name, schema.parameters, arguments):
                return ToolResult(ok=False, content=error)
            try:
                return await self._called(agent, one, skill, schema.name, arguments, key)
            except (SandboxError, MissingError) as error:
                return ToolResult(ok=False, content=f"Error: {error}")

        return call

    async def _called(
        self,
        agent: AgentDefinition,
        one: str,
        skill: SkillDefinition,
        function: str,
        arguments: dict[str, Any],
        key: str,
    ) -> ToolResult:
        given = await self._secrets(agent, skill)
        match skill:
            case PythonSkillDefinition():
                job = call_job(
                    skill.source, function, arguments, name=skill.name, secrets=given, key=key
                )
                needs = skill_needs(skill)
                done = await self.boxes.run(self.session_id, needs, job, telling(agent.name))
                return result_of(read_call(done.ended, job), done.files)
            case McpSkillDefinition():
                called = await self.mcp.call(
                    self.session_id, one, skill, function, arguments, given,
                    owner=self.owner, told=telling(agent.name),
                )  # fmt: skip
                return result_of(called)
            case _:
                assert_never(skill)

    async def _secrets(self, agent: AgentDefinition, skill: SkillDefinition) -> dict[str, str]:
        """Those that the skill asks for, the agent allows and the vault has."""
        found = {}
        for name in skill.secrets:
            if name not in agent.secrets:
                continue
            value = await self.secrets.key(self.owner, name, "")
            if value is not None:
                found[name] = value
        return found


def offered(schema: FunctionSchema) -> dict[str, Any]:
    return {"type": "function", "function": schema.as_json()}


def code_needs(config: CodeExecutionConfig) -> Needs:
    network = config.network
    return Needs(
        config.executor, config.image or "", tuple(config.packages),
        tuple(network.hosts) if isinstance(network, Hosts) else network,
    )  # fmt: skip


def skill_needs(skill: SkillDefinition) -> Needs:
    network = skill.network
    return Needs(
        packages=tuple(skill.packages),
        network=tuple(network.hosts) if isinstance(network, Hosts) else network,
    )


def _hosts(needs: Needs) -> HostNames:
    return () if needs.network == "none" else needs.network


def telling(agent: str) -> Callable[[NetworkRequest], None]:
    """Writes what code asks of the network into the log of the session that runs it."""
    context = current_context()
    turn = context.turns + 1

    def told(request: NetworkRequest) -> None:
        context.report(
            NetworkUsed(
                turn=turn, agent=agent, host=request.host, port=request.port,
                method=request.method, allowed=request.allowed, reason=request.reason,
            )
        )  # fmt: skip

    return told


def result_of(called: Called, files: Any = ()) -> ToolResult:
    return ToolResult(
        called.ok, called.content, round(called.seconds, 3),
        "\n".join(part for part in (called.printed, called.errors) if part), list(files),
    )  # fmt: skip
