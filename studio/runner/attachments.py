"""Files that people give to a session: looked up, put into its working folder, or taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, BinaryIO

from ..errors import InvalidError, NotFoundError, Problem
from ..store import artifacts, sessions, uploads
from ..store.database import Connection, Database
from ..store.files import Attachment, Files
from ..store.uploads import Upload

MOST = 20  # files of one message


class Attachments:
    def __init__(self, database: Database, files: Files) -> None:
        self.database, self.files = database, files

    async def clean(self) -> None:
        """Removes files of sessions that do not exist any more, and those that nobody has used for
        a day. Only where data folder and database are one: the folder of another studio's database
        would be emptied."""
        if not self.database.url.startswith(f"sqlite:///{self.files.home}/"):
            return
        await self.database.write(uploads.expire)
        known = await self.database.read(lambda c: (sessions.ids(c), uploads.ids(c)))
        await self.files.clean(*known)

    async def receive(self, owner: str, name: str, reading: BinaryIO) -> Upload:
        """Keeps a file that a person sends, for a day. Raises InvalidError at ["file"]."""
        name = uploads.checked_name(name)
        received = await self.files.receive(reading)

        def work(connection: Connection) -> tuple[Upload, list[str]]:
            old = uploads.expire(connection)
            return uploads.add(connection, owner, name, received), old

        try:
            kept, old = await self.database.write(work)
        except BaseException:
            await self.files.remove_upload(received.id)
            raise
        for one in old:
            await self.files.remove_upload(one)
        return kept

    async def once_more(self, owner: str, session_id: str, ids: Sequence[str]) -> tuple[str, ...]:
        """Files that came with a session of the owner's, kept anew for another one."""
        kept = []
        for one in ids:
            file = await self.database.read(partial(artifacts.get, session_id=session_id, one=one))
            path = self.files.artifact(session_id, file.id)
            try:
                reading = await asyncio.to_thread(path.open, "rb")
            except OSError:
                raise NotFoundError("The file is not there any more") from None
            with reading:
                kept.append((await self.receive(owner, file.name, reading)).id)
        return tuple(kept)

    async def remove(self, owner: str, one: str) -> None:
        """Raises NotFoundError."""
        await self.database.write(lambda c: uploads.remove(c, owner, one))
        await self.files.remove_upload(one)

    async def found(self, owner: str, ids: Sequence[str]) -> list[Upload]:
        """The files of these ids. Raises InvalidError at each that is unknown or given twice."""

        def work(connection: Connection) -> list[Upload]:
            found, problems = [], []
            for i, one in enumerate(ids):
                try:
                    found.append(uploads.get(connection, owner, one))
                except NotFoundError:
                    words = "There is no such file, or it waited for more than a day"
                    problems.append(Problem(["attachments", i], words, "unknown_reference"))
                if one in ids[:i]:
                    problems.append(Problem(["attachments", i], "It is given twice", "duplicate"))
            if problems:
                raise InvalidError(problems)
            return found

        if len(ids) > MOST:
            words = f"A message may bring at most {MOST} files"
            raise InvalidError([Problem(["attachments"], words, "too_many")])
        return await self.database.read(work) if ids else []

    @asynccontextmanager
    async def given(
        self, session_id: str, found: Sequence[Upload], *, is_new: bool = False
    ) -> AsyncIterator[list[dict[str, Any]] | None]:
        """Puts files into the working folder of a session, as its log is to tell of them; takes
        them back when the block fails."""
        given: list[Attachment] = []
        try:
            for one in found:
                given += [await self.files.give(session_id, one.id, one.name, one.media_type)]
            yield [asdict(one) for one in given] or None
        except BaseException:
            if is_new:
                await self.files.remove_session(session_id)
            else:
                await self.files.take_back(session_id, given)
            raise
