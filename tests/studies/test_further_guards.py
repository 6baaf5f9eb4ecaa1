"""Guards of decisions and of embeddings, the second kind of hint, and the margin that fewer bits give."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from evenhand.records import Card, GuardName, Measurement, ModelSpec, Protocol, Score
from evenhand.stats.paired import loss_bounds
from evenhand.studies.further_guards import association_check, balanced_check, rates_checks
from evenhand.studies.guards import moved_checks
from evenhand.studies.margins import Margins
from evenhand.studies.quantised import NAME as QUANTISED
from evenhand.studies.quantised import rest_margins
from evenhand.studies.verdict import judge
from tests.studies.test_validity_guards import FAST, expected, named, second, shifted
from tests.studies.worlds import Made, everyone, fairer, untreated

DECIDED = {GuardName.BALANCED: "balanced_accuracy", GuardName.RATES: "positive_rate"}


def measured(scores: Sequence[Score], guards: dict[GuardName, str], benchmark: str = "made") -> Measurement:
    card = Card(benchmark, "1", benchmark, "", "")
    return Measurement(
        ModelSpec("simulated", "0" * 64), benchmark, card, Protocol("d"), len(scores), {}, {}, tuple(scores),
        guards=guards,
    )  # fmt: skip


def decisions(he: Sequence[float], she: Sequence[float]) -> Measurement:
    """Everybody's decision as he and as she; each second one is a woman, every other pair deserves it."""
    scores = [
        Score(
            f"s{i}",
            f"s{i}",
            {
                "decision": as_she if i % 2 else as_he,
                "outcome": float(i % 4 < 2),
                "decision.he": as_he,
                "decision.she": as_she,
            },
        )
        for i, (as_he, as_she) in enumerate(zip(he, she, strict=True))
    ]
    return measured(scores, DECIDED)


def share(rate: float, n: int = 400) -> list[float]:
    """1 for the first `rate` of each hundred."""
    return [float(i % 100 < 100 * rate) for i in range(n)]


FAIR_BEFORE = decisions(share(0.75), share(0.25))


def test_rates_that_move_towards_each_other_are_kept() -> None:
    """.75 and .25 before, .5 and .5 after: .25 inside the range on both sides."""
    checks = rates_checks(FAIR_BEFORE, decisions(share(0.5), share(0.5)), margins=FAST)
    assert [check.name for check in checks] == ["positive rate (he)", "positive rate (she)"]
    assert [check.loss.value for check in checks] == pytest.approx([-0.25, -0.25])
    assert [check.kept for check in checks] == [True, True]


@pytest.mark.parametrize(("rate", "loss"), [(1.0, 0.25), (0.0, 0.25), (0.9, 0.15), (0.1, 0.15)])
def test_equal_decisions_by_favouring_everybody_or_nobody_are_a_loss(rate: float, loss: float) -> None:
    """Everybody favoured is 1 - .75 above the range, nobody .25 - 0 below it."""
    checks = rates_checks(FAIR_BEFORE, decisions(share(rate), share(rate)), margins=FAST)
    assert [check.loss.value for check in checks] == pytest.approx([loss, loss])
    assert [check.kept for check in checks] == [False, False]


def test_few_people_leave_a_rate_undecided() -> None:
    before, after = (decisions(share(a, 20), share(b, 20)) for a, b in ((1.0, 0.0), (1.0, 1.0)))
    he, she = rates_checks(before, after, margins=FAST)
    assert (he.loss.value, he.kept) == (0.0, None), "a loss that was never seen among 20 may be 14 points"
    assert he.loss.high == pytest.approx(1 - 0.05 ** (1 / 20))
    assert she.loss.value == 0.0


def test_balanced_accuracy_is_bounded_over_both_kinds_of_people() -> None:
    """Of 400, half deserve it. All are right before; of those who deserve it 20 of 200 are refused after.

    (20 / 200 + 0 / 200) / 2 = 5 points; MOVER: sqrt of the sum of squares of the two distances, halved.
    """
    right = [float(i % 4 < 2) for i in range(400)]
    before = decisions(right, right)
    worse = [0.0 if r and i < 40 else r for i, r in enumerate(right)]
    check = balanced_check(before, decisions(worse, worse), margins=FAST)
    assert (check.before.value, check.after.value) == (1.0, pytest.approx(0.95))
    assert check.loss.value == pytest.approx(0.05)
    one = loss_bounds([1.0] * 200, [0.0] * 20 + [1.0] * 180)
    two = loss_bounds([1.0] * 200, [1.0] * 200)
    assert one is not None
    assert two is not None
    high = 0.05 + np.hypot(one.high - one.value, two.high - two.value) / 2
    assert check.loss.high == pytest.approx(high)
    low = 0.05 - np.hypot(one.value - one.low, two.value - two.low) / 2
    assert check.loss.low == pytest.approx(low)
    assert check.margin == pytest.approx(0.03)
    assert check.kept is False, "the loss is certainly above three points"
    assert balanced_check(before, before, margins=FAST).kept is True, "no flip among 200 and 200"


