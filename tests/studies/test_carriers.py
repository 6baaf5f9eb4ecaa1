"""Which parameters carry a change."""

from __future__ import annotations

import pytest
import torch

from evenhand.studies.carriers import ROUNDING, carriers

BEFORE = {
    "large": torch.linspace(-1.0, 1.0, 100),
    "small": torch.ones(10),
    "zero": torch.zeros(10),
}


def changed(**by: float) -> dict[str, torch.Tensor]:
    return {name: value * (1 + by.get(name, 0.0)) for name, value in BEFORE.items()}


def test_nothing_changed() -> None:
    assert carriers(BEFORE, changed()) == frozenset()


def test_rounding_carries_nothing_beside_another_change() -> None:
    # The larger one's change counts for .0035^2 * 100, the smaller one's for .01^2 * 10: it alone was moved.
    assert carriers(BEFORE, changed(large=0.9 * ROUNDING, small=0.01)) == {"small"}


def test_rounding_alone_counts() -> None:
    assert carriers(BEFORE, changed(large=0.9 * ROUNDING, small=0.9 * ROUNDING)) == {"large"}


@pytest.mark.parametrize(("small", "found"), [(0.1, {"large"}), (0.7, {"large", "small"})])
def test_the_fewest_that_carry_nine_tenths(small: float, found: set[str]) -> None:
    # .5^2 * 100 = 25 beside .1^2 * 10 = .1 and .7^2 * 10 = 4.9, more than a tenth of all.
    assert carriers(BEFORE, changed(large=0.5, small=small)) == found


def test_a_weight_counts_for_one_at_most() -> None:
    after = changed(small=1.0) | {"zero": torch.full((10,), 50.0)}
    assert carriers(BEFORE, after) == {"small", "zero"}


def test_part_of_the_parameters_may_be_given_in_another_precision() -> None:
    assert carriers(BEFORE, {"small": torch.full((10,), 2.0, dtype=torch.bfloat16)}) == {"small"}
