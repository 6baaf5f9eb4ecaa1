"""Expressions that find the rows of a group by its name, as audits name it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evenhand.errors import UsageError
from evenhand.frames import OTHER, Frame
from evenhand.frames.cells import Key

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST_CELLS = 2_000


def matches(frame: Frame, column: str, name: str) -> ir.BooleanValue:
    """Whether a row has one of the values that audits call `name`; not known where it has none."""
    return frame.table[column].cast("string").isin(frame.spelt(column)[name])


def in_cell(frame: Frame, columns: Sequence[str], key: Key) -> ir.BooleanValue:
    """Whether a row has all the values of a cell; the cell's missing ones are not looked at."""
    import ibis

    parts = [
        matches(frame, column, name) for column, name in zip(columns, key, strict=True) if name is not None
    ]
    return ibis.and_(*parts)


def exactly(value: float) -> Any:
    """A number of double precision: engines take digits without an exponent for decimals."""
    import ibis

    return ibis.literal(repr(float(value))).cast("float64")


def check_few(columns: Sequence[str], keys: Collection[Key]) -> None:
    """Nothing, if each row's cell can be looked up.

    Raises:
        UsageError: there are more than 2000 cells, or so many values that some are counted together.
    """
    pooled = [column for i, column in enumerate(columns) if any(key[i] == OTHER for key in keys)]
    if len(keys) > MOST_CELLS or pooled:
        many = f"There are {len(keys)} groups with labels, more than the {MOST_CELLS} that can be weighed."
        raise UsageError(
            f"{' and '.join(pooled)} has too many different values to be weighed." if pooled else many,
            mend="Name fewer sensitive columns, or make bins: --bins age=30|50.",
        )


def by_cell(frame: Frame, columns: Sequence[str], values: Mapping[Key, float], otherwise: float) -> Any:
    """The value of each row's cell, in a table of few cells."""
    import ibis

    if not values:
        return exactly(otherwise)
    rules = [(in_cell(frame, columns, key), exactly(value)) for key, value in values.items()]
    return ibis.cases(*rules, else_=exactly(otherwise))
