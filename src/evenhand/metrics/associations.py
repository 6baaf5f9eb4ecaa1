"""Associations of words and texts: the effect sizes of WEAT and SEAT, and log-probability bias scores.

Source: Caliskan et al. 2017 (WEAT), May et al. 2019 (SEAT). Comparisons allow for rounding (1e-12), where the
published code compares floats exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData, listed
from evenhand.metrics import Array, Columns, Metric, mean_metric
from evenhand.metrics import _arrays as arrays
from evenhand.records import Value

ROUNDING = 1e-12
EXACT = 100_000  # partitions; with no more than these all of them are counted
DRAWS = 99_999
_ASSOCIATIONS = "x and y take a number for each text of the two targets."
_VECTORS = "words, A and B take a row of numbers for each text, all of one length."
_BLOCK = 4_000_000  # random keys that are in memory at once
COLUMNS = ("association", "target", "test")


def associations(words: ArrayLike, A: ArrayLike, B: ArrayLike) -> Array:
    """``s(w) = mean_a cos(w, a) - mean_b cos(w, b)``: `words` [n, d], `A` [k, d], `B` [m, d] to [n].

    NaN where a vector has no length, and where A or B is empty.

    Raises:
        BadData: the vectors are no numbers, or not all of one length.
    """
    unit, first, second = (_unit(vectors) for vectors in (words, A, B))
    sizes = {v.shape[1] for v in (unit, first, second) if len(v)}
    if len(sizes) > 1:
        raise BadData(f"The vectors have {listed(sorted(map(str, sizes)))} entries.", mend=_VECTORS)
    if not len(unit) or not len(first) or not len(second):
        return np.full(len(unit), np.nan)
    return np.asarray((unit @ first.T).mean(axis=1) - (unit @ second.T).mean(axis=1))


def effect_size(x: ArrayLike, y: ArrayLike) -> Value:
    """``(mean x - mean y) / std(x and y, ddof=1)`` of the associations of both targets; None where undefined.

    It is undefined where a target is empty and where all associations are equal.

    Raises:
        BadData: an association is not a number.
    """
    first, second = (arrays.numbers(side, "associations", _ASSOCIATIONS) for side in (x, y))
    s = np.concatenate([first, second])
    target = np.concatenate([np.ones(len(first)), np.zeros(len(second))])
    found = float(effect_sizes(s, target, np.ones((1, len(s))))[0])
    return found if math.isfinite(found) else None


def effect_sizes(s: Array, target: Array, weights: Array) -> Array:
    """Effect sizes [B] of associations `s` [n] of the first (`target` 1) and the second target (0) [n].

    `weights` [B, n] say how often each item counts. NaN where undefined.
    """
    first = weights * (target > 0.5)  # [B, n]; every other array below is [B]
    n, n_first = weights.sum(axis=1), first.sum(axis=1)
    n_second = n - n_first
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = first @ s / n_first - (weights @ s - first @ s) / n_second
        mean = weights @ s / n
        square = (weights * (s[None, :] - mean[:, None]) ** 2).sum(axis=1)
        spread = np.sqrt(square / (n - 1))
        return np.where((n_first > 0) & (n_second > 0) & (spread > ROUNDING), gap / spread, np.nan)


def permutation_p(x: ArrayLike, y: ArrayLike, seed: int = 0, draws: int = DRAWS) -> Value:
    """The share of partitions of all associations into sets as large as `x` and `y` whose first set sums to
    at least what `x` sums to.

    One-sided: small where the first target is nearer to A. All partitions are counted where they are no more
    than 100 000, else `draws` random ones with 1 added to numerator and denominator (Phipson & Smyth 2010).
    None where a target is empty.

    Raises:
        BadData: an association is not a number, or NaN.
    """
    first, second = (arrays.numbers(side, "associations", _ASSOCIATIONS) for side in (x, y))
    s = np.concatenate([first, second])
    if not np.isfinite(s).all():
        raise BadData("An association is undefined.", mend="Leave texts without a vector out.")
    if not 0 < len(first) < len(s):
        return None
    bound = first.sum() - ROUNDING * max(1.0, float(np.abs(s).sum()))
    count = math.comb(len(s), len(first))
    if count <= EXACT:
        hits = sum(int(s[list(chosen)].sum() >= bound) for chosen in combinations(range(len(s)), len(first)))
        return hits / count
    hits = sum(int((sums >= bound).sum()) for sums in _random_sums(s, len(first), seed, draws))
    return (hits + 1) / (draws + 1)


def _random_sums(s: Array, size: int, seed: int, draws: int) -> Iterator[Array]:
    """Sums of `draws` random subsets of `size` of `s`, in blocks."""
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // len(s))
    for start in range(0, draws, rows):
        # The `size` smallest of random keys [rows, n] are a random subset in each row.
        keys = rng.random((min(rows, draws - start), len(s)), dtype=np.float32)
        yield s[np.argpartition(keys, size - 1, axis=1)[:, :size]].sum(axis=1)


def by_test(table: Columns, weights: Array) -> Array:
    """Effect sizes [B, tests] under `weights` [B, n], one column a test, in order of the tests' numbers."""
    association, target, test = (table[name] for name in COLUMNS)
    defined = usable(table)
    numbers = np.unique(test[defined])
    if not len(numbers):
        return np.full((len(weights), 1), np.nan)
    places = [defined & (test == number) for number in numbers]
    return np.stack([effect_sizes(association[p], target[p], weights[:, p]) for p in places], axis=1)


