"""The divergence of shares and of log-probabilities: by hand at the ends, and equal between them."""

from __future__ import annotations

import math

import pytest
import torch

from evenhand.jensen_shannon import of_logs, of_shares


@pytest.mark.parametrize(
    ("p", "q", "bits"), [([1, 0], [0, 1], 1), ([0.5, 0.5], [0.5, 0.5], 0), ([1.0], [0.0], 1)]
)
def test_the_ends(p: list[float], q: list[float], bits: float) -> None:
    assert of_shares(p, q) == pytest.approx(bits)
    assert of_shares(q, p) == of_shares(p, q)


def test_both_forms_agree_where_the_rest_is_an_outcome_of_its_own() -> None:
    drawn = torch.distributions.Dirichlet(torch.full((5,), 0.4, dtype=torch.float64))
    torch.manual_seed(0)
    p, q = drawn.sample((50,)), drawn.sample((50,))  # [50, 5] each
    q[:10, 2] = 0.0  # outcomes without probability, here on one side and below on both
    p[:5, 2] = 0.0
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    expected = [of_shares(a[:-1], b[:-1]) for a, b in zip(p.tolist(), q.tolist(), strict=True)]
    assert (of_logs(p.log(), q.log()) / math.log(2)).tolist() == pytest.approx(expected, abs=1e-12)
    assert min(expected) > 0.001  # each compares something


def test_the_gradient_is_that_of_the_divergence() -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.4]], dtype=torch.float64, requires_grad=True)

    def divergence(scores: torch.Tensor) -> torch.Tensor:
        return of_logs(*scores.log_softmax(-1))

    assert torch.autograd.gradcheck(divergence, (logits,))
