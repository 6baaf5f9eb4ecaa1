"""Perplexities of whole texts: ratios of sums, in which an impossible text is never left out.

A text of infinite negative log-likelihood makes a perplexity infinite. A metric then has no value (None: a
record holds no infinity), and a change from or to it has none either; without the text it would be smaller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.metrics import Array, Metric


def scored(nll: Array, units: Array) -> NDArray[np.bool_]:
    """The texts [n] that count: with a likelihood, be it 0, and at least one unit."""
    return ~np.isnan(nll) & np.isfinite(units) & (units > 0)


def mean_nll(nll: Array, units: Array, weights: Array) -> Array:
    """``Σ w nll / Σ w units`` in nats a unit: `nll` and `units` [n], `weights` [B, n] to [B].

    NaN where no text counts, infinite where one that counts is impossible (0 times infinity is no NaN here).
    """
    used = scored(nll, units)
    impossible = used & np.isinf(nll)
    finite = np.where(used & ~impossible, nll, 0.0)
    sums = weights @ np.stack([finite, np.where(used, units, 0.0)], axis=1)
    mean: Array = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(weights), np.nan), where=sums[:, 1] > 0)
    if impossible.any():
        mean[(weights[:, impossible] > 0).any(axis=1)] = np.inf
    return mean


def exp_of(nll: Array, units: Array, weights: Array) -> Array:
    """The perplexity of `mean_nll`, [B]; infinite beyond float range."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(mean_nll(nll, units, weights)))


def perplexity_over(column: str, name: str, title: str, *, unit: str, source: str, reading: str) -> Metric:
    """``exp(Σ w nll / Σ w units)``: columns ``nll`` (nats) and `column`, how many units each text has."""
    return Metric(
        name,
        title,
        unit=unit,
        ideal=1.0,
        low=1.0,
        high=None,
        source=source,
        reading=reading,
        needs=("nll", column),
        compute=lambda table, weights: exp_of(table["nll"], table[column], weights),
        items=lambda table: scored(table["nll"], table[column]),
    )
