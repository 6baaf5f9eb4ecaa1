"""Block influence (BMI): the cosine distance between each block's input and output, and its stability.

``BMI_i = Agg over samples s and rows l of 1 - cos(H_{i,l}, H_{i+1,l})`` with H_i the input and H_{i+1} the
output of block i. It holds no information about any attribute.

Sources: LFTF (Locating First and Then Fine-Tuning for Mitigating Gender Bias in Large Language Models),
equation 4 and table 7; ShortGPT (Men et al. 2024), whose block influence is the mean of the same quantity.
Callers stream: `batch_rows` for each batch and block, then one `aggregate` per block.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import BadData, UsageError
from evenhand.records import Value

Array = NDArray[np.float64]
Aggregation = Literal["row_sum", "sample_mean", "row_mean"]


def cosine_distance(before: ArrayLike, after: ArrayLike) -> Array:
    """1 - cos between matching vectors: two arrays [..., d] to [...], in [0, 2], computed in float64.

    NaN where a vector has no direction (length 0) or is not finite.

    Raises:
        BadData: the shapes differ.
    """
    u, v = _unit(before), _unit(after)
    if u.shape != v.shape:
        raise BadData(
            f"The shapes {u.shape} and {v.shape} differ.",
            mend="Give a block's input and its output, both [..., d].",
        )
    # [..., d] to [...]: half the squared distance of unit vectors is 1 - cos, without its cancellation at
    # small angles.
    return np.asarray(0.5 * np.square(u - v).sum(axis=-1))


def batch_rows(
    before: ArrayLike,
    after: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    include_padding: bool = False,
    drop_first: bool = False,
) -> list[Array]:
    """The cosine distance of every row of a padded batch, one array for each sample.

    `before` and `after` are a block's input and output [samples, length, d] (any float type); `mask`
    [samples, length] is true at real tokens, None where all are. Padding rows are left out unless
    `include_padding` (only to reproduce published sums). `drop_first` leaves out each sample's
    first real row, whose huge norm (attention sink) may dominate.

    Raises:
        BadData: the shapes do not fit together.
    """
    values = cosine_distance(before, after)
    real = np.ones(values.shape, dtype=bool) if mask is None else np.asarray(mask).astype(bool)
    if values.ndim != 2 or real.shape != values.shape:
        raise BadData(
            f"The states have rows of shape {values.shape}, the mask has the shape {real.shape}.",
            mend="Give states [samples, length, d] and a mask [samples, length].",
        )
    keep = np.ones_like(real) if include_padding else real.copy()  # [samples, length]
    if drop_first:
        keep &= ~(real & (np.cumsum(real, axis=1) == 1))
    return [row[kept] for row, kept in zip(values, keep, strict=True)]


def aggregate(samples: Sequence[ArrayLike], agg: Aggregation = "row_sum") -> Value:
    """One block's score from its rows, one array [rows] for each sample; None when no row is defined.

    ``row_sum`` adds every row of every sample (the only one that reaches the published figures, which are far
    above 2), ``row_mean`` divides that by the number of rows, ``sample_mean`` averages each sample's mean
    row, so that long samples do not count more. Undefined rows (NaN) are left out, and samples without a
    defined row.

    Raises:
        UsageError: an unknown aggregation.
    """
    if agg not in ("row_sum", "sample_mean", "row_mean"):
        raise UsageError(f"There is no aggregation {agg!r}.", mend="Use row_sum, sample_mean or row_mean.")
    arrays = [np.asarray(sample, dtype=np.float64).ravel() for sample in samples]
    defined = [a for a in (array[np.isfinite(array)] for array in arrays) if len(a)]
    if not defined:
        return None
    if agg == "sample_mean":
        return float(np.mean([a.mean() for a in defined]))
    rows = np.concatenate(defined)
    return float(rows.sum() if agg == "row_sum" else rows.mean())


@dataclass(frozen=True, slots=True)
class Robustness:
    """How much the blocks' scores vary between runs on different samples (LFTF, table 7).

    Attributes:
        runs: number of runs.
        ddof: what the variance divides by is runs - ddof.
        variance: of each block over the runs; None where undefined.
        mean_variance: over the blocks that have one.
        mean_tau: mean Kendall tau-b over all pairs of runs.
        top1_agreement: share of pairs of runs with the same highest block.
    """

    runs: int
    ddof: int
    variance: tuple[Value, ...]
    mean_variance: Value
    mean_tau: Value
    top1_agreement: Value


def robustness(scores: ArrayLike, ddof: int = 1) -> Robustness:
    """Stability of the blocks' `scores` [runs, blocks] over the runs.

    The variance depends on the aggregation's scale, tau and the top-1 agreement do not. Figures that need
    more runs than there are (variance: more than `ddof`; pairs: two) are None; a run with an undefined score
    takes no part in the top-1 agreement.

    Raises:
        BadData: `scores` is not two-dimensional with at least one block.
    """
    from evenhand.stats import kendall_tau  # needs scipy, which a list of names does not

    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise BadData(
            f"The scores have the shape {table.shape}, not [runs, blocks].",
            mend="Give one row for each run and one column for each block.",
        )
    runs = len(table)
    variances = [_value(v) for v in table.var(axis=0, ddof=ddof)] if runs > ddof else [None] * table.shape[1]
    taus = [kendall_tau(a, b) for a, b in itertools.combinations(table, 2)]
    tops = [int(np.argmax(run)) for run in table if np.isfinite(run).all()]
    same = [float(a == b) for a, b in itertools.combinations(tops, 2)]
    return Robustness(runs, ddof, tuple(variances), _mean(variances), _mean(taus), _mean(same))


def _unit(vectors: ArrayLike) -> Array:
    """Each vector divided by its length, [..., d] to [..., d]; NaN where it has no direction."""
    v = np.asarray(vectors, dtype=np.float64)
    norm = np.linalg.norm(v, axis=-1, keepdims=True)  # [..., 1]
    usable = np.isfinite(norm) & (norm > 0)
    unit: Array = np.divide(v, norm, out=np.full(v.shape, np.nan), where=usable)
    return unit


def _value(number: Any) -> Value:
    return float(number) if np.isfinite(number) else None


def _mean(values: Sequence[Value]) -> Value:
    defined = [v for v in values if v is not None]
    return float(np.mean(defined)) if defined else None
