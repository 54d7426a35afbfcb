"""Runs code on this machine, as the person who started the program and with all their rights.

For the library and for tests only: the studio never imports this module. The two executors behave
as AutoGen 0.2.40's "commandline-local" and as its execution without an executor (ENGINE section 3).
They need a POSIX system: a block runs in a process group of its own, and stops as a group.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from .executor import CodeResult
from .extract import UNKNOWN, CodeBlock, infer_language
from .rules import (
    SHELLS,
    CodeRules,
    OutsideWorkDirError,
    checked_timeout,
    dangerous,
    file_name_of,
    in_force,
    legacy_file_name_of,
    silence_pip,
    temporary_name,
    write_inside,
)

TIMEOUT = "Timeout"
MOST_OUTPUT = 10_000_000  # bytes kept of each stream: a loop that prints must not fill the memory

_PYTHON_TAGS = ("python", "Python", "py")
# unbuffered Python, or what a block printed before its time was up would be lost
_PROGRAMS = {
    "bash": ["bash"], "shell": ["sh"], "sh": ["sh"],
    "pwsh": ["pwsh"], "powershell": ["pwsh"], "ps1": ["pwsh"],
    "python": [sys.executable, "-u"], "javascript": ["node"],
}  # fmt: skip
_POLICIES = dict.fromkeys(_PROGRAMS, True) | {"javascript": False, "html": False, "css": False}
_WITH_PATH = ("sh", "-c", 'PATH="$1${PATH:+:$PATH}"; export PATH; shift; exec "$@"', "sh")
_GRACE = 1.0  # seconds for the pipes of a killed group to close


@dataclass(frozen=True, slots=True)
class CommandLineCodeResult:
    """Of one block or of many; `code_file` is the first file written, an absolute path."""

    exit_code: int
    output: str
    code_file: str | None = None


class LocalCommandLineCodeExecutor:
    """AutoGen 0.2's "commandline-local": each block is a file in `work_dir`, run from there.

    `timeout` is in seconds for each block, at least 1 (else ValueError). `work_dir` is made when
    it is missing. Files are kept. `virtual_env_context` is what `venv.EnvBuilder` returns from
    `ensure_directories`; without it Python is the one that runs this program.
    `execution_policies` says which languages are run instead of only saved (by default all but
    javascript, html and css; the last two have no program and are never run). `environment` is
    that of the blocks; None: inherited. Nothing can be read from standard input.
    """

    def __init__(
        self,
        timeout: float = 60,
        *,
        work_dir: str | Path = ".",
        virtual_env_context: SimpleNamespace | None = None,
        execution_policies: Mapping[str, bool] | None = None,
        rules: CodeRules | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.timeout = checked_timeout(timeout)
        self.work_dir = Path(work_dir)
        self._virtual_env = virtual_env_context
        self.execution_policies = _POLICIES | dict(execution_policies or {})
        self._rules = rules
        self._environment = environment

    async def run(self, blocks: Sequence[CodeBlock], rules: CodeRules | None = None) -> CodeResult:
        """Runs blocks until one fails. ValueError only by the rule `dangerous_command_raises`."""
        started = time.monotonic()
        result = await self._execute(blocks, in_force(self._rules, rules))
        return CodeResult(result.exit_code, result.output, time.monotonic() - started)

    def execute_code_blocks(
        self, code_blocks: Sequence[CodeBlock], rules: CodeRules | None = None
    ) -> CommandLineCodeResult:
        """`run` for callers that are not async; in a running event loop it blocks that loop."""
        work = self._execute(code_blocks, in_force(self._rules, rules))
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(work)
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(asyncio.run, work).result()

    def restart(self) -> None:
        """Does nothing: each block is a process of its own."""

    async def _execute(
        self, blocks: Sequence[CodeBlock], rules: CodeRules
    ) -> CommandLineCodeResult:
        log, step, first = "", CommandLineCodeResult(0, ""), None
        for block in blocks:
            try:
                step = await self._step(block, rules)
            except OutsideWorkDirError as error:
                return CommandLineCodeResult(1, str(error))
            log += step.output
            first = first or step.code_file
            if step.exit_code:
                break
        return CommandLineCodeResult(step.exit_code, log, first)

    async def _step(self, block: CodeBlock, rules: CodeRules) -> CommandLineCodeResult:
        language = block.language.lower()
        if refusal := dangerous(language, block.code):
            if rules.dangerous_command_raises:
                raise ValueError(refusal)
            return CommandLineCodeResult(1, refusal)
        code = silence_pip(block.code, language)
        if language in _PYTHON_TAGS:
            language = "python"
        if language not in _POLICIES:
            return CommandLineCodeResult(1, f"\nunknown language {language}")
        name = file_name_of(code, self.work_dir, rules) or temporary_name(code, language)
        try:
            file = write_inside(self.work_dir, name, code)
        except OSError as error:
            return CommandLineCodeResult(1, str(error))
        if not self.execution_policies[language] or language not in _PROGRAMS:
            return CommandLineCodeResult(0, f"Code saved to {file}\n", str(file))
        command = self._command(language, str(file))
        done = await _run(command, self.work_dir, self._environment, self.timeout)
        if not done.late:
            return CommandLineCodeResult(done.exit_code, done.printed, str(file))
        kept = "" if rules.timeout_drops_output else done.printed
        return CommandLineCodeResult(124, f"{kept}\n{TIMEOUT}", str(file))

    def _command(self, language: str, file: str) -> list[str]:
        program = _PROGRAMS[language]
        if self._virtual_env is None:
            return [*program, file]
        bin_path = os.path.abspath(self._virtual_env.bin_path)
        if language == "python":
            program = [os.path.join(bin_path, "python"), "-u"]
        return [*_WITH_PATH, bin_path, *program, file]


class LegacyCodeExecutor:
    """AutoGen 0.2's `code_execution_config={"use_docker": False, "work_dir": ...}`.

    Takes blocks of `legacy_blocks`: only bash, shell, sh and Python run. A failed block shows what
    it wrote to stderr, without the names of its paths, any other what it wrote to stdout. The file
    of a Python block that names it ("# filename: x") is kept, all others are deleted.
    `timeout` is in seconds for each block, at least 1 (else ValueError). Of the rules only
    `timeout_drops_output` concerns it.
    """

    is_legacy = True  # for who extracts the blocks

    def __init__(
        self,
        timeout: float = 600,
        *,
        work_dir: str | Path = ".",
        rules: CodeRules | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.timeout = checked_timeout(timeout)
        self.work_dir = Path(work_dir)
        self._rules = rules
        self._environment = environment

    async def run(self, blocks: Sequence[CodeBlock], rules: CodeRules | None = None) -> CodeResult:
        """Runs blocks until one fails; the log of each is on a line of its own."""
        started = time.monotonic()
        log, step = "", CommandLineCodeResult(0, "")
        for block in blocks:
            step = await self._step(block, in_force(self._rules, rules))
            log += f"\n{step.output}"
            if step.exit_code:
                break
        return CodeResult(step.exit_code, log, time.monotonic() - started)

    async def _step(self, block: CodeBlock, rules: CodeRules) -> CommandLineCodeResult:
        language = block.language or infer_language(block.code) or UNKNOWN
        named = ""
        if language in _PYTHON_TAGS:
            language, named = "python", legacy_file_name_of(block.code)
        elif language not in SHELLS:
            return CommandLineCodeResult(1, f"unknown language {language}")
        name = named or temporary_name(block.code, language)
        try:
            file = write_inside(self.work_dir, name, block.code)
        except (OutsideWorkDirError, OSError) as error:
            return CommandLineCodeResult(1, str(error))
        root = self.work_dir.resolve()
        command = [*_PROGRAMS[language], str(file.relative_to(root))]
        try:
            done = await _run(command, root, self._environment, self.timeout)
        finally:
            if not named:
                file.unlink(missing_ok=True)
        if done.late:
            kept = "" if rules.timeout_drops_output else done.printed
            return CommandLineCodeResult(1, f"{kept}\n{TIMEOUT}" if kept else TIMEOUT)
        if not done.exit_code:
            return CommandLineCodeResult(0, done.stdout)
        log = done.stderr
        for scrubbed in [f"{root}{os.sep}"] if named else [str(file), file.name]:
            log = log.replace(scrubbed, "")
        return CommandLineCodeResult(done.exit_code, log)


@dataclass(frozen=True, slots=True)
class _Finished:
    exit_code: int
    stdout: str
    stderr: str
    late: bool = False

    @property
    def printed(self) -> str:
        return self.stderr + self.stdout


class _Collected(asyncio.Protocol):
    """The read end of a pipe: keeps what arrives, `ended` when nobody can write any more."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.cut = False
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        room = MOST_OUTPUT - len(self.data)
        self.cut = self.cut or len(data) > room
        self.data += data[:room]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    @property
    def text(self) -> str:
        """As text mode reads it: any line end is a newline."""
        text = self.data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        return f"{text}\n(output cut at {MOST_OUTPUT} bytes)\n" if self.cut else text


