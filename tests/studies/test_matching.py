"""Where a family is read, and what it shows there: arrays whose answers are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evenhand.metrics import Array
from evenhand.studies.matching import (
    LOOKS,
    Family,
    Target,
    detectable,
    dose_of_loss,
    dose_of_size,
    limit,
    non_decreasing,
    place_of,
    read_family,
)
from tests.studies.simulated import family, share_claimed

DOSES = np.array([0.6, 0.75, 0.9, 1.0, 1.2, 1.35])
# Base .4, treated .1 with the size of dose 1 (.1), no loss, up to .06 of it possible (dose 1.2).
TARGET = Target(0.4, 0.1, 0.0, 0.06, False, 0.1, 0.04, 100)


def wavy(at: float, slope: float = 0.0) -> Family:
    """Biases around `at` that fall by `slope` a unit of log dose, a hundredth up and down in turn."""
    made = family(DOSES, lambda dose: at - slope * np.log(dose))
    return dataclasses.replace(made, bias=made.bias + 0.01 * np.array([1, -1, 1, -1, 1, -1]))


def test_the_place_is_the_median_of_three_doses() -> None:
    """No loss: 0; equal size: 1.0; the bound of the loss: .06 / .05 = 1.2. The size decides."""
    place = place_of(TARGET, wavy(0.4))
    assert place is not None
    assert (place.basis, place.reached) == ("size", True)
    assert place.dose == pytest.approx(1.0)


def test_the_bound_decides_where_the_size_would_lose_more_than_the_treated_model_did() -> None:
    """The bound of the loss is reached at .03 / .05 = .6, below the size's dose 1.0 and above 0."""
    place = place_of(dataclasses.replace(TARGET, loss_upper=0.03), wavy(0.4))
    assert place is not None
    assert place.dose == pytest.approx(0.6)
    assert place.basis == "loss"


def test_a_certain_loss_decides() -> None:
    """.055 lost, between .05 and .06: doses 1.1 and 1.2, while the size alone would be read at 1.0."""
    lost = dataclasses.replace(TARGET, loss=0.055, loss_upper=0.06, lost=True)
    place = place_of(lost, wavy(0.4))
    assert place is not None
    assert (place.basis, place.dose) == ("loss", pytest.approx(1.1))


def test_a_loss_out_of_reach_leaves_the_size() -> None:
    """The loss cannot be reached, the size can; then another family has to reach the loss."""
    lost = dataclasses.replace(TARGET, loss=0.5, loss_upper=0.6, lost=True)
    place = place_of(lost, wavy(0.4))
    assert place is not None
    assert (place.basis, place.dose) == ("size", pytest.approx(1.0))
    nowhere = place_of(dataclasses.replace(lost, size=3.0), wavy(0.4))
    assert nowhere is not None
    assert not nowhere.reached


def test_without_sizes_the_bound_of_the_loss_and_without_losses_the_size() -> None:
    made = wavy(0.4)
    unsized = dataclasses.replace(TARGET, size=None)
    place = place_of(unsized, made)
    assert place is not None
    assert (place.basis, place.dose) == ("loss", pytest.approx(1.2))
    careless = dataclasses.replace(made, loss=np.full(6, np.nan))
    alone = place_of(dataclasses.replace(TARGET, loss=None, loss_upper=None), careless)
    assert alone is not None
    assert (alone.basis, alone.dose) == ("size", pytest.approx(1.0))
    assert place_of(unsized, careless) is None


def test_no_place_and_no_window_depends_on_a_bias() -> None:
    rng = np.random.default_rng(0)
    made = wavy(0.4)
    places = {place_of(TARGET, dataclasses.replace(made, bias=rng.uniform(size=6))) for _ in range(20)}
    assert len(places) == 1


def test_the_size_is_a_line_of_logarithms() -> None:
    """Sizes 2 d^1.5 at .25, .5, 1 and 2: 2 x 4^1.5 = 16 is that of a dose of 4."""
    doses = np.array([0.25, 0.5, 1.0, 2.0])
    made = dataclasses.replace(family(doses, lambda d: 0.4), size=2 * doses**1.5)
    assert dose_of_size(made, 16.0) == pytest.approx(4.0)
    one = family(np.array([0.5]), lambda d: 0.4, size=0.2)
    assert dose_of_size(one, 0.3) == pytest.approx(1.5)  # a single model: in proportion
    assert dose_of_size(one, None) is None


def test_the_loss_is_a_curve_that_never_falls() -> None:
    """Mean losses 0, .1, .3 and .2 at 0, 1, 2, 3 become 0, .1, .25, .25: .175 is half way from 1 to 2."""
    made = family(np.array([1.0, 2.0, 3.0]), lambda d: 0.4)
    made = dataclasses.replace(made, loss=np.array([0.1, 0.3, 0.2]))
    assert dose_of_loss(made, 0.175) == pytest.approx(1.5)
    assert dose_of_loss(made, -0.1) == 0.0
    assert dose_of_loss(made, 0.5) == pytest.approx(6.0)  # twice the last loss: in proportion
    assert dose_of_loss(made, 5.0) == pytest.approx(9.0)  # three times the last dose at most


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [([1, 2, 3], [1, 1, 1], [1, 2, 3]), ([3, 1], [1, 1], [2, 2]), ([3, 1, 0], [1, 3, 1], [1.2, 1.2, 1.2])],
)
def test_pooling(values: list[float], weights: list[float], expected: list[float]) -> None:
    """The last: 3 and 1 pool to (3 + 3) / 4 = 1.5, and 1.5 and 0 to (6 + 0) / 5."""
    found: Array = non_decreasing(np.array(values, dtype=float), np.array(weights, dtype=float))
    assert found == pytest.approx(expected)


