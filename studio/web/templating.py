"""Jinja2 for the pages: one environment, autoescaping on, filters for what people read."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import ChainableUndefined, Environment, FileSystemBytecodeCache, FileSystemLoader
from jinja2.bccache import Bucket
from markupsafe import Markup

from ..assets import asset_dir
from .formats import FILTERS
from .markdown import highlighted, spans, to_html


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(asset_dir("templates")),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    made.filters["markdown"] = lambda text: Markup(to_html(text))  # noqa: S704 - sanitised there
    made.filters["code_block"] = _code_block
    made.filters["coloured"] = lambda code, info: Markup(spans(code, info))  # noqa: S704 - escaped
    made.filters["pretty"] = _pretty
    made.filters["in_line"] = lambda value: json.dumps(value, ensure_ascii=False, default=str)
    made.filters["id_name"] = lambda stored: (stored.id, stored.name)
    made.filters["id_card"] = lambda card: (card.id, card)
    made.filters["key_label"] = lambda item: (item[0], item[1].label)
    made.globals["asset"] = asset_url
    return made


def _code_block(code: str, info: str) -> Markup:
    return Markup(highlighted(code, info))  # noqa: S704 - all of it is escaped there


class _Kept(FileSystemBytecodeCache):
    """A full disk must not keep a page from being shown."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def keep_compiled(folder: Path) -> None:
    """Keeps templates compiled from one start to the next: the first page comes 0.1 s earlier."""
    folder.mkdir(mode=0o700, exist_ok=True)
    environment().bytecode_cache = _Kept(str(folder))


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


@cache
def asset_url(name: str) -> str:
    """The address of a static file; its hash makes browsers fetch a changed one."""
    data = (asset_dir("static") / name).read_bytes()
    return f"/static/{name}?{hashlib.blake2b(data, digest_size=6).hexdigest()}"


def render(name: str, values: dict[str, Any]) -> str:
    return environment().get_template(name).render(values)


class EmptyFrame:
    """What the navigation shows where nothing is known, as on an error page."""

    waiting = 0
    recent: tuple[Any, ...] = ()
    local_ready = False
    local_running = False


def page(request: Request, name: str, values: dict[str, Any], status: int = 200) -> Response:
    """A whole page. `frame` is what the navigation around it shows."""
    filled = {"request": request, "nav": "", "frame": EmptyFrame(), **values}
    return HTMLResponse(render(name, filled), status)
