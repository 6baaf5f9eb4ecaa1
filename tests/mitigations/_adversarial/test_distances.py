"""Distances between twins by hand, and what they must not see."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData
from evenhand.mitigations._adversarial.distances import (
    Distance,
    accuracy,
    distances,
    favour,
    gaps,
    own,
    task_loss,
)

KINDS: tuple[Distance, ...] = ("log_odds", "jensen_shannon", "vocabulary")


def logs(*people: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.tensor(people, dtype=torch.float64).log()


# Two people, two twins each, labels (no, yes): odds of yes 1:1 and 3:1; 4:1 and 1:4.
TWO = logs(((0.2, 0.2), (0.1, 0.3)), ((0.1, 0.4), (0.4, 0.1)))


def test_log_odds_by_hand() -> None:
    assert favour(TWO).exp().tolist() == [
        [pytest.approx(1), pytest.approx(3)],
        [pytest.approx(4), pytest.approx(0.25)],
    ]
    assert distances("log_odds", TWO).tolist() == pytest.approx([math.log(3), math.log(16)])


def test_the_gap_is_in_shares_of_the_label_words() -> None:
    # 1/2 against 3/4; 4/5 against 1/5. The mass outside the label words does not count.
    assert gaps(TWO).tolist() == pytest.approx([0.25, 0.6])


def test_jensen_shannon_by_hand() -> None:
    # p = (1/2, 1/2), q = (1/4, 3/4), m = (3/8, 5/8).
    by_hand = 0.5 * (
        0.5 * math.log(4 / 3) + 0.5 * math.log(4 / 5) + 0.25 * math.log(2 / 3) + 0.75 * math.log(6 / 5)
    )
    assert distances("jensen_shannon", TWO)[0].item() == pytest.approx(by_hand)
    apart = logs(((1 - 1e-12, 1e-12), (1e-12, 1 - 1e-12)))
    assert distances("jensen_shannon", apart).item() == pytest.approx(math.log(2), abs=1e-9)


def test_three_groups_are_the_mean_over_pairs() -> None:
    # Odds 1, 2, 8: |ln 2| + |ln 8| + |ln 4| = 6 ln 2, over three pairs.
    three = logs(((0.5, 0.5), (0.25, 0.5), (0.1, 0.8)))
    assert distances("log_odds", three).item() == pytest.approx(2 * math.log(2))


def test_more_than_two_labels_set_the_last_against_the_others() -> None:
    # 0.2 against 0.1 + 0.3; 0.4 against 0.4.
    several = logs(((0.1, 0.3, 0.2), (0.2, 0.2, 0.4)))
    assert distances("log_odds", several).item() == pytest.approx(math.log(2))


def test_the_vocabulary_form_is_the_mean_square_of_all_logits() -> None:
    logits = torch.tensor([[[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 0.0, 5.0]]])
    assert distances("vocabulary", TWO[:1], logits).item() == pytest.approx((4 + 4) / 4)
    with pytest.raises(BadData, match="distance=log_odds"):
        distances("vocabulary", TWO)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_twins_are_at_distance_zero_with_gradient_zero(kind: Distance) -> None:
    start = torch.randn(3, 1, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits = start.expand(3, 2, 5).clone().requires_grad_()
    log_p = logits.log_softmax(-1)[..., :2]
    value = distances(kind, log_p, logits)
    assert value.tolist() == pytest.approx([0.0] * 3, abs=1e-15)
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-15


def test_task_loss_and_accuracy_look_at_the_person_as_they_are() -> None:
    groups, labels = torch.tensor([1, 0]), torch.tensor([1, 0])
    assert own(TWO, groups).exp().tolist() == [pytest.approx([0.1, 0.3]), pytest.approx([0.1, 0.4])]
    # -ln 0.3 for the first; the second is "yes" with 0.4 where "no" (0.1) is true.
    assert task_loss(TWO, groups, labels).item() == pytest.approx(-(math.log(0.3) + math.log(0.1)) / 2)
    assert accuracy(TWO, groups, labels) == 0.5


def test_a_tie_is_not_right() -> None:
    assert accuracy(logs(((0.3, 0.3), (0.1, 0.2))), torch.tensor([0]), torch.tensor([0])) == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_groups_does_not_matter(kind: Distance) -> None:
    logits = torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(1))
    log_p = logits.log_softmax(-1)[..., :2]
    turned = distances(kind, log_p.flip(1), logits.flip(1))
    torch.testing.assert_close(turned, distances(kind, log_p, logits))


def test_one_group_has_no_twins() -> None:
    with pytest.raises(BadData, match="no twins"):
        distances("log_odds", TWO[:, :1])
