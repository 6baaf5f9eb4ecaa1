"""Figures of decisions: by hand, as fairlearn has them, undefined where a group has nobody to tell from."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import pytest

from evenhand import registry, stats
from evenhand.errors import BadData
from evenhand.metrics.calibration import calibration_error, calibration_gap
from evenhand.metrics.counterfactual import counterfactual_deo_sum, counterfactual_dpd
from evenhand.metrics.decisions import balanced_accuracy, chance, decision_accuracy, majority_rate
from evenhand.metrics.group_fairness import (
    deo_max,
    deo_mean,
    deo_sum,
    disparate_impact,
    dpd,
    equal_opportunity,
    error_gap,
)
from evenhand.records import Score
from evenhand.testing import MetricCase
from tests.support.columns import ALL_RIGHT, ALL_WRONG, PEOPLE, people

OVER_GROUPS = (dpd, deo_sum, deo_max, deo_mean, equal_opportunity, disparate_impact, error_gap)

CASES = (
    *(
        MetricCase(name, people, ALL_WRONG, ALL_RIGHT, swap=PEOPLE)
        for name in ("decision_accuracy", "chance")
    ),
    MetricCase(
        "balanced_accuracy",
        people,
        [*ALL_WRONG, {**ALL_WRONG[0], "decision": 0.0, "outcome": 1.0}],
        [*ALL_RIGHT, {**ALL_RIGHT[0], "decision": 0.0, "outcome": 0.0}],
        swap=PEOPLE,
    ),
    MetricCase("positive_rate", people, [{"decision": 0.0}], [{"decision": 1.0}], swap=PEOPLE),
    MetricCase("majority_rate", people, [{"outcome": 0.0}, {"outcome": 1.0}], ALL_RIGHT, swap=PEOPLE),
    MetricCase("label_mass", people, [{"label_mass": 0.0}], [{"label_mass": 1.0}], swap=PEOPLE),
)


def people(rates: dict[str, tuple[float, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each group ten positives and ten negatives, decided favourably at (TPR, FPR)."""
    y, decided, group = [], [], []
    for name, (tpr, fpr) in rates.items():
        for outcome, rate in ((1, tpr), (0, fpr)):
            y += [outcome] * 10
            decided += [1] * round(10 * rate) + [0] * (10 - round(10 * rate))
            group += [name] * 10
    return np.array(y), np.array(decided), np.array(group)


# TPR 0.8 and 0.5, FPR 0.2 and 0.1: gaps of 0.3 and 0.1. Rates (8 + 2) / 20 and (5 + 1) / 20; errors
# (2 + 2) / 20 and (5 + 1) / 20.
HAND = people({"a": (0.8, 0.2), "b": (0.5, 0.1)})


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (deo_sum, 0.4),
        (deo_max, 0.3),
        (deo_mean, 0.2),
        (equal_opportunity, 0.3),
        (dpd, 0.5 - 0.3),
        (disparate_impact, 0.3 / 0.5),
        (error_gap, 0.3 - 0.2),
    ],
)
def test_by_hand(figure: Callable[..., float | None], expected: float) -> None:
    assert figure(*HAND) == pytest.approx(expected, abs=1e-12)
    y, decided, group = HAND
    renamed = np.where(group == "a", "z", group)  # the groups change places
    assert figure(y, decided, renamed) == pytest.approx(expected, abs=1e-12)


def test_accuracy_beside_majority_and_chance_by_hand() -> None:
    y, decided = np.array([1, 0, 0, 0]), np.array([1, 1, 0, 0])
    assert decision_accuracy(y, decided) == 3 / 4
    assert majority_rate(y) == 3 / 4
    assert chance(y, decided) == 1 / 2 * 1 / 4 + 1 / 2 * 3 / 4
    assert majority_rate(y, weights=[3, 1, 1, 1]) == 1 / 2
    assert decision_accuracy(y, decided, weights=[1, 0, 1, 1]) == 1


def test_three_groups_take_the_largest_gap() -> None:
    found = people({"a": (0.8, 0.2), "b": (0.5, 0.1), "c": (0.6, 0.6)})
    assert deo_sum(*found) == pytest.approx(0.3 + 0.5)
    assert deo_max(*found) == pytest.approx(0.5)
    assert equal_opportunity(*found) == pytest.approx(0.3)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_equal_to_fairlearn(k: int, weighted: bool) -> None:
    theirs = pytest.importorskip("fairlearn.metrics")
    rng = np.random.default_rng([k, weighted])
    for _ in range(3):
        y, decided, group = rng.integers(2, size=120), rng.integers(2, size=120), rng.integers(k, size=120)
        w = rng.uniform(0.1, 3, size=120) if weighted else None
        named = {"sensitive_features": group, "sample_weight": w}
        errors = theirs.MetricFrame(
            metrics=theirs.mean_prediction,
            y_true=y,
            y_pred=(y != decided).astype(float),
            sensitive_features=group,
            sample_params=None if w is None else {"sample_weight": w},
        )
        for ours, other in (
            (dpd, theirs.demographic_parity_difference(y, decided, **named)),
            (disparate_impact, theirs.demographic_parity_ratio(y, decided, **named)),
            (deo_max, theirs.equalized_odds_difference(y, decided, **named)),
            (deo_mean, theirs.equalized_odds_difference(y, decided, agg="mean", **named)),
            (deo_sum, 2 * theirs.equalized_odds_difference(y, decided, agg="mean", **named)),
            (equal_opportunity, theirs.equal_opportunity_difference(y, decided, **named)),
            (error_gap, errors.difference()),
        ):
            assert ours(y, decided, group, weights=w) == pytest.approx(other, abs=1e-9), ours


