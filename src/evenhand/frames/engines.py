"""Expressions that the engines write each in their own way: trimming, drawing rows, hashing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evenhand.frames.values import NUMBER, SPACES

if TYPE_CHECKING:
    import ibis.expr.types as ir

DUCKDB, POSTGRES, SPARK = "duckdb", "postgres", "pyspark"  # as Ibis calls them
# Days that there are, and what may follow: a time, with a zone or without. No engine reads the same forms of
# dates as another, nor takes the same account of zones, so that none is asked to.
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][48]|[2468]0|[13579][26])00)"
_DAY = (
    f"({_YEAR}[-/]((0?[1-9]|1[0-2])[-/](0?[1-9]|1[0-9]|2[0-8])|(0?[13-9]|1[0-2])[-/](29|30)"
    f"|(0?[13578]|1[02])[-/]31)|{_LEAP}[-/]0?2[-/]29)"
)
_CLOCK = "([01]?[0-9]|2[0-3])(:[0-5]?[0-9](:([0-5]?[0-9]|60)([.,][0-9]*)?)?)?"
_ZONE = "( ?(Z|[-+][0-9]{1,2}(:?[0-9]{2}){0,2})| [A-Z][A-Za-z/_]{1,40})"
_MOMENT = f"^{_DAY}([ T]{_CLOCK}{_ZONE}?)?$"
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
    """A text as a finite number; missing where it is none.

    What counts as one is the same on all engines: some would also take `inf`, `1_000` or `1d`. In
    Python it is `evenhand.frames.values.number`.
    """
    return _fitting(value, f"^{NUMBER}$").cast("float64")


def as_year(value: Any) -> Any:
    """The year of a text that begins with a day; missing where it does not.

    Days are such as ISO 8601 writes them, ``2020-02-29T23:30-05:00``, also with slashes or without zeros. The
    year is the one that is written, in whatever time zone.
    """
    return _fitting(value, _MOMENT).substr(0, 4).cast("int64")


def _fitting(value: Any, pattern: str) -> Any:
    """A text without outer spaces; missing where it is no such text."""
    import ibis

    value = stripped(value)
    return ibis.ifelse(value.re_search(pattern), value, None)


def in_order(value: Any) -> Any:
    """What texts are sorted by, so that their order is that of their signs' numbers, in any language."""
    import ibis

    def convert_to(text: str, encoding: str) -> bytes: ...  # type: ignore[empty-body]

    return ibis.udf.scalar.builtin(convert_to)(value, "UTF8") if engine_of(value) == POSTGRES else value


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
