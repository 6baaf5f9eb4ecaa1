"""The losses: their floors and limits on a toy softmax, and their gradients beside finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadOption
from evenhand.training.objectives import kl, mass_preserving, nll, printed, symmetric_kl

Loss = Callable[[Tensor, Tensor], Tensor]
START = torch.tensor([[0.05, 0.50, 0.45]], dtype=torch.float64).log()  # he, she, everything else
MINUS_INFINITY = float("-inf")


def logs(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def descend(loss: Loss, *, rate: float = 2.0, steps: int = 1000) -> list[float]:
    """Probabilities (he, she, other) after gradient descent on a three-way softmax's logits."""
    x = START.clone().requires_grad_()
    for _ in range(steps):
        log_p = torch.log_softmax(x, dim=1)
        (gradient,) = torch.autograd.grad(loss(log_p[:, :2], log_p[:, 2:]), x)
        with torch.no_grad():
            x -= rate * gradient
    return torch.softmax(x.detach(), dim=1)[0].tolist()


@pytest.mark.parametrize(
    ("loss", "limit"),
    [
        pytest.param(lambda p, rest: printed(p), (0.0, 0.0, 1.0), id="printed loses all mass"),
        pytest.param(lambda p, rest: -printed(p), (0.002, 0.998, 0.0), id="its negative feeds the rich"),
        pytest.param(lambda p, rest: nll(p), (0.5, 0.5, 0.0), id="nll shares equally and kills the rest"),
        pytest.param(lambda p, rest: nll(p, [1]), (0.0, 1.0, 0.0), id="one term goes to one pronoun"),
        pytest.param(
            lambda p, rest: mass_preserving(p, rest, START[:, :2], START[:, 2:]),
            (0.275, 0.275, 0.45),  # half of 0.05 + 0.50 each, the rest as it was
            id="mass_preserving shares and keeps",
        ),
    ],
)
def test_limits_of_descent_on_a_softmax(loss: Loss, limit: tuple[float, ...]) -> None:
    assert descend(loss) == pytest.approx(limit, abs=6e-4)


def test_descent_on_the_absolute_gap_loses_the_mass() -> None:
    # Why no such loss is offered: the gap closes by giving up both words.
    he, she, other = descend(lambda p, rest: (p[:, 0].exp() - p[:, 1].exp()).abs().mean())
    assert abs(he - she) < 0.01
    assert he + she < 0.2
    assert other > 0.8


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_floor_of_nll_is_ln_k(k: int) -> None:
    equal = torch.full((4, k), -math.log(k), dtype=torch.float64)
    assert nll(equal).item() == pytest.approx(math.log(k))  # ln 2 = 0.6931
    other = torch.log_softmax(torch.randn(4, k, generator=torch.Generator().manual_seed(0)).double(), dim=1)
    assert nll(other).item() > math.log(k)


def test_nll_by_hand() -> None:
    # Rows (1/2, 1/8) and (1/4, 1/4): -1/2 (ln 1/2 + ln 1/8) = 2 ln 2 and 2 ln 2.
    p = logs((0.5, 0.125), (0.25, 0.25))
    assert nll(p).item() == pytest.approx(2 * math.log(2))
    # One term: (3 ln 2 + 2 ln 2) / 2 for the second group.
    assert nll(p, [1]).item() == pytest.approx(2.5 * math.log(2))
    assert nll(p, [0, 1]).item() == nll(p).item()


def test_printed_by_hand() -> None:
    assert printed(logs((0.5, 0.125), (0.25, 0.25))).item() == pytest.approx((0.625 + 0.5) / 2)
    assert printed(logs((0.0, 0.0))).item() == 0.0


def test_mass_preserving_by_hand() -> None:
    # Base (.6, .2 | .2), q = (.4, .4 | .2), P = (.2, .4 | .4): .4 ln 2 + 0 + .2 ln 1/2 = .2 ln 2.
    got = mass_preserving(logs((0.2, 0.4)), logs((0.4,)), logs((0.6, 0.2)), logs((0.2,)))
    assert got.item() == pytest.approx(0.2 * math.log(2))


