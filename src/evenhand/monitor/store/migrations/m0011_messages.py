"""Messages about alerts; the group with the lower rate is called that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the table, and rename the column."""
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("change", sa.String(20), nullable=False),
        sa.Column("use_case", sa.String(200), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("receiver", "content")),
        sa.Column("standing", sa.String(10), nullable=False),
        *(sa.Column(name, sa.DateTime(), nullable=False) for name in ("created", "due")),
        sa.Column("sent", sa.DateTime()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("key", name="uq_messages_key"),
    )
    op.create_index("ix_messages_standing_due", "messages", ["standing", "due"])
    op.execute("ALTER TABLE alerts RENAME COLUMN worse TO lower")


def downgrade() -> None:
    """Drop the messages, and name the column as it was."""
    op.execute("ALTER TABLE alerts RENAME COLUMN lower TO worse")
    op.drop_table("messages")
