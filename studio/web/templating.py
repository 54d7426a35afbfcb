"""Jinja2 for the pages: one environment, autoescaping on, filters for what people read."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..assets import asset_dir


@cache
def environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(asset_dir("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, values: dict[str, Any]) -> str:
    return environment().get_template(name).render(values)


def page(request: Request, name: str, values: dict[str, Any], status: int = 200) -> Response:
    return HTMLResponse(render(name, {"request": request, **values}), status)
