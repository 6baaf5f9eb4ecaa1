"""The one loop: it minimises, keeps its schedule and float32 masters, and stops at a loss that is NaN."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from evenhand.errors import BadModel
from evenhand.training.loop import MasterWeights, Schedule, minimise


def test_it_reaches_the_minimum_of_a_parabola() -> None:
    x = nn.Parameter(torch.tensor([4.0]))
    history = minimise(
        lambda target: (x - target).square().sum(),
        [x],
        itertools.repeat(1.5),
        Schedule(0.1, decay="cosine"),
        steps=300,
    )
    assert len(history) == 300
    assert history[0] == pytest.approx(6.25)  # (4 - 1.5)^2
    assert float(x) == pytest.approx(1.5, abs=1e-3)


def test_batches_may_end_before_the_steps() -> None:
    x = nn.Parameter(torch.zeros(1))
    assert len(minimise(lambda b: (x - b).square().sum(), [x], [1.0, 2.0], Schedule(0.1), steps=9)) == 2


@pytest.mark.parametrize(
    ("decay", "expected"),
    [("constant", [0.5, 1.0, 1.0, 1.0]), ("linear", [0.5, 1.0, 1.0, 0.5]), ("cosine", [0.5, 1.0, 1.0, 0.5])],
)
def test_schedule(decay: str, expected: list[float]) -> None:
    # warm-up of 2 of 4 steps: 1/2, 2/2; then 0 and 1/2 of the remaining 2 steps are done.
    schedule = Schedule(1.0, warmup=2, decay=decay)  # type: ignore[arg-type]
    assert [schedule.factor(step, 4) for step in range(4)] == pytest.approx(expected)


def test_small_steps_survive_in_bfloat16_through_master_weights() -> None:
    # Half an ulp of bfloat16 at 1.0 is 2^-9 = 0.00195; a single Adam step of 1e-4 would round away.
    weight = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    minimise(lambda _: weight.float().sum(), [weight], itertools.repeat(0), Schedule(1e-4), steps=60)
    assert torch.all(weight < 1)
    assert float(weight[0]) == pytest.approx(1 - 60e-4, abs=0.004)


def test_float32_is_its_own_master() -> None:
    weight = nn.Parameter(torch.ones(2))
    assert MasterWeights([weight]).values[0] is weight


def test_a_loss_that_is_no_number_stops_with_the_step() -> None:
    x = nn.Parameter(torch.ones(1))
    with pytest.raises(BadModel, match=r"loss became nan at step 2.*lr="):
        minimise(lambda b: (x * b).sum(), [x], [1.0, float("nan")], Schedule(0.1), steps=2)
