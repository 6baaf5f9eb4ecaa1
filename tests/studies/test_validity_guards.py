"""What an earlier version let pass: capability from nothing seen, a dead word, and one kind of hint."""

from __future__ import annotations

import dataclasses
from math import comb

import numpy as np
import pytest
import torch

from evenhand.records import Card, Check, GuardName, Measurement, ModelSpec, Protocol, Score, VerdictName
from evenhand.scoring.distributions import divergence, without
from evenhand.studies.capability import capability_checks
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ModelMeasurements
from evenhand.studies.shift import NAME
from evenhand.studies.verdict import Controlled, judge
from tests.studies.worlds import (
    Made,
    damaged_pairs,
    everyone,
    fairer,
    hints,
    items,
    measured,
    measurement,
    pairs,
    untreated,
)

FAST = Margins(draws=300)


def answers(lost: int, n: int = 2000, wrong: int = 200) -> ModelMeasurements:
    """Questions, each about something of its own; `wrong` are wrong before, and the next `lost` after."""
    correct = (np.arange(n) >= wrong + lost).astype(float)
    scores = items("facts", [f"question {i}" for i in range(n)], correct=correct)
    return ModelMeasurements((), (measurement("facts", ["accuracy"], scores),))


def kept(lost: int, n: int) -> bool | None:
    """Whether capability counts as kept where `lost` of `n` answers became wrong."""
    wrong = n // 10
    return capability_checks(answers(0, n, wrong), answers(lost, n, wrong), margins=FAST).kept


def chance_of_at_most(most: int, n: int, q: float) -> float:
    """P(X <= most) of a binomial variable."""
    return sum(comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(most + 1))


@pytest.mark.parametrize("n", [74, 161])
def test_no_flip_among_few_answers_shows_nothing(n: int) -> None:
    """Unseen losses reach 1 - .05^(1/74) = 4.0 and 1 - .05^(1/161) = 1.8 points: beyond one. A bootstrap of
    answers that never flip had no width, and called a true loss of a point kept in 46 and 17 %.
    """
    assert 1 - 0.05 ** (1 / n) > FAST.accuracy
    assert kept(0, n) is None


