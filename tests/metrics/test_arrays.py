"""Arrays from outside: every function of `evenhand.metrics` that takes some refuses what is none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from evenhand.errors import BadData
from evenhand.metrics import columns, weighted_mean
from evenhand.metrics._arrays import groups
from evenhand.metrics.associations import associations, effect_size, permutation_p
from evenhand.metrics.bbq import bbq_ambiguous
from evenhand.metrics.calibration import calibration_error, calibration_gap
from evenhand.metrics.counterfactual import (
    counterfactual_deo_sum,
    counterfactual_dpd,
    counterfactual_gap,
    counterfactual_gap_signed,
    flip_rate,
)
from evenhand.metrics.decisions import chance, decision_accuracy, majority_rate
from evenhand.metrics.gaps import afgb, afgb_normalised, afgb_range, afgb_signed, mass
from evenhand.metrics.group_fairness import (
    deo_max,
    deo_mean,
    deo_sum,
    disparate_impact,
    dpd,
    equal_opportunity,
    error_gap,
)
from evenhand.metrics.hints import ub
from evenhand.metrics.likelihoods import perplexity
from evenhand.records import Score

GROUPED = (dpd, deo_sum, deo_max, deo_mean, equal_opportunity, disparate_impact, error_gap)
OF_P = (afgb, afgb_normalised, afgb_range, afgb_signed, counterfactual_gap, counterfactual_gap_signed, mass)
Y, DECIDED, GROUP = [1, 0, 1, 0], [1, 1, 0, 0], ["a", "a", "b", "b"]
P = [[0.6, 0.2], [0.1, 0.5], [0.3, 0.3]]
NAN, INF = math.nan, math.inf
ONES = [[1.0, 1.0, 1.0]]


def put(values: Sequence[Any], place: int, value: Any) -> list[Any]:
    return [*values[:place], value, *values[place + 1 :]]


def refused(says: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    with pytest.raises(BadData, match=re.escape(says)) as caught:
        call(*arguments, **named)
    assert caught.value.mend


@pytest.mark.parametrize("figure", GROUPED)
def test_figures_over_groups(figure: Callable[..., Any]) -> None:
    assert figure(Y, DECIDED, GROUP) is not None
    refused("4 groups but 3 of decision", figure, Y, DECIDED[:3], GROUP)
    refused("4 groups but 5 of outcome", figure, [*Y, 1], DECIDED, GROUP)
    refused("decisions hold None at position 2", figure, Y, put(DECIDED, 2, None), GROUP)
    refused("decisions hold '1' at position 0", figure, Y, put(DECIDED, 0, "1"), GROUP)
    refused("decisions hold 0.5 at position 3", figure, Y, put(DECIDED, 3, 0.5), GROUP)
    refused("decisions hold inf at position 3", figure, Y, put(DECIDED, 3, INF), GROUP)
    refused("outcomes hold None at position 1", figure, put(Y, 1, None), DECIDED, GROUP)
    refused("outcomes hold nan at position 1", figure, put(Y, 1, NAN), DECIDED, GROUP)
    refused("outcomes hold 2 at position 1", figure, put(Y, 1, 2), DECIDED, GROUP)
    refused("groups hold nan at position 3", figure, Y, DECIDED, put(GROUP, 3, NAN))
    refused("groups hold None at position 3", figure, Y, DECIDED, put(GROUP, 3, None))
    refused("groups hold nan at position 0", figure, Y, DECIDED, [NAN, 1.0, 2.0, 1.0])
    refused("groups hold 7 at position 2", figure, Y, DECIDED, put(GROUP, 2, 7))
    refused("groups have 2 dimensions", figure, Y, DECIDED, [["a"], ["b"], ["a"], ["b"]])
    refused("decisions have 2 dimensions", figure, Y, [[1], [1], [0], [0]], GROUP)
    refused("rows of different lengths", figure, Y, [[1], [1, 0], [0], [0]], GROUP)
    check_weights(lambda w: figure(Y, DECIDED, GROUP, weights=w))


def check_weights(figure: Callable[[Any], Any]) -> None:
    refused("weights hold -1 at position 1", figure, [1, -1, 1, 1])
    refused("weights hold nan at position 1", figure, [1, NAN, 1, 1])
    refused("weights hold inf at position 2", figure, [1, 1, INF, 1])
    refused("weights hold None at position 0", figure, [None, 1, 1, 1])
    refused("4 entries but 2 of weights", figure, [1, 1])
    refused("weights are all 0", figure, [0, 0, 0, 0])


def test_figures_without_groups() -> None:
    assert (chance(Y, DECIDED), decision_accuracy(Y, DECIDED), majority_rate(Y)) == (0.5, 0.5, 0.5)
    for figure in (chance, decision_accuracy):
        refused("3 people but 4 of outcome", figure, Y, DECIDED[:3])
        refused("decisions hold 'yes' at position 1", figure, Y, put(DECIDED, 1, "yes"))
        refused("outcomes hold nan at position 0", figure, put(Y, 0, NAN), DECIDED)
        check_weights(lambda w, figure=figure: figure(Y, DECIDED, weights=w))
    refused("outcomes hold 3 at position 0", majority_rate, put(Y, 0, 3))
    refused("outcomes hold None", majority_rate, None)
    check_weights(lambda w: majority_rate(Y, weights=w))


def test_probabilities_of_decisions() -> None:
    p = [0.1, 0.2, 0.7, 1.0]
    assert calibration_gap(Y, p, GROUP) is not None
    for value, shown in ((1.2, "1.2"), (-0.1, "-0.1"), (INF, "inf"), (None, "None"), ("0.3", "'0.3'")):
        refused(f"probabilities hold {shown} at position 2", calibration_gap, Y, put(p, 2, value), GROUP)
    assert calibration_gap(Y, put(p, 3, 1 + 1e-9), GROUP) == pytest.approx(
        calibration_gap(Y, p, GROUP), abs=1e-8
    )
    refused("4 groups but 3 of probability", calibration_gap, Y, p[:3], GROUP)
    refused("hold 1.5 at position 0", calibration_error, [1.5], [1], [[1.0]])
    refused("hold nan at position 0", calibration_error, [0.5], [NAN], [[1.0]])
    refused("1 probabilities but 2 of outcome", calibration_error, [0.5], [1, 0], [[1.0]])


def test_counterfactual_decisions() -> None:
    twins = [[1, 1], [1, 0], [1, 0], [0, 0]]
    for figure in (
        counterfactual_dpd,
        flip_rate,
        lambda d: counterfactual_deo_sum(Y, d),
    ):
        refused("decisions hold 2 at position 1, 0", figure, put(twins, 1, [2, 0]))
        refused("decisions hold None at position 0, 1", figure, put(twins, 0, [1, None]))
        refused("decisions have 1 dimension", figure, [1, 0, 1, 0])
        refused("rows of different lengths", figure, put(twins, 0, [1]))
    check_weights(lambda w: counterfactual_dpd(twins, weights=w))
    assert counterfactual_dpd([]) is None
    refused("0 people but 4 of outcome", counterfactual_deo_sum, Y, [])
    refused("4 people but 3 of outcome", counterfactual_deo_sum, Y[:3], twins)


@pytest.mark.parametrize("figure", [*OF_P, lambda p: ub(p, [0, 1, 0][: len(p)])])
def test_probabilities_of_groups(figure: Callable[..., Any]) -> None:
    assert len(figure(P)) == 3
    assert np.isnan(figure(put(P, 1, [NAN, 0.5]))[1])
    assert len(figure([])) == 0
    for value, shown in ((1.5, "1.5"), (-0.5, "-0.5"), (None, "None"), ("0.1", "'0.1'"), (-INF, "-inf")):
        refused(f"probabilities hold {shown} at position 1, 0", figure, put(P, 1, [value, 0.5]))
    refused("rows of different lengths", figure, put(P, 1, [0.5]))


def test_one_row_of_probabilities_is_no_table() -> None:
    for figure in OF_P:
        refused("probabilities have 1 dimension, not 2", figure, [0.6, 0.2])


def test_hints() -> None:
    refused("3 items but 2 of hint", ub, P, [0, 1])
    refused("hints hold 2 at position 1", ub, P, [0, 2, 1])
    refused("hints hold 'he' at position 0", ub, P, ["he", 1, 1])
    refused("hints hold None at position 0", ub, P, [None, 1, 1])


def test_likelihoods() -> None:
    nll, tokens = [4.0, 2.0, 1.0], [1, 3, 2]
    refused("3 texts but 2 of tokens", perplexity, nll, tokens[:2], ONES)
    refused("likelihoods hold -2 at position 1", perplexity, put(nll, 1, -2.0), tokens, ONES)
    refused("likelihoods hold -inf at position 1", perplexity, put(nll, 1, -INF), tokens, ONES)
    refused("likelihoods hold None at position 0", perplexity, put(nll, 0, None), tokens, ONES)
    refused("tokens hold -1 at position 0", perplexity, nll, put(tokens, 0, -1), ONES)
    refused("weights hold -1 at position 0, 2", perplexity, nll, tokens, [[1, 1, -1]])
    refused("weights have 1 dimension, not 2", perplexity, nll, tokens, [1, 1, 1])
    refused("3 entries but 2 of weights", perplexity, nll, tokens, [[1, 1]])


def test_answers_and_means() -> None:
    refused("correct answers hold 2 at position 0", bbq_ambiguous, [2, 1, 0], [1, 0, NAN], ONES)
    refused("3 correct answers but 2 of biased", bbq_ambiguous, [0, 1, 0], [1, 0], ONES)
    refused("weights hold -1 at position 0, 0", bbq_ambiguous, [0, 1], [1, 0], [[-1, 1]])
    refused("values hold 'a' at position 1", weighted_mean, [1, "a", 2], ONES)
    refused("3 entries but 4 of weights", weighted_mean, [1, 2, 3], [[1, 1, 1, 1]])
    refused("weights hold -2 at position 0, 1", weighted_mean, [1, 2, 3], [[1, -2, 1]])
    scores = [Score(name, "c", {"afgb": value}) for name, value in (("a", 0.5), ("b", "0.5"))]
    refused("values of afgb hold '0.5' at position 1", columns, scores)


def test_vectors_and_associations() -> None:
    refused("hold None at position 0, 1", associations, [[1, None]], [[1, 0]], [[0, 1]])
    refused("hold 'x' at position 0, 1", associations, [[1, "x"]], [[1, 0]], [[0, 1]])
    refused("2; 3 entries", associations, [[1, 0, 0]], [[1, 0]], [[0, 1]])
    refused("rows of different lengths", associations, [[1, 0], [1]], [[1, 0]], [[0, 1]])
    assert np.isnan(associations([[1, 0]], [], [[0, 1]])).all()
    refused("associations hold None at position 1", effect_size, [1, None], [0.5])
    refused("associations hold '1' at position 0", permutation_p, ["1"], [0.5])


def test_labels_of_groups_of_any_one_kind() -> None:
    assert groups(["b", "a", "b"])[0].tolist() == ["a", "b"]
    assert groups(["b", "a", "b"])[1].tolist() == [1, 0, 1]
    assert groups([True, False])[0].tolist() == [False, True]
    assert groups(np.array([2.5, 1.5]))[0].tolist() == [1.5, 2.5]
    assert groups([])[0].tolist() == []
    assert groups(np.array(["nan", "a"]))[0].tolist() == ["a", "nan"], "a text that somebody wrote"
    pandas = pytest.importorskip("pandas")
    assert groups(pandas.Series(["x", "y"], dtype="category"))[0].tolist() == ["x", "y"]
    for missing in (None, pandas.NA, pandas.NaT, NAN):
        with pytest.raises(BadData, match="at position 1"):
            groups(pandas.Series(["x", missing, "y"], dtype=object))


def test_what_a_mask_hides_is_not_used() -> None:
    for place in range(3):
        given = [np.ma.array(values) for values in (Y, DECIDED, GROUP)]
        given[place][1] = np.ma.masked
        refused("have masked entries", dpd, *given)
    assert dpd(*(np.ma.array(values) for values in (Y, DECIDED, GROUP))) == dpd(Y, DECIDED, GROUP)


def test_a_mistake_is_found_before_anything_is_said_about_nobody() -> None:
    for figure in GROUPED:
        assert figure([], [], []) is None
        refused("0 groups but 1 of decision", figure, [], [1], [])
