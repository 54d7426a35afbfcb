"""Asks an ordered list of models, the first that answers wins: the model side of an effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..context import current_context
from ..effects import Effect
from ..errors import DefinitionError, ModelError
from ..events import Delta, Failure, ModelCalled
from ..prompting import Facts, ReplyRule
from .constrain import NO_FACTS, constrain, fault, from_json, in_words, tidy
from .kept import CacheSeed, ReplyCache
from .models import Constraint, ModelClient, ModelReply, ModelRequest, ModelSpec
from .retry import complete_with_retries

Purpose = Literal["turn", "select", "summary"]
NO_RULE = ReplyRule()
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LLM:
    """Models in order of preference, and how to find the client of each.

    cache_seed    replies are kept and used again under this seed; None for not at all
    formats_text  a message's `context` fills {names} in texts, not only functions
    """

    models: tuple[ModelSpec, ...]
    client: Callable[[ModelSpec], ModelClient]
    parameters: dict[str, Any] = field(default_factory=dict)
    cache_seed: CacheSeed = None
    formats_text: bool = False

    def __bool__(self) -> bool:
        return bool(self.models)


@dataclass(frozen=True, slots=True)
class Call:
    """One model call as the chat wants it; `rule` and `names` are alternative demands on form."""

    agent: str
    purpose: Purpose
    messages: list[dict[str, Any]]
    rule: ReplyRule = NO_RULE
    found: Facts = NO_FACTS
    names: Sequence[str] = ()
    tools: list[dict[str, Any]] | None = None
    functions: list[dict[str, Any]] | None = None


async def call_model(llm: LLM, call: Call) -> dict[str, Any]:
    """Performs one call as an effect and says what it cost.

    Returns {"content", "tool_calls", "model", ...}. Raises ModelError when no model answers.
    """
    if not llm:
        raise DefinitionError(f"{call.agent} has no model to answer with")
    context = current_context()
    turn = context.begin_turn(call.agent) if call.purpose == "turn" else context.turns + 1
    effect = Effect(
        key=context.next_key(),
        kind="model",
        turn=turn,
        agent=call.agent,
        request=_request(llm, call),
        messages=call.messages,
    )
    counts = {spec.id: context.strand.calls[(spec.id, call.agent)] for spec in llm.models}

    async def perform(attempt: int) -> dict[str, Any]:
        return await _first_answer(llm, call, turn, attempt, counts)

    outcome = await context.effects.do(effect, perform)
    result = outcome.result
    context.strand.calls[(result["model_id"], call.agent)] += int(result.get("calls", 1))
    context.used(result)
    if call.purpose == "turn":
        context.progress.attempt = outcome.attempt
    context.emit(
        ModelCalled(
            turn=turn,
            agent=call.agent,
            model=result["model"],
            purpose=call.purpose,
            prompt_tokens=result["prompt_tokens"],
            completion_tokens=result["completion_tokens"],
            cost_usd=0.0 if result.get("cached") else result["cost_nano"] / NANO,
            latency_ms=result["latency_ms"],
            first_token_ms=result["first_token_ms"],
            cached=bool(result.get("cached")),
            effect=effect.key,
            estimated=result["estimated"] or None,
            left_out=result["left_out"] or None,
        )
    )
    return result


def _request(llm: LLM, call: Call) -> dict[str, Any]:
    request: dict[str, Any] = {
        "models": [spec.id for spec in llm.models],
        "purpose": call.purpose,
        "parameters": llm.parameters,
    }
    if not call.rule.is_free:
        request["reply"] = asdict(call.rule)
    if call.names:
        request["names"] = list(call.names)
    for name in ("tools", "functions"):
        if offered := getattr(call, name):
            request[name] = offered
    return request


async def _first_answer(
    llm: LLM, call: Call, turn: int, attempt: int, counts: dict[str, int]
) -> dict[str, Any]:
    context = current_context()
    for i, spec in enumerate(llm.models):
        live = _Live(call, turn, attempt)
        try:
            return await _answer(llm, spec, call, live, counts[spec.id])
        except ModelError as error:
            is_last = i == len(llm.models) - 1
            if is_last or error.code == "content_filter":
                raise
            context.report(
                Failure(
                    who="model",
                    message=f"{error}. Trying {llm.models[i + 1].name} instead.",
                    retryable=True,
                    turn=turn,
                    agent=call.agent,
                    detail=error.detail or None,
                )
            )
    raise AssertionError("unreachable: LLM has at least one model")


@dataclass
class _Live:
    """Forwards text to the page while a turn is being made."""

    call: Call
    turn: int
    attempt: int

    def text(self, offset: int, text: str) -> None:
        if self.call.purpose == "turn":
            context = current_context()
            context.sink.delta(
                Delta(context.chat, self.turn, self.attempt, self.call.agent, offset, text)
            )

    def retry(self, error: ModelError, pause: float) -> None:
        current_context().report(
            Failure(
                who="model",
                message=f"{error}. Trying again in {pause:.1f} s.",
                retryable=True,
                turn=self.turn,
                agent=self.call.agent,
                detail=error.detail or None,
            )
        )


async def _answer(llm: LLM, spec: ModelSpec, call: Call, live: _Live, index: int) -> dict[str, Any]:
    """One model's answer; one that breaks the rule is asked for again, with the reason."""
    request = ModelRequest(
        messages=call.messages,
        agent=call.agent,
        parameters=llm.parameters,
        constraint=_constraint(spec, call),
        tools=call.tools,
        functions=call.functions,
        index=index,
    )
    cache = ReplyCache.of(llm, spec, request)
    if cache and (kept := await cache.get()):
        return _result(spec, call, [kept], []) | {"cached": True}
    asked_in_words = not call.rule.is_free and request.constraint == Constraint()
    if asked_in_words and spec.provider != "scripted":
        words = in_words(call.rule, call.found)
        request = replace(request, messages=[*call.messages, {"role": "user", "content": words}])
    client = llm.client(spec)
    reply = await complete_with_retries(client, spec, request, live.text, live.retry)
    replies = [reply]
    if asked_in_words and spec.provider != "scripted":
        problem = fault(reply.content or "", call.rule, call.found)
        if problem:
            again = [
                *request.messages,
                {"role": "assistant", "content": reply.content or ""},
                {"role": "user", "content": f"{problem} Answer again."},
            ]
            request = replace(request, messages=again)
            reply = await complete_with_retries(client, spec, request, live.text, live.retry)
            replies.append(reply)
    if cache:
        await cache.set(reply)
    appended = request.messages[len(call.messages) :]
    return _result(spec, call, replies, appended)


