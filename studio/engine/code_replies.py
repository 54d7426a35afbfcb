"""Replies that run code: which blocks an agent runs, with what, and what it says afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .approvals import HostNames, approve, refused_network
from .context import current_context
from .effects import Effect
from .errors import DefinitionError
from .events import CodeExecuted
from .execution.executor import CodeExecutor, CodeResult, RefusingExecutor
from .execution.extract import CodeBlock, blocks_to_run, code_blocks
from .messages import Message

if TYPE_CHECKING:
    from .agents import ConversableAgent

Reply = tuple[bool, str | Message | None]
REFUSED = 126
OF_THE_EXECUTOR = ("use_docker", "work_dir", "timeout")


@dataclass
class CodeExecution:
    """How an agent runs code blocks it receives; `last_n_messages` says where it looks.

    hosts     hosts that the code may reach once a person has agreed; "open" for all public ones
    approval  whether a person sees the code each time before it runs
    """

    executor: CodeExecutor = field(default_factory=RefusingExecutor)
    last_n_messages: int | Literal["auto"] = "auto"
    hosts: HostNames = ()
    approval: Literal["never", "always"] = "never"


def code_execution_of(config: Mapping[str, Any] | Literal[False] | None) -> CodeExecution | None:
    """AutoGen 0.2's code_execution_config: {"executor": ...} or {"work_dir", "use_docker", ...}.

    Without an executor code runs in Docker, in the image that use_docker names, if it does; on this
    machine only where use_docker is False, given or by AUTOGEN_USE_DOCKER.
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
    from .execution.library import IMAGE, BoxCodeExecutor
    from .execution.local import LegacyCodeExecutor
    from .llm.config_list import wants_docker

    folder, timeout = config.get("work_dir") or "coding", int(config.get("timeout", 600))
    wanted = config.get("use_docker", wants_docker())
    if wanted is False:
        return LegacyCodeExecutor(work_dir=folder, timeout=timeout)
    image = wanted[0] if isinstance(wanted, list) and wanted else wanted
    image = image if isinstance(image, str) else IMAGE
    return BoxCodeExecutor("docker", work_dir=folder, timeout=timeout, image=image)


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
    blocks, refusal = await _judged(agent, setting, blocks)
    if refusal:
        return True, _told(CodeResult(REFUSED, refusal))
    request: dict[str, Any] = {"blocks": [[b.language, b.code] for b in blocks]}
    if not getattr(setting.executor, "is_repeatable", True):
        request["repeatable"] = False
    effect = Effect(context.next_key(), "code", turn, agent.name, request)

    async def run(_: int) -> dict[str, Any]:
        done = asdict(await setting.executor.run(blocks, context.compat.code))
        return done if done["limit"] else {k: v for k, v in done.items() if k != "limit"}

    result = (await context.effects.do(effect, run)).result
    context.used(result)
    files = result["artifacts"]
    told = result | {"artifacts": [one["name"] for one in files]}
    context.emit(CodeExecuted(turn=turn, agent=agent.name, language=blocks[0].language, **told))
    context.saved(turn, files)
    return True, _told(CodeResult(result["exit_code"], result["output"]))


def _told(result: CodeResult) -> str:
    """The words of AutoGen 0.2."""
    status = "failed" if result.exit_code else "succeeded"
    return f"exitcode: {result.exit_code} (execution {status})\nCode output: {result.output}"


async def _judged(
    agent: ConversableAgent, setting: CodeExecution, blocks: list[CodeBlock]
) -> tuple[list[CodeBlock], str]:
    """The blocks as a person lets them run, or why they shall not."""
    if refusal := await refused_network(agent, f"code of {agent.name}", setting.hosts):
        return blocks, refusal
    if setting.approval == "never":
        return blocks, ""
    asked: dict[str, Any] = {"kind": "code", "blocks": [[b.language, b.code] for b in blocks]}
    verdict = await approve(agent, asked, f"{agent.name} is about to run code", remember=False)
    if not verdict.approved:
        return blocks, f"The code was {verdict.refusal}"
    return _edited(blocks, verdict.edited), ""


def _edited(blocks: list[CodeBlock], text: str | None) -> list[CodeBlock]:
    """What a person made of the code: one block as it is, several with their fences."""
    if text is None:
        return blocks
    if found := code_blocks(text):
        return found
    return [CodeBlock(blocks[0].language, text)]