def test_mass_preserving_is_zero_only_at_its_target() -> None:
    base, rest = logs((0.6, 0.1, 0.05)), logs((0.15, 0.0, 0.1))
    equal = logs((0.25, 0.25, 0.25))
    assert mass_preserving(equal, rest, base, rest).item() == pytest.approx(0.0, abs=1e-15)
    assert mass_preserving(base, rest, base, rest).item() > 0.1
    # The same equal groups with mass moved to or from the rest cost something.
    assert mass_preserving(logs((0.2, 0.2, 0.2)), logs((0.3, 0.0, 0.1)), base, rest).item() > 0.01


def test_descent_keeps_the_mass_and_every_other_outcome() -> None:
    base = torch.log_softmax(torch.tensor([[3.0, 1.0, 0.5, 2.0, -1.0, MINUS_INFINITY]]).double(), dim=1)
    x = torch.where(base.isinf(), base, base + torch.tensor([0.3, -0.4, 1.0, 0.2, -0.7, 0.0]))
    x = x.clone().requires_grad_()
    for _ in range(600):
        log_p = torch.log_softmax(x, dim=1)
        loss = mass_preserving(log_p[:, :3], log_p[:, 3:], base[:, :3], base[:, 3:])
        (gradient,) = torch.autograd.grad(loss, x)
        assert gradient.isfinite().all()
        with torch.no_grad():
            x -= 2.0 * gradient
    p = torch.softmax(x.detach(), dim=1)
    torch.testing.assert_close(p[:, 3:], base[:, 3:].exp(), atol=1e-6, rtol=0)
    share = base[:, :3].exp().sum() / 3
    torch.testing.assert_close(p[:, :3], share.expand(1, 3), atol=1e-6, rtol=0)


def test_impossible_outcomes_send_no_nan_back() -> None:
    logits = torch.tensor([[0.5, 0.1, MINUS_INFINITY, 0.3]], dtype=torch.float64, requires_grad=True)
    log_p = torch.log_softmax(logits, dim=1)
    base = log_p.detach()
    for loss in (
        mass_preserving(log_p[:, :2], log_p[:, 2:], base[:, :2], base[:, 2:]),
        kl(base, log_p),
        kl(log_p, base),
        nll(log_p[:, :2]),
        printed(log_p[:, [0, 2]]),
    ):
        (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
        assert loss.isfinite()
        assert gradient.isfinite().all()


def test_groups_that_the_base_never_uses_cost_nothing() -> None:
    # m = 0: q gives the groups nothing, and the rest is as it was.
    p, rest = logs((0.0, 0.0)), logs((0.5, 0.5))
    assert mass_preserving(p, rest, p, rest).item() == 0.0


def test_an_undefined_base_is_not_hidden() -> None:
    bad = torch.tensor([[float("nan"), 0.0]], dtype=torch.float64)
    good = logs((0.5, 0.5))
    assert mass_preserving(good, good, good, bad).isnan()


def test_kl_by_hand() -> None:
    # (1/2, 1/2) from (1/4, 3/4): 1/2 ln 2 + 1/2 ln 2/3 = 1/2 ln 4/3; the other way differs.
    q, p = logs((0.5, 0.5)), logs((0.25, 0.75))
    assert kl(q, p).item() == pytest.approx(0.5 * math.log(4 / 3))
    assert kl(p, q).item() == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))
    assert kl(p, p).item() == 0.0
    assert kl(logs((0.5, 0.5)), logs((1.0, 0.0))).item() == math.inf


def test_losses_are_means_over_rows() -> None:
    p, rest = logs((0.2, 0.3), (0.1, 0.6)), logs((0.5,), (0.3,))
    base, base_rest = logs((0.3, 0.3), (0.4, 0.1)), logs((0.4,), (0.5,))
    for loss in (
        lambda i: nll(p[i]),
        lambda i: printed(p[i]),
        lambda i: kl(torch.cat([base, base_rest], 1)[i], torch.cat([p, rest], 1)[i]),
        lambda i: mass_preserving(p[i], rest[i], base[i], base_rest[i]),
    ):
        rows = [loss(slice(i, i + 1)).item() for i in (0, 1)]
        assert loss(slice(None)).item() == pytest.approx(sum(rows) / 2)


