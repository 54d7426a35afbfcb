"""Alembic's entry point: runs on the connection that the studio hands over."""

from alembic import context
from sqlmodel import SQLModel

from studio.store import tables

assert tables.definition is not None
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
