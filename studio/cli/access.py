"""`studio token` and `studio secret`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .common import AsJson, Home, friendly

tokens = typer.Typer(help="API tokens for programs.", no_args_is_help=True)
secrets = typer.Typer(help="Named values for skills; they go in and never out.",
                      no_args_is_help=True)  # fmt: skip
COLUMNS = ("id", "name", "scope", "hint", "expires_at", "last_used_at")


@tokens.command("create")
@friendly
def create(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    write: Annotated[bool, typer.Option("--write", help="It may also change things.")] = False,
    days: Annotated[int | None, typer.Option(help="It ends after so many days [never].")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once.

    Example: export STUDIO_API_TOKEN=$(studio token create nightly --write --days 90)
    """
    from .client import show, studio

    body = {"name": name, "scope": "write" if write else "read", "expires_in_days": days}
    with studio(home) as api:
        made = api.call("POST", "tokens", body).json()
    show([made], ("token",), as_json=as_json)


@tokens.command("list")
@friendly
def listing(home: Home = None, as_json: AsJson = False) -> None:
    """List the tokens: never the tokens themselves.

    Example: studio token list --json
    """
    from .client import show, studio

    with studio(home) as api:
        show(api.get("tokens")["items"], COLUMNS, as_json=as_json, empty="No token yet.")


@tokens.command("revoke")
@friendly
def revoke(
    token: Annotated[str, typer.Argument(help="Id or name of a token.")],
    home: Home = None,
) -> None:
    """Revoke a token: it is refused at once.

    Example: studio token revoke nightly
    """
    from ..errors import NotFoundError
    from .client import studio

    with studio(home) as api:
        found = [t for t in api.get("tokens")["items"] if token in (t["id"], t["name"])]
        if not found:
            raise NotFoundError(f"There is no token called {token}")
        for one in found:
            api.call("DELETE", f"tokens/{one['id']}")


@secrets.command("list")
@friendly
def names(home: Home = None, as_json: AsJson = False) -> None:
    """List the secrets by name, and which must be entered again on this machine.

    Example: studio secret list
    """
    from .client import show, studio

    with studio(home) as api:
        rows = api.get("secrets")["items"]
    for row in rows:
        row["state"] = row["hint"] if row["readable"] else "enter it again"
    show(rows, ("name", "state", "destination"), as_json=as_json, empty="No secret yet.")


@secrets.command("set")
@friendly
def put(
    name: Annotated[str, typer.Argument(help="Capital letters, digits and underscores.")],
    home: Home = None,
) -> None:
    """Store a secret; the value is asked for, or read from a pipe, never an argument.

    Example: studio secret set SEARCH_KEY < key.txt
    """
    from .client import studio

    if sys.stdin.isatty():
        value = typer.prompt("Value", hide_input=True)
    else:
        value = sys.stdin.read().strip()
    with studio(home) as api:
        api.call("POST", "secrets", {"name": name, "value": value})


@secrets.command("delete")
@friendly
def delete(name: str, home: Home = None) -> None:
    """Delete a secret.

    Example: studio secret delete SEARCH_KEY
    """
    from .client import studio

    with studio(home) as api:
        api.call("DELETE", f"secrets/{name}")
