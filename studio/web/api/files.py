"""JSON routes of files: those that sessions make, and those that people give to them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse, StreamingResponse

from ...errors import InvalidError, Problem
from ...store import artifacts, uploads
from ...store.uploads import Upload
from ..dependencies import Me, StrictRoute, Studio, json_response, media
from ..downloads import SEALED, disposition, download, zipped

router = APIRouter(prefix="/api", route_class=StrictRoute)


def _shown(one: Upload) -> dict[str, str | int]:
    return {"id": one.id, "name": one.name, "media_type": one.media_type, "bytes": one.size}


@router.get("/sessions/{one}/artifacts", tags=["sessions"], responses=media("application/zip"))
async def listing(
    studio: Studio,
    me: Me,
    one: str,
    format: Annotated[Literal["json", "zip"], Query()] = "json",  # noqa: A002
) -> Response:
    """Every version of every file, newest first; as a zip the latest of each."""
    await studio.runner.session(me.owner, one)
    found = await studio.database.read(lambda c: artifacts.versions(c, one))
    if format == "json":
        return json_response({"items": [v.as_json() for v in reversed(found)], "next": None})
    files = [(v, studio.runner.files.artifact(one, v.id)) for v in artifacts.latest(found)]
    headers = SEALED | {"content-disposition": disposition(f"session-{one}-files.zip")}
    return StreamingResponse(zipped(files), headers=headers, media_type="application/zip")


@router.get(
    "/sessions/{one}/artifacts/{artifact}",
    tags=["sessions"],
    response_class=FileResponse,
    responses=media("*/*"),
)
async def content(studio: Studio, me: Me, one: str, artifact: str) -> Response:
    """A version as it is, to be saved: also a file that was attached."""
    await studio.runner.session(me.owner, one)
    found = await studio.database.read(lambda c: artifacts.get(c, one, artifact))
    return download(studio.runner.files.artifact(one, found.id), found)


@router.post("/files", status_code=201, tags=["files"])
async def upload(request: Request, studio: Studio, me: Me, file: UploadFile) -> Response:
    """Keeps a file for a day, until it is attached to a session's message; 25 MB at most."""
    form = await request.form()
    if len(form.multi_items()) != 1:
        raise InvalidError([Problem(["file"], "Send exactly one file, and nothing else", "one")])
    kept = await studio.runner.attachments.receive(me.owner, file.filename or "", file.file)
    return json_response(_shown(kept), 201)


@router.get("/files/{one}", tags=["files"])
async def read(studio: Studio, me: Me, one: str) -> Response:
    return json_response(
        _shown(await studio.database.read(lambda c: uploads.get(c, me.owner, one)))
    )


@router.delete("/files/{one}", status_code=204, tags=["files"])
async def delete(studio: Studio, me: Me, one: str) -> Response:
    """Throws a file away that waits; sessions that took it keep their copies."""
    await studio.runner.attachments.remove(me.owner, one)
    return Response(status_code=204)
