"""Expressions that find the rows of a group by its name, as audits name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evenhand.errors import UsageError
from evenhand.frames import Frame
from evenhand.frames.cells import Key
from evenhand.frames.values import BOM, number

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST_CELLS = 2_000


def matches(frame: Frame, column: str, name: str) -> ir.BooleanValue:
    """Whether a row has the value that audits call `name`."""
    value = frame.table[column]
    if value.type().is_boolean():
        return value == (name == "true")
    if value.type().is_numeric():
        return value.cast("float64") == (number(name) or 0.0)
    if value.type().is_temporal():
        return value.cast("string").replace(" ", "T") == name
    return value.cast("string").replace(BOM, "").strip() == name


def in_cell(frame: Frame, columns: Sequence[str], key: Key) -> ir.BooleanValue:
    """Whether a row has all the values of a cell; the cell's missing ones are not looked at."""
    import ibis

    parts = [
        matches(frame, column, name) for column, name in zip(columns, key, strict=True) if name is not None
    ]
    return ibis.and_(*parts)


def by_cell(frame: Frame, columns: Sequence[str], values: Mapping[Key, float], otherwise: float) -> Any:
    """The value of each row's cell, in a table of few cells.

    Raises:
        UsageError: there are more than 2000 cells.
    """
    import ibis

    if len(values) > MOST_CELLS:
        raise UsageError(
            f"There are {len(values)} groups with labels, more than the {MOST_CELLS} that can be weighed.",
            mend="Name fewer sensitive columns, or make bins: --bins age=30|50.",
        )
    if not values:
        return ibis.literal(otherwise, "float64")
    rules = [(in_cell(frame, columns, key), ibis.literal(value, "float64")) for key, value in values.items()]
    return ibis.cases(*rules, else_=ibis.literal(otherwise, "float64"))
