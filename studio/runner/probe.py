"""Tests a model: does it answer, how fast, and what can its server do?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from ..definitions.models import ModelDefinition
from ..engine.errors import ModelError
from ..engine.llm.constrain import one_of, read_choice
from ..engine.llm.models import ModelReply, ModelRequest, ModelSpec, Profile
from .models import Models

PROBE_SECONDS = 30.0
QUESTION = "Say the word ready."
NAMES = ["north", "south"]


@dataclass
class Report:
    """What a test found. `profile` holds the fields that it could detect."""

    ok: bool = False
    error: str = ""
    detail: str = ""
    text: str = ""
    first_token_ms: int | None = None
    tokens_per_second: float | None = None
    capabilities: list[str] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


async def probe(models: Models, owner: str, one: str, model: ModelDefinition) -> Report:
    """Three short calls at most: a word, a constrained choice, messages of one role in a row."""
    started = time.monotonic()
    spec = replace(models.spec(owner, one, model), timeout=min(model.timeout, PROBE_SECONDS))
    report = Report()
    try:
        reply = await _ask(models, spec, ModelRequest(_user(QUESTION), "test"))
        report.ok = True
        report.text = (reply.content or "").strip()[:200]
        report.first_token_ms = reply.first_token_ms
        report.tokens_per_second = _speed(reply)
        report.capabilities.append("streaming")
        if model.provider != "scripted":
            await _detect(models, spec, report)
    except ModelError as error:
        report.error, report.detail = str(error), error.detail
    report.seconds = round(time.monotonic() - started, 3)
    return report


async def _detect(models: Models, spec: ModelSpec, report: Report) -> None:
    report.profile["structured"] = await _structured(models, spec)
    if report.profile["structured"] != "none":
        report.capabilities.append("json")
    in_a_row = [*_user("My name is Ann."), *_user("What is my name?")]
    try:
        await _ask(models, spec, ModelRequest(in_a_row, "test", _short()))
        report.profile["merge_roles"] = False
    except ModelError as error:
        if error.status == 400:
            report.profile["merge_roles"] = True


async def _structured(models: Models, spec: ModelSpec) -> str:
    """Which way of forcing an answer really works; some servers ignore what they accept."""
    question = _user("Tell me a colour and nothing else.")
    for way in ("json_schema", "grammar"):
        profile = Profile(structured=way)
        request = ModelRequest(question, "test", _short(), one_of(NAMES, profile))
        try:
            reply = await _ask(models, replace(spec, profile=profile), request)
        except ModelError as error:
            if error.status in (400, 404, 422, 500, 501):
                continue
            raise
        if read_choice((reply.content or "").strip()) in NAMES:
            return way
    return "none"


async def _ask(models: Models, spec: ModelSpec, request: ModelRequest) -> ModelReply:
    from ..engine.llm.retry import complete_with_retries

    return await complete_with_retries(
        models.client(spec), spec, request, lambda *_: None, lambda *_: None
    )


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _short() -> dict[str, Any]:
    return {"max_tokens": 24}


def _speed(reply: ModelReply) -> float | None:
    rest = reply.latency_ms - (reply.first_token_ms or 0)
    return round(reply.completion_tokens / rest * 1000, 1) if rest > 20 else None
