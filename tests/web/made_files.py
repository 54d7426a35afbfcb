"""Sessions in which code made files: real rows in the log, real files in the data folder."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from studio.engine import events as e
from studio.store import events, sessions
from studio.store.database import Connection
from studio.store.events import Row, new_row
from studio.store.files import Saved

from ..conftest import InProcess


class Maker:
    """A session that waits for a person while `run` writes turns of code into its log."""

    def __init__(self, studio: InProcess) -> None:
        self.studio = studio
        coder = studio.create("agents", kind="assistant", models=[studio.scripted("Here it is.")])
        workflow = studio.create(
            "workflows", kind="two_agent", initiator=studio.person(), recipient=coder["id"]
        )
        self.id = studio.start(str(workflow["id"]), "Make some files")
        self.agent = str(coder["name"])
        studio.wait(self.id, "waiting")
        self.turn = int(studio.session(self.id)["turns"])

    def run(self, files: Mapping[str, bytes], output: str = "done") -> Saved:
        """One turn whose code writes these files, as the runner keeps and logs it."""
        services = self.studio.app.state.services
        kept = services.runner.files
        folder = kept.work_dir(self.id)
        before = kept.before(folder)
        for name, content in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        with ThreadPoolExecutor(1) as thread:  # a browser test's loop holds this one
            saved: Saved = thread.submit(asyncio.run, kept.saved(self.id, folder, before)).result()
        self.turn += 1
        names = [one.name for one in saved.files]
        told: list[e.Event] = [
            e.TurnStarted(self.turn, 1, self.agent),
            e.CodeExecuted(self.turn, self.agent, "python", 0, output, 0.4, names),
            *(e.ArtifactSaved(turn=self.turn, **asdict(one)) for one in saved.files),
            e.MessageSent(self.turn, 1, self.agent, "all", f"exitcode: 0\nCode output: {output}"),
        ]

        def work(connection: Connection) -> list[Row]:
            epoch = sessions.get(connection, None, self.id).epoch
            rows = [new_row(event, 1) for event in told]
            return events.append(connection, self.id, epoch, rows)

        services.bus.rows(self.id, services.database.write_now(work))
        return saved

    def end(self) -> str:
        self.studio.post(f"sessions/{self.id}/stop")
        self.studio.wait(self.id, "stopped")
        return self.id


def png(width: int = 320, height: int = 180, shade: int = 0) -> bytes:
    """A picture of bars, small and valid."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            bar = x * 8 // width
            is_in = y > height - (bar + 1) * height // 9 and x % (width // 8) > 6
            rows += bytes((60 + shade, 110, 220)) if is_in else b"\xff\xff\xff"
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
             (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b"")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
