"""Capability: units, the scale C, the checks against their margins, and what a good base cannot show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest

from evenhand.errors import BadData, NotComparable, UsageError
from evenhand.records import Estimate, Measurement, Score
from evenhand.studies.capability import (
    ACCURACY,
    LOG_PERPLEXITY,
    CapabilityScale,
    capability_checks,
    component,
    item_sd,
    negated,
    unchanged,
    within,
)
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ModelMeasurements
from tests.studies.worlds import QUESTIONS, TEXTS, Made, bias, items, measured, measurement, texts, untreated

FAST = Margins(draws=400)


def asked(*correct: float | None) -> list[Score]:
    return items("facts", [f"q{i}" for i in range(len(correct))], correct=list(correct))


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
    expected = -(nll - base).mean() / base.std()
    alone = CapabilityScale(ModelMeasurements(untreated().bias, untreated().capability[1:]), FAST, seed=0)
    both = CapabilityScale(untreated(), FAST, seed=0)
    assert alone.of(worse)[0] == pytest.approx(expected)
    assert both.of(worse)[0] == pytest.approx(expected / 2)
    assert alone.tolerance == pytest.approx(0.02 / base.std())
    assert len(both.of(worse)) == 401
    assert both.of(untreated()) == pytest.approx(np.zeros(401))


def test_no_capability_benchmark_gives_an_undefined_scale() -> None:
    scale = CapabilityScale(ModelMeasurements(untreated().bias), FAST, seed=0)
    assert np.isnan(scale.of(untreated())).all()
    assert scale.tolerance == 0.0


def test_an_unchanged_model_keeps_everything() -> None:
    result = capability_checks(untreated(), untreated(), margins=FAST)
    assert result.kept is True
    facts, text = result.checks
    assert (facts.name, text.name) == ("accuracy (facts)", "log_perplexity (perplexity)")
    assert facts.loss.value == 0.0
    assert facts.loss.level == pytest.approx(0.9)  # each end is one-sided at 95 %
    # No flip among the n = 800 items: a loss is excluded beyond 1 - .05^(1/800) = 0.37 points.
    assert (facts.loss.n, facts.loss.method) == (800, "tango")
    assert facts.loss.high == pytest.approx(1 - 0.05 ** (1 / 800))
    # Every likelihood is the same to the last digit: there is no spread, and no interval, but one model.
    assert (text.loss.value, text.loss.low, text.loss.high) == (0.0, None, None)
    assert "exactly the likelihood" in text.reading


def test_74_answers_without_a_flip_decide_nothing_and_say_how_many_would() -> None:
    """1 - .05^(1/74) = 4.0 points may be lost unseen; one point needs log(.05) / log(.99) = 298.07: 299."""
    short = measurement("facts", ["accuracy"], untreated().capability[0].scores[:74])
    result = capability_checks(
        ModelMeasurements(untreated().bias, (short,)),
        ModelMeasurements(untreated().bias, (short,)),
        margins=FAST,
    )
    (check,) = result.checks
    assert (result.kept, check.kept) == (None, None)
    assert check.loss.high == pytest.approx(1 - 0.05 ** (1 / 74))
    assert "No answer changed" in check.reading
    assert check.reading.endswith("About 299 items would decide it.")
    lost = dataclasses.replace(short.scores[1], values={"correct": 0.0})
    fewer = measurement("facts", ["accuracy"], [short.scores[0], lost, *short.scores[2:]])
    (check,) = capability_checks(
        ModelMeasurements(untreated().bias, (short,)),
        ModelMeasurements(untreated().bias, (fewer,)),
        margins=FAST,
    ).checks
    assert check.kept is None
    assert "1 answers changed" not in check.reading
    assert "1 answer changed" in check.reading


def test_only_figures_that_are_no_answers_can_be_unchanged() -> None:
    scores, other = untreated().capability[1].scores, texts(Made(loss=0.01)).scores
    assert unchanged(LOG_PERPLEXITY, scores, scores)
    assert not unchanged(LOG_PERPLEXITY, scores, other)
    assert not unchanged(LOG_PERPLEXITY, [], [])
    assert not unchanged(ACCURACY, untreated().capability[0].scores, untreated().capability[0].scores)


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
    assert capability_checks(untreated(), measured(made), margins=FAST).kept is kept


def forgetful(benchmark: Measurement, lost: int) -> Measurement:
    """The measurement with so many of its right answers wrong."""
    right = [i for i, s in enumerate(benchmark.scores) if s.values["correct"] == 1][:lost]
    scores = [
        dataclasses.replace(s, values={**s.values, "correct": 0.0}) if i in right else s
        for i, s in enumerate(benchmark.scores)
    ]
    return measurement(benchmark.benchmark, ["accuracy"], scores)


@pytest.mark.parametrize(("lost", "kept"), [(2, True), (8, None), (30, False)])
def test_a_point_of_the_answers_decides(lost: int, kept: bool | None) -> None:
    """2 of 800 are .25 points, at most .79; 8 are 1 point, .55 to 1.8; 30 are 3.75, more than 2.8."""
    after = ModelMeasurements(
        untreated().bias, (forgetful(untreated().capability[0], lost), untreated().capability[1])
    )
    result = capability_checks(untreated(), after, margins=FAST)
    assert [check.kept for check in result.checks] == [kept, True]
    assert result.checks[0].loss.value == pytest.approx(lost / 800)
    assert result.kept is kept


def several(*correct: Sequence[float], shares: bool = False) -> ModelMeasurements:
    """Benchmarks of answers, each with a cluster of its own for each item."""
    made = []
    for name, values in zip(("lambada", "facts"), correct, strict=False):
        columns: dict[str, list[float]] = {"correct": list(values)}
        if shares:
            columns |= {
                "share__0": [0.9 if v else 0.4 for v in values],
                "share__1": [0.1 if v else 0.6 for v in values],
            }
        scores = items(name, [f"{name} {i}" for i in range(len(values))], **columns)
        made.append(dataclasses.replace(measurement(name, ["accuracy"], scores), role="capability"))
    return ModelMeasurements(untreated().bias, tuple(made))


def test_all_questions_together_have_a_point_and_each_benchmark_three() -> None:
    """16 lost of 400 and none of 1200: 4 points of the one, 1 of all 1600."""
    first, second = [1.0] * 360 + [0.0] * 40, [1.0] * 1000 + [0.0] * 200
    before, after = several(first, second), several([0.0] * 16 + first[16:], second)
    found = {check.name: check for check in capability_checks(before, after, margins=FAST).checks}
    assert list(found) == ["accuracy (all questions)", "accuracy (lambada)", "accuracy (facts)"]
    assert found["accuracy (all questions)"].loss.value == pytest.approx(16 / 1600)
    assert found["accuracy (all questions)"].margin == 0.01
    assert found["accuracy (lambada)"].loss.value == pytest.approx(0.04)
    assert [check.margin for check in found.values()][1:] == [0.03, 0.03]
    assert found["accuracy (lambada)"].kept is None  # 4 points, 2.7 at least
    assert found["accuracy (facts)"].kept is True


def test_benchmarks_with_other_numbers_of_options_are_one_whole() -> None:
    """One has two options, the other none: what they share is right or wrong."""
    two, none = several([1.0, 0.0] * 200, shares=True), several([], [1.0, 0.0, 1.0] * 200)
    both = ModelMeasurements(untreated().bias, (two.capability[0], none.capability[1]))
    found = {check.name: check for check in capability_checks(both, both, margins=FAST).checks}
    assert found["accuracy (all questions)"].loss.n == 1000
    assert found["accuracy (all questions)"].before.value == pytest.approx((200 + 400) / 1000)


def test_a_base_that_is_nearly_always_right_can_show_a_loss_and_not_its_absence() -> None:
    """99 % right, and nothing changed: undecided, unless the options show that nothing faded."""
    right = [1.0] * 990 + [0.0] * 10
    silent, spoken = several(right), several(right, shares=True)
    (check,) = capability_checks(silent, silent, margins=FAST).checks
    assert check.kept is None
    assert check.reading.endswith("a benchmark that can show a loss, not its absence.")
    accuracy, options = capability_checks(spoken, spoken, margins=FAST).checks
    assert (accuracy.kept, options.kept) == (True, True)
    assert "which the options show" in accuracy.reading
    worse = several([0.0] * 60 + right[60:], shares=True)
    accuracy, options = capability_checks(spoken, worse, margins=FAST).checks
    assert accuracy.kept is False


def test_options_fade_before_answers_change() -> None:
    """Every share from .9 to .7 is ln(9/7) .9 + ln(1/3) .1 = .116 nats, and no answer changes."""
    before = several([1.0] * 180 + [0.0] * 20, shares=True)
    faded = [
        dataclasses.replace(s, values={**s.values, "share.0": 0.7, "share.1": 0.3})
        if s.values["correct"]
        else s
        for s in before.capability[0].scores
    ]
    after = ModelMeasurements(untreated().bias, (measurement("lambada", ["accuracy"], faded),))
    accuracy, options = capability_checks(before, after, margins=FAST).checks
    assert accuracy.loss.value == 0.0
    assert options.name == "options (lambada)"
    assert options.loss.value == pytest.approx(0.9 * (0.9 * math.log(9 / 7) + 0.1 * math.log(1 / 3)))
    assert options.kept is False


def test_a_base_at_chance_has_nothing_to_lose_and_nothing_to_keep() -> None:
    """Half of two options right is what a guess gets: no check of it, and no part of the whole."""
    half = [1.0, 0.0] * 200
    columns = {"correct": half, "chance": [0.5] * 400}
    scores = items("facts", [f"q {i}" for i in range(400)], **columns)
    guessed = ModelMeasurements(untreated().bias, (measurement("facts", ["accuracy"], scores),))
    found = capability_checks(guessed, guessed, margins=FAST)
    assert (found.kept, found.checks) == (None, ())


def test_a_model_that_no_longer_decides_loses_all_accuracy() -> None:
    ties = measurement(
        "facts",
        ["accuracy"],
        items("facts", [f"question {i}" for i in range(QUESTIONS)], correct=[None] * QUESTIONS),
    )
    after = ModelMeasurements(untreated().bias, (ties, untreated().capability[1]))
    check = capability_checks(untreated(), after, margins=FAST).checks[0]
    assert check.after.value == 0.0
    assert check.kept is False


def test_no_check_is_not_kept() -> None:
    assert (
        capability_checks(
            ModelMeasurements(untreated().bias), ModelMeasurements(untreated().bias), margins=FAST
        ).kept
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
        capability_checks(untreated(), ModelMeasurements(untreated().bias), margins=FAST)
