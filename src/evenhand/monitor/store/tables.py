"""The schema: every table, on both databases. A change here needs a migration beside it.

Times are UTC. What was said about people (attributes, texts) is kept apart from the decisions, under a
pseudonym: a keyed digest of use case and prediction id, so that neither table alone says who is in a group.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

NAME = 200  # characters of a name: use case, model, version, attribute, value, prediction id


class Utc(TypeDecorator[datetime]):
    """A time with its zone in Python, stored as UTC without one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """UTC without a zone.

        Raises:
            ValueError: the time has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The time in UTC, with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_LONG = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only as INTEGER


def _id(kind: Any = Integer) -> Column[Any]:
    return Column("id", kind, primary_key=True, autoincrement=True)


def _of(table: str, column: str = "id", **about: Any) -> Column[Any]:
    return Column(f"{table.removesuffix('s')}_{column}", ForeignKey(f"{table}.{column}"), **about)


meta = Table(
    "meta", metadata, Column("name", String(NAME), primary_key=True), Column("value", Text, nullable=False)
)
"""Facts about this database: the fingerprint of the secret it was made with."""

use_cases = Table(
    "use_cases",
    metadata,
    _id(),
    Column("name", String(NAME), nullable=False, unique=True),
    Column("created", Utc, nullable=False),
)

streams = Table(
    "streams",
    metadata,
    _id(),
    _of("use_cases", nullable=False),
    Column("model", String(NAME), nullable=False),
    Column("version", String(NAME), nullable=False),
    Column("created", Utc, nullable=False),
    Column("grown", Utc),
    UniqueConstraint("use_case_id", "model", "version"),
)
"""One version of a model in a use case; `grown` is when something came in last, by the service's clock."""

groups = Table(
    "groups",
    metadata,
    _id(),
    _of("use_cases", nullable=False),
    Column("attribute", String(2 * NAME + 1), nullable=False),
    Column("value", String(4 * NAME + 1), nullable=False),
    UniqueConstraint("use_case_id", "attribute", "value"),
)
"""People of one value of an attribute or of an intersection (``sex*race``); both empty for everybody."""

predictions = Table(
    "predictions",
    metadata,
    _id(_LONG),
    _of("use_cases", nullable=False),
    Column("prediction_id", String(NAME), nullable=False),
    _of("streams", nullable=False),
    Column("kind", String(10), nullable=False),
    Column("time", Utc, nullable=False),
    Column("received", Utc, nullable=False),
    Column("score", Double),
    Column("decision", SmallInteger),
    Column("label", SmallInteger),
    Column("labelled", Utc),
    Column("refused", SmallInteger),
    Column("toxicity", Double),
    Column("length", Integer),
    UniqueConstraint("use_case_id", "prediction_id"),
    Index(None, "stream_id", "time"),
)
"""Every decision and generation, once; nothing about the person."""

attribute_sets = Table(
    "attribute_sets",
    metadata,
    _id(),
    _of("use_cases", nullable=False),
    Column("content", Text, nullable=False),
    UniqueConstraint("use_case_id", "content"),
)
"""Values of attributes that occur together, as JSON with sorted keys."""

subjects = Table(
    "subjects",
    metadata,
    Column("pseudonym", LargeBinary(16), primary_key=True),
    _of("attribute_sets", nullable=False),
)

texts = Table(
    "texts",
    metadata,
    Column("pseudonym", LargeBinary(16), primary_key=True),
    Column("prompt", Text),
    Column("answer", Text),
)
"""Texts of generations, where the service was asked to keep them."""

waiting_labels = Table(
    "waiting_labels",
    metadata,
    _of("use_cases", primary_key=True),
    Column("prediction_id", String(NAME), primary_key=True),
    Column("label", SmallInteger, nullable=False),
    Column("time", Utc, nullable=False),
)
"""Labels that came before their predictions."""


def _cell() -> list[Column[Any]]:
    return [
        _of("streams", primary_key=True),
        _of("groups", primary_key=True),
        Column("day", Date, primary_key=True),
    ]


def _counts(*names: str) -> list[Column[Any]]:
    return [Column(name, BigInteger, nullable=False, default=0) for name in names]


def _sums(*names: str) -> list[Column[Any]]:
    return [Column(name, Double, nullable=False, default=0.0) for name in names]


cells = Table(
    "cells",
    metadata,
    *_cell(),
    *_counts("events", "decisions", "selected"),
    *_counts("labelled", "true_positives", "false_positives", "true_negatives", "false_negatives"),
    *_counts("generations", "judged", "refusals", "rated", "toxic", "measured"),
    *_sums("toxicity", "toxicity_squares", "length", "length_squares"),
)
"""Counts of one day (UTC, of the decision), version and group.

Of `events` with a decision or score: `decisions`, of which `selected`; `labelled` have both a label and a
decision. Of `generations`: `judged` as refusals or not, `rated` for toxicity, `measured` for length.
"""

score_cells = Table(
    "score_cells",
    metadata,
    *_cell(),
    Column("bin", SmallInteger, primary_key=True),
    *_counts("scored", "labelled", "positives"),
    *_sums("total", "labelled_total"),
)
"""The histogram of scores of a cell: of those `scored` in a bin their `total`; of the labelled likewise."""

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    Column("name", String(NAME), nullable=False),
    Column("start", String(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("scopes", String(NAME), nullable=False),
    Column("use_cases", Text),
    Column("created", Utc, nullable=False),
    Column("expires", Utc),
    Column("revoked", Utc),
)
"""Keys by keyed digest; `use_cases` is a JSON list of names, or None for all."""

users = Table(
    "users",
    metadata,
    _id(),
    Column("name", String(NAME), nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("use_cases", Text),
    Column("created", Utc, nullable=False),
    Column("disabled", Utc),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    _of("users", nullable=False),
    Column("created", Utc, nullable=False),
    Column("expires", Utc, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("looked", Utc, nullable=False),
)
"""What the alerts of a policy remember from one look to the next, as JSON."""

alerts = Table(
    "alerts",
    metadata,
    _id(),
    Column("policy_id", ForeignKey("policies.id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("use_case", String(NAME), nullable=False),
    Column("model", String(NAME), nullable=False),
    Column("version", String(NAME), nullable=False),
    Column("groups", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("why", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("since", Utc),
    Column("counts", Text, nullable=False),
    Column("log_e", Double, nullable=False),
    Column("lower", Text),
    Column("updated", Utc, nullable=False),
    Column("acknowledged", Utc),
    Column("acknowledged_by", String(2 * NAME)),
    Column("note", Text),
    UniqueConstraint("policy_id", "rule", "use_case", "model", "version", "groups"),
)
"""What the last look says of every comparison; `groups` is a JSON list of two, or empty.

`acknowledged`, `acknowledged_by` and `note` are of the last alert that somebody answered for.
"""
