"""The straight-through Gumbel-softmax: hard values, soft gradients, and distributions that it recovers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadOption
from evenhand.training.gumbel import gumbel_noise, plant, recover, straight_through


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _logits(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=_generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_forward_value_is_exactly_one_hot(dtype: torch.dtype) -> None:
    drawn = straight_through(_logits(40, 7).to(dtype), tau=0.3, generator=_generator())
    assert drawn.dtype == dtype
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert drawn.sum(-1).tolist() == [1.0] * 40


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_the_gradient_is_that_of_the_tempered_softmax_of_the_same_noise(tau: float) -> None:
    upstream, noise = _logits(5, 9, seed=2), gumbel_noise((5, 9), _generator(7))
    wide = _logits(5, 9)
    # By hand, row by row in float64: s = softmax((x + g) / tau), dL/dx = (diag(s) - s s') u / tau.
    expected = torch.zeros(5, 9, dtype=torch.float64)
    for i in range(5):
        s = torch.exp((wide[i] + noise[i]) / tau)
        s = s / s.sum()
        expected[i] = (torch.diag(s) - torch.outer(s, s)) @ upstream[i] / tau
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        x = wide.detach().clone().to(dtype).requires_grad_()
        (straight_through(x, tau=tau, generator=_generator(7)) * upstream.to(dtype)).sum().backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None
        torch.testing.assert_close(x.grad.double(), expected, atol=tolerance, rtol=0)


def test_draws_follow_the_softmax() -> None:
    p = torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=torch.float64)
    drawn = straight_through(p.log().expand(20_000, -1), generator=_generator())
    share = drawn.mean(0)
    assert share[3] == 0.0  # a token that is ruled out is never drawn
    # Standard error of a share near 0.5: sqrt(.25 / 20000) = 0.0035.
    assert share.tolist() == pytest.approx(p.tolist(), abs=4 * 0.0036)


def test_without_noise_it_takes_the_likeliest() -> None:
    logits = _logits(6, 11)
    assert straight_through(logits, generator=None).argmax(-1).equal(logits.argmax(-1))


def test_a_ruled_out_token_gets_no_gradient_and_no_nan() -> None:
    logits = torch.tensor([[0.0, 1.0, -math.inf]], requires_grad=True)
    (straight_through(logits, generator=_generator()) * torch.tensor([[1.0, 2.0, 3.0]])).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 2] == 0.0
    assert bool(logits.grad.isfinite().all())
    assert logits.grad[0, 0] != 0.0


def test_one_seed_one_draw() -> None:
    logits = _logits(50, 6)
    first, again, other = (straight_through(logits, generator=_generator(s)) for s in (3, 3, 4))
    assert first.equal(again)
    assert not first.equal(other)


def test_it_recovers_a_known_distribution() -> None:
    target = torch.tensor([0.4, 0.25, 0.15, 0.1, 0.05, 0.05, 0.0, 0.0])
    found = recover(target, steps=300, draws=128)
    assert found.divergence[0] == pytest.approx(math.log(8) - _entropy(target))  # from the uniform one
    assert found.divergence[-1] < 0.06 * found.divergence[0]
    assert found.probabilities.tolist() == pytest.approx(target.tolist(), abs=0.08)


def _entropy(p: Tensor) -> float:
    return float(-(p[p > 0].double() * p[p > 0].double().log()).sum())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_token_of_500_is_recovered_from_its_embedding(seed: int) -> None:
    table = torch.randn(500, 16, generator=_generator(seed))
    token = 37 + 100 * seed
    found = plant(table, token, seed=seed)
    assert found.divergence[0] == pytest.approx(math.log(500))
    assert int(found.probabilities.argmax()) == token
    assert found.probabilities[token] > 0.9


def test_what_is_no_distribution_or_temperature_is_refused() -> None:
    with pytest.raises(BadData, match="sum to 1"):
        recover(torch.tensor([0.5, 0.6]))
    with pytest.raises(BadOption, match=r"tau=0.*above 0"):
        straight_through(torch.zeros(1, 2), tau=0, generator=None)
