"""Pages of skills, and the Test button: it saves what stands in the form, and calls a function of
what is saved."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Form, Request, Response

from ...definitions.skills import McpSkillDefinition, PythonSkillDefinition, SkillDefinition
from ...errors import InvalidError, Problem, StaleError, UnavailableError
from ...runner.skill_tests import Tested, checked
from ..call_forms import read_arguments, read_typed
from ..dependencies import Me, Services, Studio
from ..forms import FormState, flatten
from ..templating import render
from ..waiting import while_there
from .nouns import noun_pages, sent, show_form, whole
from .skill_form import PAGES, call_values

router = noun_pages(PAGES)
_FRAME = re.compile(r'File "[^"\n]*\.py", line (\d+)')


@router.post("/parts/schema")
async def schema(
    request: Request,
    function: Annotated[str, Form(alias="_function", max_length=200)] = "",
) -> Response:
    """What a model is offered, and the form of a call, as the source is typed."""
    form = FormState(flatten(await sent(request)))
    shown = call_values(form, function, await _typed(request))
    return Response(render("skills/_read.html", shown), media_type="text/html")


@router.post("/parts/arguments")
async def arguments(
    request: Request,
    function: Annotated[str, Form(alias="_function", max_length=200)] = "",
) -> Response:
    """The form of a call of another function."""
    form = FormState(flatten(await sent(request)))
    shown = call_values(form, function, await _typed(request))
    return Response(render("skills/_try.html", shown), media_type="text/html")


async def _typed(request: Request) -> dict[str, str]:
    form = await request.form()
    return read_typed([(k, v) for k, v in form.multi_items() if isinstance(v, str)])


@router.post("/parts/secrets")
async def secret_states(
    studio: Studio, me: Me, secrets: Annotated[str, Form(max_length=10_000)] = ""
) -> Response:
    """Which of the secrets that were typed have a value."""
    shown = await PAGES.values(studio, me, FormState({"secrets": secrets}), None)
    return Response(render("skills/_secrets.html", shown), media_type="text/html")


@dataclass
class Trial:
    """One press of the button.

    unsaved   problems of the definition, because of which nothing was saved or run
    problems  those of the arguments, at their controls
    refused   why nothing ran, in words; `lacks` that it is for a secret without a value
    needs_others  whether other packages are needed than before
    """

    function: str
    typed: dict[str, str]
    arguments: dict[str, Any] = field(default_factory=dict)
    unsaved: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    refused: str = ""
    lacks: bool = False
    needs_others: bool = False
    tested: Tested | None = None
    status: int = 200


@router.post("/{one}/test")
async def run_test(
    request: Request,
    studio: Studio,
    me: Me,
    one: str,
    based_on: Annotated[int, Form(alias="_revision")] = 0,
    function: Annotated[str, Form(alias="_function", max_length=200)] = "",
) -> Response:
    trial = Trial(function, await _typed(request))
    before = await studio.catalog.stored(me.owner, "skills", one)
    try:
        given = PAGES.definition(await whole(request, PAGES, before))
        await studio.catalog.replace(me.owner, me.by, "skills", one, given, based_on or None)
        assert isinstance(given, PythonSkillDefinition | McpSkillDefinition)
        trial.needs_others = given.packages != before.body.get("packages", [])
        await _call(request, studio, me, given, trial)
    except InvalidError as error:
        trial.unsaved, trial.status = error.problems, 422
    except StaleError as error:
        trial.refused, trial.status = f"{error}. Load this page again to see it", 412
    if trial.status == 200 and trial.tested is None and not trial.refused and not trial.problems:
        return Response(status_code=204)  # the client has gone away
    return await _shown(request, studio, me, one, trial)


async def _call(
    request: Request, studio: Services, me: Me, skill: SkillDefinition, trial: Trial
) -> None:
    schemas = {one.name: one.as_json() for one in skill.schemas()}
    if not schemas:
        trial.refused = "Choose a tool first"
        return
    trial.function = trial.function if trial.function in schemas else next(iter(schemas))
    trial.arguments, trial.problems = read_arguments(schemas[trial.function], trial.typed)
    unread = [p.loc for p in trial.problems]
    try:
        if unread:
            checked(skill, trial.function, trial.arguments)  # all that is wrong is said at once
        else:
            run = studio.runner.skill_tests.run(me.owner, skill, trial.function, trial.arguments)
            trial.tested = await while_there(request, run)
    except InvalidError as error:
        at_controls = [p for p in error.problems if p.loc[:1] == ["arguments"]]
        trial.problems += [p for p in at_controls if p.loc[:2] not in unread]
        trial.refused = "; ".join(p.msg for p in error.problems if p not in at_controls)
        trial.lacks = any(p.code == "secret_missing" for p in error.problems)
    except UnavailableError as error:
        trial.refused, trial.status = str(error), 503
    if trial.problems or trial.lacks:
        trial.status = 422


async def _shown(request: Request, studio: Services, me: Me, one: str, trial: Trial) -> Response:
    """The parts of the page that change; the whole page for a browser without scripts."""
    raw = await sent(request)
    stored = await studio.catalog.stored(me.owner, "skills", one)
    shown: dict[str, Any] = {"trial": trial, "traced": traced, "stored": stored}
    form = FormState(flatten(raw), trial.unsaved)
    shown |= call_values(form, trial.function, trial.typed, trial.problems)
    if request.headers.get("hx-request") != "true":
        return await show_form(
            request, studio, me, PAGES, form, stored, status=trial.status, more=shown
        )
    values = await PAGES.values(studio, me, form, stored)
    html = render("skills/_tested.html", {"form": form, **values, **shown})
    return Response(html, media_type="text/html")


def traced(errors: str) -> list[tuple[str, int]]:
    """The lines of a traceback; the number of the line of the source that each is about, or 0."""
    found = []
    for line in errors.rstrip("\n").split("\n"):
        frame = _FRAME.search(line)
        found.append((line, int(frame[1]) if frame else 0))
    return found
