"""Rows that are equal, counted inside the engine: copies, and equal rows with different labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits._question import Question
from evenhand.frames import OTHER, text_of
from evenhand.frames.cells import Array, Cells

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST_EXACT = 2_000_000  # rows that are compared with each other; above, one part of all different rows
MOST_GROUPS = 50
_MODULUS = 1_000_003


def part_of(question: Question, columns: Sequence[str]) -> tuple[ir.Table, int]:
    """The table, or of a large one the rows whose `columns` hash into one part of several; and of how many.

    Equal rows have equal hashes, so that all copies of a row are in the part or none is.
    """
    table = question.frame.table
    parts = -(-question.frame.rows // MOST_EXACT)
    if parts < 2:
        return table, 1
    hashes = [(table[name].hash() % _MODULUS) * (2 * i + 1) for i, name in enumerate(columns)]
    total = sum(hashes[1:], hashes[0])
    return table.filter((total % parts) == question.seed % parts), parts


def copies(question: Question, attribute: str) -> tuple[tuple[str, ...], Array, Array, int]:
    """By group of `attribute`: rows, and how many of them repeat an earlier one; and the parts looked at."""
    columns = list(question.frame.columns)
    table, parts = part_of(question, columns)
    once = table.group_by(columns).aggregate(evenhand_n=table.count())
    found = once.group_by(attribute).aggregate(
        n=once["evenhand_n"].sum().cast("int64"), different=once.count().cast("int64")
    )
    return (*_by_group(question, attribute, found, "different"), parts)


def conflicts(question: Question, attribute: str) -> tuple[tuple[str, ...], Array, Array, int]:
    """By group: rows that have an equal one in all but the target, and those of them with a rarer label."""
    rest = [name for name in question.frame.columns if name != question.target]
    table, parts = part_of(question, rest)
    known = table.filter(table[question.target].notnull())
    labels = known.group_by([*rest, question.target]).aggregate(evenhand_n=known.count())
    twins = labels.group_by(rest).aggregate(
        evenhand_all=labels["evenhand_n"].sum().cast("int64"),
        evenhand_best=labels["evenhand_n"].max().cast("int64"),
    )
    several = twins.filter(twins["evenhand_all"] > 1)
    found = several.group_by(attribute).aggregate(
        n=several["evenhand_all"].sum().cast("int64"), different=several["evenhand_best"].sum().cast("int64")
    )
    return (*_by_group(question, attribute, found, "different"), parts)


def _by_group(
    question: Question, attribute: str, found: ir.Table, less: str
) -> tuple[tuple[str, ...], Array, Array]:
    """Names, all rows and the rows beyond those of the column `less` [k]; the smallest groups together."""
    import ibis

    known = found.filter(found[attribute].notnull())
    top = question.frame.fetch(
        known.order_by([ibis.desc("n"), attribute]).limit(MOST_GROUPS), MOST_GROUPS
    ).to_pydict()
    sums = known.aggregate(
        n=known["n"].sum().cast("int64"), less=known[less].sum().cast("int64"), k=known.count().cast("int64")
    )
    total = question.frame.fetch(sums, 1).to_pydict()
    n, kept = [float(v) for v in top["n"]], [float(v) for v in top[less]]
    keys: list[tuple[str | None, ...]] = [(text_of(value),) for value in top[attribute]]
    if int(total["k"][0] or 0) > MOST_GROUPS:
        keys.append((OTHER,))
        n.append(float(total["n"][0]) - sum(n))
        kept.append(float(total["less"][0]) - sum(kept))
    rows, different = np.array(n), np.array(kept)
    cells = Cells((attribute,), tuple(keys), rows, rows - different, rows).mapped(lambda key: key)
    cells = cells.where(lambda key: None not in key)
    return cells.names, cells.n, cells.weight
