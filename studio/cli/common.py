"""What the commands share: their options, and errors in words with the right exit code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
T = TypeVar("T")
Home = Annotated[Path | None, typer.Option(help="Data folder [STUDIO_HOME, ~/.roundtable].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
FAILED, WRONG_USE = 1, 2


def friendly(command: Callable[P, T]) -> Callable[P, T]:
    """Expected errors become one line on stderr, and exit code 1 or 2."""

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> T:
        from ..errors import StudioError, UnavailableError

        try:
            return command(*arguments, **options)
        except StudioError as error:
            typer.echo(f"studio: {error}", err=True)
            failed = isinstance(error, UnavailableError)  # not the fault of who typed it
            raise typer.Exit(FAILED if failed else WRONG_USE) from None

    return run
