"""Control models look by look: where they stand, when there are enough, and that no bias chooses any."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from evenhand.controls import Ladder
from evenhand.errors import NoEffect
from evenhand.records import ControlResult, Value
from evenhand.studies.looks import SPREAD, Search, look, settled
from evenhand.studies.matching import LOOKS, Family, Target, read_family
from evenhand.studies.pairing import ControlModel, ModelMeasurements

TARGET = Target(0.4, 0.1, 0.0, 0.06, False, 0.1, 0.04, 100)
LADDER = Ladder("a", start=0.01, lowest=0.0, highest=100.0)
NUMBERS = tuple(number for number, _ in LOOKS)


@dataclass
class Bench:
    """A family whose size is `gain` times the dose and whose loss is half of that; notes what is made."""

    gain: float = 0.2
    probes: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)

    def search(self, ladder: Ladder = LADDER, target: Target = TARGET, *, by_recipe: bool = False) -> Search:
        def size(dose: float, seed: int) -> Value:
            self.probes.append(dose)
            return self.gain * dose

        def measured(dose: float, seed: int) -> tuple[ModelMeasurements, Value]:
            self.made.append(dose)
            return ModelMeasurements(()), self.gain * dose

        def loss(_: ModelMeasurements) -> float:
            return self.gain * self.made[-1] / 2

        return Search("sham", ladder, target, by_recipe, 7, size, measured, loss)


def test_the_first_model_is_placed_by_sizes_alone() -> None:
    """From .01, whose size .002 is 50 times too small, by at most tenfold steps to .5: .01, .1, .5."""
    bench = Bench()
    search = bench.search()
    search.reach(1, lambda _: None)
    assert bench.probes == pytest.approx([0.01, 0.1, 0.5])
    assert bench.made == pytest.approx([0.5])


def test_models_stand_around_the_dose_of_equal_size_each_with_its_own_seed() -> None:
    """Size .1 is that of dose .5."""
    bench = Bench()
    search = bench.search()
    search.reach(6, lambda _: None)
    assert bench.made[1:] == pytest.approx([0.5 * factor for factor in SPREAD[1:6]], rel=0.02)
    assert [model.seed for model in search.models] == [8, 9, 10, 11, 12, 13]
    assert [model.size for model in search.models] == pytest.approx([0.2 * dose for dose in bench.made])


def test_a_loss_beyond_the_doses_tried_is_gone_after_and_then_let_be() -> None:
    """The wanted loss of .2 is that of dose 2, four times the dose of equal size, .5, and can be reached."""
    lost = dataclasses.replace(TARGET, loss=0.2, loss_upper=0.25, lost=True)
    bench = Bench()
    search = bench.search(target=lost)
    search.reach(6, lambda _: None)
    assert max(bench.made) >= 2.0
    assert sum(1.0 <= dose <= 4.0 for dose in bench.made) >= 4
    # A ladder that ends at .7 cannot reach it: then most models stand at the size.
    short = Bench()
    search = short.search(dataclasses.replace(LADDER, highest=0.7), lost)
    search.reach(6, lambda _: None)
    assert sum(0.25 <= dose <= 0.7 for dose in short.made) == 6


def test_the_spread_is_that_of_the_rule() -> None:
    assert (min(SPREAD), max(SPREAD), len(SPREAD)) == (0.75, 1.35, LOOKS[-1][0])
    assert len(set(SPREAD)) == len(SPREAD)


def test_doses_stay_within_the_ladder_and_a_family_too_weak_is_left() -> None:
    """At most .1, whose size is .02: less than half of .1, so one model shows it and no more are made."""
    bench = Bench()
    search = bench.search(dataclasses.replace(LADDER, highest=0.1))
    search.reach(6, lambda _: None)
    assert bench.made == [0.1]
    assert search.inert


def test_a_family_by_recipe_has_one_dose() -> None:
    bench = Bench()
    search = bench.search(by_recipe=True)
    search.reach(6, lambda _: None)
    assert bench.made == [1.0] * 6
    assert bench.probes == []
    assert all(model.by_recipe for model in search.models)


def test_a_family_that_cannot_be_made_says_why_and_is_left() -> None:
    bench = Bench()

    def broken(dose: float, seed: int) -> tuple[ModelMeasurements, Value]:
        raise NoEffect("No answer changed.", mend="")

    search = dataclasses.replace(bench.search(), measured_at=broken)
    search.reach(6, lambda _: None)
    assert (search.models, search.failed) == ([], "No answer changed.")


def test_when_the_time_is_spent_no_further_model_is_begun() -> None:
    bench = Bench()
    search = dataclasses.replace(bench.search(), over=lambda: len(bench.made) >= 2)
    search.reach(6, lambda _: None)
    assert len(bench.made) == len(search.models) == 2
    assert search.failed == "the time for control models was spent."


def _result(p: Value, limit: float = 0.025, *, matched: bool = True) -> ControlResult:
    made = read_family(TARGET, _even())
    one = dataclasses.replace(made, p_value=p, p_limit=limit, matched=matched)
    return ControlResult("afgb", False, 0.04, one.specific, 0.0, 0.0, (one,), p, None)


def _even() -> Family:
    doses = np.linspace(0.8, 1.2, 6)
    return Family("f", doses, np.arange(6), doses / 20, doses / 10, np.full(6, 0.35), np.ones(6))


@pytest.mark.parametrize(
    ("p", "matched", "over"),
    [(0.01, True, True), (0.025, True, True), (0.1, True, False), (0.31, True, True), (None, False, False)],
)
def test_when_more_models_would_change_nothing(p: Value, matched: bool, over: bool) -> None:
    """Shown, shown at the very limit, open, without hope, not matched yet."""
    assert settled(_result(p, matched=matched)) is over


@pytest.mark.parametrize(("shown_at", "models"), [(6, 6), (9, 9), (13, 13), (99, 13)])
def test_looks_end_when_it_is_shown(shown_at: int, models: int) -> None:
    bench = Bench()
    search = bench.search()
    read = _reader(search, shown_at)
    assert look([search], NUMBERS, read) is not None
    assert len(search.models) == models


def _reader(search: Search, shown_at: int) -> Callable[[], ControlResult]:
    return lambda: _result(0.01 if len(search.models) >= shown_at else 0.1)


def test_no_look_makes_no_model() -> None:
    bench = Bench()
    assert look([bench.search()], (), lambda: _result(0.01)) is None
    assert bench.made == []


def _models(doses: Sequence[float], gain: float = 0.2) -> list[ControlModel]:
    return [ControlModel(dose, 20 + i, ModelMeasurements(()), gain * dose) for i, dose in enumerate(doses)]


def test_models_of_another_treated_model_are_taken_where_they_stand_near() -> None:
    """Size .1 is that of dose .5: .26 to .99 lie within a factor of two of it, .2 and 1.5 do not."""
    bench = Bench()
    search = bench.search()
    bench.made.append(0.0)  # what the loss is read from: none of them lost anything
    search.adopt(_models([0.2, 0.26, 0.5, 0.99, 1.5]))
    assert [model.dose for model in search.models] == [0.26, 0.5, 0.99]
    assert search.losses == [0.0] * 3
    search.reach(6, lambda _: None)
    assert len(bench.made) == 1 + 3, "three more, not six"
    assert [model.seed for model in search.models] == [21, 22, 23, 24, 25, 26], "each with a seed of its own"


def test_models_that_were_changed_far_less_are_not_taken() -> None:
    """Their largest size is .02, and g* would be 5 times further: the family goes after it by itself."""
    bench = Bench()
    search = bench.search()
    bench.made.append(0.0)
    search.adopt(_models([0.05, 0.1]))
    assert search.models == []
    search.reach(6, lambda _: None)
    assert [model.seed for model in search.models] == [8, 9, 10, 11, 12, 13]


def test_models_without_a_dose_are_all_taken() -> None:
    bench = Bench()
    search = bench.search(by_recipe=True)
    bench.made.append(0.0)
    search.adopt(_models([1.0, 1.0, 1.0]))
    assert len(search.models) == 3