def raw_by_test(table: Columns, weights: Array) -> Array:
    """``mean_X s - mean_Y s`` [B, tests] under `weights` [B, n]: effect sizes not divided by their spread."""
    association, target, test = (table[name] for name in COLUMNS)
    defined = usable(table)
    numbers = np.unique(test[defined])
    if not len(numbers):
        return np.full((len(weights), 1), np.nan)
    return np.stack([_raw(association, target, weights * (defined & (test == n))) for n in numbers], axis=1)


def _raw(s: Array, target: Array, weights: Array) -> Array:
    """The difference of the two targets' mean associations [B] under `weights` [B, n]."""
    sides = [weights * (target > 0.5), weights * (target <= 0.5)]
    values = np.nan_to_num(s)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (side @ values / side.sum(axis=1) for side in sides)
    return np.asarray(first - second)


def usable(table: Columns) -> NDArray[np.bool_]:
    """Which items [n] have an association, a target and a test."""
    return np.asarray(np.isfinite([table[name] for name in COLUMNS]).all(axis=0))


def _unit(vectors: ArrayLike) -> Array:
    """Each row of `vectors` [n, d] divided by its length; NaN where that is 0, [0, 0] for no entries."""
    array = np.atleast_2d(arrays.numbers(vectors, "vectors", _VECTORS, ndim=None))
    if not array.size:
        return np.empty((0, 0))
    length = np.linalg.norm(array, axis=1, keepdims=True)
    unit: Array = np.divide(array, length, out=np.full_like(array, np.nan), where=length > 0)
    return unit


def _weat_effect(table: Columns, weights: Array) -> Array:
    return np.asarray(by_test(table, weights).mean(axis=1))


WEAT_EFFECT = Metric(
    "weat_effect",
    "WEAT effect size d",
    unit="standard deviations",
    ideal=0.0,
    low=None,
    high=None,
    source="Caliskan et al. 2017; (mean_X s - mean_Y s) / std(s, ddof=1), the mean over tests",
    reading="Above 0 the first target of a test lies nearer to its first attribute (men to careers); "
    "swapping the targets flips the sign. Two targets of equal size reach at most 2. Tests may cancel out in "
    "the mean: read the slices, or weat_magnitude.",
    needs=COLUMNS,
    compute=_weat_effect,
    items=usable,
)


def _weat_magnitude(table: Columns, weights: Array) -> Array:
    return np.asarray(np.abs(by_test(table, weights)).mean(axis=1))


WEAT_MAGNITUDE = Metric(
    "weat_magnitude",
    "Mean absolute WEAT effect size |d|",
    unit="standard deviations",
    ideal=0.0,
    low=0.0,
    high=None,
    source="Caliskan et al. 2017; Meade et al. 2022 report the mean over the tests of an attribute",
    reading="0 is no association in any test. A size without a sign is above 0 by chance alone: with n texts "
    "a target it is near 1.1 / sqrt(n) for a model without any association. For the same reason its interval "
    "lies too high where effects are small: trust the p-values and weat_effect.",
    needs=COLUMNS,
    compute=_weat_magnitude,
    items=usable,
)


def _raw_association(table: Columns, weights: Array) -> Array:
    return np.asarray(np.abs(raw_by_test(table, weights)).mean(axis=1))


RAW_ASSOCIATION = Metric(
    "raw_association",
    "Mean absolute raw association",
    unit="difference of cosines",
    ideal=None,
    low=0.0,
    high=4.0,
    source="Caliskan et al. 2017; |mean_X s - mean_Y s|, the mean over tests, before the division by std(s)",
    reading="What |d| divides by the spread of all associations. An effect size also falls where only that "
    "spread grows: read the two together, and beside the p-values.",
    needs=COLUMNS,
    compute=_raw_association,
    items=usable,
)


def lpbs(table: Columns) -> Array:
    """Per-item log-probability bias score in nats, shape [n]; NaN where undefined."""
    return table["lpbs"]


LPBS = mean_metric(
    "lpbs",
    "LPBS: mean log-probability bias score",
    per_item=lpbs,
    unit="nats",
    ideal=0.0,
    low=None,
    high=None,
    source="Kurita et al. 2019: ln[p(he)/prior(he)] - ln[p(she)/prior(she)]",
    reading="Above 0 the professions on average raise the odds of he against she, compared with no "
    "profession; swapping the groups flips the sign. Professions that raise and that lower them cancel out: "
    "read it with lpbs_magnitude.",
    needs=("lpbs",),
)


def lpbs_magnitude(table: Columns) -> Array:
    """Per-item size of the log-probability bias score in nats, shape [n]; NaN where undefined."""
    return np.abs(table["lpbs"])


LPBS_MAGNITUDE = mean_metric(
    "lpbs_magnitude",
    "LPBS: mean absolute log-probability bias score",
    per_item=lpbs_magnitude,
    unit="nats",
    ideal=0.0,
    low=0.0,
    high=None,
    source="Kurita et al. 2019, without the sign",
    reading="0: no profession changes the odds of he and she; 0.69 (ln 2): professions double or halve them "
    "on average. Pronouns that have almost no probability get scores as well: read it with mass.",
    needs=("lpbs",),
)


components = (
    WEAT_EFFECT,
    WEAT_MAGNITUDE,
    RAW_ASSOCIATION,
    LPBS,
    LPBS_MAGNITUDE,
)
