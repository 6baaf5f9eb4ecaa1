"""Quantising: values on a grid whose step is the dose times a row's largest magnitude, right on average."""

from __future__ import annotations

import torch

from evenhand.controls.quantise import Quantise


def test_values_lie_on_the_grid_of_their_row() -> None:
    value = torch.tensor([[1.0, -0.3, 0.6], [10.0, 2.0, -7.0], [0.0, 0.0, 0.0]])
    found = Quantise(dose=0.5).damaged(value, torch.Generator().manual_seed(0))
    # Steps .5 and 5: .3 becomes 0 or .5, .6 .5 or 1; 2 becomes 0 or 5, 7 5 or 10. Multiples stay.
    assert found[:, 0].tolist() == [1.0, 10.0, 0.0]
    assert found[0, 1].item() in (0.0, -0.5)
    assert found[0, 2].item() in (0.5, 1.0)
    assert found[1, 1].item() in (0.0, 5.0)
    assert found[1, 2].item() in (-5.0, -10.0)
    assert found[2].tolist() == [0.0, 0.0, 0.0]


def test_rounding_is_right_on_average_and_its_error_grows_with_the_step() -> None:
    value = torch.full((1, 20_000), 0.3)
    value[0, 0] = 1.0
    draws = torch.Generator().manual_seed(3)
    coarse, fine = (Quantise(dose=d).damaged(value, draws)[0, 1:] for d in (1.0, 0.2))
    # Of .3 on steps of 1: 1 in 30 %, spread sqrt(.3 * .7) = .458; on steps of .2: .2 or .4, spread .1.
    assert abs(coarse.mean().item() - 0.3) < 0.015
    assert abs(coarse.std().item() - 0.458) < 0.01
    assert abs(fine.mean().item() - 0.3) < 0.004
    assert abs(fine.std().item() - 0.1) < 0.002
