"""Estimates with intervals, paired comparisons and tests: arrays and scores in, numbers out.

One matrix of bootstrap weights [B, n] (how often each item counts in each resample) serves every metric,
slice and model that was measured on the same items; differences taken resample by resample are therefore
paired. The matrix is made and used in blocks of rows, so that a million items need no more of it than a few
thousand. Items of one cluster (the prompts of one profession, say) are not independent, so clusters are
drawn, not items. Everything here is decided by its arguments and an explicit seed.

Sources: cluster bootstrap, Davison & Hinkley 1997, section 3.8; Monte-Carlo permutation p-values, Phipson &
Smyth 2010; step-down adjustment, Holm 1979; two one-sided tests, Schuirmann 1987.
"""

from __future__ import annotations

from evenhand.stats.changes import aligned, paired_change
from evenhand.stats.estimates import estimate, estimates, replicates
from evenhand.stats.hypothesis import Alternative, holm, paired_permutation
from evenhand.stats.intervals import MAX_UNDEFINED, interval, tost
from evenhand.stats.ranks import kendall_tau
from evenhand.stats.resampling import CELLS, resamples

__all__ = [
    "CELLS", "MAX_UNDEFINED", "Alternative", "aligned", "estimate", "estimates", "holm", "interval",
    "kendall_tau", "paired_change", "paired_permutation", "replicates", "resamples", "tost",
]  # fmt: skip