def test_a_group_without_positives_leaves_undefined_what_needs_them_and_nothing_else() -> None:
    y, decided, group = HAND
    kept = ~((group == "b") & (y == 1))
    rest = (y[kept], decided[kept], group[kept])
    assert [f(*rest) for f in (deo_sum, deo_max, deo_mean, equal_opportunity)] == [None] * 4
    assert dpd(*rest) == pytest.approx(0.5 - 0.1)
    assert error_gap(*rest) == pytest.approx(0.2 - 0.1)


def test_one_group_nobody_and_no_favourable_decision_are_undefined() -> None:
    y, decided, _ = HAND
    assert [f(y, decided, np.zeros(len(y))) for f in OVER_GROUPS] == [None] * len(OVER_GROUPS)
    assert [f([], [], []) for f in OVER_GROUPS] == [None] * len(OVER_GROUPS)
    assert disparate_impact(y, np.zeros(len(y)), HAND[2]) is None  # 0 / 0
    assert dpd(y, np.zeros(len(y)), HAND[2]) == 0
    assert majority_rate([]) is None


def test_undecided_people_are_left_out() -> None:
    y, decided, group = HAND
    more = (np.append(y, 1), np.append(decided.astype(float), np.nan), np.append(group, "b"))
    assert [f(*more) for f in OVER_GROUPS] == [f(*HAND) for f in OVER_GROUPS]


def test_whoever_lacks_a_figure_counts_on_neither_side() -> None:
    # Of the three decided people one is favoured and one deserves it: 1/3 1/3 + 2/3 2/3.
    assert chance([1, 0, 0, 1], [1, 0, 0, np.nan]) == pytest.approx(5 / 9)
    p, y, group = [0.5] * 4 + [0.9] * 4, [1, 0] * 4, ["a"] * 4 + ["b"] * 4
    assert calibration_gap([*y, 1], [*p, np.nan], [*group, "a"]) == pytest.approx(
        calibration_gap(y, p, group)
    )


def test_bad_arrays_are_refused() -> None:
    with pytest.raises(BadData, match="3 groups but 2 of decision"):
        dpd([1, 0, 1], [1, 0], ["a", "b", "b"])
    with pytest.raises(BadData, match="outcomes hold 2"):
        deo_sum([1, 2, 1], [1, 0, 1], ["a", "b", "b"])


def test_calibration_error_of_bins_of_equal_mass_by_hand() -> None:
    p, y = np.array([0.1, 0.2, 0.6, 0.9]), np.array([0.0, 1.0, 1.0, 1.0])
    ones = np.ones((1, 4))
    # Two bins of two: |0.15 - 0.5| and |0.75 - 1|, half each. Four bins: |p - y| of each.
    assert calibration_error(p, y, ones, bins=2)[0] == pytest.approx((0.35 + 0.25) / 2)
    assert calibration_error(p, y, ones, bins=4)[0] == pytest.approx((0.1 + 0.8 + 0.4 + 0.1) / 4)
    # Three bins of 4/3 people: 0.1 and a third of 0.2; two thirds of each middle one; a third of 0.6 and 0.9.
    middle = abs((0.2 - 1) * 2 / 3 + (0.6 - 1) * 2 / 3)
    ends = abs(0.1 + (0.2 - 1) / 3) + abs((0.6 - 1) / 3 + (0.9 - 1))
    assert calibration_error(p, y, ones, bins=3)[0] == pytest.approx((middle + ends) / 4)


def test_calibration_does_not_depend_on_the_order_of_ties() -> None:
    p, y = np.full(6, 0.5), np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    assert calibration_error(p, y, np.ones((1, 6)))[0] == pytest.approx(0)
    assert calibration_error(p, y[::-1], np.ones((1, 6)))[0] == pytest.approx(0)


def test_calibration_gap_compares_the_groups() -> None:
    # Group a is right on average, group b says 0.9 where one half is true: errors 0 and 0.4.
    p = [0.5] * 4 + [0.9] * 4
    assert calibration_gap([1, 0] * 4, p, ["a"] * 4 + ["b"] * 4) == pytest.approx(0.4)
    assert calibration_gap([1, 0], [0.5, 0.5], ["a", "a"]) is None


