"""Averages of weights by hand, and that they are swapped in and out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evenhand.training.averaging import Average, Kind


def _after(kind: Kind, values: list[float], decay: float = 0.5) -> tuple[Average, nn.Parameter]:
    parameter = nn.Parameter(torch.zeros(2))
    average = Average([parameter], kind, decay)
    for value in values:
        with torch.no_grad():
            parameter.fill_(value)
        average.update()
    return average, parameter


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("swa", 3.0),  # (1 + 2 + 6) / 3
        ("ema", (1 * 0.25 + 2 * 0.5 + 6) / 1.75),  # weights 1/4, 1/2, 1, normalised
        ("none", 6.0),
    ],
)
def test_the_average_by_hand_is_swapped_in_and_out(kind: Kind, expected: float) -> None:
    average, parameter = _after(kind, [1.0, 2.0, 6.0])
    with average.evaluated():
        assert parameter.tolist() == pytest.approx([expected] * 2)
    assert parameter.tolist() == [6.0, 6.0]


def test_the_newest_value_comes_back_after_an_error() -> None:
    average, parameter = _after("swa", [1.0, 3.0])
    with pytest.raises(ValueError, match="stop"), average.evaluated():
        raise ValueError("stop")
    assert parameter.tolist() == [3.0, 3.0]


def test_distance_from_the_newest() -> None:
    assert _after("swa", [1.0, 3.0])[0].distance() == pytest.approx(1 / 3)  # |2 - 3| / |3|
    assert _after("none", [1.0, 3.0])[0].distance() is None
    assert Average([nn.Parameter(torch.ones(1))]).distance() is None


def test_before_the_first_value_nothing_is_swapped() -> None:
    parameter = nn.Parameter(torch.ones(2))
    with Average([parameter], "swa").evaluated():
        assert parameter.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["swa", "ema"])
def test_a_state_goes_on(kind: Kind) -> None:
    whole, _ = _after(kind, [1.0, 2.0, 6.0])
    half, parameter = _after(kind, [1.0, 2.0])
    again = Average([parameter], kind, 0.5)
    again.restore(half.state())
    with torch.no_grad():
        parameter.fill_(6.0)
    again.update()
    assert all(a.equal(b) for a, b in zip(whole.state().values(), again.state().values(), strict=True))
