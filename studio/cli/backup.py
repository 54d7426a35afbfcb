"""`studio backup` and `studio restore`: the data folder in one file, without its key."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..config import load_settings
from ..errors import ConflictError, InvalidError, NotFoundError, Problem, UnavailableError
from ..store.copies import broken, copy_file
from .home import locked

DATABASE, ABOUT = "studio.db", "backup.json"
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
        part.chmod(0o600)
        os.replace(part, target)
    return settings.home


def _not_one(why: str) -> InvalidError:
    return InvalidError([Problem([], f"This is not a backup of a studio: {why}", "backup")])
