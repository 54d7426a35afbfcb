"""Replies that run code: which blocks an agent runs, with what, and what it says afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .context import current_context
from .effects import Effect
from .errors import DefinitionError
from .events import CodeExecuted
from .execution.executor import CodeExecutor, RefusingExecutor
from .execution.extract import blocks_to_run
from .messages import Message

if TYPE_CHECKING:
    from .agents import ConversableAgent

Reply = tuple[bool, str | Message | None]
OF_THE_EXECUTOR = ("use_docker", "work_dir", "timeout")


@dataclass
class CodeExecution:
    """How an agent runs code blocks it receives; `last_n_messages` says where it looks."""

    executor: CodeExecutor = field(default_factory=RefusingExecutor)
    last_n_messages: int | Literal["auto"] = "auto"


def code_execution_of(config: Mapping[str, Any] | Literal[False] | None) -> CodeExecution | None:
    """AutoGen 0.2's code_execution_config: {"executor": ...} or {"work_dir", "use_docker", ...}.

    Without an executor code runs on this machine only where use_docker is False, given or by
    AUTOGEN_USE_DOCKER; everywhere else it is refused until there is a sandbox.
    Raises DefinitionError for settings that contradict each other.
    """
    if config is False:
        return None
    if not isinstance(config, Mapping | None):
        raise DefinitionError("code_execution_config must be a dict or False")
    config = dict(config or {})
    last_n = config.get("last_n_messages", "auto")
    if "executor" not in config:
        return CodeExecution(_legacy(config), last_n)
    for key in OF_THE_EXECUTOR:
        if key in config:
            raise DefinitionError(
                f"'{key}' in code_execution_config is not valid when 'executor' is set. "
                "Use the appropriate arg in the chosen executor instead."
            )
    return CodeExecution(_executor(config), last_n)


def _legacy(config: dict[str, Any]) -> CodeExecutor:
    from .execution.local import LegacyCodeExecutor
    from .llm.config_list import wants_docker

    if config.get("use_docker", wants_docker()) is not False:
        return RefusingExecutor()
    return LegacyCodeExecutor(
        work_dir=config.get("work_dir") or "coding", timeout=int(config.get("timeout", 600))
    )


def _executor(config: dict[str, Any]) -> CodeExecutor:
    from .execution.local import LocalCommandLineCodeExecutor

    executor = config["executor"]
    if not isinstance(executor, str):
        return executor  # type: ignore[no-any-return]
    if executor != "commandline-local":
        raise DefinitionError(f"There is no code executor {executor!r}")
    return LocalCommandLineCodeExecutor(**config.get("commandline-local", {}))


async def code_execution(
    agent: ConversableAgent, messages: list[Message], sender: Any, config: Any = None
) -> Reply:
    """Runs the code blocks of the newest message that has any, through the agent's executor."""
    setting = agent.code_execution
    if setting is None:
        return False, None
    context = current_context()
    blocks = blocks_to_run(
        messages,
        setting.last_n_messages,
        legacy=getattr(setting.executor, "is_legacy", False),
        none_is_all=context.compat.none_means_all,
    )
    if not blocks:
        return False, None
    turn = context.begin_turn(agent.name)
    request = {"blocks": [[b.language, b.code] for b in blocks]}
    effect = Effect(context.next_key(), "code", turn, agent.name, request)
    rules = context.compat.code

    async def run(_: int) -> dict[str, Any]:
        result = await setting.executor.run(blocks, rules)
        return {
            "exit_code": result.exit_code,
            "output": result.output,
            "seconds": result.seconds,
            "artifacts": result.artifacts,
        }

    result = (await context.effects.do(effect, run)).result
    context.used(result)
    context.emit(CodeExecuted(turn=turn, agent=agent.name, language=blocks[0].language, **result))
    status: Literal["succeeded", "failed"] = "failed" if result["exit_code"] else "succeeded"
    return True, (
        f"exitcode: {result['exit_code']} (execution {status})\nCode output: {result['output']}"
    )
