"""The gap in the loss: hand arithmetic, gradients against finite differences, absent groups, fair batches."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadOption
from evenhand.training.fair_losses import (
    EPS,
    GroupGapLoss,
    Spread,
    Surrogate,
    gap,
    label_errors,
    stratified,
)

P = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], dtype=torch.float64)
LABELS = torch.tensor([0, 1, 1, 1, 0])
TWO = torch.tensor([0, 0, 1, 1, 1])
THREE = torch.tensor([0, 0, 1, 1, 2])


def _logits(n: int = 12, classes: int = 3) -> Tensor:
    return torch.randn(n, classes, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_errors_by_hand() -> None:
    assert label_errors(P.log(), LABELS).tolist() == pytest.approx([0.1, 0.5, 0.2, 0.6, 0.3])
    assert label_errors(P.log(), LABELS, "cross_entropy")[1].item() == pytest.approx(math.log(2))


def test_the_gap_of_two_groups_by_hand() -> None:
    # Means: (0.1 + 0.5) / 2 = 0.3 and (0.2 + 0.6 + 0.3) / 3 = 0.3667.
    found = gap(label_errors(P.log(), LABELS), TWO)
    assert found is not None
    assert found.item() == pytest.approx(math.sqrt((1.1 / 3 - 0.3) ** 2 + EPS))


def test_the_gap_of_three_groups_by_hand() -> None:
    # Means 0.3, 0.4, 0.3: pairs 0.1, 0, 0.1; variance (0.0333^2 * 2 + 0.0667^2) / 3 = 0.00222.
    errors = label_errors(P.log(), LABELS)
    pairs, variance = gap(errors, THREE, "pairwise"), gap(errors, THREE, "variance")
    assert pairs is not None
    assert variance is not None
    assert pairs.item() == pytest.approx((2 * math.sqrt(0.01 + EPS) + math.sqrt(EPS)) / 3)
    assert variance.item() == pytest.approx(0.02 / 9)


def test_an_absent_group_is_left_out_and_never_zero() -> None:
    errors = torch.tensor([0.4, 0.4, 0.1, 0.3])
    both = gap(errors, torch.tensor([0, 0, 2, 2]))  # group 1 has nobody here
    assert both is not None
    assert both.item() == pytest.approx(0.2, abs=1e-5)
    assert gap(errors, torch.zeros(4, dtype=torch.long)) is None


def test_without_a_gap_the_task_loss_stands_alone_and_is_counted() -> None:
    loss, logits = GroupGapLoss(lam=5.0), _logits(4)
    labels = torch.tensor([0, 1, 2, 0])
    alone = loss(logits, labels, torch.ones(4, dtype=torch.long))
    assert alone.item() == torch.nn.functional.cross_entropy(logits, labels).item()
    assert loss.skipped == 1
    loss(logits, labels, torch.tensor([0, 1, 0, 1]))
    assert loss.skipped == 1


@pytest.mark.parametrize("surrogate", ["error", "cross_entropy"])
@pytest.mark.parametrize("spread", ["pairwise", "variance"])
@pytest.mark.parametrize("k", [2, 3])
def test_the_gradient_equals_finite_differences(surrogate: Surrogate, spread: Spread, k: int) -> None:
    logits = _logits().requires_grad_(True)
    labels, groups = torch.arange(12) % 3, torch.arange(12) % k
    loss = GroupGapLoss(lam=0.7, surrogate=surrogate, spread=spread)
    assert torch.autograd.gradcheck(lambda z: loss(z, labels, groups), (logits,), atol=1e-7)


def test_the_gap_alone_has_a_gradient_where_the_guides_form_has_none() -> None:
    labels, groups = torch.arange(12) % 3, torch.arange(12) % 2

    def argmax_gap(z: Tensor) -> Tensor:
        wrong = (z.argmax(dim=1) != labels).double()
        return (wrong[groups == 0].mean() - wrong[groups == 1].mean()).abs()

    def smooth_gap(z: Tensor) -> Tensor:
        found = gap(label_errors(z.log_softmax(-1), labels), groups)
        assert found is not None
        return found

    def gradient(form: Callable[[Tensor], Tensor]) -> Tensor | None:
        logits = _logits().requires_grad_(True)
        value = form(logits) + 0 * logits.sum()  # so that there is a graph at all
        return torch.autograd.grad(value, logits)[0]

    assert not argmax_gap(_logits().requires_grad_(True)).requires_grad
    assert gradient(argmax_gap).abs().max() == 0  # type: ignore[union-attr]
    assert gradient(smooth_gap).abs().max() > 1e-3  # type: ignore[union-attr]


def test_equal_errors_give_no_gradient_of_the_gap_and_no_nan() -> None:
    logits = torch.zeros(4, 2, requires_grad=True)
    found = gap(label_errors(logits.log_softmax(-1), torch.tensor([0, 1, 0, 1])), torch.tensor([0, 0, 1, 1]))
    assert found is not None
    assert torch.autograd.grad(found, logits)[0].abs().max() == 0


def test_half_precision_logits_are_scored_in_single() -> None:
    labels, groups = torch.tensor([0, 1]), torch.tensor([0, 1])
    assert GroupGapLoss()(_logits(2).bfloat16(), labels, groups).dtype == torch.float32


@pytest.mark.parametrize("sizes", [(50, 14), (40, 20, 4), (30, 2)])
def test_every_batch_holds_every_group_and_every_row_comes(sizes: tuple[int, ...]) -> None:
    groups = [g for g, n in enumerate(sizes) for _ in range(n)]
    batches = list(stratified(groups, 16, epochs=2, seed=0))
    count = math.ceil(len(groups) / 16)
    assert len(batches) == 2 * count
    for part in (batches[:count], batches[count:]):
        rows = torch.cat(part).tolist()
        assert set(rows) == set(range(len(groups)))
        assert len(rows) == sum(max(n, count) for n in sizes)  # only a group of too few is repeated
        assert all({groups[i] for i in b.tolist()} == set(range(len(sizes))) for b in part)
        assert max(map(len, part)) - min(map(len, part)) <= len(sizes)


def test_batches_repeat_under_one_seed() -> None:
    groups = [0, 1] * 20
    first, again, other = (
        torch.cat(list(stratified(groups, 8, epochs=1, seed=seed))).tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_bad_input() -> None:
    with pytest.raises(BadOption, match="lam=-1"):
        GroupGapLoss(lam=-1)
    with pytest.raises(BadOption, match="surrogate=hinge"):
        GroupGapLoss(surrogate="hinge")  # type: ignore[arg-type]
    with pytest.raises(BadData, match=r"labels \(3,\)"):
        GroupGapLoss()(_logits(2), torch.tensor([0, 1, 0]), torch.tensor([0, 1]))
    with pytest.raises(BadData, match=r"groups \(1,\)"):
        gap(torch.zeros(2), torch.zeros(1))
    with pytest.raises(BadOption, match="cannot hold all 3 groups"):
        next(stratified([0, 1, 2], 2, epochs=1, seed=0))
    with pytest.raises(BadData, match="no people to train on"):
        next(stratified([], 2, epochs=1, seed=0))
