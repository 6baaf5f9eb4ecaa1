"""Tables beside the counts: the chain, reports of people, and what scheduled probes found."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from evenhand.monitor.store.tables import NAME, Utc, metadata

KIND = 40  # characters of a kind of entry

chain = Table(
    "chain",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Utc, nullable=False),
    Column("kind", String(KIND), nullable=False),
    Column("use_case", String(NAME)),
    Column("salt", LargeBinary(16)),
    Column("content", Text),
    Column("digest", String(64), nullable=False),
    Column("previous", String(64), nullable=False, unique=True),
    Column("head", String(64), nullable=False),
    Index(None, "kind", "number"),
)
"""What happened, in order; salt and content are gone where they were erased."""

chain_items = Table(
    "chain_items",
    metadata,
    Column("pseudonym", LargeBinary(16), primary_key=True),
    Column("kind", String(KIND), primary_key=True),
    Column("number", ForeignKey("chain.number"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("salt", LargeBinary(16), nullable=False),
    Index(None, "number", "place"),
)
"""Where the digest of an event or a label stands, and its salt; the row goes when it is erased."""

reports = Table(
    "reports",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("use_case_id", ForeignKey("use_cases.id"), nullable=False),
    Column("token", LargeBinary(32), nullable=False, unique=True),
    Column("state", String(10), nullable=False),
    Column("created", Utc, nullable=False),
    Column("changed", Utc, nullable=False),
    Column("sender", String(2 * NAME), nullable=False),
    Column("model", String(NAME)),
    Column("version", String(NAME)),
    Column("prompt", Text),
    Column("answer", Text),
    Column("why", Text, nullable=False),
    Column("note", Text),
    Index(None, "use_case_id", "state"),
)
"""Answers that people reported; `token` is the keyed digest of what shows the reporter the state."""

probes = Table(
    "probes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("use_case_id", ForeignKey("use_cases.id"), nullable=False),
    Column("report_id", ForeignKey("reports.id"), unique=True),
    Column("model", Text),
    Column("benchmark", Text),
    Column("prompt", Text),
    Column("unwanted", Text),
    Column("limit", Integer),
    Column("hours", Double, nullable=False),
    Column("due", Utc, nullable=False),
    Column("stopped", Utc),
)
"""A benchmark, or the prompt of a report whose answer is compared, on an endpoint every so many hours."""

probe_runs = Table(
    "probe_runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("probe_id", ForeignKey("probes.id"), nullable=False),
    Column("time", Utc, nullable=False),
    Column("failure", Text),
    Column("content", Text),
    Index(None, "probe_id", "time"),
)
"""One run: its measurement as JSON, or why there is none."""

probe_cells = Table(
    "probe_cells",
    metadata,
    Column("probe_id", ForeignKey("probes.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("metric", String(NAME), primary_key=True),
    Column("n", Integer, nullable=False),
    Column("value", Double),
    Column("low", Double),
    Column("high", Double),
)
"""The figures of the last run of a day."""

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(40), nullable=False, unique=True),
    Column("change", String(20), nullable=False),
    Column("use_case", String(NAME), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("standing", String(10), nullable=False),
    Column("created", Utc, nullable=False),
    Column("due", Utc, nullable=False),
    Column("sent", Utc),
    Column("tries", Integer, nullable=False),
    Column("problem", Text),
    Index(None, "standing", "due"),
)
"""What receivers are told of alerts: waiting, sent or failed; `content` is JSON."""

holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("use_case_id", ForeignKey("use_cases.id"), nullable=False),
    Column("pseudonym", LargeBinary(16)),
    Column("why", Text, nullable=False),
    Column("by", String(2 * NAME), nullable=False),
    Column("created", Utc, nullable=False),
    Column("removed", Utc),
    Column("removed_by", String(2 * NAME)),
)
"""What must be kept for now: a use case, or one person of it; `removed` holds keep nothing."""

erased = Table(
    "erased",
    metadata,
    Column("pseudonym", LargeBinary(16), primary_key=True),
    Column("time", Utc, nullable=False),
)
"""Whose records were erased on request: they are not stored again, whoever sends them again."""
