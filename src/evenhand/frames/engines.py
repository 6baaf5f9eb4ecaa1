"""Expressions that the engines write each in their own way: trimming, drawing rows, hashing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evenhand.frames.values import SPACES

if TYPE_CHECKING:
    import ibis.expr.types as ir

DUCKDB, POSTGRES, SPARK = "duckdb", "postgres", "pyspark"  # as Ibis calls them
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
