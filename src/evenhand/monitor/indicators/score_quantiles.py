"""Quantiles of the scores, of their histogram."""

from __future__ import annotations

import numpy as np

from evenhand.monitor.indicators._counts import Array, Figure, Indicator, Sums
from evenhand.monitor.rollups import BINS
from evenhand.stats.proportions import wilson
from evenhand.stats.ratios import NO_ENDS

QUANTILES = (0.1, 0.5, 0.9)


def _at(scored: Array, share: float) -> float:
    """The score below which `share` lies; within a bin people are taken to be spread evenly."""
    below = np.concatenate([[0.0], np.cumsum(scored)]) / scored.sum()
    place = int(np.clip(np.searchsorted(below, share, side="right") - 1, 0, BINS - 1))
    while place and not scored[place]:  # at 1, the last bin that has anybody
        place -= 1
    inside = (share - below[place]) / (below[place + 1] - below[place])
    return float((place + min(max(inside, 0.0), 1.0)) / BINS)


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    found = []
    for group in (sums.everybody, *sums.groups):
        scored = group.scores[:, 0]
        n = float(scored.sum())
        for share in QUANTILES:
            if not n:
                found.append(own.figure(group.value, None, NO_ENDS, 0, f"{share:g}"))
                continue
            # Of which ranks the quantile may be, on the scale of scores.
            low, high = (float(end) for end in wilson(share, n))
            ends = _at(scored, low), _at(scored, high)
            found.append(own.figure(group.value, _at(scored, share), ends, n, f"{share:g}"))
    return found


indicator = Indicator(
    "score_quantiles",
    "Quantiles of scores",
    "score",
    "The scores below which a tenth, a half and nine tenths of the people lie, to a fiftieth.",
    _figures,
)
