"""Estimates with intervals, paired comparisons and tests: arrays and scores in, numbers out.

One matrix of bootstrap weights [B, n] (how often each item counts in each resample) serves every metric,
slice and model that was measured on the same items; differences taken resample by resample are therefore
paired. It is known by the clusters that were drawn, and made and used in blocks of resamples, so that a
million items need no more of it than a few thousand; `evenhand.stats.sums` says how figures are made of it.
Items of one cluster (the prompts of one profession, say) are not independent, so clusters are
drawn, not items. Everything here is decided by its arguments and an explicit seed.

Sources: cluster bootstrap, Davison & Hinkley 1997, section 3.8; Monte-Carlo permutation p-values, Phipson &
Smyth 2010; step-down adjustment, Holm 1979; two one-sided tests, Schuirmann 1987.
"""

from __future__ import annotations

from evenhand.stats.changes import Paired, aligned, paired_change, paired_changes
from evenhand.stats.estimating import (
    estimate,
    estimates,
    estimates_by_slice,
    linear_error,
    replicates,
    with_interval,
)
from evenhand.stats.intervals import MAX_UNDEFINED, interval, tost
from evenhand.stats.people import of_people
from evenhand.stats.permutation import Alternative, holm, paired_permutation, paired_permutations
from evenhand.stats.ranks import kendall_tau
from evenhand.stats.resampling import CELLS, Resampling, resamples

__all__ = [
    "CELLS", "MAX_UNDEFINED", "Alternative", "Paired", "Resampling", "aligned", "estimate", "estimates",
    "estimates_by_slice", "holm", "interval", "kendall_tau", "linear_error", "of_people",
    "paired_change", "paired_changes", "paired_permutation", "paired_permutations", "replicates",
    "resamples", "tost", "with_interval",
]  # fmt: skip
