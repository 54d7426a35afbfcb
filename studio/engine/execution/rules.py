"""Named rules of code execution, and the work on its text and files that needs no process.

The behaviour is AutoGen 0.2.40's; where that is unsafe or loses output, a rule says which of the
two ways is taken (ENGINE section 10).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

DANGER = "Potentially dangerous command detected: "
OUTSIDE = "Filename is not in the workspace"

SHELLS = ("bash", "shell", "sh")
_DANGEROUS = (
    (r"\brm\s+-rf\b", "Use of 'rm -rf' command is not allowed."),
    (r"(?m)^(?>.*?\bmv\b).*\s/dev/null", "Moving files to /dev/null is not allowed."),
    (r"\bdd\b", "Use of 'dd' command is not allowed."),
    (r">\s*/dev/sd[a-z]", "Overwriting disk blocks directly is not allowed."),
    (r":\(\)\{\s*:\|:&\s*\};:", "Fork bombs are not allowed."),
)
_PIP_LINE = dict.fromkeys((*SHELLS, "pwsh", "powershell", "ps1"), re.compile(r"pip install"))
_PIP_LINE["python"] = re.compile(r"! ?pip install")
_COMMENT = re.compile(r"(?:#|//) (?P<line>.+)|/\* (?P<block>.+?) \*/|<!-- (?P<markup>.+?) -->")
_LABEL = "filename:"


@dataclass(frozen=True, slots=True)
class CodeRules:
    """Each rule, when true, is what AutoGen 0.2 does."""

    dangerous_command_raises: bool = False
    """True: ValueError ends the chat. False: exit code 1, and the agent reads the sentence."""
    any_comment_is_filename: bool = False
    """True: any comment on the first line names the file. False: only `filename: ...` does."""
    timeout_drops_output: bool = False
    """True: of a block that timed out only "Timeout" is left. False: what it printed is kept."""


AUTOGEN_0_2 = CodeRules(
    dangerous_command_raises=True, any_comment_is_filename=True, timeout_drops_output=True
)


class OutsideWorkDirError(ValueError):
    """A block names a file that is not inside the working directory."""

    def __init__(self) -> None:
        super().__init__(OUTSIDE)


def in_force(own: CodeRules | None, given: CodeRules | None) -> CodeRules:
    """An executor's own rules win over those of one call; with neither, the defaults."""
    return own or given or CodeRules()


def checked_timeout(seconds: float) -> float:
    """ValueError below one second."""
    if seconds < 1:
        raise ValueError("timeout must be at least 1 second.")
    return seconds


def dangerous(lang: str, code: str) -> str | None:
    """The sentence that refuses `code`, or None.

    A seat belt against accidents in shell blocks, no protection: `rm -fr` passes, `echo dd` not.
    """
    if lang not in SHELLS:
        return None
    found = (reason for pattern, reason in _DANGEROUS if re.search(pattern, code))
    return next((DANGER + reason for reason in found), None)


def silence_pip(code: str, lang: str) -> str:
    """Adds -qqq to lines that begin with `pip install` (in Python: `!pip`, `! pip`)."""
    pattern = _PIP_LINE.get(lang)
    if pattern is None:
        return code

    def quiet(line: str) -> str:
        command = pattern.match(line)
        if command is None or "-qqq" in line:
            return line
        return line.replace(command[0], f"{command[0]} -qqq")

    return "\n".join(quiet(line) for line in code.split("\n"))


def file_name_of(code: str, work_dir: Path, rules: CodeRules | None = None) -> str | None:
    """The name that the first line's comment gives to `code`, relative to `work_dir`.

    None without such a comment; `OutsideWorkDirError` (a ValueError) if it lies elsewhere.
    """
    comment = _COMMENT.match(code.partition("\n")[0].strip())
    text = comment[comment.lastgroup or 0].strip() if comment else ""
    name = text.removeprefix(_LABEL).strip()
    if in_force(None, rules).any_comment_is_filename:
        name = name or text
    elif not text.startswith(_LABEL):
        return None
    return str(inside(work_dir, name).relative_to(work_dir.resolve())) if name else None


def legacy_file_name_of(code: str) -> str:
    """The name that a Python block gives its file where there is no executor, or ""."""
    first = code.partition("\n")[0]
    return first[12:].strip() if first.startswith("# filename: ") else ""


def inside(work_dir: Path, name: str) -> Path:
    """The absolute path of `name` in `work_dir`, links followed; else `OutsideWorkDirError`."""
    root = work_dir.resolve()
    try:
        path = (root / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise OutsideWorkDirError from error
    # from Python 3.13 on a loop of links is left in the path instead of being an error
    is_loop = any(part.is_symlink() for part in (path, *path.parents))
    if root not in path.parents or is_loop:
        raise OutsideWorkDirError
    return path


def temporary_name(code: str, lang: str) -> str:
    """The name of the file of a block that gives none: the same code, the same file."""
    digest = hashlib.md5(code.encode(errors="replace"), usedforsecurity=False).hexdigest()
    return f"tmp_code_{digest}.{'py' if lang == 'python' else lang}"


def write_inside(work_dir: Path, name: str, code: str) -> Path:
    """Writes and returns the absolute path; missing directories are made.

    `OutsideWorkDirError`, or OSError when `name` cannot be a file.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    path = inside(work_dir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(code.encode(errors="replace"))
    return path
