"""Rows that are equal, counted inside the engine: copies, and equal rows with different labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evenhand.audits._question import Question
from evenhand.frames import OTHER, text_of
from evenhand.frames.cells import Array, Cells
from evenhand.frames.engines import hashed, in_order

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
    hashes = [(hashed(table[name]) % _MODULUS) * (2 * i + 1) for i, name in enumerate(columns)]
    total = sum(hashes[1:], hashes[0]).abs()
    return table.filter((total % parts) == question.seed % parts), parts


@dataclass(frozen=True)
class EqualRows:
    """Rows that equal others, by group.

    Attributes:
        names: the groups' names, in the order of the rest [k].
        n: rows [k].
        lesser: of these the ones that count: copies, or rows with a rarer label [k].
        worth: how many independent rows tell as much about the share as these [k]: equal rows come together.
        parts: of how many parts of the table these are one.
    """

    names: tuple[str, ...]
    n: Array
    lesser: Array
    worth: Array
    parts: int


def copies(question: Question, attribute: str) -> EqualRows:
    """By group of `attribute`: rows, and how many of them repeat an earlier one."""
    columns = list(question.frame.columns)
    table, parts = part_of(question, columns)
    (size,) = question.frame.unused("size")
    sets = table.group_by(columns).aggregate(**{size: table.count()})
    slim = sets.select(group=sets[attribute], size=sets[size].cast("float64"))
    return _by_group(question, attribute, slim.mutate(best=slim["size"] * 0.0 + 1.0), parts)


def conflicts(question: Question, attribute: str) -> EqualRows:
    """By group: rows that have an equal one in all but the target, and those of them with a rarer label."""
    rest = [name for name in question.frame.columns if name != question.target]
    table, parts = part_of(question, rest)
    known = table.filter(table[question.target].notnull())
    size, best = question.frame.unused("size", "best")
    labels = known.group_by([*rest, question.target]).aggregate(**{size: known.count()})
    twins = labels.group_by(rest).aggregate(**{size: labels[size].sum(), best: labels[size].max()})
    several = twins.filter(twins[size] > 1)
    slim = several.select(
        group=several[attribute], size=several[size].cast("float64"), best=several[best].cast("float64")
    )
    return _by_group(question, attribute, slim, parts)


def _by_group(question: Question, attribute: str, sets: ir.Table, parts: int) -> EqualRows:
    """Sets of equal rows (group, size and how many of them do not count: best), added up by group."""
    import ibis

    size, best = sets["size"], sets["best"]
    sums = {"n": size, "kept": best, "nn": size * size, "nk": size * best, "kk": best * best}
    found = sets.group_by("group").aggregate(**{name: value.sum() for name, value in sums.items()})
    known = found.filter(found["group"].notnull())
    first = in_order(known["group"].cast("string"))
    largest = known.order_by([ibis.desc("n"), first]).limit(MOST_GROUPS)
    top = question.frame.fetch(largest, MOST_GROUPS).to_pydict()
    whole = known.aggregate(k=known.count(), **{name: known[name].sum() for name in sums})
    total = question.frame.fetch(whole, 1).to_pydict()
    keys: list[tuple[str | None, ...]] = [(text_of(value),) for value in top["group"]]
    held = {name: np.array([float(v) for v in top[name]]) for name in sums}
    if int(total["k"][0] or 0) > MOST_GROUPS:
        keys.append((OTHER,))
        held = {name: np.append(own, float(total[name][0]) - own.sum()) for name, own in held.items()}
    cells = Cells((attribute,), tuple(keys), held["n"], held["n"], held["n"], held)
    cells = cells.mapped(lambda key: key).where(lambda key: None not in key)
    shown = {key for key, size in zip(cells.keys, cells.n, strict=True) if size >= question.suppress}
    cells = cells.where(lambda key: key in shown)
    lesser = cells.n - cells.present["kept"]
    return EqualRows(cells.names, cells.n, lesser, _worth(cells.n, lesser, cells.present), parts)


def _worth(n: Array, lesser: Array, sums: Mapping[str, Array]) -> Array:
    """How many independent rows a share of rows is worth [k], by its variance over sets of equal rows.

    Between a tenth of the rows and ten times as many: few sets, or sets that are all alike, say little of how
    they vary.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = lesser / n
        own, both = sums["nn"] - 2 * sums["nk"] + sums["kk"], sums["nn"] - sums["nk"]
        variance = (own - 2 * p * both + p * p * sums["nn"]) / n**2
        worth = np.where(variance > 0, p * (1 - p) / variance, n)
    return np.asarray(np.clip(worth, n / 10, 10 * n))
