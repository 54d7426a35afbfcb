"""`studio backup` and `studio restore`: the data folder in one file, without its key.

Files that sessions made or were given are in it; their working folders are not.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..config import load_settings
from ..errors import ConflictError, InvalidError, NotFoundError, Problem, UnavailableError
from ..store.copies import broken, copy_file
from .home import locked

DATABASE, ABOUT = "studio.db", "backup.json"
FILES = "artifacts"
OF_A_SESSION = re.compile(rf"{FILES}/([A-Za-z0-9_-]{{1,64}})/([A-Za-z0-9_-]{{1,64}})")
FORMAT = 1


def backup(file: Path, home: Path | None) -> Path:
    """Writes a backup while the studio may go on writing. Raises StudioError.

    The key of the secrets stays behind: a stolen backup opens none.
    """
    settings = load_settings(home=home)
    source = settings.home / DATABASE
    if settings.database_url:
        raise UnavailableError("This database is backed up with its own tools, such as pg_dump")
    if not source.exists():
        raise NotFoundError(f"There is no studio in {settings.home}")
    if file.is_dir():
        file = file / f"roundtable-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.zip"
    if file.exists():
        raise ConflictError(f"{file} exists; choose another name")
    about = {"format": FORMAT, "version": __version__, "made_at": datetime.now(UTC).isoformat()}
    with tempfile.TemporaryDirectory(dir=settings.home) as folder:
        copy = Path(folder) / DATABASE
        copy_file(source, copy)
        whole = Path(folder) / "backup.zip"
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr(ABOUT, json.dumps(about))
            out.write(copy, DATABASE)
            for path in sorted((settings.home / FILES).glob("*/*")):
                with suppress(FileNotFoundError):  # its session is deleted just now
                    out.write(path, f"{FILES}/{path.parent.name}/{path.name}")
        whole.chmod(0o600)
        shutil.move(whole, file)
    return file


def restore(file: Path, home: Path | None) -> Path:
    """Puts a backup into an empty data folder. Raises StudioError; never overwrites a studio."""
    settings = load_settings(home=home)
    target = settings.home / DATABASE
    with locked(settings.home):
        if target.exists():
            raise ConflictError(f"There is a studio in {settings.home}; choose an empty folder")
        settings.home.chmod(0o700)
        part = target.with_suffix(".part")
        try:
            with zipfile.ZipFile(file) as archive:
                about = json.loads(archive.read(ABOUT))
                if about["format"] != FORMAT:
                    raise _not_one(f"it has format {about['format']}, this studio reads {FORMAT}")
                with archive.open(DATABASE) as source, part.open("wb") as out:
                    shutil.copyfileobj(source, out)
        except FileNotFoundError:
            raise NotFoundError(f"There is no file {file}") from None
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError) as error:
            part.unlink(missing_ok=True)
            raise _not_one(str(error)) from None
        if why := broken(part):
            part.unlink()
            raise _not_one(why)
        _restore_files(file, settings.home, part)
        part.chmod(0o600)
        os.replace(part, target)
    return settings.home


def _restore_files(file: Path, home: Path, part: Path) -> None:
    """Only what is named as our own files are: no entry of an archive leads anywhere else. When
    that fails nothing is left, of the database `part` neither."""
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if found := OF_A_SESSION.fullmatch(entry.filename):
                    _restore_file(archive, entry, home / FILES / found[1], found[2])
    except (zipfile.BadZipFile, ValueError, OSError, zlib.error) as error:
        part.unlink()
        shutil.rmtree(home / FILES, ignore_errors=True)
        raise _not_one(str(error)) from None


def _restore_file(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, name: str
) -> None:
    for one in (folder.parent, folder):
        one.mkdir(mode=0o700, exist_ok=True)
    place = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with archive.open(entry) as source, os.fdopen(place, "wb") as out:
        shutil.copyfileobj(source, out)


def _not_one(why: str) -> InvalidError:
    return InvalidError([Problem([], f"This is not a backup of a studio: {why}", "backup")])