async def _pipe(ours: ExitStack, given: ExitStack) -> tuple[_Collected, int]:
    """A reader that `ours` closes, and the end to write to, which `given` closes."""
    # not asyncio's own pipes: a process that left the group can hold them, and they are waited for
    reader, writer = os.pipe()
    given.callback(os.close, writer)
    loop = asyncio.get_running_loop()
    transport, stream = await loop.connect_read_pipe(_Collected, io.FileIO(reader))
    ours.callback(transport.close)
    return stream, writer


async def _run(
    command: list[str], work_dir: Path, environment: Mapping[str, str] | None, timeout: float
) -> _Finished:
    """Waits until the process has ended and its streams are closed; kills its group if late."""
    with ExitStack() as ours:
        try:
            with ExitStack() as given:
                stdout, out = await _pipe(ours, given)
                stderr, err = await _pipe(ours, given)
                process = await asyncio.create_subprocess_exec(
                    *command, cwd=work_dir, env=environment, stdin=asyncio.subprocess.DEVNULL,
                    stdout=out, stderr=err, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            return _Finished(127, "", f"{command[0]}: {error.strerror}\n")
        ends = {asyncio.ensure_future(process.wait()), stdout.ended, stderr.ended}
        late = True
        try:
            late = bool((await asyncio.wait(ends, timeout=timeout))[1])
        finally:
            if late:  # or the run was cancelled
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
                await asyncio.wait(ends, timeout=_GRACE)
        return _Finished(process.returncode or 0, stdout.text, stderr.text, late)
