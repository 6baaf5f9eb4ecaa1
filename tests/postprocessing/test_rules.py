"""Rules on scores: what they give by hand, chance that repeats, files that last, and bad input by row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evenhand.errors import BadData
from evenhand.postprocessing import Calibration, Rule, Thresholds, load_rule, save_rule
from evenhand.postprocessing.rules import ALWAYS, NEVER, Curve, Cut, Mixture, logit, sigmoid, uniform_draw

# Group a: favoured above 0.5, or with probability 0.25 above 0.2. Group b: with 0.4 nobody looks at the score
# and half are favoured, else those below 0.3 are.
RULE = Thresholds(
    ("a", "b"),
    (Mixture((Cut(0.75, 0.5), Cut(0.25, 0.2))), Mixture((Cut(1.0, 0.3, above=False),), 0.4, 0.5)),
    "equalized_odds",
    "accuracy",
    seed=3,
)
KNOTS = Curve(xs=(0.2, 0.6), ys=(0.1, 0.5))
CURVES = Calibration(("a", "b"), (Curve(0.5, 1.0), KNOTS), ("platt", "isotonic"))


def test_expected_decisions_by_hand() -> None:
    scores, groups = [0.9, 0.3, 0.1, 0.1, 0.9], ["a", "a", "a", "b", "b"]
    # a: 0.75 + 0.25; only the second cut; none. b: 0.4 * 0.5 + 0.6 * 1; 0.4 * 0.5.
    assert RULE.expected(scores, groups) == pytest.approx([1.0, 0.25, 0.0, 0.8, 0.2])


def test_calibrated_probabilities_by_hand() -> None:
    # logit(0.5) = 0, so the first is sigmoid(1) = 0.731; knots: half way between, and beyond the last.
    expected = [1 / (1 + np.exp(-1.0)), 0.3, 0.5, 0.1]
    assert CURVES.expected([0.5, 0.4, 0.9, 0.0], ["a", "b", "b", "b"]) == pytest.approx(expected)
    assert CURVES.decide([0.5, 0.4], ["a", "b"]).tolist() == [1, 0]


def test_the_ends_of_the_scale_are_decided_too() -> None:
    never, always = Mixture((Cut(1.0, NEVER),)), Mixture((Cut(1.0, ALWAYS),))
    rule = Thresholds(("a", "b"), (never, always), "demographic_parity", "accuracy")
    assert rule.decide([1.0, 0.0], ["a", "b"]).tolist() == [0, 1]


def test_chance_repeats_by_person_and_is_right_on_average() -> None:
    people = [f"person {i}" for i in range(4000)]
    scores, groups = [0.3] * 4000, ["a"] * 4000  # favoured with probability 0.25
    first = RULE.decide(scores, groups, people)
    backwards = RULE.decide(scores, groups, people[::-1])[::-1]
    assert first.tolist() == backwards.tolist()  # neither order nor company matters
    assert abs(first.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    other = Thresholds(RULE.groups, RULE.mixtures, RULE.constraint, RULE.objective, seed=4)
    assert (other.decide(scores, groups, people) != first).mean() > 0.3  # 2 * 0.25 * 0.75 = 0.375


def test_luck_is_uniform_below_one() -> None:
    values = np.array([uniform_draw(0, str(i)) for i in range(2000)])
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1
    assert abs(values.mean() - 0.5) < 0.03


def test_log_odds_and_back() -> None:
    scores = np.array([0.01, 0.5, 0.99])
    assert sigmoid(logit(scores)) == pytest.approx(scores)
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    assert sigmoid(np.array([-1e9, 1e9])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("rule", [RULE, CURVES])
def test_saved_and_loaded_rules_are_equal(rule: Rule, tmp_path: Path) -> None:
    save_rule(rule, tmp_path / "rule.json")
    assert load_rule(tmp_path / "rule.json") == rule


def _damage(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_damaged_files_say_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "rule.json"
    save_rule(RULE, path)
    whole = json.loads(path.read_text())
    with pytest.raises(BadData, match="cannot be read: No such file"):
        load_rule(tmp_path / "absent.json")
    with pytest.raises(BadData, match="damaged"):
        load_rule(_damage(path, path.read_text()[:-20]))
    with pytest.raises(BadData, match="it has no 'rule'"):
        load_rule(_damage(path, json.dumps({"format": whole["format"], "kind": "thresholds"})))
    whole["rule"]["mixtures"][0]["cuts"][0]["at"] = 0.1
    with pytest.raises(BadData, match="do not have the digest"):
        load_rule(_damage(path, json.dumps(whole)))
    with pytest.raises(BadData, match=r"rule\.json is not replaced: .* do not have the digest"):
        save_rule(RULE, path)
    assert json.loads(path.read_text()) == whole
    with pytest.raises(BadData, match="its format is 'x/1'"):
        load_rule(_damage(path, json.dumps({**whole, "format": "x/1"})))
    with pytest.raises(BadData, match="damaged"):
        load_rule(_damage(path, "[1]"))
    with pytest.raises(BadData, match="damaged: nested too deeply"):
        load_rule(_damage(path, "[" * 100_000))


def test_bad_rows_are_all_listed() -> None:
    with pytest.raises(BadData) as caught:
        RULE.expected([0.5, 1.5, float("nan"), -0.1], ["a", "a", "b", "z"])
    told = str(caught.value)
    assert "4 problems" in told
    assert "row 1 (the first is 0) has the score 1.5" in told
    assert "row 2 (the first is 0) has the score nan" in told
    assert "row 3 (the first is 0) has the score -0.1" in told
    assert "row 3 has the group 'z'" in told
    with pytest.raises(
        BadData, match="One problem with the people: row 1 has the group 0, which is not text"
    ):
        RULE.expected([0.5, 0.5], ["a", 0])  # type: ignore[list-item]
    assert "groups from: a, b" in told


def test_many_bad_rows_are_counted() -> None:
    with pytest.raises(BadData, match=r"20 problems .*; and 12 more"):
        RULE.expected([2.0] * 20, ["a"] * 20)


def test_unlike_lengths_and_shapes_are_refused() -> None:
    with pytest.raises(BadData, match="2 scores, 1 groups"):
        RULE.expected([0.1, 0.2], ["a"])
    with pytest.raises(BadData, match="2 scores, 1 people"):
        RULE.decide([0.1, 0.2], ["a", "a"], ["x"])
    with pytest.raises(BadData, match="shape"):
        RULE.expected([[0.1]], ["a"])


def test_a_rule_says_what_to_do_with_every_group() -> None:
    cut = Mixture((Cut(1.0, 0.5),))
    with pytest.raises(BadData, match="has 1 mixtures for the groups a, b"):
        Thresholds(("a", "b"), (cut,), "demographic_parity", "accuracy")
    with pytest.raises(BadData, match="has 2 curves for the groups a, a"):
        Calibration(("a", "a"), (Curve(), Curve()), ("platt", "platt"))
    with pytest.raises(BadData, match=r"shares of b sum to 0\.7"):
        Thresholds(("a", "b"), (cut, Mixture((Cut(0.7, 0.5),))), "demographic_parity", "accuracy")
    with pytest.raises(BadData, match="knots of a do not ascend"):
        Calibration(("a",), (Curve(xs=(0.5, 0.2), ys=(0.1, 0.3)),), ("isotonic",))


def test_rules_need_neither_torch_nor_fairlearn_nor_scipys_optimisers() -> None:
    heavy = ("torch", "fairlearn", "scipy.optimize")
    code = f"import sys, evenhand.postprocessing; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
