"""Legal holds, and who was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "holds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("use_case_id", sa.Integer(), nullable=False),
        sa.Column("pseudonym", sa.LargeBinary(16)),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.String(400), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("removed", sa.DateTime()),
        sa.Column("removed_by", sa.String(400)),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
        sa.ForeignKeyConstraint(["use_case_id"], ["use_cases.id"], name="fk_holds_use_case_id"),
    )
    op.create_table(
        "erased",
        sa.Column("pseudonym", sa.LargeBinary(16), nullable=False),
        sa.Column("time", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("pseudonym", name="pk_erased"),
    )


def downgrade() -> None:
    """Drop them: holds are forgotten, and what was erased may be stored again."""
    op.drop_table("erased")
    op.drop_table("holds")
