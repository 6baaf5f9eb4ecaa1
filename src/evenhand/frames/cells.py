"""Counts of rows by the values of a few columns: the one thing most audits need, and small."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Key = tuple[str | None, ...]
_BETWEEN = " / "
_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^"].*?(?= / |$)', re.DOTALL)


def _part(value: str | None, *, alone: bool) -> str:
    """A value as a part of a cell's name, such that no two cells of several values have the same name."""
    if value is None:
        return "missing"
    odd = not alone and (_BETWEEN in f" {value} " or value.startswith('"'))
    return json.dumps(value, ensure_ascii=False) if odd else value


def named(key: Key) -> str:
    """A cell's name: its values with " / " between them; a value with such a sign in it is quoted."""
    return _BETWEEN.join(_part(one, alone=len(key) == 1) for one in key)


def key_of(name: str, n: int) -> tuple[str, ...] | None:
    """The `n` values that a cell's name holds, as `named` writes it; None where it is no such name."""
    if n == 1:
        return (name,)
    values: list[str] = []
    place = 0
    while (found := _PART.match(name, place)) is not None:
        try:
            values.append(json.loads(found[0]) if found[0].startswith('"') else found[0])
        except ValueError:  # written by hand, and no name of a cell
            return None
        place = found.end() + len(_BETWEEN)
        if name[found.end() : place] != _BETWEEN:
            break
    return tuple(values) if len(values) == n and place >= len(name) + len(_BETWEEN) else None


@dataclass(frozen=True)
class Cells:
    """How many rows have which values.

    Attributes:
        columns: the columns by whose values the rows are counted.
        keys: the values of each cell, in the columns' order; None is missing.
        n: rows in each cell [C].
        weight, square: sums of the rows' weights and of their squares [C]; both `n` without weights.
        present: by column, how many rows of each cell have a value there [C].
    """

    columns: tuple[str, ...]
    keys: tuple[Key, ...]
    n: Array
    weight: Array
    square: Array
    present: Mapping[str, Array] = field(default_factory=dict)

    def by(self, columns: Sequence[str], *, known: bool = True) -> Cells:
        """The counts by some columns; with `known` rows without a value in one of them are left out."""
        places = [self.columns.index(one) for one in columns]
        kept = self.mapped(lambda key: tuple(key[p] for p in places), tuple(columns))
        return kept.where(lambda key: None not in key) if known else kept

    def mapped(self, rule: Callable[[Key], Key], columns: tuple[str, ...] | None = None) -> Cells:
        """The counts by what `rule` makes of the keys, equal ones added up, in the order of their names."""
        made = [rule(key) for key in self.keys]
        order = sorted(set(made), key=lambda key: tuple((one is None, one or "") for one in key))
        places = {key: i for i, key in enumerate(order)}
        codes = np.array([places[key] for key in made], dtype=np.intp)

        def added(values: Array) -> Array:
            return np.bincount(codes, weights=values, minlength=len(order)).astype(np.float64)

        return Cells(
            columns or self.columns,
            tuple(order),
            added(self.n),
            added(self.weight),
            added(self.square),
            {name: added(values) for name, values in self.present.items()},
        )

    def where(self, keeps: Callable[[Key], bool]) -> Cells:
        """The cells that `keeps` keeps."""
        kept = np.array([keeps(key) for key in self.keys], dtype=bool)
        return Cells(
            self.columns,
            tuple(key for key, k in zip(self.keys, kept, strict=True) if k),
            self.n[kept],
            self.weight[kept],
            self.square[kept],
            {name: values[kept] for name, values in self.present.items()},
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Each cell's name, as `named` writes it."""
        return tuple(map(named, self.keys))

    @property
    def total(self) -> int:
        """All rows."""
        return int(self.n.sum())

    @property
    def effective(self) -> Array:
        """How many unweighted rows tell as much as those of each cell [C] (Kish): ``weight² / square``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.square > 0, self.weight**2 / self.square, 0.0)

    @property
    def counts(self) -> Array:
        """The cells' weights scaled so that they sum to the effective number of all rows [C]."""
        whole, square = float(self.weight.sum()), float(self.square.sum())
        return self.weight * (whole / square) if square > 0 else self.n

    def figure(self, values: Mapping[Key, float]) -> Array:
        """`values` in the cells' order [C]; NaN where there is none."""
        return np.array([values.get(key, np.nan) for key in self.keys])
