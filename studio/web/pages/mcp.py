"""Pages of MCP servers: the button that saves what stands in the form and lists the tools."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from ...definitions.skills import McpSkillDefinition, OfferedTool
from ...errors import ConflictError, InvalidError, Problem, StaleError, UnavailableError
from ...runner.skill_tests import ListedTool
from ..dependencies import Me, Services, Studio
from ..forms import FormState, flatten
from ..templating import render
from ..waiting import while_there
from . import mcp_form
from .nouns import sent, show_form, whole
from .skill_form import PAGES

router = APIRouter(prefix="/skills", include_in_schema=False)


@dataclass
class Listing:
    """One press of the button.

    unsaved   problems of the definition, because of which nothing was saved or started
    refused   why there is no list, in words; `errors` is what the server's program wrote last
    """

    before: list[OfferedTool] = field(default_factory=list)
    found: list[ListedTool] | None = None
    unsaved: list[Problem] = field(default_factory=list)
    refused: str = ""
    errors: str = ""
    status: int = 200

    def refuse(self, why: str, status: int) -> None:
        words, _, self.errors = why.partition("\n\n")
        self.refused, self.status = words, status


@router.post("/{one}/tools")
async def list_tools(
    request: Request,
    studio: Studio,
    me: Me,
    one: str,
    based_on: Annotated[int, Form(alias="_revision")] = 0,
) -> Response:
    stored = await studio.catalog.stored(me.owner, "skills", one)
    listing = Listing()
    try:
        given = PAGES.definition(await whole(request, PAGES, stored))
        if not isinstance(given, McpSkillDefinition):
            raise ConflictError("Only an MCP server is asked for its tools")
        listing.before = given.offered
        await studio.catalog.replace(me.owner, me.by, "skills", one, given, based_on or None)
        work = studio.runner.skill_tests.tools(me.owner, given)
        listing.found = await while_there(request, work)
        if listing.found is None:
            return Response(status_code=204)
    except InvalidError as error:
        listing.unsaved, listing.status = error.problems, 422
    except UnavailableError as error:
        listing.refuse(str(error), 503)
    except StaleError as error:
        listing.refuse(f"{error}. Load this page again to see it", 412)
    return await _shown(request, studio, me, one, listing)


async def _shown(
    request: Request, studio: Services, me: Me, one: str, listing: Listing
) -> Response:
    """The parts of the page that change; the whole page for a browser without scripts."""
    stored = await studio.catalog.stored(me.owner, "skills", one)
    form = FormState(flatten(await sent(request)), listing.unsaved)
    shown: dict[str, Any] = {"listing": listing, "stored": stored}
    if listing.found is not None:
        shown |= mcp_form.listed_values(listing.found, listing.before)
        form.values["offered_json"] = shown["offered_json"]
    if request.headers.get("hx-request") != "true":
        return await show_form(
            request, studio, me, PAGES, form, stored, status=listing.status, more=shown
        )
    values = await PAGES.values(studio, me, form, stored)
    html = render("skills/_mcp_listed.html", {"form": form, **values, **shown})
    return Response(html, media_type="text/html")
