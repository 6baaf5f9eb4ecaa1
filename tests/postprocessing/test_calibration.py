"""Calibration: lower errors on people it never saw, recovered truths, shrinkage, and honest reports."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import BadData, BadOption
from evenhand.postprocessing import fit_calibration
from evenhand.postprocessing.calibration import (
    Method,
    calibration_error,
    cross_fitted,
    errors_by_group,
    group_weight,
)
from tests.postprocessing.synthetic import SHIFT, drawn


@pytest.mark.parametrize("method", ["platt", "isotonic", "auto"])
def test_errors_fall_in_every_group_on_people_it_never_saw(method: Method) -> None:
    scores, labels, groups = drawn(4500, 0)
    rule = fit_calibration(scores, labels, groups, method=method)
    new_scores, new_labels, new_groups = drawn(9000, 1)
    before = errors_by_group(new_scores, new_labels, new_groups)
    after = errors_by_group(rule.expected(new_scores, new_groups), new_labels, new_groups)
    for name in rule.groups:
        assert after[name]["error"] < 0.6 * before[name]["error"]
        assert abs(after[name]["excess"]) < 0.05


def test_platt_recovers_what_was_planted() -> None:
    # A score is sigmoid(2 l + shift) of the true log-odds l: its mend is slope 1/2, intercept -shift / 2.
    rule = fit_calibration(*drawn(12000, 3), method="platt", shrink=0.0)
    for name, curve in zip(rule.groups, rule.curves, strict=True):
        assert curve.slope == pytest.approx(0.5, abs=0.05)
        assert curve.intercept == pytest.approx(-SHIFT[name] / 2, abs=0.12)


def test_a_temperature_recovers_what_was_planted() -> None:
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=8000) * 1.5
    labels = (rng.random(8000) < 1 / (1 + np.exp(-log_odds))).astype(int)
    scores = 1 / (1 + np.exp(-3 * log_odds))  # three times too sure
    rule = fit_calibration(scores, labels, ["a", "b"] * 4000, method="temperature")
    assert [c.slope for c in rule.curves] == pytest.approx([1 / 3, 1 / 3], abs=0.03)
    assert [c.intercept for c in rule.curves] == [0.0, 0.0]


def test_isotonic_by_hand() -> None:
    # Outcomes 0 1 0 1 at four scores, 250 people each in both groups: the middle two pool to 1/2.
    scores = np.tile(np.repeat([0.1, 0.4, 0.6, 0.9], 250), 2)
    labels = np.tile(np.repeat([0, 1, 0, 1], 250), 2)
    rule = fit_calibration(scores, labels, ["a"] * 1000 + ["b"] * 1000)
    assert rule.methods == ("isotonic", "isotonic")
    assert rule.expected([0.1, 0.4, 0.5, 0.6, 0.9], ["a"] * 5) == pytest.approx([0, 0.5, 0.5, 0.5, 1])


def test_auto_decides_by_the_size_of_each_group() -> None:
    scores, labels, groups = drawn(3000, 4, k=2)
    few = [g == "a" or i % 3 == 0 for i, g in enumerate(groups)]
    keep = np.flatnonzero(few)
    rule = fit_calibration(scores[keep], labels[keep], [groups[i] for i in keep])
    assert rule.methods == ("isotonic", "platt")


def test_shrinkage_goes_from_the_own_curve_to_everyones() -> None:
    scores, labels, groups = drawn(300, 5)
    assert group_weight(20, 20.0) == 0.5
    own = fit_calibration(scores, labels, groups, method="platt", shrink=0.0)
    half = fit_calibration(scores, labels, groups, method="platt", shrink=100.0)
    pooled = fit_calibration(scores, labels, groups, method="platt", shrink=1e12)
    slopes = {c.slope for c in pooled.curves}
    assert max(slopes) - min(slopes) < 1e-6
    sizes = [groups.count(name) for name in own.groups]
    for a, b, p, n in zip(own.curves, half.curves, pooled.curves, sizes, strict=True):
        weight = n / (n + 100)
        assert b.intercept == pytest.approx(weight * a.intercept + (1 - weight) * p.intercept, abs=1e-6)


def test_scores_that_separate_the_outcomes_keep_a_finite_slope() -> None:
    rule = fit_calibration([0.01, 0.99] * 6, [0, 1] * 6, ["a", "a", "b", "b"] * 3, method="platt")
    assert all(0 < curve.slope < 5 for curve in rule.curves)


def test_cross_fitting_never_scores_people_with_their_own_outcome() -> None:
    # Outcomes are coins, so the honest error after calibration is not below chance's; in-sample isotonic is.
    rng = np.random.default_rng(6)
    scores, labels = rng.random(2400), rng.integers(0, 2, 2400)
    groups = ["a", "b"] * 1200
    rule = fit_calibration(scores, labels, groups, method="isotonic", shrink=0.0)
    crossed = cross_fitted(scores, labels, groups, method="isotonic", shrink=0.0)
    assert crossed is not None
    inside = np.mean((rule.expected(scores, groups) - labels) ** 2)
    honest = np.mean((crossed - labels) ** 2)
    assert inside < 0.25 < honest


def test_cross_fitting_repeats_and_says_none_for_tiny_groups() -> None:
    scores, labels, groups = drawn(300, 7)
    first, again = (cross_fitted(scores, labels, groups, seed=1) for _ in range(2))
    assert first is not None
    assert again is not None
    assert first.tolist() == again.tolist()
    assert cross_fitted([0.1, 0.9, 0.2, 0.8], [0, 1, 0, 1], list("aabb")) is None


def test_the_calibration_error_by_hand() -> None:
    # Two bins of two: |0.2 - 0.5| and |0.8 - 1|, each for half of the people.
    assert calibration_error([0.1, 0.3, 0.7, 0.9], [0, 1, 1, 1], bins=2) == pytest.approx(0.25)
    assert calibration_error([], []) is None


def test_bad_input() -> None:
    with pytest.raises(BadData, match="a: 1 of 2, b: 2 of 2"):
        fit_calibration([0.1, 0.9, 0.2, 0.8], [0, 1, 1, 1], list("aabb"))
    with pytest.raises(BadOption, match=r"need 1000 people a group, but a has 2, b has 2"):
        fit_calibration([0.1, 0.9, 0.2, 0.8], [0, 1, 0, 1], list("aabb"), method="isotonic")
    with pytest.raises(BadOption, match="method=spline"):
        fit_calibration([0.1], [0], ["a"], method="spline")  # type: ignore[arg-type]
    with pytest.raises(BadOption, match="shrink=-1"):
        fit_calibration([0.1], [0], ["a"], shrink=-1)
