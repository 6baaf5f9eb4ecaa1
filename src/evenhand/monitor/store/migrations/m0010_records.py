"""The chain, reports of people, and scheduled probes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0002"

tables = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_older = (sa.Table("use_cases", tables, sa.Column("id", sa.Integer(), primary_key=True)),)

sa.Table(
    "chain",
    tables,
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("time", sa.DateTime(), nullable=False),
    sa.Column("kind", sa.String(length=40), nullable=False),
    sa.Column("use_case", sa.String(length=200)),
    sa.Column("salt", sa.LargeBinary(length=16)),
    sa.Column("content", sa.Text()),
    sa.Column("digest", sa.String(length=64), nullable=False),
    sa.Column("previous", sa.String(length=64), nullable=False),
    sa.Column("head", sa.String(length=64), nullable=False),
    sa.UniqueConstraint("previous"),
)
sa.Table(
    "chain_items",
    tables,
    sa.Column("pseudonym", sa.LargeBinary(length=16), primary_key=True),
    sa.Column("kind", sa.String(length=40), primary_key=True),
    sa.Column("number", sa.BigInteger(), sa.ForeignKey("chain.number"), nullable=False),
    sa.Column("place", sa.Integer(), nullable=False),
    sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
    sa.Index(None, "number", "place"),
)
sa.Table(
    "reports",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("use_case_id", sa.Integer(), sa.ForeignKey("use_cases.id"), nullable=False),
    sa.Column("token", sa.LargeBinary(length=32), nullable=False),
    sa.Column("state", sa.String(length=10), nullable=False),
    sa.Column("created", sa.DateTime(), nullable=False),
    sa.Column("changed", sa.DateTime(), nullable=False),
    sa.Column("sender", sa.String(length=400), nullable=False),
    sa.Column("model", sa.String(length=200)),
    sa.Column("version", sa.String(length=200)),
    sa.Column("prompt", sa.Text()),
    sa.Column("answer", sa.Text()),
    sa.Column("why", sa.Text(), nullable=False),
    sa.Column("note", sa.Text()),
    sa.UniqueConstraint("token"),
    sa.Index(None, "use_case_id", "state"),
)
sa.Table(
    "probes",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("use_case_id", sa.Integer(), sa.ForeignKey("use_cases.id"), nullable=False),
    sa.Column("report_id", sa.Integer(), sa.ForeignKey("reports.id")),
    sa.Column("model", sa.Text()),
    sa.Column("benchmark", sa.Text()),
    sa.Column("prompt", sa.Text()),
    sa.Column("unwanted", sa.Text()),
    sa.Column("limit", sa.Integer()),
    sa.Column("hours", sa.Double(), nullable=False),
    sa.Column("due", sa.DateTime(), nullable=False),
    sa.Column("stopped", sa.DateTime()),
    sa.UniqueConstraint("report_id"),
)
sa.Table(
    "probe_runs",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("probe_id", sa.Integer(), sa.ForeignKey("probes.id"), nullable=False),
    sa.Column("time", sa.DateTime(), nullable=False),
    sa.Column("failure", sa.Text()),
    sa.Column("content", sa.Text()),
    sa.Index(None, "probe_id", "time"),
)
sa.Table(
    "probe_cells",
    tables,
    sa.Column("probe_id", sa.Integer(), sa.ForeignKey("probes.id"), primary_key=True),
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("metric", sa.String(length=200), primary_key=True),
    sa.Column("n", sa.Integer(), nullable=False),
    sa.Column("value", sa.Double()),
    sa.Column("low", sa.Double()),
    sa.Column("high", sa.Double()),
)


def upgrade() -> None:
    """Make the tables."""
    tables.create_all(op.get_bind(), tables=_own(), checkfirst=False)


def downgrade() -> None:
    """Drop the tables with everything in them."""
    tables.drop_all(op.get_bind(), tables=_own(), checkfirst=False)


def _own() -> list[sa.Table]:
    return [table for table in tables.sorted_tables if table not in _older]
