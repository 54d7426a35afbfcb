"""The rows. Every table that holds somebody's things has owner_id; queries go through `scope`.

Definitions and events are stored as validated JSON text: the pydantic classes are the truth, the
other columns are what we search and sort by. Times are RFC 3339 text in UTC with milliseconds.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Index, Text, text
from sqlmodel import Field, SQLModel

OWNER = "owner"  # the one owner until users come


def now() -> str:
    return at_time(datetime.now(UTC))


def at_time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    return secrets.token_hex(10)


def scope(table: Any, owner: str) -> ColumnElement[bool]:
    """The one place that says whose rows a query may touch."""
    return table.c.owner_id == owner  # type: ignore[no-any-return]


class DefinitionRow(SQLModel, table=True):
    """`origin` is "" for what a person made, else the sample it came with.

    Names are unique per noun and origin: samples never take a name that a person may want.
    `words` is the text of the body without its field names: what a search looks at.
    """

    __tablename__ = "definition"
    __table_args__ = (
        Index(
            "ix_definition_name",
            "owner_id",
            "noun",
            "origin",
            "name",
            unique=True,
            # PostgreSQL's is in the migration, which makes the index: said here, its dialect would
            # be loaded at every start (20 ms)
            sqlite_where=text("deleted_at IS NULL"),
        ),
        Index("ix_definition_list", "owner_id", "noun", "created_at", "id"),
    )
    id: str = Field(primary_key=True)
    owner_id: str
    noun: str
    name: str
    kind: str = ""
    revision: int = 1
    body: str = Field(sa_type=Text)
    words: str = Field(default="", sa_type=Text)
    draft: str | None = Field(default=None, sa_type=Text)
    origin: str = ""
    created_at: str
    updated_at: str
    deleted_at: str | None = None


class RevisionRow(SQLModel, table=True):
    __tablename__ = "revision"
    definition_id: str = Field(primary_key=True, foreign_key="definition.id", ondelete="CASCADE")
    n: int = Field(primary_key=True)
    body: str = Field(sa_type=Text)
    by: str
    created_at: str


class ReferenceRow(SQLModel, table=True):
    """`from_id` uses `to_id`; follows from the body and answers "who uses this?"."""

    __tablename__ = "reference"
    from_id: str = Field(primary_key=True, foreign_key="definition.id", ondelete="CASCADE")
    to_id: str = Field(primary_key=True, index=True)


class SecretRow(SQLModel, table=True):
    """`ciphertext` holds owner, name and value together, so that rows cannot be swapped."""

    __tablename__ = "secret"
    __table_args__ = (Index("ix_secret_name", "owner_id", "name", unique=True),)
    id: str = Field(primary_key=True)
    owner_id: str
    name: str
    ciphertext: str = Field(sa_type=Text)
    hint: str = ""
    destination: str = ""
    model_id: str | None = Field(default=None, index=True)
    created_at: str
    updated_at: str


class SessionRow(SQLModel, table=True):
    """`epoch` fences writers: only the holder of the current epoch may append."""

    __tablename__ = "session"
    __table_args__ = (
        Index("ix_session_list", "owner_id", "created_at", "id"),
        Index("ix_session_status", "status"),
        Index("ix_session_workflow", "owner_id", "workflow_id"),
    )
    id: str = Field(primary_key=True)
    owner_id: str
    workflow_id: str
    workflow_name: str
    revision: int
    name: str
    status: str
    reason: str = ""
    run: int = 1
    agents: str = Field(default="[]", sa_type=Text)
    seed: str
    limits: str = Field(default="{}", sa_type=Text)
    tags: str = Field(default="[]", sa_type=Text)
    pace: str = "full"
    last_seq: int = 0
    epoch: int = 0
    turns: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nano: int = 0
    active_ms: int = 0
    parent: str | None = None
    created_by: str
    created_at: str
    updated_at: str


class SnapshotRow(SQLModel, table=True):
    """The frozen workflow of a session, apart from the row that is written at every turn."""

    __tablename__ = "session_snapshot"
    session_id: str = Field(primary_key=True, foreign_key="session.id", ondelete="CASCADE")
    body: str = Field(sa_type=Text)


class EventRow(SQLModel, table=True):
    """One row of a session's log. (run, chat, n) numbers what a replay would say again.

    `words` is what a message says, for the search.
    """

    __tablename__ = "event"
    __table_args__ = {"sqlite_with_rowid": False}
    session_id: str = Field(primary_key=True, foreign_key="session.id", ondelete="CASCADE")
    seq: int = Field(primary_key=True)
    kind: str
    run: int
    chat: str = ""
    n: int | None = None
    effect: str | None = None
    words: str | None = Field(default=None, sa_type=Text)
    body: str = Field(sa_type=Text)


class EffectRow(SQLModel, table=True):
    """One thing a chat asked of the outside, `state` intent or done.

    The messages of a model call are the first `shared` messages of effect `base`, then `messages`.
    A question to a person is waited for until `due`.
    """

    __tablename__ = "effect"
    __table_args__ = {"sqlite_with_rowid": False}
    session_id: str = Field(primary_key=True, foreign_key="session.id", ondelete="CASCADE")
    key: str = Field(primary_key=True)
    kind: str
    run: int
    turn: int
    agent: str
    state: str
    attempt: int = 1
    request_hash: str
    request: str = Field(sa_type=Text)
    base: str | None = None
    shared: int = 0
    messages: str | None = Field(default=None, sa_type=Text)
    result: str | None = Field(default=None, sa_type=Text)
    due: str | None = Field(default=None, index=True)
    at: str


class LoginRow(SQLModel, table=True):
    """A browser that is logged in; only a hash of its cookie is kept."""

    __tablename__ = "login"
    id_hash: str = Field(primary_key=True)
    owner_id: str
    created_at: str
    expires_at: str
    browser: str = Field(default="", sa_column_kwargs={"server_default": ""})
    last_used_at: str | None = None


class ApiTokenRow(SQLModel, table=True):
    """A token for programs; only a hash and its end are kept. `scope` is read or write."""

    __tablename__ = "api_token"
    __table_args__ = (Index("ix_api_token_hash", "token_hash", unique=True),)
    id: str = Field(primary_key=True)
    owner_id: str
    name: str
    token_hash: str
    hint: str
    scope: str
    created_at: str
    expires_at: str | None = None
    last_used_at: str | None = None


class ReplyRow(SQLModel, table=True):
    """A model's reply, kept under a seed; `key` is a hash of the request."""

    __tablename__ = "reply"
    owner_id: str = Field(primary_key=True)
    seed: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body: str = Field(sa_type=Text)
    at: str


class UploadRow(SQLModel, table=True):
    """A file that a person gave and no session has taken yet; its bytes lie in the data folder."""

    __tablename__ = "upload"
    __table_args__ = (Index("ix_upload_age", "created_at"),)
    id: str = Field(primary_key=True)
    owner_id: str
    name: str
    media_type: str
    bytes: int
    created_at: str


class SettingRow(SQLModel, table=True):
    """Small facts about the installation, as JSON."""

    __tablename__ = "setting"
    owner_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    value: str = Field(sa_type=Text)


definition = SQLModel.metadata.tables["definition"]
revision = SQLModel.metadata.tables["revision"]
reference = SQLModel.metadata.tables["reference"]
secret = SQLModel.metadata.tables["secret"]
session = SQLModel.metadata.tables["session"]
event = SQLModel.metadata.tables["event"]
effect = SQLModel.metadata.tables["effect"]
session_snapshot = SQLModel.metadata.tables["session_snapshot"]
api_token = SQLModel.metadata.tables["api_token"]
login = SQLModel.metadata.tables["login"]
reply = SQLModel.metadata.tables["reply"]
setting = SQLModel.metadata.tables["setting"]
upload = SQLModel.metadata.tables["upload"]
