"""The pages that all four nouns share: list, form, save, duplicate, delete with undo, revisions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import orjson
import yaml
from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field, ValidationError

from ...definitions.models import ModelInput
from ...definitions.nouns import parse
from ...definitions.problems import problems_of
from ...definitions.references import AnyDefinition, Noun
from ...errors import InUseError, InvalidError, Problem, StaleError
from ...store import definitions
from ...store.definitions import Stored
from ..credentials import Principal
from ..dependencies import Me, Services, Studio
from ..forms import KEEP, FormState, carried, flatten, unflatten
from .common import go, show

Number = Annotated[int, Field(ge=0, lt=2**31)]
MAX_YAML = 200_000  # characters; PyYAML reads about 100,000 a second
Values = Callable[[Services, Principal, FormState, Stored | None], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class NounPages:
    """What differs between the nouns.

    new        the body that an empty form shows
    from_form  makes the body of a definition from what the form sent
    to_form    adds to the flat values what the form shows differently
    values     what the form's template needs beside
    stands_for controls that speak for a field of another name
    """

    noun: Noun
    new: dict[str, Any]
    from_form: Callable[[dict[str, Any]], dict[str, Any]]
    to_form: Callable[[dict[str, Any]], dict[str, str]]
    values: Values
    stands_for: dict[str, str] = field(default_factory=dict)

    @property
    def word(self) -> str:
        return self.noun.removesuffix("s")

    def state(self, body: dict[str, Any], **more: Any) -> FormState:
        return FormState(flatten(body) | self.to_form(body), **more)

    def definition(self, body: dict[str, Any]) -> AnyDefinition | ModelInput:
        if self.noun == "models":
            try:
                return ModelInput.model_validate(body)
            except ValidationError as error:
                raise InvalidError(problems_of(error)) from None
        return parse(self.noun, body)


async def sent(request: Request) -> dict[str, Any]:
    form = await request.form()
    return unflatten([(k, v) for k, v in form.multi_items() if isinstance(v, str)])


async def whole(request: Request, pages: NounPages, stored: Stored) -> dict[str, Any]:
    """What the form sent, and what it does not show as it is stored."""
    form = await request.form()
    shown = {name.removesuffix("[]") for name, value in form.multi_items() if value != KEEP}
    for control, field_of in pages.stands_for.items():
        if control in shown:
            shown.add(field_of)
    body = pages.from_form(await sent(request))
    if body.get("kind", stored.body.get("kind")) != stored.body.get("kind"):
        return body
    hidden = {k: v for k, v in stored.body.items() if k not in ("v", "secret")}
    return carried(hidden, body, shown)


def noun_pages(pages: NounPages) -> APIRouter:
    router = APIRouter(prefix=f"/{pages.noun}", include_in_schema=False)
    _add_list(router, pages)
    _add_forms(router, pages)
    _add_saving(router, pages)
    _add_removal(router, pages)
    _add_revisions(router, pages)
    _add_yaml(router, pages)
    return router


def _add_list(router: APIRouter, pages: NounPages) -> None:
    @router.get("")
    async def listing(
        request: Request,
        studio: Studio,
        me: Me,
        q: Annotated[str, Query(max_length=500)] = "",
        kind: Annotated[str, Query(max_length=20)] = "",
    ) -> Response:
        found = await studio.catalog.all_of(me.owner, pages.noun)
        shown = [
            s
            for s in found
            if (not kind or s.body.get("kind") == kind) and (not q or _mentions(s, q))
        ]
        counts = await studio.database.read(lambda c: definitions.use_counts(c, me.owner))
        values = {
            "items": shown,
            "total": len(found),
            "q": q,
            "kind": kind,
            "uses": counts,
            **await pages.values(studio, me, FormState(), None),
        }
        name = f"{pages.noun}/list.html"
        return await show(request, studio, me, name, values, nav=pages.noun)


def _mentions(stored: Stored, q: str) -> bool:
    text = " ".join(str(stored.body.get(k) or "") for k in ("name", "description", "model"))
    return q.lower() in text.lower()


async def show_form(
    request: Request,
    studio: Services,
    me: Principal,
    pages: NounPages,
    form: FormState,
    stored: Stored | None,
    *,
    status: int = 200,
    stale: bool = False,
    more: dict[str, Any] | None = None,
) -> Response:
    if request.method == "POST":
        sent_too = (await request.form()).multi_items()
        form.aside = {k: v for k, v in sent_too if k.startswith("_") and isinstance(v, str)}
    values = {
        "form": form,
        "stored": stored,
        "stale": stale,
        "noun": pages.noun,
        "word": pages.word,
        **await pages.values(studio, me, form, stored),
        **(more or {}),
    }
    name = values.get("template", f"{pages.noun}/edit.html")
    return await show(request, studio, me, name, values, nav=pages.noun, status=status)


def _add_forms(router: APIRouter, pages: NounPages) -> None:
    @router.get("/new")
    async def new(request: Request, studio: Studio, me: Me, copy: str = "") -> Response:
        body = dict(pages.new)
        if copy:
            body = (await studio.catalog.get(me.owner, pages.noun, copy)) | {"name": ""}
        given = {k: v for k, v in request.query_params.items() if k in pages.new}
        form = pages.state(body)
        form.values |= given
        return await show_form(request, studio, me, pages, form, None)

    @router.get("/{one}")
    async def edit(request: Request, studio: Studio, me: Me, one: str) -> Response:
        stored = await studio.catalog.stored(me.owner, pages.noun, one)
        shown = await studio.catalog.get(me.owner, pages.noun, one)
        form = pages.state(shown | (stored.draft or {}), draft=stored.draft is not None)
        return await show_form(request, studio, me, pages, form, stored)


def _add_saving(router: APIRouter, pages: NounPages) -> None:
    @router.post("/new")
    async def create(request: Request, studio: Studio, me: Me) -> Response:
        raw = await sent(request)
        if "restore" in request.query_params:  # kept by the browser; shown again, not saved
            return await show_form(request, studio, me, pages, FormState(flatten(raw)), None)
        try:
            given = pages.definition(pages.from_form(raw))
            made = await studio.catalog.create(me.owner, me.by, pages.noun, given)
        except InvalidError as error:
            form = FormState(flatten(raw), error.problems)
            return await show_form(request, studio, me, pages, form, None, status=422)
        return go(f"/{pages.noun}/{made['id']}", "created")

    @router.post("/{one}")
    async def save(
        request: Request,
        studio: Studio,
        me: Me,
        one: str,
        based_on: Annotated[int, Form(alias="_revision")] = 0,
        action: Annotated[str, Form(alias="_action")] = "",
    ) -> Response:
        if action == "discard":
            await studio.catalog.set_draft(me.owner, pages.noun, one, None)
            return go(f"/{pages.noun}/{one}", "discarded")
        raw = await sent(request)
        stored = await studio.catalog.stored(me.owner, pages.noun, one)
        form = FormState(flatten(raw))
        try:
            given = pages.definition(await whole(request, pages, stored))
            made = await studio.catalog.replace(
                me.owner, me.by, pages.noun, one, given, based_on or None
            )
        except InvalidError as error:
            form.problems = error.problems
            return await show_form(request, studio, me, pages, form, stored, status=422)
        except StaleError:
            return await show_form(request, studio, me, pages, form, stored, status=412, stale=True)
        same = made["revision"] == stored.revision and not given_key(given)
        return go(f"/{pages.noun}/{one}", "unchanged" if same else "saved")

    @router.post("/{one}/autosave")
    async def autosave(request: Request, studio: Studio, me: Me, one: str) -> Response:
        raw = await sent(request)
        raw.pop("api_key", None)
        stored = await studio.catalog.stored(me.owner, pages.noun, one)
        body = await whole(request, pages, stored)
        body.pop("api_key", None)
        same = flatten(stored.body) | pages.to_form(stored.body)
        controls = await _controls(request)
        told = controls | flatten(raw)
        if all(same.get(k, "") == v for k, v in told.items()):
            await studio.catalog.set_draft(me.owner, pages.noun, one, None, stored.revision)
            return Response(status_code=204)
        emptied = {name.split(".")[0] for name, value in controls.items() if not value}
        cleared = dict.fromkeys(emptied & (stored.body.keys() - body.keys()))
        # a save that came in between has kept this already, or something newer
        await studio.catalog.set_draft(me.owner, pages.noun, one, cleared | body, stored.revision)
        return Response(status_code=204)


async def _controls(request: Request) -> dict[str, str]:
    """What the form's controls say, emptied ones included; the last of a name counts."""
    form = await request.form()
    return {
        name: value.replace("\r\n", "\n")
        for name, value in form.multi_items()
        if isinstance(value, str) and value != KEEP
        if not name.startswith("_") and not name.endswith("[]") and name != "api_key"
    }


