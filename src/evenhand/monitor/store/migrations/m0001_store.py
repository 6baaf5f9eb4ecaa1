"""The first schema: predictions, what belongs to them, their counts, keys and users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

tables = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_LONG = sa.BigInteger().with_variant(sa.Integer, "sqlite")

sa.Table(
    "api_keys",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.String(length=200), nullable=False),
    sa.Column("start", sa.String(length=16), nullable=False),
    sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
    sa.Column("scopes", sa.String(length=200), nullable=False),
    sa.Column("use_cases", sa.Text()),
    sa.Column("created", sa.DateTime(), nullable=False),
    sa.Column("expires", sa.DateTime()),
    sa.Column("revoked", sa.DateTime()),
    sa.UniqueConstraint("digest"),
)
sa.Table(
    "meta",
    tables,
    sa.Column("name", sa.String(length=200), primary_key=True),
    sa.Column("value", sa.Text(), nullable=False),
)
sa.Table(
    "texts",
    tables,
    sa.Column("pseudonym", sa.LargeBinary(length=16), primary_key=True),
    sa.Column("prompt", sa.Text()),
    sa.Column("answer", sa.Text()),
)
sa.Table(
    "use_cases",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.String(length=200), nullable=False),
    sa.Column("created", sa.DateTime(), nullable=False),
    sa.UniqueConstraint("name"),
)
sa.Table(
    "users",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.String(length=200), nullable=False),
    sa.Column("password", sa.Text(), nullable=False),
    sa.Column("role", sa.String(length=20), nullable=False),
    sa.Column("use_cases", sa.Text()),
    sa.Column("created", sa.DateTime(), nullable=False),
    sa.Column("disabled", sa.DateTime()),
    sa.UniqueConstraint("name"),
)
sa.Table(
    "attribute_sets",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("use_case_id", sa.Integer(), sa.ForeignKey("use_cases.id"), nullable=False),
    sa.Column("content", sa.Text(), nullable=False),
    sa.UniqueConstraint("use_case_id", "content"),
)
sa.Table(
    "groups",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("use_case_id", sa.Integer(), sa.ForeignKey("use_cases.id"), nullable=False),
    sa.Column("attribute", sa.String(length=401), nullable=False),
    sa.Column("value", sa.String(length=801), nullable=False),
    sa.UniqueConstraint("use_case_id", "attribute", "value"),
)
sa.Table(
    "sessions",
    tables,
    sa.Column("digest", sa.LargeBinary(length=32), primary_key=True),
    sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=False),
    sa.Column("created", sa.DateTime(), nullable=False),
    sa.Column("expires", sa.DateTime(), nullable=False),
)
sa.Table(
    "streams",
    tables,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("use_case_id", sa.Integer(), sa.ForeignKey("use_cases.id"), nullable=False),
    sa.Column("model", sa.String(length=200), nullable=False),
    sa.Column("version", sa.String(length=200), nullable=False),
    sa.Column("created", sa.DateTime(), nullable=False),
    sa.UniqueConstraint("use_case_id", "model", "version"),
)
sa.Table(
    "waiting_labels",
    tables,
    sa.Column("use_case_id", sa.Integer(), sa.ForeignKey("use_cases.id"), primary_key=True),
    sa.Column("prediction_id", sa.String(length=200), primary_key=True),
    sa.Column("label", sa.SmallInteger(), nullable=False),
    sa.Column("time", sa.DateTime(), nullable=False),
)
sa.Table(
    "cells",
    tables,
    sa.Column("stream_id", sa.Integer(), sa.ForeignKey("streams.id"), primary_key=True),
    sa.Column("group_id", sa.Integer(), sa.ForeignKey("groups.id"), primary_key=True),
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("events", sa.BigInteger(), nullable=False),
    sa.Column("decisions", sa.BigInteger(), nullable=False),
    sa.Column("selected", sa.BigInteger(), nullable=False),
    sa.Column("labelled", sa.BigInteger(), nullable=False),
    sa.Column("true_positives", sa.BigInteger(), nullable=False),
    sa.Column("false_positives", sa.BigInteger(), nullable=False),
    sa.Column("true_negatives", sa.BigInteger(), nullable=False),
    sa.Column("false_negatives", sa.BigInteger(), nullable=False),
    sa.Column("generations", sa.BigInteger(), nullable=False),
    sa.Column("judged", sa.BigInteger(), nullable=False),
    sa.Column("refusals", sa.BigInteger(), nullable=False),
    sa.Column("rated", sa.BigInteger(), nullable=False),
    sa.Column("toxic", sa.BigInteger(), nullable=False),
    sa.Column("measured", sa.BigInteger(), nullable=False),
    sa.Column("toxicity", sa.Double(), nullable=False),
    sa.Column("toxicity_squares", sa.Double(), nullable=False),
    sa.Column("length", sa.Double(), nullable=False),
    sa.Column("length_squares", sa.Double(), nullable=False),
)
sa.Table(
    "predictions",
    tables,
    sa.Column("id", _LONG, primary_key=True),
    sa.Column("use_case_id", sa.Integer(), sa.ForeignKey("use_cases.id"), nullable=False),
    sa.Column("prediction_id", sa.String(length=200), nullable=False),
    sa.Column("stream_id", sa.Integer(), sa.ForeignKey("streams.id"), nullable=False),
    sa.Column("kind", sa.String(length=10), nullable=False),
    sa.Column("time", sa.DateTime(), nullable=False),
    sa.Column("received", sa.DateTime(), nullable=False),
    sa.Column("score", sa.Double()),
    sa.Column("decision", sa.SmallInteger()),
    sa.Column("label", sa.SmallInteger()),
    sa.Column("labelled", sa.DateTime()),
    sa.Column("refused", sa.SmallInteger()),
    sa.Column("toxicity", sa.Double()),
    sa.Column("length", sa.Integer()),
    sa.UniqueConstraint("use_case_id", "prediction_id"),
    sa.Index(None, "stream_id", "time"),
)
sa.Table(
    "score_cells",
    tables,
    sa.Column("stream_id", sa.Integer(), sa.ForeignKey("streams.id"), primary_key=True),
    sa.Column("group_id", sa.Integer(), sa.ForeignKey("groups.id"), primary_key=True),
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("bin", sa.SmallInteger(), primary_key=True),
    sa.Column("scored", sa.BigInteger(), nullable=False),
    sa.Column("labelled", sa.BigInteger(), nullable=False),
    sa.Column("positives", sa.BigInteger(), nullable=False),
    sa.Column("total", sa.Double(), nullable=False),
    sa.Column("labelled_total", sa.Double(), nullable=False),
)
sa.Table(
    "subjects",
    tables,
    sa.Column("pseudonym", sa.LargeBinary(length=16), primary_key=True),
    sa.Column("attribute_set_id", sa.Integer(), sa.ForeignKey("attribute_sets.id"), nullable=False),
)


def upgrade() -> None:
    """Make the tables."""
    tables.create_all(op.get_bind(), checkfirst=False)


def downgrade() -> None:
    """Drop the tables with everything in them."""
    tables.drop_all(op.get_bind(), checkfirst=False)