def test_the_parts_of_the_effect() -> None:
    """Biases of .35 at every dose: K = .4 - .35, S = .35 - .1, to within the wave of a hundredth."""
    found = read_family(TARGET, wavy(0.35))
    assert (found.state, found.basis) == ("matched", "size")
    assert found.capability_part.value == pytest.approx(0.05, abs=0.01)
    assert found.specific.value == pytest.approx(0.25, abs=0.01)
    assert found.p_value is not None
    assert found.p_value < 0.001
    assert found.p_limit == LOOKS[0][1]
    assert found.equivalent is False
    least = detectable(TARGET, wavy(0.35))
    assert least is not None
    assert 0 < least < 0.1


def test_a_control_that_raises_the_bias_adds_nothing() -> None:
    """Biases of .6 above the base's .4: S counts from .4."""
    found = read_family(TARGET, wavy(0.6))
    assert found.specific.value == pytest.approx(0.3)
    assert found.capability_part.value == pytest.approx(0.0)


def test_a_treated_model_like_the_others_is_one_of_them() -> None:
    same = dataclasses.replace(TARGET, after=0.35)
    found = read_family(same, wavy(0.35))
    assert found.p_value is not None
    assert found.p_value > 0.2
    assert found.equivalent is True
    worse = read_family(dataclasses.replace(TARGET, after=0.7), wavy(0.35))
    assert worse.p_worse is not None
    assert worse.p_worse < 0.01
    assert found.p_worse is not None
    assert found.p_worse > 0.2


def test_only_models_within_a_factor_of_two_are_used() -> None:
    """Far models of another bias change nothing: .2 and 4 times g*."""
    made = wavy(0.35)
    far = family(np.array([0.2, 4.0]), lambda d: 0.0)
    every = Family(
        "f", *(np.concatenate([getattr(made, n), getattr(far, n)]) for n in ("dose", "seed", "loss", "size")),
        np.concatenate([made.bias, far.bias]), np.ones(8),
    )  # fmt: skip
    assert read_family(TARGET, every).specific == read_family(TARGET, made).specific


def test_broken_models_are_not_used_and_too_many_end_the_family() -> None:
    made = wavy(0.35)
    one = dataclasses.replace(made, share=np.array([1, 1, 1, 1, 1, 0.8]))
    assert read_family(TARGET, one).state == "matched"
    two = dataclasses.replace(made, share=np.array([1, 1, 1, 1, 0.8, 0.8]))
    found = read_family(TARGET, two)
    assert (found.state, found.matched, found.p_value) == ("broken", False, None)
    assert [point.share for point in found.points] == [1, 1, 1, 1, 0.8, 0.8]


def test_a_family_that_cannot_change_the_model_is_inert() -> None:
    weak = dataclasses.replace(wavy(0.35), size=np.full(6, 0.04), loss=np.zeros(6))
    target = dataclasses.replace(TARGET, loss_upper=0.5)
    assert read_family(target, weak).state == "inert"


def test_few_models_predict_nothing() -> None:
    made = family(np.array([0.9, 1.0, 1.1]), lambda d: 0.35)
    assert read_family(TARGET, made).state == "few"
    assert detectable(TARGET, made) is None


def test_models_made_by_the_same_recipe_need_no_dose() -> None:
    made = dataclasses.replace(wavy(0.35), dose=np.ones(6), by_recipe=True)
    found = read_family(dataclasses.replace(TARGET, size=None), made)
    assert (found.state, found.basis, found.dose) == ("matched", "recipe", 1.0)
    assert found.specific.value == pytest.approx(0.25, abs=0.01)


def test_the_levels_of_the_looks() -> None:
    assert [limit(n) for n in (4, 6, 7, 9, 10, 13, 40)] == [0.025, 0.025, 0.03, 0.03, 0.035, 0.035, 0.035]


def test_a_model_of_its_own_family_is_rarely_claimed() -> None:
    """One more draw of the family, read look by look: 150 experiments; 4 % in a run of 600."""
    assert share_claimed(150, seed=1, families=1) <= 0.10
    assert share_claimed(150, seed=2, families=3) <= 0.05


def test_a_model_that_scatters_more_than_the_controls_is_claimed_less_often_than_before() -> None:
    """The prediction takes its scatter from the family: one that scatters twice as far is claimed more often.

    Of 2000 experiments (seed 1) 4.7 and 10.2 %, against one family alone 10.6 and 17.2 %; the first version
    claimed 16.5 and 24 %. No one model can show how far its kind scatters: several fits can (``--seeds``).
    """
    assert share_claimed(600, seed=1, wider=2.0) <= 0.08
    assert share_claimed(600, seed=1, wider=3.0) <= 0.14


def test_half_a_removal_is_nearly_always_seen() -> None:
    assert share_claimed(60, seed=3, removed=0.5) >= 0.9