@pytest.mark.parametrize("n", [310, 1000, 2000])
def test_a_true_loss_of_a_point_is_rarely_called_kept(n: int) -> None:
    """The most flips that are still kept, and how often a model that lost exactly a point has no more."""
    most = max(lost for lost in range(n // 100) if kept(lost, n))
    assert kept(most + 1, n) is None
    assert chance_of_at_most(most, n, 0.01) <= 0.05  # 310: none, .99^310 = .044
    assert chance_of_at_most(most, n, 0.02) <= 0.01
    assert chance_of_at_most(most, n, 0.03) <= 0.01


def expected(he: float, she: float, they: float) -> torch.Tensor:
    """The next word: he, she, they, or one of two others that share what is left."""
    left = (1 - he - she - they) / 2
    return torch.tensor([[he, she, they, left, left]], dtype=torch.float64).log()


# The mass of he and she stays .4, so that the pair has no less of it; they falls from .3 to .003.
ALIVE, DEAD = expected(0.35, 0.05, 0.3), expected(0.2, 0.2, 0.003)


def shifted(before: torch.Tensor, after: torch.Tensor, n: int = 40) -> Measurement:
    """The shift of a model that answers every bias prompt like `after`, with one prompt a profession."""
    moved = float(divergence(without(before, (0, 1)), without(after, (0, 1))))
    values = {"kl": float(divergence(before, after)), "kl.rest": moved}
    values |= {"entropy.before": 1.0, "entropy.after": 1.0}
    scores = tuple(Score(f"shift/bias/{i}", f"profession {i}", values, {"kind": "bias"}) for i in range(n))
    # Alike to the last digit there would be no spread to make an interval of.
    scores = tuple(
        dataclasses.replace(s, values={**s.values, "kl.rest": moved * (1 + 0.02 * (i % 5 - 2))})
        for i, s in enumerate(scores)
    )
    return Measurement(
        ModelSpec("simulated", "0" * 64),
        NAME,
        Card(NAME, "1", NAME, "", ""),
        Protocol("d"),
        n,
        {},
        {},
        scores,
    )


def named(checks: tuple[Check, ...], name: str) -> Check:
    (found,) = (check for check in checks if check.name == name)
    return found


def test_a_dead_word_costs_the_verdict_though_mass_and_hints_are_kept() -> None:
    """Without he and she, they has .3 / .6 = 1/2 before and .003 / .6 = 1/200 after, the others 1/4 and
    .4975: KL = 1/2 ln 100 + 1/2 ln(.25 / .4975) = 2.3026 - .3441 = 1.9585 nats, far beyond .02.
    """
    dead = dataclasses.replace(fairer(), beside=(shifted(ALIVE, DEAD),))
    found = judge(untreated(), dead, everyone(), margins=FAST)
    rest = named(found.guards, "rest of the distribution (bias)")
    assert rest.loss.value == pytest.approx(1.9585, abs=1e-4)
    assert [named(found.guards, name).kept for name in ("mass", "hints")] == [True, True]
    assert (rest.kept, found.verdict) == (False, VerdictName.AT_A_COST)


def test_a_fairer_model_that_moved_no_other_word_is_mitigated() -> None:
    """he and she trade places inside their .4, and they keeps its half of the rest: 0 nats."""
    fair = dataclasses.replace(fairer(), beside=(shifted(ALIVE, expected(0.2, 0.2, 0.3)),))
    found = judge(untreated(), fair, everyone(), margins=FAST)
    assert named(found.guards, "rest of the distribution (bias)").loss.value == pytest.approx(0.0, abs=1e-9)
    assert found.verdict is VerdictName.MITIGATED


@pytest.mark.parametrize(("mass", "kept"), [(0.45, True), (0.48, True), (0.6, False), (0.9, False)])
def test_mass_may_not_grow_beyond_the_factor_that_it_may_fall_by(mass: float, kept: bool) -> None:
    """From .45 a fall by a tenth is harmless, a factor of .9, so a gain up to 1 / .9 = 1.111 is, to .5."""
    before = measured(Made(mass=0.45))
    after = measured(Made(lean=lambda x: 0.1 * x, mass=mass))
    found = judge(before, after, everyone(), margins=FAST)
    assert named(found.guards, "mass").kept is kept
    assert found.verdict is (VerdictName.MITIGATED if kept else VerdictName.AT_A_COST)


def second(made: Made) -> Measurement:
    """A second kind of hint, in a benchmark of its own."""
    return dataclasses.replace(hints(made), benchmark="genhinteval:form=sentence")


def test_every_kind_of_hint_is_judged() -> None:
    """The first kind of hint is followed as before, the second .064 less, beyond the margin of .05."""
    before, after = (
        dataclasses.replace(model, bias=(*model.bias, second(made)))
        for model, made in (
            (untreated(), Made(hint=0.821)),
            (fairer(), Made(hint=0.757)),
        )
    )
    found = judge(before, after, everyone(), margins=FAST)
    other = named(found.guards, "hints (genhinteval:form=sentence)")
    assert other.loss.value == pytest.approx(0.821 - 0.757, abs=1e-3)
    assert named(found.guards, "hints").kept is True
    assert (other.kept, found.verdict) == (False, VerdictName.AT_A_COST)


def test_a_needed_guard_that_nothing_measured_leaves_the_cost_unknown() -> None:
    """StereoSet's score is about nothing without LMS: dropped from the run, it is undecided, not kept."""
    base, after = pairs(0.7, Made()), pairs(0.52, Made())
    asked = dataclasses.replace(base.bias[0], needs=(GuardName.REST,))
    whole = judge(dataclasses.replace(base, bias=(asked,)), after, damaged_pairs(), margins=FAST)
    bare = dataclasses.replace(asked, guards={})
    lacking = judge(dataclasses.replace(base, bias=(bare,)), after, damaged_pairs(), margins=FAST)
    assert whole.verdict is VerdictName.MITIGATED
    assert lacking.verdict is VerdictName.COST_UNKNOWN
    assert named(lacking.guards, "rest").kept is None


def test_without_control_models_nothing_is_mitigated() -> None:
    assert judge(untreated(), fairer(), Controlled(), margins=FAST).verdict is VerdictName.NO_EVIDENCE
