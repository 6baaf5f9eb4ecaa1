"""Thresholds: fairlearn's own expectations, precision parity that holds and is best, degenerate groups."""

from __future__ import annotations

import importlib.util
from typing import Any, get_args

import numpy as np
import pytest

from evenhand.errors import BadData, BadOption, MissingExtra
from evenhand.postprocessing import fit_thresholds
from evenhand.postprocessing.thresholds import Constraint, Objective, hull, require_extra
from tests.postprocessing.synthetic import drawn

pytest.importorskip("fairlearn", reason="the extra `fairness` is not installed")
THEIRS = [c for c in get_args(Constraint) if c != "precision_parity"]


def _rates(decisions: Any, labels: Any, groups: list[str]) -> dict[str, tuple[float, float, float, float]]:
    """Selection rate, true and false positive rate, precision."""
    of = np.array(groups)
    return {
        g: (
            decisions[of == g].mean(),
            decisions[(of == g) & (labels == 1)].mean(),
            decisions[(of == g) & (labels == 0)].mean(),
            decisions[(of == g) & (labels == 1)].sum() / decisions[of == g].sum(),
        )
        for g in sorted(set(groups))
    }


@pytest.mark.parametrize("objective", get_args(Objective))
@pytest.mark.parametrize("constraint", THEIRS)
def test_it_expects_what_fairlearn_expects(constraint: Constraint, objective: Objective) -> None:
    from fairlearn.postprocessing import ThresholdOptimizer
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(400, 2)), rng.choice(["a", "b", "c"], 400)
    labels = (rng.random(400) < 1 / (1 + np.exp(-X[:, 0] - (groups == "a")))).astype(int)
    model = LogisticRegression().fit(np.column_stack([X, groups == "a"]), labels)
    seen = np.column_stack([X, groups == "a"])
    reference = ThresholdOptimizer(
        estimator=model,
        constraints=constraint,
        objective=f"{objective}_score",
        prefit=True,
        predict_method="predict_proba",
    ).fit(seen, labels, sensitive_features=groups)
    expected = reference._pmf_predict(seen, sensitive_features=groups)[:, 1]
    scores = model.predict_proba(seen)[:, 1]
    rule = fit_thresholds(scores, labels, groups.tolist(), constraint=constraint, objective=objective)
    assert rule.expected(scores, groups.tolist()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("constraint", "column"),
    [
        ("demographic_parity", 0),
        ("true_positive_rate_parity", 1),
        ("false_positive_rate_parity", 2),
        ("precision_parity", 3),
    ],
)
@pytest.mark.parametrize("k", [2, 3])
def test_the_constrained_rate_is_alike_where_it_was_not(constraint: Constraint, column: int, k: int) -> None:
    scores, labels, groups = drawn(6000, 0, k=k)
    before = _rates((scores > 0.5).astype(float), labels, groups)
    rule = fit_thresholds(scores, labels, groups, constraint=constraint)
    after = _rates(rule.expected(scores, groups), labels, groups)
    held_out = drawn(20000, 1, k=k)
    later = _rates(rule.expected(held_out[0], held_out[2]), held_out[1], held_out[2])
    assert np.ptp([r[column] for r in before.values()]) > 0.02
    assert np.ptp([r[column] for r in after.values()]) < 1e-9
    # 2000 people a group, a third of them of one outcome, leave an error of about 0.02 on each rate.
    assert np.ptp([r[column] for r in later.values()]) < 0.06


def test_equalised_odds_make_both_rates_alike() -> None:
    scores, labels, groups = drawn(2000, 2)
    after = _rates(fit_thresholds(scores, labels, groups).expected(scores, groups), labels, groups)
    assert np.ptp([r[1] for r in after.values()]) < 1e-9
    assert np.ptp([r[2] for r in after.values()]) < 1e-9


def test_precision_parity_is_the_best_of_all_pairs_of_cuts() -> None:
    """Brute force over mixtures of two cuts in each of two small groups finds nothing better."""
    scores, labels, groups = drawn(60, 5, k=2)
    rule = fit_thresholds(scores, labels, groups, constraint="precision_parity")
    chance = rule.expected(scores, groups)
    ours = np.where(labels == 1, chance, 1 - chance).mean()
    of = np.array(groups)
    options = []
    for name in ("a", "b"):
        mine, true = scores[of == name], labels[of == name]
        points = [
            (true[mine > cut].sum(), (1 - true[mine > cut]).sum())
            for cut in [-1, *sorted(set(mine.tolist()))]
        ]
        way = np.linspace(0, 1, 11)[:, None]
        mixed = [(1 - way) * np.array(p) + way * np.array(q) for p in points for q in points]
        table = np.concatenate(mixed)
        table = table[table.sum(axis=1) > 0]
        options.append((table, (1 - true).sum()))
    values = []
    for table, negatives in options:
        precision = table[:, 0] / table.sum(axis=1)
        values.append((precision, table[:, 0] + negatives - table[:, 1]))
    best = max(
        right_a + values[1][1][np.abs(values[1][0] - precision) < 1e-3].max(initial=-np.inf)
        for precision, right_a in zip(*values[0], strict=True)
        if precision >= max(labels[of == g].mean() for g in ("a", "b"))
    )
    assert ours >= best / 60 - 0.004  # brute force may miss parity by a thousandth, and gains by it


