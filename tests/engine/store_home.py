"""A real database and real sessions for tests of the recorder: one SQLite file, many sessions."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from studio.config import Settings
from studio.definitions.common import Limits
from studio.definitions.nouns import parse
from studio.engine import RunContext
from studio.runner.build import Builder, LiveChat
from studio.runner.local_model import BuiltInModel
from studio.runner.models import Models
from studio.runner.recorder import Recorder
from studio.runner.runner import Runner
from studio.store import definitions, effects, events, secrets, sessions
from studio.store.database import Database
from studio.store.events import Changes
from studio.store.known_secrets import KnownSecrets
from studio.store.secrets import Vault
from studio.store.tables import OWNER
from studio.streaming.bus import Bus

SEED = "0123456789abcdef"


class StoreHome:
    """A data folder. `close` it at the end."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder, sqlite_synchronous="normal")
        self.vault = Vault(secrets.load_keys(folder, None, None))
        self.database = Database(self.settings.database, "normal")
        self.known = KnownSecrets(self.database, self.vault)
        self.local = BuiltInModel(folder)

    def close(self) -> None:
        self.database.close()

    # -- through the runner

    def runner(self) -> Runner:
        """A runner as a started studio has it; each event loop needs its own."""
        return Runner(self.settings, self.database, Bus(), self.vault, self.local)

    def save(self, noun: Any, **body: Any) -> str:
        """Stores a definition and returns its id."""
        given = parse(noun, body)
        return self.database.write_now(
            lambda c: definitions.create(c, OWNER, noun, given, "test")
        ).id

    # -- below the runner

    def session(self, snapshot: dict[str, Any]) -> str:
        """A queued session with a snapshot of its own."""
        values = {
            "workflow_id": "w", "workflow_name": "W", "revision": 1, "name": "S",
            "status": "running", "snapshot": json.dumps(snapshot), "seed": SEED,
            "created_by": "test",
        }  # fmt: skip
        return self.database.write_now(lambda c: sessions.create(c, OWNER, values))

    def recorder(self, session_id: str, bus: Bus) -> Recorder:
        """What a worker that claims the session makes: a new epoch fences off the one before."""

        def work(connection: Any) -> Recorder:
            session = sessions.get(connection, None, session_id)
            changes = Changes("running", "", new_epoch=True)
            events.append(connection, session_id, session.epoch, [], changes)
            return Recorder(
                database=self.database, bus=bus, session=session, epoch=session.epoch + 1,
                recorded=effects.load(connection, session_id),
                said=events.said(connection, session_id), limits=Limits(),
                secrets=self.known,
            )  # fmt: skip

        return self.database.write_now(work)

    def live(self, session_id: str, recorder: Any, context_effects: Any = None) -> LiveChat:
        """The chat of a session, built from its snapshot as a worker does."""
        snapshot = self.database.read_now(lambda c: sessions.snapshot(c, session_id))
        models = Models(self.settings, self.known, self.local)
        context = RunContext(
            sink=recorder, effects=context_effects or recorder, random=random.Random(SEED),
            seed=SEED, activity=recorder.activity,
        )  # fmt: skip
        return Builder(models, OWNER, snapshot).chat(context)

    def log(self, session_id: str) -> list[dict[str, Any]]:
        """The whole log, as it is streamed."""
        rows = self.database.read_now(lambda c: events.after(c, session_id, 0, 100_000))
        return [row.data() for row in rows]

    def effects(self, session_id: str) -> dict[str, effects.Recorded]:
        return self.database.read_now(lambda c: effects.load(c, session_id))


def group_snapshot(
    replies: dict[str, list[str]], order: str = "round_robin", rounds: int = 10, **rules: Any
) -> dict[str, Any]:
    """A group of scripted assistants, one for each key of `replies`; the first one opens."""
    agents = {
        name: {"kind": "assistant", "name": name, "models": ["m"], "system_message": f"I am {name}"}
        for name in replies
    }
    return {
        "v": 1,
        "workflow": {
            "kind": "group_chat", "name": "G", "initiator": next(iter(agents)),
            "agents": list(agents), "speaker_selection_method": order, "max_round": rounds,
            "models": ["select"] if order == "auto" else [], **rules,
        },
        "agents": agents,
        "models": {
            "m": {"name": "script", "provider": "scripted", "replies": replies},
            "select": {
                "name": "select", "provider": "scripted",
                "replies": rules.pop("choices", None) or list(agents) * rounds,
            },
        },
        "skills": {},
        "workflows": {},
    }  # fmt: skip
