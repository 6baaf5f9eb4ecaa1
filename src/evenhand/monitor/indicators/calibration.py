"""What happened minus what the scores said."""

from __future__ import annotations

from evenhand.monitor.indicators._counts import Figure, Indicator, Sums
from evenhand.stats.proportions import clopper_pearson
from evenhand.stats.ratios import NO_ENDS


def _figures(own: Indicator, sums: Sums) -> list[Figure]:
    found = []
    for group in (sums.everybody, *sums.groups):
        _, n, positives, _, total = group.scores.sum(axis=0).tolist()
        if not n:
            found.append(own.figure(group.value, None, NO_ENDS, 0))
            continue
        low, high = clopper_pearson(positives, n)
        assert low is not None
        assert high is not None
        mean = total / n
        found.append(own.figure(group.value, positives / n - mean, (low - mean, high - mean), n))
    return found


indicator = Indicator(
    "calibration",
    "Calibration in the large",
    "difference of shares",
    "The share of favourable labels minus the mean score; 0 is calibrated, above 0 the scores are too low.",
    _figures,
    matured=True,
    better="zero",
)