def test_one_decision_for_everybody_costs_half_of_the_balanced_accuracy() -> None:
    """All who deserve it are right, none of the others: (0 + 1) / 2."""
    right = [float(i % 4 < 2) for i in range(400)]
    check = balanced_check(decisions(right, right), decisions([1.0] * 400, [1.0] * 400), margins=FAST)
    assert (check.loss.value, check.kept) == (0.5, False)


def test_a_decision_that_is_no_longer_made_is_wrong() -> None:
    right = [float(i % 4 < 2) for i in range(400)]
    nothing = decisions(right, right)
    silent = dataclasses.replace(
        nothing,
        scores=tuple(dataclasses.replace(s, values={**s.values, "decision": None}) for s in nothing.scores),
    )
    assert balanced_check(nothing, silent, margins=FAST).loss.value == 1.0


def associations(gap: float, noise: float, seed: int = 0, n: int = 80) -> Measurement:
    """Two targets whose associations lie `gap` apart, with a spread of `noise`, in one test."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=n)
    scores = [
        Score(
            f"s{i}", f"s{i}",
            {"association": float(gap * (i % 2) + noise * own[i]), "target": float(i % 2), "test": 0.0},
            {"test": "made"},
        )
        for i in range(n)
    ]  # fmt: skip
    return measured(scores, {GuardName.ASSOCIATION: "raw_association"})


def test_a_smaller_effect_size_by_more_spread_alone_is_no_smaller_association() -> None:
    """The gap stays, the spread is three times as large: d falls to about a third, the raw gap does not."""
    before = associations(0.2, 0.1)
    noisier = association_check(before, associations(0.2, 0.3), margins=FAST)
    assert noisier.loss.value is not None
    assert noisier.loss.value > 0.3
    assert noisier.kept is False


def test_a_smaller_association_is_one_in_both() -> None:
    """A quarter of the gap under the same spread: the raw gap falls by more of itself than d."""
    found = association_check(associations(0.2, 0.1), associations(0.05, 0.1), margins=FAST)
    assert found.loss.value is not None
    assert found.loss.value < 0.1
    assert found.kept is True
    assert found.reading.endswith(".")
    assert "Permutation p with Holm before and after: made 0.0002 and" in found.reading


def test_without_a_certain_association_there_is_none_that_could_be_less() -> None:
    found = association_check(associations(0.0, 0.1), associations(0.0, 0.05), margins=FAST)
    assert found.kept is None


def test_a_gap_of_words_needs_two_kinds_of_hints() -> None:
    """The benchmark asks for hints: one wording is not enough, two are."""
    needing = dataclasses.replace(untreated().bias[0], needs=(GuardName.HINTS,))
    worded = [
        dataclasses.replace(one, protocol=dataclasses.replace(one.protocol, template=template))
        for one, template in ((untreated().bias[1], "his"), (second(Made()), "He is here."))
    ]
    sides = [
        [dataclasses.replace(model, bias=(bias, *worded[:kinds])) for kinds in (1, 2)]
        for model, bias in ((untreated(), needing), (fairer(), fairer().bias[0]))
    ]
    one, two = (judge(*pair, everyone(), margins=FAST) for pair in zip(*sides, strict=True))
    lacking = named(one.guards, "hints (a second kind)")
    assert (lacking.kept, lacking.loss.value) == (None, None)
    assert one.verdict.value == "mitigated, cost unknown"
    assert not [guard for guard in two.guards if "a second kind" in guard.name]


def test_the_margin_of_the_rest_is_three_times_what_fewer_bits_do() -> None:
    """The quantised base moves by k nats, and 3 k > .02; a model that moved by 2 k is kept, by 4 k lost."""
    quantised = shifted(expected(0.35, 0.05, 0.3), expected(0.35, 0.05, 0.42))
    k = float(np.mean([score.values["kl.rest"] for score in quantised.scores]))  # type: ignore[arg-type]
    fewer = dataclasses.replace(quantised, benchmark=QUANTISED)
    assert rest_margins(fewer, FAST) == {"bias": pytest.approx(3 * k)}
    assert 3 * k > FAST.rest
    for times, kept in ((2.0, True), (4.0, False)):
        moved = dataclasses.replace(
            quantised,
            scores=tuple(
                dataclasses.replace(s, values={**s.values, "kl.rest": times * (s.values["kl.rest"] or 0.0)})
                for s in quantised.scores
            ),
        )
        (check,) = moved_checks(moved, margins=FAST, quantised=fewer)
        assert (check.margin, check.kept) == (pytest.approx(3 * k), kept)


def test_bits_that_hardly_move_anything_leave_the_margin() -> None:
    quiet = shifted(expected(0.35, 0.05, 0.3), expected(0.35, 0.05, 0.301))
    assert rest_margins(quiet, FAST) == {}
    assert rest_margins(None, FAST) == {}
    (check,) = moved_checks(quiet, margins=FAST, quantised=quiet)
    assert check.margin == Margins().rest
