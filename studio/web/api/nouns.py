"""The routes that all four nouns share: list, create, read, replace, delete, draft, revisions."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Response

from ...definitions.common import has_nul
from ...definitions.references import Noun
from ...errors import InvalidError, Problem
from ..dependencies import (
    Cursor,
    IfMatch,
    Limit,
    Me,
    Search,
    StrictRoute,
    Studio,
    json_response,
)

Number = Annotated[int, Path(ge=1, lt=2**31)]


def with_etag(shown: dict[str, Any], status: int = 200) -> Response:
    return json_response(shown, status, {"etag": f'"{shown["revision"]}"'})


def without_keys(value: Any) -> Any:
    """A draft is shown again, so a key is never part of it, at whatever depth."""
    if isinstance(value, dict):
        return {k: without_keys(v) for k, v in value.items() if k.lower() != "api_key"}
    return [without_keys(v) for v in value] if isinstance(value, list) else value


def noun_router(noun: Noun, shape: Any) -> APIRouter:
    """The routes of one noun; `shape` is what a client may send."""
    router = APIRouter(prefix=f"/api/{noun}", tags=[noun], route_class=StrictRoute)
    _add_collection(router, noun, shape)
    _add_drafts(router, noun)
    _add_revisions(router, noun)
    return router


def _add_collection(router: APIRouter, noun: Noun, shape: Any) -> None:
    @router.get("")
    async def listing(
        studio: Studio, me: Me, q: Search = "", limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        return json_response(await studio.catalog.listing(me.owner, noun, q, limit, cursor))

    @router.post("", status_code=201)
    async def create(studio: Studio, me: Me, given: Annotated[shape, Body()]) -> Response:
        shown = await studio.catalog.create(me.owner, me.by, noun, given)
        response = with_etag(shown, 201)
        response.headers["location"] = f"/api/{noun}/{shown['id']}"
        return response

    @router.get("/{one}")
    async def read(studio: Studio, me: Me, one: str) -> Response:
        return with_etag(await studio.catalog.get(me.owner, noun, one))

    @router.put("/{one}")
    async def replace(
        studio: Studio, me: Me, one: str, given: Annotated[shape, Body()], if_match: IfMatch
    ) -> Response:
        return with_etag(await studio.catalog.replace(me.owner, me.by, noun, one, given, if_match))

    @router.delete("/{one}", status_code=204)
    async def delete(studio: Studio, me: Me, one: str) -> Response:
        await studio.catalog.remove(me.owner, noun, one)
        return Response(status_code=204)


def _add_drafts(router: APIRouter, noun: Noun) -> None:
    @router.get("/{one}/draft")
    async def read_draft(studio: Studio, me: Me, one: str) -> Response:
        stored = await studio.catalog.stored(me.owner, noun, one)
        return json_response({"draft": stored.draft})

    @router.put("/{one}/draft")
    async def save_draft(
        studio: Studio, me: Me, one: str, draft: Annotated[dict[str, Any], Body()]
    ) -> Response:
        if has_nul(draft):
            raise InvalidError([Problem([], "A NUL character is not allowed", "nul")])
        kept = without_keys(draft)
        return with_etag(await studio.catalog.set_draft(me.owner, noun, one, kept))

    @router.delete("/{one}/draft", status_code=204)
    async def drop_draft(studio: Studio, me: Me, one: str) -> Response:
        await studio.catalog.set_draft(me.owner, noun, one, None)
        return Response(status_code=204)


def _add_revisions(router: APIRouter, noun: Noun) -> None:
    @router.get("/{one}/revisions")
    async def revisions(studio: Studio, me: Me, one: str) -> Response:
        found = await studio.catalog.revisions(me.owner, noun, one)
        return json_response({"items": found, "next": None})

    @router.get("/{one}/revisions/{n}")
    async def revision(studio: Studio, me: Me, one: str, n: Number) -> Response:
        return json_response(await studio.catalog.revision(me.owner, noun, one, n))

    @router.post("/{one}/revisions/{n}/restore")
    async def restore(studio: Studio, me: Me, one: str, n: Number) -> Response:
        return with_etag(await studio.catalog.restore(me.owner, me.by, noun, one, n))
