"""Pages of models: the list with tests, the form, the built-in model's download, local servers."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import Form, Request, Response
from pydantic import SecretStr

from ...config import environment_keys
from ...definitions.models import PRESETS, ModelDefinition, ModelInput
from ...definitions.nouns import parse
from ...definitions.references import replaced
from ...errors import InvalidError, NotFoundError, Problem
from ...runner.found import search_this_computer
from ...runner.probe import probe
from ...store import model_keys
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Me, Services, Studio
from ..forms import FormState, texts, words
from ..templating import render
from .common import go
from .nouns import NounPages, copy_name, noun_pages

NEW: dict[str, Any] = {
    "name": "", "provider": "openai", "model": "", "base_url": "", "description": "",
}  # fmt: skip


def from_form(raw: dict[str, Any]) -> dict[str, Any]:
    body = dict(raw)
    text = words(body.pop("replies_text", ""))
    if body.get("provider") == "scripted":
        body["replies"] = _replies(text)
    if body.pop("clear_key", "false") == "true":
        body["api_key"] = None
    profile = body.get("profile")
    if isinstance(profile, dict):
        body["profile"] = {k: v for k, v in profile.items() if v != "auto"}
    return body


def _replies(text: str) -> Any:
    """One reply a paragraph between lines of ---, or JSON: a list, or an object by agent."""
    if text.strip().startswith(("{", "[{", '["')):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            if text.strip().startswith("["):  # a reply may well begin with a bracket
                return _paragraphs(text)
            problem = Problem(["replies"], f"This is not JSON: {error}", "json")
            raise InvalidError([problem]) from None
    return _paragraphs(text)


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n---\n") if part.strip()]


def to_form(body: dict[str, Any]) -> dict[str, str]:
    replies = body.get("replies")
    is_plain = isinstance(replies, list) and all(isinstance(one, str) for one in replies)
    if replies and not is_plain:
        text = orjson.dumps(replies, option=orjson.OPT_INDENT_2).decode()
    else:
        text = "\n---\n".join(texts(replies))
    return {"replies_text": text}


async def values(
    studio: Services, me: Principal, form: FormState, stored: Stored | None
) -> dict[str, Any]:
    provider = form.value("provider", "openai")
    return {
        "presets": PRESETS,
        "preset": PRESETS.get(provider, PRESETS["openai_compatible"]),
        "local": studio.local,
        "environment": sorted(environment_keys()),
        "keys": await _keys(studio, me),
        "models_of": form.values,
    }


async def _keys(studio: Services, me: Principal) -> dict[str, dict[str, Any]]:
    """What may be told of every model's key, by the model's id."""
    found = await studio.catalog.all_of(me.owner, "models")

    def work(connection: Any) -> dict[str, dict[str, Any]]:
        told = {}
        for stored in found:
            model = stored.parsed()
            assert isinstance(model, ModelDefinition)
            told[stored.id] = {
                **model_keys.key_info(connection, me.owner, model),
                "missing": model_keys.lacks_key(connection, studio.vault, me.owner, model),
                "address": model.address,
            }
        return told

    return await studio.database.read(work)


PAGES = NounPages("models", NEW, from_form, to_form, values, {"replies_text": "replies"})
router = noun_pages(PAGES)


@router.get("/parts/preset")
async def preset(studio: Studio, me: Me, provider: str = "openai") -> Response:
    """The connection fields of the form for the chosen provider."""
    form = FormState({"provider": provider})
    filled = {**await values(studio, me, form, None), "form": form, "stored": None}
    return Response(render("models/_connection.html", filled), media_type="text/html")


@router.post("/{one}/test")
async def test(studio: Studio, me: Me, one: str) -> Response:
    model = (await studio.catalog.stored(me.owner, "models", one)).parsed()
    assert isinstance(model, ModelDefinition)
    report = await probe(studio.runner.models, me.owner, one, model)
    differs = {k: v for k, v in report.profile.items() if model.effective_profile().get(k) != v}
    found = {"report": report, "one": one, "model": model, "differs": differs}
    return Response(render("models/_report.html", found), media_type="text/html")


@router.post("/{one}/profile")
async def take_profile(request: Request, studio: Studio, me: Me, one: str) -> Response:
    """Writes what a test detected into the model's profile."""
    form = await request.form()
    found = {k: str(v) for k, v in form.items() if k in ("structured", "merge_roles")}
    shown = await studio.catalog.get(me.owner, "models", one)
    body = shown | {"profile": {**shown["profile"], **found}}
    await studio.catalog.replace(me.owner, me.by, "models", one, ModelInput.model_validate(body))
    return go(f"/models/{one}", "saved")


