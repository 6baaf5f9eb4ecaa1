"""Expressions that the engines write each in their own way: trimming, drawing rows, hashing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evenhand.frames.values import SPACES

if TYPE_CHECKING:
    import ibis.expr.types as ir

DUCKDB, POSTGRES, SPARK = "duckdb", "postgres", "pyspark"  # as Ibis calls them
_NUMBER = r"^[-+]?(\d{1,200}\.?\d{0,99}|\.\d{1,99})([eE][-+]?\d{1,2})?$"  # such as a double can hold
_LEAP = r"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][48]|[2468]0|[13579][26])00)"
_DAY = (
    r"(?!0000)(\d{4}-((0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
    rf"|{_LEAP}-02-29)"
)
_MOMENT = rf"^{_DAY}([ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{{1,6}})?)?(Z|[-+](0\d|1[0-4])(:?[0-5]\d)?)?)?$"
_SEEDS = 2**32
_NOTHING = "(no value)"  # what a missing value is hashed as: PostgreSQL has no hash of it


def engine_of(value: Any) -> str:
    """The name of the engine that an expression is asked of."""
    return str(value.get_backend().name)


def stripped(value: Any) -> Any:
    """A text's expression without outer spaces, whatever signs these are, and byte-order marks."""
    import ibis

    def trim(text: str, signs: str) -> str: ...  # type: ignore[empty-body]

    name = "trim" if engine_of(value) == DUCKDB else "btrim"
    return ibis.udf.scalar.builtin(trim, name=name)(value, SPACES)


def as_number(value: Any) -> Any:
    """A text as a number; missing where it is none."""
    return _tried(value, "float64", _NUMBER)


def as_moment(value: Any) -> Any:
    """A text as a moment, by the clock of UTC; missing where it is none, as ISO 8601 writes it."""
    if engine_of(value) == POSTGRES:  # whose moments without a time zone lose that of the text
        return _tried(value, "timestamp('UTC')", _MOMENT).cast("timestamp")
    return _tried(value, "timestamp", _MOMENT)


def _tried(value: Any, kind: str, pattern: str) -> Any:
    """A text in another type; missing where it cannot be, which PostgreSQL does not try: see `pattern`."""
    import ibis

    # Stripped first: a cast alone is pushed down into the reader of CSV files, which stops at other text.
    value = stripped(value)
    if engine_of(value) != POSTGRES:
        return value.try_cast(kind)
    return ibis.ifelse(value.re_search(pattern), value, None).cast(kind)


def drawn(table: ir.Table, share: float, seed: int) -> ir.Table:
    """About `share` of the rows, each drawn by itself; the same under one seed and engine.

    PostgreSQL takes its seed when this is called: ask for the rows before others are drawn.
    """
    import ibis

    engine = engine_of(table)
    if engine == SPARK:

        def rand(seed: int) -> float: ...  # type: ignore[empty-body]

        return table.filter(ibis.udf.scalar.builtin(rand)(seed) < share)
    if engine == POSTGRES:
        table.get_backend().raw_sql(f"select setseed({seed % _SEEDS / _SEEDS!r})").close()
        return table.filter(ibis.random() < share)
    return table.sample(share, method="row", seed=seed)


def hashed(value: Any) -> Any:
    """A whole number that equal values of a column share, missing ones too."""
    if engine_of(value) != DUCKDB:  # the others have no hash of every type
        value = value.cast("string").fill_null(_NOTHING)
    return value.hash().cast("int64")
