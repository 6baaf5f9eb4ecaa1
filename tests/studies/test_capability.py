"""Ability: halves, units, the scale C, and the checks against their margins."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numpy as np
import pytest

from evenhand.errors import BadData, NotComparable, UsageError
from evenhand.records import Estimate, Score
from evenhand.studies.capability import (
    ACCURACY,
    LOG_PERPLEXITY,
    CapabilityScale,
    capability_checks,
    component,
    half,
    item_sd,
    negated,
    unchanged,
    within,
)
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ModelMeasurements
from tests.studies.worlds import QUESTIONS, TEXTS, Made, bias, items, measured, measurement, questions, texts

FAST = Margins(draws=400)
BASE = measured(Made())


def asked(*correct: float | None) -> list[Score]:
    return items("facts", [f"q{i}" for i in range(len(correct))], correct=list(correct))


def test_halves_are_disjoint_complete_and_decided_by_the_id_alone() -> None:
    scores = questions(Made()).scores
    match, report = half(scores, "match"), half(scores, "report")
    assert {s.sample for s in match} | {s.sample for s in report} == {s.sample for s in scores}
    assert not {s.sample for s in match} & {s.sample for s in report}
    assert half(scores[::-1], "match") == match[::-1]
    assert half(scores, "all") == list(scores)
    # About half of 800: 5 standard deviations of a fair coin are 5 * sqrt(800) / 2 = 71.
    assert abs(len(match) - 400) < 71
    even = hashlib.sha256(match[0].sample.encode()).digest()[0] % 2
    assert even == 0


def test_accuracy_counts_a_tie_as_not_right() -> None:
    # 2 right, 1 wrong, 1 tie: 2 / 4, where the plain metric would say 2 / 3.
    assert ACCURACY.value(asked(1, 1, 0, None)) == 0.5


def test_log_perplexity_is_a_ratio_of_sums() -> None:
    scores = items("perplexity", ["a", "b", "c"], nll=[2.0, 30.0, None], tokens=[1.0, 9.0, 5.0])
    assert LOG_PERPLEXITY.value(scores) == pytest.approx(32 / 10)


def test_unit_of_accuracy_never_vanishes() -> None:
    # 3 of 4 right: rate 4/6, SD sqrt(4/6 * 2/6); 4 of 4 right: rate 5/6.
    assert item_sd(ACCURACY, asked(1, 1, 1, 0)) == pytest.approx(math.sqrt(8) / 6)
    assert item_sd(ACCURACY, asked(1, 1, 1, 1)) == pytest.approx(math.sqrt(5) / 6)


def test_unit_of_log_perplexity_is_weighted_by_tokens() -> None:
    # Means 1 and 3 nats with 1 and 3 tokens: centre 2.5, variance (1 * 2.25 + 3 * 0.25) / 4 = 0.75.
    scores = items("perplexity", ["a", "b"], nll=[1.0, 9.0], tokens=[1.0, 3.0])
    assert item_sd(LOG_PERPLEXITY, scores) == pytest.approx(math.sqrt(0.75))
    with pytest.raises(BadData, match="too few"):
        item_sd(LOG_PERPLEXITY, scores[:1])
    with pytest.raises(BadData, match="too few"):
        item_sd(LOG_PERPLEXITY, [])


def test_scale_by_hand() -> None:
    """C of a model that lost x nats on every text is -x / SD; averaging with an equal accuracy halves it."""
    worse = measured(Made(loss=0.2))
    nll = np.array([s.values["nll"] for s in texts(Made(loss=0.2)).scores]) / 10
    base = np.linspace(1.5, 2.5, TEXTS)
    matched = np.array([hashlib.sha256(s.sample.encode()).digest()[0] % 2 == 0 for s in texts(Made()).scores])
    expected = -(nll - base)[matched].mean() / base[matched].std()
    alone = CapabilityScale(ModelMeasurements(BASE.bias, BASE.capability[1:]), FAST, seed=0)
    both = CapabilityScale(BASE, FAST, seed=0)
    assert alone.of(worse)[0] == pytest.approx(expected)
    assert both.of(worse)[0] == pytest.approx(expected / 2)
    assert alone.tolerance == pytest.approx(0.02 / base[matched].std())
    assert len(both.of(worse)) == 401
    assert both.of(BASE) == pytest.approx(np.zeros(401))


def test_no_capability_benchmark_gives_an_undefined_scale() -> None:
    scale = CapabilityScale(ModelMeasurements(BASE.bias), FAST, seed=0)
    assert np.isnan(scale.of(BASE)).all()
    assert scale.tolerance == 0.0


def test_an_unchanged_model_keeps_everything() -> None:
    result = capability_checks(BASE, BASE, margins=FAST)
    assert result.kept is True
    facts, text = result.checks
    assert (facts.name, text.name) == ("accuracy (facts)", "log_perplexity (perplexity)")
    assert facts.loss.value == 0.0
    assert facts.loss.level == pytest.approx(0.9)  # each end is one-sided at 95 %
    # No flip among the n = 405 items of the half: a loss is excluded beyond 1 - .05^(1/405) = 0.74 points.
    assert (facts.loss.n, facts.loss.method) == (405, "tango")
    assert facts.loss.high == pytest.approx(1 - 0.05 ** (1 / 405))
    # Every likelihood is the same to the last digit: there is no spread, and no interval, but one model.
    assert (text.loss.value, text.loss.low, text.loss.high) == (0.0, None, None)
    assert "exactly the likelihood" in text.reading


def test_74_answers_without_a_flip_decide_nothing_and_say_how_many_would() -> None:
    """1 - .05^(1/74) = 4.0 points may be lost unseen; one point needs log(.05) / log(.99) = 298.07: 299."""
    short = measurement("facts", ["accuracy"], BASE.capability[0].scores[:74])
    result = capability_checks(
        ModelMeasurements(BASE.bias, (short,)),
        ModelMeasurements(BASE.bias, (short,)),
        margins=FAST,
        part="all",
    )
    (check,) = result.checks
    assert (result.kept, check.kept) == (None, None)
    assert check.loss.high == pytest.approx(1 - 0.05 ** (1 / 74))
    assert "No answer changed" in check.reading
    assert check.reading.endswith("About 299 items would decide it.")
    lost = dataclasses.replace(short.scores[1], values={"correct": 0.0})
    fewer = measurement("facts", ["accuracy"], [short.scores[0], lost, *short.scores[2:]])
    (check,) = capability_checks(
        ModelMeasurements(BASE.bias, (short,)),
        ModelMeasurements(BASE.bias, (fewer,)),
        margins=FAST,
        part="all",
    ).checks
    assert check.kept is None
    assert "1 answers changed" not in check.reading
    assert "1 answer changed" in check.reading


def test_only_figures_that_are_no_answers_can_be_unchanged() -> None:
    scores, other = BASE.capability[1].scores, texts(Made(loss=0.01)).scores
    assert unchanged(LOG_PERPLEXITY, scores, scores)
    assert not unchanged(LOG_PERPLEXITY, scores, other)
    assert not unchanged(LOG_PERPLEXITY, [], [])
    assert not unchanged(ACCURACY, BASE.capability[0].scores, BASE.capability[0].scores)


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (Made(forgets=0.5), False),
        (Made(loss=0.1), False),
        (Made(loss=0.015), True),  # every text loses about 0.015, within 0.02
        (Made(loss=-0.1), True),  # better than before
    ],
)
def test_checks_decide(made: Made, kept: bool) -> None:
    assert capability_checks(BASE, measured(made), margins=FAST).kept is kept


def test_a_few_changed_answers_leave_it_undecided() -> None:
    """One answer of 405 lost is a quarter of a point, but a loss of 1.2 points is not excluded."""
    scores = list(BASE.capability[0].scores)
    lost = next(i for i, s in enumerate(scores) if s in half(scores, "report") and s.values["correct"] == 1)
    scores[lost] = dataclasses.replace(scores[lost], values={"correct": 0.0})
    after = ModelMeasurements(BASE.bias, (measurement("facts", ["accuracy"], scores), BASE.capability[1]))
    result = capability_checks(BASE, after, margins=FAST)
    assert [check.kept for check in result.checks] == [None, True]
    assert result.kept is None
    everything = capability_checks(BASE, after, margins=FAST, part="all")
    assert everything.checks[0].loss.value == pytest.approx(1 / 800)


def test_a_model_that_no_longer_decides_loses_all_accuracy() -> None:
    ties = measurement(
        "facts",
        ["accuracy"],
        items("facts", [f"question {i}" for i in range(QUESTIONS)], correct=[None] * QUESTIONS),
    )
    after = ModelMeasurements(BASE.bias, (ties, BASE.capability[1]))
    check = capability_checks(BASE, after, margins=FAST).checks[0]
    assert check.after.value == 0.0
    assert check.kept is False


def test_no_check_is_not_kept() -> None:
    assert (
        capability_checks(ModelMeasurements(BASE.bias), ModelMeasurements(BASE.bias), margins=FAST).kept
        is None
    )


def test_negation_and_limits() -> None:
    loss = negated(Estimate(-0.02, -0.03, 0.0, 9))
    assert (loss.value, loss.low, loss.high) == (0.02, 0.0, 0.03)
    assert within(loss, 0.03) is True
    assert within(loss, 0.02) is None
    assert within(Estimate(0.2, 0.1, 0.3, 9), 0.05) is False
    assert within(Estimate(None, None, None, 0), 0.05) is None
    assert negated(Estimate(None, None, None, 0)).value is None


def test_refusals() -> None:
    with pytest.raises(UsageError, match="neither answers"):
        component(bias(Made()))
    with pytest.raises(NotComparable, match="one model only"):
        capability_checks(BASE, ModelMeasurements(BASE.bias), margins=FAST)
    short = measurement(
        "facts",
        ["accuracy"],
        [s for s in BASE.capability[0].scores if s not in half(BASE.capability[0].scores, "match")][:3],
    )
    with pytest.raises(BadData, match="too few items"):
        CapabilityScale(ModelMeasurements(BASE.bias, (short,)), FAST, seed=0)
