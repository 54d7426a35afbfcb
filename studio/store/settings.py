"""Small facts about the installation."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, select

from .tables import scope, setting


def get_setting(connection: Connection, owner: str, name: str, default: Any = None) -> Any:
    query = select(setting.c.value).where(scope(setting, owner), setting.c.name == name)
    value = connection.execute(query).scalar()
    return default if value is None else orjson.loads(value)


def set_setting(connection: Connection, owner: str, name: str, value: Any) -> None:
    connection.execute(delete(setting).where(scope(setting, owner), setting.c.name == name))
    row = {"owner_id": owner, "name": name, "value": orjson.dumps(value).decode()}
    connection.execute(insert(setting).values(row))


def drop_setting(connection: Connection, owner: str, name: str) -> None:
    connection.execute(delete(setting).where(scope(setting, owner), setting.c.name == name))


def names(connection: Connection, owner: str, prefix: str) -> list[str]:
    query = select(setting.c.name).where(
        scope(setting, owner), setting.c.name.startswith(prefix, autoescape=True)
    )
    return [str(name) for name in connection.execute(query).scalars()]