@router.post("/parts/key")
async def add_key(
    studio: Studio,
    me: Me,
    provider: Annotated[str, Form()],
    model: Annotated[str, Form(max_length=200)] = "",
    api_key: Annotated[str, Form(max_length=5000)] = "",
    variable: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """A model from a provider and a key; the key may be one that stands in the environment."""
    preset = PRESETS.get(provider)
    if preset is None:
        raise NotFoundError("There is no such provider")
    if variable:
        api_key = environment_keys().get(variable, "")
    names = {s.name for s in await studio.catalog.all_of(me.owner, "models")}
    wanted = model or preset.example
    name = wanted.rpartition("/")[2][:50] or provider
    given = ModelInput.model_validate(
        {
            "name": name if name not in names else copy_name(name, names),
            "provider": provider,
            "model": wanted,
            "api_key": SecretStr(api_key) if api_key else None,
        }
    )
    made = await studio.catalog.create(me.owner, me.by, "models", given)
    return go(f"/models/{made['id']}", "created")


@router.post("/parts/search")
async def search(studio: Studio, me: Me) -> Response:
    """Looks for model servers on this computer. No key is sent."""
    found = await search_this_computer(studio.runner.models.openai)
    return Response(render("models/_found.html", {"found": found}), media_type="text/html")


@router.post("/parts/use")
async def use_found(
    studio: Studio,
    me: Me,
    provider: Annotated[str, Form()],
    model: Annotated[str, Form(max_length=200)],
    everywhere: Annotated[str, Form()] = "",
) -> Response:
    """Adds a model that was found here; with `everywhere` all agents and workflows use it."""
    if provider not in PRESETS:
        raise NotFoundError("There is no such provider")
    names = {s.name for s in await studio.catalog.all_of(me.owner, "models")}
    plain = "".join(c if c.isalnum() or c in "._- " else "-" for c in model)[:50] or provider
    name = plain if plain not in names else copy_name(plain, names)
    given = ModelInput.model_validate({"name": name, "provider": provider, "model": model})
    made = await studio.catalog.create(me.owner, me.by, "models", given)
    if everywhere:
        await _use_everywhere(studio, me, str(made["id"]))
        return go("/", "used")
    return go(f"/models/{made['id']}", "created")


@router.post("/{one}/use-everywhere")
async def use_everywhere(studio: Studio, me: Me, one: str) -> Response:
    await studio.catalog.stored(me.owner, "models", one)
    await _use_everywhere(studio, me, one)
    return go("/", "used")


async def _use_everywhere(studio: Services, me: Principal, one: str) -> None:
    """Each agent and workflow that names a model names this one first; scripts stay as they are."""
    models = await studio.catalog.all_of(me.owner, "models")
    others = {m.id for m in models if m.id != one and m.body["provider"] != "scripted"}
    for noun in ("agents", "workflows"):
        for stored in await studio.catalog.all_of(me.owner, noun):
            if not others.intersection(stored.body.get("models") or []):
                continue
            body = dict(stored.body)
            exchanged = replaced(body["models"], dict.fromkeys(others, one))
            body["models"] = list(dict.fromkeys(exchanged))
            await studio.catalog.replace(me.owner, me.by, noun, stored.id, parse(noun, body))


# -- the built-in model


def _fetching(studio: Services, welcome: str = "") -> Response:
    """`welcome` adds the welcome page's next step once the model is there."""
    html = render("models/_fetching.html", {"local": studio.local, "welcome": bool(welcome)})
    return Response(html, media_type="text/html")


@router.post("/parts/fetch")
async def fetch(studio: Studio, me: Me, welcome: str = "") -> Response:
    studio.local.start_fetching()
    return _fetching(studio, welcome)


@router.get("/parts/fetch")
async def fetching(studio: Studio, me: Me, welcome: str = "") -> Response:
    return _fetching(studio, welcome)


@router.post("/parts/fetch/cancel")
async def cancel_fetch(studio: Studio, me: Me) -> Response:
    await studio.local.cancel_fetching()
    return _fetching(studio)