@pytest.mark.parametrize("name", ["nll", "nll one term", "printed", "mass_preserving", "kl"])
def test_gradients_agree_with_finite_differences(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    base = torch.log_softmax(torch.randn(3, 6, generator=generator, dtype=torch.float64), dim=1)

    def loss(x: Tensor) -> Tensor:
        log_p = torch.log_softmax(x, dim=1)
        return {
            "nll": lambda: nll(log_p[:, :2]),
            "nll one term": lambda: nll(log_p[:, :2], [1]),
            "printed": lambda: printed(log_p[:, :2]),
            "mass_preserving": lambda: mass_preserving(log_p[:, :2], log_p[:, 2:], base[:, :2], base[:, 2:]),
            "kl": lambda: kl(base, log_p),
        }[name]()

    assert torch.autograd.gradcheck(loss, (logits,), eps=1e-6, atol=1e-8)


def test_the_base_is_never_differentiated() -> None:
    base = START.clone().requires_grad_()
    p = START.clone().requires_grad_()
    mass_preserving(p[:, :2], p[:, 2:], base[:, :2], base[:, 2:]).backward()
    assert base.grad is None
    assert p.grad is not None


def test_bad_input_is_refused_with_the_mend() -> None:
    p, rest = logs((0.4, 0.4)), logs((0.2,))
    with pytest.raises(BadOption, match="Choose from 0 to 1"):
        nll(p, [2])
    with pytest.raises(BadOption, match="not among"):
        nll(p, [])
    with pytest.raises(BadData, match="one row for each prompt"):
        nll(p[0])
    with pytest.raises(BadData, match="one row for each prompt"):
        printed(p[:0])
    with pytest.raises(BadData, match="same partition"):
        mass_preserving(p, rest, p, torch.cat([rest, rest], 1))
    with pytest.raises(BadData, match="same partition"):
        mass_preserving(torch.cat([p, p]), rest, torch.cat([p, p]), rest)
    with pytest.raises(BadData, match="same outcomes"):
        kl(p, rest)


def test_symmetric_kl_by_hand() -> None:
    """Shares .8 and .2 of any mass: KL(P || P') is .8 ln 4 - .2 ln 4 = .6 ln 4, and so is KL(P' || P)."""
    two = logs((0.8, 0.2), (0.4, 0.1))
    for row in (two[:1], two[1:]):
        assert symmetric_kl(row).item() == pytest.approx(2 * 0.6 * math.log(4))
    assert symmetric_kl(logs((0.1, 0.1), (0.3, 0.3))).item() == pytest.approx(0, abs=1e-12)
    # Three groups, shares .5 .3 .2: the mean over three pairs of 2 (a - b) ln(a / b).
    pairs = [(0.5, 0.3), (0.5, 0.2), (0.3, 0.2)]
    wanted = sum(2 * (a - b) * math.log(a / b) for a, b in pairs) / 3
    assert symmetric_kl(logs((0.5, 0.3, 0.2))).item() == pytest.approx(wanted)


def test_symmetric_kl_does_not_close_the_gap_by_giving_up_the_words() -> None:
    """Its gradient on the groups' logits sums to 0, so .55 of mass stays where `printed` loses all of it."""
    he, she, _ = descend(lambda p, rest: symmetric_kl(p), rate=0.1)
    assert he == pytest.approx(she, abs=1e-3)
    assert he + she > 0.4
    assert descend(lambda p, rest: printed(p))[2] > 0.999


def test_symmetric_kl_refuses_one_group_and_bears_a_group_without_probability() -> None:
    with pytest.raises(BadData, match="no other member"):
        symmetric_kl(logs((0.5,)))
    x = torch.tensor([[0.5, 0.0]], dtype=torch.float64).log().requires_grad_()
    loss = symmetric_kl(x)
    (gradient,) = torch.autograd.grad(loss, x)
    assert math.isfinite(loss.item())
    assert torch.isfinite(gradient).all()
