"""Policies and what their alerts say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "policies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("looked", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_policies"),
        sa.UniqueConstraint("name", name="uq_policies_name"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("policy_id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        *(sa.Column(name, sa.String(200), nullable=False) for name in ("use_case", "model", "version")),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime()),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("log_e", sa.Double(), nullable=False),
        sa.Column("worse", sa.Text()),
        sa.Column("updated", sa.DateTime(), nullable=False),
        sa.Column("acknowledged", sa.DateTime()),
        sa.Column("acknowledged_by", sa.String(400)),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name="fk_alerts_policy_id"),
        sa.UniqueConstraint(
            "policy_id", "rule", "use_case", "model", "version", "groups",
            name="uq_alerts_policy_id_rule_use_case_model_version_groups",
        ),
    )  # fmt: skip


def downgrade() -> None:
    """Drop them with everything in them."""
    op.drop_table("alerts")
    op.drop_table("policies")