def given_key(given: AnyDefinition | ModelInput) -> bool:
    return isinstance(given, ModelInput) and "api_key" in given.model_fields_set


def _add_removal(router: APIRouter, pages: NounPages) -> None:
    @router.post("/{one}/delete")
    async def delete(request: Request, studio: Studio, me: Me, one: str) -> Response:
        stored = await studio.catalog.stored(me.owner, pages.noun, one)
        try:
            await studio.catalog.remove(me.owner, pages.noun, one)
        except InUseError as error:
            form = pages.state(await studio.catalog.get(me.owner, pages.noun, one))
            form.users = error.users
            return await show_form(request, studio, me, pages, form, stored, status=409)
        return go(f"/{pages.noun}", "deleted", f"{pages.noun}/{one}")

    @router.post("/{one}/undelete")
    async def undelete(studio: Studio, me: Me, one: str) -> Response:
        await studio.catalog.undelete(me.owner, pages.noun, one)
        return go(f"/{pages.noun}", "restored")

    @router.post("/{one}/duplicate")
    async def duplicate(studio: Studio, me: Me, one: str) -> Response:
        shown = await studio.catalog.get(me.owner, pages.noun, one)
        names = {s.name for s in await studio.catalog.all_of(me.owner, pages.noun)}
        given = pages.definition(shown | {"name": copy_name(str(shown["name"]), names)})
        made = await studio.catalog.create(me.owner, me.by, pages.noun, given)
        return go(f"/{pages.noun}/{made['id']}", "copied")


