"""The contract case of the calibration gap, and many resamples at once; worked examples: `test_decisions`."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics import calibration
from evenhand.testing import MetricCase
from tests.support.columns import ALL_RIGHT, ALL_WRONG, FAIR, PEOPLE, people

CASE = MetricCase("calibration_gap", people, FAIR, [*ALL_WRONG, *ALL_RIGHT], swap=PEOPLE)


def by_hand(probability, outcome, weights, bins) -> float:
    """One resample, a person after the other: each bin's excess by the person's mass inside its borders."""
    total, found, start = sum(weights), [0.0] * bins, 0.0
    people = sorted(zip(probability, outcome, weights, strict=True))
    for level in sorted(set(probability)):
        mass = sum(w for p, _, w in people if p == level)
        if not mass:
            continue
        excess = sum(w * (p - y) for p, y, w in people if p == level)
        for number in range(bins):
            low, high = number / bins * total, (number + 1) / bins * total
            inside = max(0.0, min(start + mass, high) - max(start, low))
            found[number] += excess * inside / mass / total
        start += mass
    return sum(abs(one) for one in found)


@pytest.mark.parametrize("decimals", [1, 9])  # many people of one probability, and none
@pytest.mark.parametrize("cached", [2**17, 90])  # all resamples at a time, and 3 of them
def test_resamples_are_worked_on_together(decimals, cached, monkeypatch) -> None:
    monkeypatch.setattr(calibration, "_CACHED", cached)
    chance = np.random.default_rng(3)
    p = chance.random(30).round(decimals)
    y = (chance.random(30) < p).astype(float)
    weights = chance.multinomial(30, np.full(30, 1 / 30), size=7).astype(float)
    weights[4] = 0.0
    found = calibration.calibration_error(p, y, weights, bins=4)
    assert np.isnan(found[4])
    expected = [by_hand(p.tolist(), y.tolist(), w.tolist(), 4) for w in weights if w.any()]
    np.testing.assert_allclose(found[~np.isnan(found)], expected, atol=1e-12)