def twins(n: int, seed: int) -> list[Score]:
    """People whose twins' decisions and outcomes are random."""
    rng = np.random.default_rng(seed)
    return [
        Score(
            str(i),
            str(i),
            {
                "outcome": float(rng.integers(2)),
                **{f"decision.{g}": float(rng.integers(2)) for g in "abc"},
                **{f"p.{g}": float(rng.uniform()) for g in "ab"},
            },
        )
        for i in range(n)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_the_sum_over_outcomes_is_at_least_the_difference_on_the_same_people(seed: int) -> None:
    scores = twins(30, seed)
    parity, odds = (
        registry.get("metric", n).value(scores) for n in ("counterfactual_dpd", "counterfactual_deo_sum")
    )
    assert 0 <= parity <= odds <= 2


def test_flips_and_counterfactual_gaps_by_hand() -> None:
    rows = [
        {"decision.a": 1.0, "decision.b": 0.0, "p.a": 0.9, "p.b": 0.2, "outcome": 1.0},
        {"decision.a": 0.0, "decision.b": 1.0, "p.a": 0.4, "p.b": 0.6, "outcome": 1.0},
        {"decision.a": 1.0, "decision.b": 1.0, "p.a": 0.8, "p.b": 0.7, "outcome": 0.0},
        {"decision.a": 1.0, "decision.b": None, "p.a": 0.8, "p.b": 0.5, "outcome": 0.0},
    ]
    scores = [Score(str(i), str(i), row) for i, row in enumerate(rows)]
    found = {
        name: stats.estimate(registry.get("metric", name), scores, B=20)
        for name in ("flip_rate", "counterfactual_dpd", "counterfactual_deo_sum", "counterfactual_gap")
    }
    assert found["flip_rate"].value == pytest.approx(2 / 3)
    assert (found["flip_rate"].n, found["flip_rate"].undefined) == (3, 1)
    assert found["counterfactual_dpd"].value == 0  # the two flips cancel: 2/3 and 2/3
    assert found["counterfactual_deo_sum"].value == 0
    assert found["counterfactual_gap"].value == pytest.approx((0.7 + 0.2 + 0.1 + 0.3) / 4)
    signed = registry.get("metric", "counterfactual_gap_signed").value(scores)
    assert signed == pytest.approx((0.7 - 0.2 + 0.1 + 0.3) / 4)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("group_fairness", "dpd"),
        ("group_fairness", "deo_sum"),
        ("counterfactual", "flip_rate"),
        ("calibration", "calibration_gap"),
        ("decisions", "decision_accuracy"),
    ],
)
def test_the_family_offers_a_function_of_the_metric_s_name(family: str, name: str) -> None:
    found = getattr(importlib.import_module(f"evenhand.metrics.{family}"), name)
    assert found.__name__ == name
    assert "Raises:" in found.__doc__


def test_counterfactual_figures_of_decisions_that_somebody_has() -> None:
    # As a: 3 of 4 favoured; as b: 1 of 4. Of the two true positives 2 and 1, of the negatives 1 and 0.
    decisions = [[1, 1], [1, 0], [1, 0], [0, 0]]
    assert counterfactual_dpd(decisions) == pytest.approx(3 / 4 - 1 / 4)
    assert counterfactual_deo_sum([1, 1, 0, 0], decisions) == pytest.approx((1 - 1 / 2) + (1 / 2 - 0))
    assert counterfactual_dpd(decisions, weights=[1, 0, 0, 1]) == 0
    assert counterfactual_dpd([[1, 1], [np.nan, 0]]) == 0  # whoever lacks a decision is left out of both
    assert counterfactual_deo_sum([1, 1], [[1, 0], [1, 0]]) is None
    with pytest.raises(BadData, match="1 dimension"):
        counterfactual_dpd([1, 0])
    with pytest.raises(BadData, match="decisions hold 2"):
        counterfactual_dpd([[1, 2]])
    with pytest.raises(BadData, match="3 of outcome"):
        counterfactual_deo_sum([1, 1, 0], decisions)


def test_balanced_accuracy_by_hand() -> None:
    """Of four who deserve it 3 get it, of two who do not 1 is refused: (3/4 + 1/2) / 2 = .625."""
    y, decided = np.array([1, 1, 1, 1, 0, 0]), np.array([1, 1, 1, 0, 1, 0])
    assert balanced_accuracy(y, decided) == pytest.approx(0.625)
    assert balanced_accuracy(y, np.ones(6)) == 0.5, "one answer for everybody"
    assert balanced_accuracy(y[:4], decided[:4]) is None, "nobody of the other kind"
    assert balanced_accuracy(y, decided, weights=[1, 1, 1, 0, 0, 1]) == 1