def test_the_hull_by_hand() -> None:
    # Scores .9+ .8- .7+ .2-: the curve (0,0) (0,.5) (.5,.5) (.5,1) (1,1); its hull leaves (.5,.5) out.
    found = hull(np.array([0.9, 0.8, 0.7, 0.2]), np.array([1, 0, 1, 0]))
    assert found.fpr.tolist() == [0, 0, 0.5, 1]
    assert found.tpr.tolist() == [0, 0.5, 1, 1]
    assert found.cuts == pytest.approx([2.0, 0.85, 0.45, -1.0])
    assert (found.base, found.best_precision) == (0.5, 1.0)


def test_equal_scores_are_cut_together() -> None:
    found = hull(np.array([0.5, 0.5, 0.5, 0.1]), np.array([1, 0, 1, 0]))
    assert (found.fpr.tolist(), found.tpr.tolist()) == ([0, 0.5, 1], [0, 1, 1])
    assert found.best_precision == pytest.approx(2 / 3)


def test_precision_that_one_group_cannot_reach_is_an_error() -> None:
    # b's scores say nothing, so its precision is its base rate 0.25; of a three in four deserve it.
    scores = [0.9, 0.8, 0.7, 0.1, 0.5, 0.5, 0.5, 0.5]
    labels = [1, 1, 1, 0, 1, 0, 0, 0]
    with pytest.raises(BadOption, match=r"for b no threshold .* above 0\.250.* of a is 0\.750"):
        fit_thresholds(scores, labels, list("aaaabbbb"), constraint="precision_parity")


@pytest.mark.parametrize("constraint", ["equalized_odds", "precision_parity"])
def test_a_group_with_one_outcome_is_an_error_with_counts(constraint: Constraint) -> None:
    with pytest.raises(BadData, match="a: 1 of 2, b: 0 of 3"):
        fit_thresholds([0.1, 0.9, 0.2, 0.3, 0.4], [0, 1, 0, 0, 0], list("aabbb"), constraint=constraint)


def test_one_group_nobody_and_bad_values_are_errors() -> None:
    with pytest.raises(BadData, match="All people are of the group 'a'"):
        fit_thresholds([0.1, 0.9], [0, 1], ["a", "a"])
    with pytest.raises(BadData, match="no people to fit on"):
        fit_thresholds([], [], [])
    with pytest.raises(BadData, match=r"row 1 .* has the score 1\.2"):
        fit_thresholds([0.1, 1.2], [0, 1], ["a", "b"])
    with pytest.raises(BadData, match=r"2 problems .*row 1 .* outcome 2; row 2 .* outcome 3"):
        fit_thresholds([0.1, 0.2, 0.3], [0, 2, 3], ["a", "b", "b"])
    with pytest.raises(BadData, match=r"2 people and true outcomes of shape \(1,\)"):
        fit_thresholds([0.1, 0.2], [0], ["a", "b"])
    with pytest.raises(BadData, match="row 1 has the group None, which is not text"):
        fit_thresholds([0.1, 0.2], [0, 1], ["a", None])  # type: ignore[list-item]
    with pytest.raises(BadOption, match=r"constraint=parity is not valid.*precision_parity"):
        fit_thresholds([0.1], [0], ["a"], constraint="parity")  # type: ignore[arg-type]
    with pytest.raises(BadOption, match="objective=f1"):
        fit_thresholds([0.1], [0], ["a"], objective="f1")  # type: ignore[arg-type]


def test_without_the_extra_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "evenhand.postprocessing.thresholds.find_spec",
        lambda name: None if name == "fairlearn" else real(name),
    )
    scores, labels, groups = drawn(900, 0)
    with pytest.raises(MissingExtra, match=r"evenhand\[fairness\]"):
        fit_thresholds(scores, labels, groups)
    assert fit_thresholds(scores, labels, groups, constraint="precision_parity").groups == ("a", "b", "c")
    with pytest.raises(MissingExtra):
        require_extra("equalized_odds")
    require_extra("precision_parity")