def copy_name(name: str, taken: set[str]) -> str:
    """A free name for a copy: name_2, name_3 ..."""
    for number in range(2, 10_000):
        candidate = f"{name[:58]}_{number}"
        if candidate not in taken:
            return candidate
    raise InvalidError([Problem(["name"], "There are too many copies", "name_taken")])


def _add_revisions(router: APIRouter, pages: NounPages) -> None:
    @router.get("/{one}/revisions")
    async def revisions(
        request: Request, studio: Studio, me: Me, one: str, n: Number = 0
    ) -> Response:
        stored = await studio.catalog.stored(me.owner, pages.noun, one)
        found = await studio.catalog.revisions(me.owner, pages.noun, one)
        body = await studio.catalog.revision(me.owner, pages.noun, one, n or stored.revision)
        values = {
            "stored": stored,
            "noun": pages.noun,
            "title": pages.noun.capitalize(),
            "revisions": found,
            "n": n or stored.revision,
            "body": {k: v for k, v in body.items() if k not in ("id", "revision", "secret")},
            "changes": changes(stored.body, body),
        }
        return await show(request, studio, me, "revisions.html", values, nav=pages.noun)

    @router.post("/{one}/revisions/{n}/restore")
    async def restore(studio: Studio, me: Me, one: str, n: Number) -> Response:
        await studio.catalog.restore(me.owner, me.by, pages.noun, one, n)
        return go(f"/{pages.noun}/{one}", "restored")


def changes(now: dict[str, Any], then: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Fields that differ: (path, value then, value now)."""
    a, b = flatten(then), flatten(now)
    keys = dict.fromkeys([*b, *a])
    hidden = ("id", "revision", "secret")
    return [
        (k, a.get(k, ""), b.get(k, ""))
        for k in keys
        if a.get(k, "") != b.get(k, "") and k not in hidden
    ]


def _add_yaml(router: APIRouter, pages: NounPages) -> None:
    @router.get("/{one}/yaml")
    async def source(request: Request, studio: Studio, me: Me, one: str) -> Response:
        stored = await studio.catalog.stored(me.owner, pages.noun, one)
        text = yaml.safe_dump(
            {k: v for k, v in stored.body.items() if k not in ("v", "secret")},
            sort_keys=False,
            allow_unicode=True,
        )
        return await _yaml_page(request, studio, me, pages, stored, text, [])

    @router.post("/{one}/yaml")
    async def save_source(
        request: Request,
        studio: Studio,
        me: Me,
        one: str,
        text: Annotated[str, Form(max_length=MAX_YAML)],
        revision: Annotated[int, Form(ge=0, lt=2**31)] = 0,
    ) -> Response:
        stored = await studio.catalog.stored(me.owner, pages.noun, one)
        try:
            given = pages.definition(_loaded(text))
            based_on = revision or None
            await studio.catalog.replace(me.owner, me.by, pages.noun, one, given, based_on)
        except InvalidError as error:
            return await _yaml_page(request, studio, me, pages, stored, text, error.problems)
        except StaleError as error:
            newer = [Problem([], f"{error}. Saving again replaces it", "stale")]
            return await _yaml_page(request, studio, me, pages, stored, text, newer)
        return go(f"/{pages.noun}/{one}", "saved")


def _loaded(text: str) -> dict[str, Any]:
    try:
        body = yaml.safe_load(text)
        plain = orjson.loads(orjson.dumps(body)) if _is_bounded(body) else None
    except (
        yaml.YAMLError,
        RecursionError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:  # PyYAML lets its constructors' errors through
        words = str(error).encode(errors="replace").decode()
        raise InvalidError([Problem([], f"This is not YAML: {words}", "yaml")]) from None
    if not isinstance(plain, dict):
        raise InvalidError([Problem([], "A definition is a list of fields", "yaml")])
    return plain


def _is_bounded(value: Any, most: int = 50_000) -> bool:
    """Whether a document without its aliases is of a sane size: no bomb, no loop."""
    todo, seen = [value], 0
    while todo:
        seen += 1
        if seen > most:
            raise ValueError("it is too large once its aliases are written out")
        item = todo.pop()
        todo += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return True


async def _yaml_page(
    request: Request,
    studio: Services,
    me: Principal,
    pages: NounPages,
    stored: Stored,
    text: str,
    problems: list[Problem],
) -> Response:
    values = {
        "stored": stored,
        "noun": pages.noun,
        "title": pages.noun.capitalize(),
        "text": text,
        "based_on": stored.revision,
        "problems": problems,
    }
    status = 422 if problems else 200
    return await show(request, studio, me, "yaml.html", values, nav=pages.noun, status=status)