def _constraint(spec: ModelSpec, call: Call) -> Constraint:
    if call.names:
        from .constrain import one_of

        return one_of(list(call.names), spec.profile)
    return constrain(call.rule, call.found, spec.profile)


def _result(
    spec: ModelSpec, call: Call, replies: list[ModelReply], appended: list[dict[str, Any]]
) -> dict[str, Any]:
    last = replies[-1]
    content = last.content
    if content is not None and not call.rule.is_free:
        content = tidy(from_json(content, call.rule), call.rule, call.found)
    sent = sum(r.prompt_tokens for r in replies)
    written = sum(r.completion_tokens for r in replies)
    return {
        "content": content,
        "tool_calls": last.tool_calls,
        "function_call": last.function_call,
        "served": last.served,
        "model": spec.name,
        "model_id": spec.id,
        "prompt_tokens": sent,
        "completion_tokens": written,
        "estimated": any(r.estimated for r in replies),
        "latency_ms": sum(r.latency_ms for r in replies),
        "first_token_ms": replies[0].first_token_ms,
        "finish_reason": last.finish_reason,
        "left_out": last.left_out,
        "cost_nano": cost_nano(spec, sent, written),
        "calls": len(replies),
        "sent": last.sent,
        "appended": appended,
    }


def cost_nano(spec: ModelSpec, prompt_tokens: int, completion_tokens: int) -> int:
    """Cost in billionths of a USD; prices are USD per million tokens."""
    price = prompt_tokens * (spec.price_in or 0) + completion_tokens * (spec.price_out or 0)
    return round(price * 1000)
