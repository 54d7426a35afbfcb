"""When a question to a person is no longer waited for.

Append only: once released, this file is never edited.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("effect", sa.Column("due", sa.String(), nullable=True))
    op.create_index("ix_effect_due", "effect", ["due"])


def downgrade() -> None:
    op.drop_index("ix_effect_due", "effect")
    op.drop_column("effect", "due")
