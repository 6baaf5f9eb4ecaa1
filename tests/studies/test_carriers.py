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
NAN, INFINITE = float("nan"), float("inf")


def changed(**by: float) -> dict[str, torch.Tensor]:
    return {name: value * (1 + by.get(name, 0.0)) for name, value in BEFORE.items()}


def test_nothing_changed() -> None:
    assert carriers(BEFORE, changed()) == frozenset()
    assert carriers(BEFORE, {}) == frozenset()


def test_rounding_carries_nothing_beside_another_change() -> None:
    # The larger one's change counts for .007^2 * 100 = .005, the smaller one's for .1^2 * 10 = .1.
    assert carriers(BEFORE, changed(large=0.9 * ROUNDING, small=0.1)) == {"small"}


def test_rounding_counts_where_it_is_the_larger_half_of_the_change() -> None:
    assert carriers(BEFORE, changed(large=0.9 * ROUNDING, small=0.9 * ROUNDING)) == {"large"}
    touch = changed(large=0.9 * ROUNDING) | {"zero": torch.full((10,), 1e-6)}  # nothing that hides the rest
    assert carriers(BEFORE, touch) == {"large"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_checkpoint_in_another_precision(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    before = {f"m{i}": 0.02 * torch.randn(64, 64, generator=generator) for i in range(20)}
    after = {name: value.to(dtype).float() for name, value in before.items()}
    after["m3"] = (before["m3"] * 1.02).to(dtype).float()
    assert carriers(before, after) == {"m3"}
    both = {name: value.bfloat16().float() for name, value in before.items()}
    assert carriers(both, after) == {"m3"}


@pytest.mark.parametrize(("small", "found"), [(0.1, {"large"}), (0.7, {"large", "small"})])
def test_the_fewest_that_carry_nine_tenths(small: float, found: set[str]) -> None:
    # .5^2 * 100 = 25 beside .1^2 * 10 = .1 and .7^2 * 10 = 4.9, more than a tenth of all.
    assert carriers(BEFORE, changed(large=0.5, small=small)) == found


def test_a_weight_counts_for_one_at_most() -> None:
    after = changed(small=1.0) | {"zero": torch.full((10,), 50.0)}
    assert carriers(BEFORE, after) == {"small", "zero"}


def test_a_parameter_that_was_zero_outweighs_no_other() -> None:
    # The scale of "zero" is the median of .58, 1 and 0: its change counts for (.01 / .58)^2 * 10 = .003.
    after = changed(large=0.1) | {"zero": torch.full((10,), 0.01)}
    assert carriers(BEFORE, after) == {"large"}


def test_weights_that_are_not_finite_count() -> None:
    broken = changed() | {"small": torch.full((10,), NAN)}
    assert carriers(BEFORE, broken) == {"small"}
    endless = {"small": torch.full((10,), INFINITE)}
    assert carriers(endless, endless) == frozenset()
    assert carriers(endless, {"small": torch.ones(10)}) == {"small"}


def test_part_of_the_parameters_may_be_given_in_another_precision() -> None:
    assert carriers(BEFORE, {"small": torch.full((10,), 2.0, dtype=torch.bfloat16)}) == {"small"}
