"""API tokens, logins that can be told apart, and snapshots in a table of their own.

A session's row is written at every turn; with the snapshot in it each turn wrote some kB again.
Append only: once released, this file is never edited.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("hint", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("expires_at", sa.String(), nullable=True),
        sa.Column("last_used_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_api_token_hash", "api_token", ["token_hash"], unique=True)
    op.create_table(
        "session_snapshot",
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session_id"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], ondelete="CASCADE"),
    )
    op.execute("INSERT INTO session_snapshot SELECT id, snapshot FROM session")
    op.drop_column("session", "snapshot")
    op.add_column("login", sa.Column("browser", sa.String(), nullable=False, server_default=""))
    op.add_column("login", sa.Column("last_used_at", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("login", "last_used_at")
    op.drop_column("login", "browser")
    op.add_column("session", sa.Column("snapshot", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE session SET snapshot = (SELECT body FROM session_snapshot"
        " WHERE session_snapshot.session_id = session.id)"
    )
    op.drop_table("session_snapshot")
    op.drop_table("api_token")
