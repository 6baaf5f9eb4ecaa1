"""Columns of a sample as small numbers: bins of what is numeric, the most frequent values of what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.frames import text_of
from evenhand.frames.values import number
from evenhand.hashing import shuffle_key

BINS = 10
VALUES = 30  # of a column of text; the rest are one value
Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Feature:
    """A column as numbers from 0 to `size` - 1 [n]; 0 is missing."""

    name: str
    codes: Codes
    size: int


def codes_of(values: Sequence[Any]) -> tuple[Codes, tuple[str, ...]]:
    """The numbers [n] of the groups that values name, -1 where missing, and the groups' names, sorted."""
    texts = [text_of(value) for value in values]
    names = sorted({text for text in texts if text is not None})
    places = {name: i for i, name in enumerate(names)}
    return np.array([-1 if text is None else places[text] for text in texts], dtype=np.intp), tuple(names)


def features(sample: Mapping[str, Sequence[Any]], columns: Sequence[str]) -> list[Feature]:
    """The columns that have at least two values in the sample."""
    made = [feature(name, sample[name]) for name in columns]
    return [one for one in made if len(np.unique(one.codes)) > 1]


def feature(name: str, values: Sequence[Any]) -> Feature:
    """One column: bins of about equal size where at least 19 of 20 values are numbers and there are many.

    Otherwise the most frequent values; those that stand once are one with the rest.
    """
    texts = [text_of(value) for value in values]
    numbers = np.array([np.nan if (found := number(text)) is None else found for text in texts])
    known = sum(text is not None for text in texts)
    numeric = np.isfinite(numbers).sum() >= 0.95 * max(known, 1)
    if numeric and len(np.unique(numbers[np.isfinite(numbers)])) > BINS:
        return _binned(name, numbers)
    counts = Counter(t for t in texts if t is not None)
    several = [text for text, n in counts.items() if n > 1]  # what stands once tells nothing of other rows
    # Of values that are as frequent, by a hash: rows come in the order of their values, so the first of a
    # column of unique ones would be those of the first group, and would tell it.
    frequent = sorted(several, key=lambda text: (-counts[text], shuffle_key(0, text)))[:VALUES]
    places = {text: i + 2 for i, text in enumerate(frequent)}  # 0 is missing, 1 any other value
    codes = np.array([0 if text is None else places.get(text, 1) for text in texts], dtype=np.intp)
    return Feature(name, codes, len(frequent) + 2)


def _binned(name: str, numbers: NDArray[np.float64]) -> Feature:
    known = np.isfinite(numbers)
    borders = np.quantile(numbers[known], np.linspace(0, 1, BINS + 1)[1:-1])
    edges, times = np.unique(borders, return_counts=True)
    # A value on which two borders fall has a bin of its own: most gains are 0, and the others tell.
    edges = np.union1d(edges, np.nextafter(edges[times > 1], np.inf))
    codes = np.zeros(len(numbers), dtype=np.intp)
    codes[known] = 1 + np.searchsorted(edges, numbers[known], side="right")
    return Feature(name, codes, len(edges) + 2)


def folds_of(n: int, seed: int, parts: int = 5) -> Codes:
    """A random part from 0 to `parts` - 1 for each of `n` items."""
    return np.random.default_rng([seed, n]).permutation(np.arange(n) % parts)


def told_by_one(one: Feature, groups: Codes, k: int, folds: Codes) -> NDArray[np.float64]:
    """Out of fold, how probable each group is [n, k] given the column's value alone."""
    scores = np.empty((len(groups), k))
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        table = np.bincount(one.codes[train] * k + groups[train], minlength=one.size * k).reshape(one.size, k)
        base = np.bincount(groups[train], minlength=k) / train.sum()
        smooth = (table + 2 * base) / (table.sum(axis=1, keepdims=True) + 2)
        scores[test] = smooth[one.codes[test]]
    return scores


def told_by_all(all_of: Sequence[Feature], groups: Codes, k: int, folds: Codes) -> NDArray[np.float64]:
    """Out of fold, the groups' scores [n, k] by ridge regression on the columns' values."""
    x = _one_hot(all_of)
    y = np.eye(k)[groups]
    scores = np.empty((len(groups), k))
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        own = x[train]
        gram = own.T @ own + np.diag(np.full(x.shape[1], 3.0))
        scores[test] = x[test] @ np.linalg.solve(gram, own.T @ y[train])
    return scores


def _one_hot(all_of: Sequence[Feature]) -> NDArray[np.float64]:
    """Indicators of every value [n, sum of sizes], and a column of ones."""
    n = len(all_of[0].codes)
    x = np.zeros((n, 1 + sum(one.size for one in all_of)))
    x[:, 0] = 1.0
    start = 1
    for one in all_of:
        x[np.arange(n), start + one.codes] = 1.0
        start += one.size
    return x
