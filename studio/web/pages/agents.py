"""Pages of agents."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from ...errors import InvalidError
from ...runner.cast import role
from ...runner.preview import preview as preview_of
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Me, Services, Studio
from ..forms import FormState, texts, unflatten
from ..templating import render
from .agent_code import secrets_asked
from .agent_forms import STANDS_FOR, from_form, place_problems, to_form
from .agent_questions import asked
from .nouns import NounPages, noun_pages, sent

NEW: dict[str, Any] = {
    "name": "",
    "kind": "assistant",
    "description": "",
    "system_message": "",
    "human_input_mode": "NEVER",
    "history": "all",
}


async def values(
    studio: Services, me: Principal, form: FormState, stored: Stored | None
) -> dict[str, Any]:
    models = await studio.catalog.all_of(me.owner, "models")
    skills = await studio.catalog.all_of(me.owner, "skills")
    workflows = await studio.catalog.all_of(me.owner, "workflows")
    agents = await studio.catalog.all_of(me.owner, "agents")
    if stored is None and not form.problems and "models.0" not in form.values:
        ready = [m for m in models if m.body["provider"] != "scripted"]
        own = [m for m in ready if not m.origin] or ready
        form.values["models.0"] = own[-1].id if own else ""
    place_problems(form)
    chosen = _chosen(form, "skills")
    order = {one: n for n, one in enumerate(chosen)}
    return {
        "models": models,
        "model_names": {m.id: m.name for m in models},
        "role": role,
        "skills": sorted(skills, key=lambda s: order.get(s.id, len(order))),
        "chosen_skills": chosen,
        "asked_secrets": secrets_asked(skills, chosen, _chosen(form, "secrets")),
        "open_network": studio.settings.open_network,
        "workflows": workflows,
        "others": [a for a in agents if stored is None or a.id != stored.id],
        "numbers": lambda prefix: _numbers(form, prefix),
        **_previews(from_form(unflatten(form.values.items())), agents, workflows),
    }


def _chosen(form: FormState, group: str) -> list[str]:
    """The values of check boxes."""
    return [v for k, v in form.values.items() if k.startswith(f"{group}.")]


def _numbers(form: FormState, prefix: str) -> list[int]:
    """The rows of a group inside a group, as "question.choices"."""
    behind = [k.removeprefix(f"{prefix}.") for k in form.values if k.startswith(f"{prefix}.")]
    return sorted({int(k) for k in behind if k.isascii() and k.isdigit() and len(k) < 5})


def _previews(
    body: dict[str, Any], agents: list[Stored], workflows: list[Stored]
) -> dict[str, Any]:
    names = {one.id: one.name for one in (*agents, *workflows)}
    return {"preview": preview_of(body, names), "asked": asked(body)}


PAGES = NounPages("agents", NEW, from_form, to_form, values, STANDS_FOR)
router = noun_pages(PAGES)


@router.post("/parts/secrets")
async def secrets(request: Request, studio: Studio, me: Me) -> Response:
    """What the chosen skills ask for, as skills are chosen; what is ticked stays so."""
    given = await sent(request)
    skills = await studio.catalog.all_of(me.owner, "skills")
    asked = secrets_asked(skills, texts(given.get("skills")), texts(given.get("secrets")))
    shown = render("agents/_secrets.html", {"asked_secrets": asked})
    return Response(shown, media_type="text/html")


@router.post("/parts/preview")
async def preview(request: Request, studio: Studio, me: Me) -> Response:
    """What the model will be sent and a person be asked, as the form is typed."""
    agents = await studio.catalog.all_of(me.owner, "agents")
    workflows = await studio.catalog.all_of(me.owner, "workflows")
    try:
        found = _previews(from_form(await sent(request)), agents, workflows)
    except InvalidError:
        found = {"preview": None, "asked": None}
    return Response(render("agents/_preview.html", found), media_type="text/html")
