"""Files in forms: sent before by the page's script and only named, or in the form itself."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import UploadFile

from ...errors import NotFoundError
from ...store import uploads
from ...store.database import Connection
from ...store.uploads import Upload
from ..credentials import Principal
from ..dependencies import Services


async def attached(request: Request, studio: Services, me: Principal) -> tuple[str, ...]:
    """The ids of the files that a form brings. Raises InvalidError for one that is refused."""
    form = await request.form()
    ids = [str(one) for one in form.getlist("attachments") if one]
    for file in form.getlist("files"):
        if isinstance(file, UploadFile) and file.filename:
            kept = await studio.runner.attachments.receive(me.owner, file.filename, file.file)
            ids.append(kept.id)
    return tuple(ids)


async def waiting(studio: Services, me: Principal, ids: tuple[str, ...]) -> list[Upload]:
    """Files that a form shows again when it was refused; what is gone is left out."""

    def work(connection: Connection) -> list[Upload]:
        found = []
        for one in ids:
            try:
                found.append(uploads.get(connection, me.owner, one))
            except NotFoundError:
                continue
        return found

    return await studio.database.read(work)
