"""The losses of shams: their target by hand, and no pull between the groups over seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from evenhand.scoring.terms import Outcomes
from evenhand.testing.examples import examples
from evenhand.training import objectives, sham_losses

Loss = Callable[[Outcomes, Outcomes, Tensor], Tensor]


def _signs(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_the_target_is_the_treatments_correction_either_way() -> None:
    base = torch.tensor([[0.3, 0.1], [0.3, 0.1], [0.36, 0.04], [0.36, 0.04]], dtype=torch.float64).log()
    half = torch.full((2,), 0.5, dtype=torch.float64)
    found = sham_losses.swayed(base, half, _signs(1, -1, 1, -1))
    # Shares .75 and .25: corrections -.25 and .25, both ways possible: .5 .5 and 1 0.
    # Shares .9 and .1: corrections -.4 and .4, of which .1 / .4 fits the other way: .8 .2 and 1 0.
    wanted = [[0.5, 0.5], [1.0, 0.0], [0.8, 0.2], [1.0, 0.0]]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))
    # The mean of both signs is the base's own split.
    torch.testing.assert_close((found[0] + found[1]) / 2, base[0].softmax(0))


def test_a_fair_prompt_is_left_as_it_is_and_three_groups_stay_possible() -> None:
    third = torch.full((3,), 1 / 3, dtype=torch.float64)
    base = torch.tensor([[0.2, 0.2, 0.2], [0.5, 0.3, 0.1]], dtype=torch.float64).log()
    for sign in (1.0, -1.0):
        found = sham_losses.swayed(base, third, _signs(sign, sign))
        torch.testing.assert_close(found[0], third)
        torch.testing.assert_close(found.sum(1), torch.ones(2, dtype=torch.float64))
        assert (found >= 0).all()


def test_a_subject_has_one_sign_and_seeds_draw_anew() -> None:
    many = [dataclasses.replace(examples()[0], id=str(i), cluster=str(i // 2)) for i in range(400)]
    one, other = sham_losses.signs(many, 1), sham_losses.signs(many, 2)
    assert one[::2] == one[1::2]
    assert set(one) == {-1.0, 1.0}
    assert abs(sum(one)) < 120  # of 200 subjects of two: a spread of 2 * sqrt(200) = 28
    assert 120 < sum(a == b for a, b in zip(one, other, strict=True)) < 280


def _logits(seed: int = 0) -> Tensor:
    """Logits of 300 prompts over two group words and five others; one group is the likelier on average."""
    drawn = torch.randn(300, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn + torch.tensor([1.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)


def _pull(loss: Loss, signs: Tensor) -> Tensor:
    """The gradient on the log-odds of each prompt's two groups, at the base, [300]."""
    x = _logits().requires_grad_()
    now = x.log_softmax(1)
    base = Outcomes(now[:, :2].detach(), now[:, 2:].detach())
    (gradient,) = torch.autograd.grad(loss(Outcomes(now[:, :2], now[:, 2:]), base, signs) * len(x), x)
    return (gradient[:, 0] - gradient[:, 1]) / 2


@pytest.mark.parametrize(
    "loss",
    [sham_losses.nll, sham_losses.mass_preserving, partial(sham_losses.nll, groups=(0,))],
    ids=["nll", "mass_preserving", "one term"],
)
def test_over_seeds_there_is_no_pull_between_the_groups(loss: Loss) -> None:
    """The mean over 20 seeds and all prompts is below a tenth of the root mean square."""
    many = [dataclasses.replace(examples()[0], id=str(i), cluster=str(i)) for i in range(300)]
    pulls = torch.stack(
        [_pull(loss, torch.tensor(sham_losses.signs(many, seed))) for seed in range(20)]
    )  # [20, 300]
    size = pulls.square().mean().sqrt()
    assert size > 0.01
    assert pulls.mean().abs() < 0.1 * size
    # The treatments themselves, and a plain likelihood of the same target, do pull.
    plain = _pull(lambda now, base, signs: objectives.nll(now.log_p), torch.ones(300))
    assert plain.mean().abs() > 0.1 * plain.square().mean().sqrt()


def test_the_pulls_of_the_two_signs_are_equal_and_opposite_and_those_of_the_treatment() -> None:
    ones = torch.ones(300, dtype=torch.float64)
    for loss in (sham_losses.nll, sham_losses.mass_preserving):
        torch.testing.assert_close(_pull(loss, ones), -_pull(loss, -ones))
    shares = _logits().log_softmax(1)[:, :2].softmax(1)
    whole = shares.amin(1) >= 0.25  # both signs are possible in full: 2 * share - 1/2 >= 0
    for loss, own in (
        (sham_losses.nll, lambda now, base, signs: objectives.nll(now.log_p)),
        (
            sham_losses.mass_preserving,
            lambda now, base, signs: objectives.mass_preserving(
                now.log_p, now.log_rest, base.log_p, base.log_rest
            ),
        ),
    ):
        torch.testing.assert_close(_pull(loss, ones)[whole], _pull(own, ones)[whole])


def test_the_rest_is_treated_as_by_the_treatment() -> None:
    """The likelihood's mass goes to the groups, by the same gradient on every other outcome."""
    x = _logits().requires_grad_()
    now = x.log_softmax(1)
    split = Outcomes(now[:, :2], now[:, 2:])
    base = Outcomes(now[:, :2].detach(), now[:, 2:].detach())
    (own,) = torch.autograd.grad(objectives.nll(split.log_p), x, retain_graph=True)
    (sham,) = torch.autograd.grad(sham_losses.nll(split, base, torch.ones(300)), x)
    torch.testing.assert_close(sham[:, 2:], own[:, 2:])
    torch.testing.assert_close(sham[:, :2].sum(1), own[:, :2].sum(1))


def test_the_sham_of_symmetric_kl_pulls_as_hard_either_way() -> None:
    """At the base its gradient is the treatment's own times the sign, and its far end is the mirrored gap."""
    logs = _logits().log_softmax(1)
    base = Outcomes(logs[:, :2], logs[:, 2:])

    def gradient(signs: Tensor | None) -> Tensor:
        x = logs[:, :2].clone().requires_grad_()
        loss = (
            objectives.symmetric_kl(x)
            if signs is None
            else sham_losses.symmetric_kl(Outcomes(x, base.log_rest), base, signs)
        )
        (found,) = torch.autograd.grad(loss, x)
        return found

    signs = torch.ones(300, dtype=torch.float64)
    signs[::2] = -1
    torch.testing.assert_close(gradient(signs), signs[:, None] * gradient(None))
    # Log-odds of 2: towards equal shares it ends at 0, the other way at 4, where the mirrored ones are 0.
    start = Outcomes(torch.tensor([[2.0, 0.0]], dtype=torch.float64), base.log_rest[:1])
    far = Outcomes(torch.tensor([[4.0, 0.0]], dtype=torch.float64), base.log_rest[:1])
    assert sham_losses.symmetric_kl(far, start, _signs(-1)).item() == pytest.approx(0, abs=1e-12)
    assert sham_losses.symmetric_kl(start, start, _signs(-1)).item() > 1
