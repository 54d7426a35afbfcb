"""Files of sessions: the folders that programs work in, and every version of a file that they made.

    home/work/<session>/files       the working folder, which programs in a box may change
    home/artifacts/<session>/<id>   saved versions, which nobody changes; their rows are the
                                    `artifact_saved` events of the session's log
    home/uploads/<id>               files that people gave, until a session takes them

Names of files come from programs and people and are only ever shown; what is stored is named by
ids of ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import stat
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

from ..engine.events import SavedFile
from ..errors import InvalidError, NotFoundError, Problem, UnavailableError
from .folders import Seen, Snapshot, open_file, remove, shown, snapshot
from .media import HEAD, media_type
from .tables import new_id

MB = 1024**2
MAX_FILES = 200  # of one run
MAX_FILE = 64 * MB
MAX_SESSION = 2048 * MB  # all saved versions of a session
MAX_UPLOAD = 25 * MB
CHUNK = MB
MAX_REMEMBERED = 500  # sessions
_Written = tuple[bytes, int, str]
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a run has left. `left_out` says in words which files were not kept, and why."""

    files: list[SavedFile]
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class Received:
    """A file that a person sent, kept under an id; `head` are its first bytes."""

    id: str
    size: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a person gave to a session; `name` is its name in the working folder."""

    id: str
    name: str
    media_type: str
    bytes: int


class Files:
    """All of it lies in one data folder, readable for the studio alone."""

    def __init__(self, home: Path) -> None:
        self.home = home
        # sha256 of what was saved last, by session and path: says whether a file that was only
        # written again is a new version. Forgotten at a restart, which costs one version more.
        self._last: OrderedDict[str, dict[str, str]] = OrderedDict()

    # -- places

    def work_dir(self, session_id: str) -> Path:
        """The folder in which the programs of a session run; made when it is not there."""
        return _made(self.home, "work", _checked(session_id), "files")

    def artifact(self, session_id: str, artifact_id: str) -> Path:
        """Where a saved version lies. Raises NotFoundError for what cannot be an id."""
        return self.home / "artifacts" / _checked(session_id) / _checked(artifact_id)

    def upload(self, upload_id: str) -> Path:
        return _made(self.home, "uploads") / _checked(upload_id)

    # -- what a run has made

    def before(self, folder: Path) -> Snapshot:
        """What is in a working folder before a run, which `saved` wants back after it. Takes up to
        some 0.1 s: not for the event loop."""
        return snapshot(folder)

    async def saved(self, session_id: str, folder: Path, before: Snapshot) -> Saved:
        """Keeps a version of every file that a run made or changed.

        Links, devices, hidden names and caches are left out in silence; files beyond `MAX_FILES`
        a run, `MAX_FILE` each or `MAX_SESSION` in all, or that cannot be read, are told of.
        Never raises for what a program left there.
        """
        return await asyncio.to_thread(self._saved, session_id, folder, before)

    def _saved(self, session_id: str, folder: Path, before: Snapshot) -> Saved:
        try:
            kept = _made(self.home, "artifacts", _checked(session_id))
            room = MAX_SESSION - sum(e.stat().st_size for e in os.scandir(kept))
        except OSError as error:
            return Saved([], [f"all files: {error.strerror}"])
        last = self._remembered(session_id)
        files: list[SavedFile] = []
        left_out: list[str] = []
        changed = [(p, now) for p, now in snapshot(folder).items() if before.get(p) != now]
        for path, now in changed:
            why = _refused(len(files), now, room)
            if why:
                left_out.append(f"{shown(path)}: {why}")
                continue
            try:
                one = _copied(folder, path, kept, min(MAX_FILE, room))
            except OSError as error:
                left_out.append(f"{shown(path)}: {error.strerror or error}")
                continue
            if last.get(path) == one.sha256 and path in before:
                (kept / one.id).unlink()
                continue
            last[path] = one.sha256
            room -= one.bytes
            files.append(one)
        return Saved(files, left_out)

    # -- what people give

    async def receive(self, reading: BinaryIO) -> Received:
        """Keeps a file that a person sent. Raises InvalidError when it is larger than `MAX_UPLOAD`,
        UnavailableError when it cannot be written."""
        return await asyncio.to_thread(self._received, reading)

    def _received(self, reading: BinaryIO) -> Received:
        one = new_id()
        try:
            head, size, _ = _written(reading, self.upload(one), MAX_UPLOAD)
        except _TooLargeError:
            words = f"A file may have at most {MAX_UPLOAD // MB} MB"
            raise InvalidError([Problem(["file"], words, "too_large")]) from None
        except OSError as error:
            raise UnavailableError(f"The file cannot be kept: {error.strerror}") from None
        return Received(one, size, head)

    async def give(self, session_id: str, upload_id: str, name: str, media_type: str) -> Attachment:
        """Puts an upload into the working folder of a session, under a name that is free there,
        and keeps a copy that its programs cannot change. Raises NotFoundError, UnavailableError."""
        return await asyncio.to_thread(self._given, session_id, upload_id, name, media_type)

    def _given(self, session_id: str, upload_id: str, name: str, media_type: str) -> Attachment:
        source, kept = self.upload(upload_id), self.artifact(session_id, upload_id)
        _made(self.home, "artifacts", session_id)
        try:
            _linked(source, kept)
            with kept.open("rb") as reading:
                free, size = _placed(reading, self.work_dir(session_id), name)
        except FileNotFoundError:
            raise NotFoundError("The file is not there any more") from None
        except OSError as error:
            raise UnavailableError(f"The file cannot be kept: {error.strerror}") from None
        return Attachment(upload_id, free, media_type, size)

    def _remembered(self, session_id: str) -> dict[str, str]:
        found = self._last.setdefault(session_id, {})
        self._last.move_to_end(session_id)
        if len(self._last) > MAX_REMEMBERED:
            self._last.popitem(last=False)
        return found

    # -- the end of things

    async def remove_upload(self, upload_id: str) -> None:
        await asyncio.to_thread(self.upload(upload_id).unlink, missing_ok=True)

    async def take_back(self, session_id: str, given: list[Attachment]) -> None:
        """Removes attachments of a session that did not go on after all."""
        for one in given:
            place = self.work_dir(session_id) / one.name
            await asyncio.to_thread(place.unlink, missing_ok=True)

    async def remove_session(self, session_id: str) -> None:
        """Removes the working folders and all saved versions of a session."""
        one = _checked(session_id)
        self._last.pop(one, None)
        for place in ("work", "artifacts"):
            await asyncio.to_thread(remove, self.home / place / one)

    async def clean(self, sessions: Collection[str], uploads: Collection[str]) -> None:
        """Removes what belongs to no session and no upload that there still is."""
        for place, keep in (("work", sessions), ("artifacts", sessions), ("uploads", uploads)):
            await asyncio.to_thread(_keep_only, self.home / place, set(keep))


def _checked(one: str) -> str:
    if not _ID.fullmatch(one):
        raise NotFoundError("There is no such file")
    return one


def _made(home: Path, *names: str) -> Path:
    """A folder of ours below home, each part of it for us alone when it is made."""
    place = home
    for name in names:
        place = place / name
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
    return place


def _refused(number: int, now: Seen, room: int) -> str:
    if number >= MAX_FILES:
        return f"more than {MAX_FILES} files in one run"
    if now.size > MAX_FILE:
        return f"larger than {MAX_FILE // MB} MB"
    return "the session's files are full" if now.size > room else ""


def _copied(folder: Path, path: str, kept: Path, limit: int) -> SavedFile:
    """Copies a file into a version of its own. Raises OSError, also when it grows meanwhile."""
    one = new_id()
    with os.fdopen(open_file(folder, path), "rb") as reading:
        head, size, digest = _written(reading, kept / one, limit)
    name = shown(path)
    return SavedFile(one, name, media_type(name, head), size, digest)


class _TooLargeError(OSError):
    """More came than may."""


def _written(reading: BinaryIO, target: Path, limit: int, mode: int = 0o600) -> _Written:
    """Writes a new file: its first bytes, its size and its sha256. Nothing is left of it when that
    fails. Raises OSError, FileExistsError among them."""
    place = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(place, "wb") as writing:
            os.fchmod(place, mode)
            head, size, digest = b"", 0, hashlib.sha256()
            while chunk := reading.read(CHUNK):
                head = head or chunk[:HEAD]
                size += len(chunk)
                if size > limit:
                    raise _TooLargeError("it is too large")
                digest.update(chunk)
                writing.write(chunk)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return head, size, digest.hexdigest()


def _linked(source: Path, target: Path) -> None:
    """The same bytes under another name; nobody writes to either. A copy on another file system."""
    try:
        os.link(source, target)
    except FileExistsError:
        pass  # it was given before
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _placed(reading: BinaryIO, folder: Path, name: str) -> tuple[str, int]:
    """Writes a file under `name`, or `name-2` and so on when that is taken. Programs may write to
    it: nobody else can get to the folder."""
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    for number in count(1):
        free = name if number == 1 else f"{stem}-{number}{dot}{ending}"
        with suppress(FileExistsError):
            _, size, _ = _written(reading, folder / free, MAX_UPLOAD, 0o666)
            return free, size
    raise AssertionError  # numbers do not end


def _keep_only(place: Path, keep: set[str]) -> None:
    with suppress(FileNotFoundError):
        for entry in os.scandir(place):
            if entry.name in keep:
                continue
            if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                remove(Path(entry.path))
            else:
                os.unlink(entry.path)
