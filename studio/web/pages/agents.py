"""Pages of agents."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from ...errors import InvalidError
from ...runner.build import role
from ...runner.preview import preview as preview_of
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Services, Studio
from ..forms import FormState, part, texts, unflatten, words
from ..templating import render
from .nouns import NounPages, noun_pages, sent

NEW: dict[str, Any] = {
    "name": "",
    "kind": "assistant",
    "description": "",
    "system_message": "",
    "human_input_mode": "NEVER",
    "history": "all",
}


def from_form(raw: dict[str, Any]) -> dict[str, Any]:
    """The form's own controls as fields of the definition."""
    body = dict(raw)
    if body.pop("default_system", "false") == "true":
        body["system_message"] = None
    number = body.pop("history_n", "")
    if body.get("history") == "last":
        body["history"] = number or 10
    if body.pop("runs_code", "false") == "true":
        body["code_execution_config"] = body.get("code_execution_config") or {}
    else:
        body["code_execution_config"] = False
    if not part(body, "is_termination_msg").get("kind"):
        body.pop("is_termination_msg", None)
    reply = part(body, "reply")
    starts = words(reply.pop("starts", ""))
    reply["starts_with"] = [line.strip() for line in starts.splitlines() if line.strip()]
    body["reply"] = reply
    parameters = part(body, "parameters")
    if isinstance(parameters.get("stop"), str):
        body["parameters"] = parameters | {"stop": [parameters["stop"]]}
    return body


def to_form(body: dict[str, Any]) -> dict[str, str]:
    history = body.get("history", "all")
    reply = part(body, "reply")
    return {
        "history": "last" if isinstance(history, int) else str(history),
        "history_n": str(history) if isinstance(history, int) else "10",
        "runs_code": "true" if body.get("code_execution_config") else "false",
        "default_system": "true" if body.get("system_message", "") is None else "false",
        "reply.starts": "\n".join(texts(reply.get("starts_with"))),
        "reply.commas": str(reply.get("commas", True)).lower(),
    }


async def values(
    studio: Services, me: Principal, form: FormState, stored: Stored | None
) -> dict[str, Any]:
    models = await studio.catalog.all_of(me.owner, "models")
    skills = await studio.catalog.all_of(me.owner, "skills")
    if stored is None and not form.problems and "models.0" not in form.values:
        ready = [m for m in models if m.body["provider"] != "scripted"]
        own = [m for m in ready if not m.origin] or ready
        form.values["models.0"] = own[-1].id if own else ""
    chosen = {v for k, v in form.values.items() if k.startswith("skills")}
    return {
        "models": models,
        "model_names": {m.id: m.name for m in models},
        "skills": skills,
        "chosen_skills": chosen,
        "role": role,
        "preview": preview_of(_safe(form)) if form.values else None,
    }


def _safe(form: FormState) -> dict[str, Any]:
    return from_form(unflatten(form.values.items()))


PAGES = NounPages(
    "agents",
    NEW,
    from_form,
    to_form,
    values,
    {"history_n": "history", "reply.starts": "reply.starts_with", "models.0": "models",
     "kind": "skills"},
)  # fmt: skip
router = noun_pages(PAGES)


@router.post("/parts/preview")
async def preview(request: Request, studio: Studio) -> Response:
    """What the model will be sent, as the form is typed."""
    try:
        found = preview_of(from_form(await sent(request)))
    except InvalidError:
        found = None
    return Response(render("agents/_preview.html", {"preview": found}), media_type="text/html")
