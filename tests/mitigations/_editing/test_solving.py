"""The algebra of edits on random keys and on cases small enough to do by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadModel
from evenhand.mitigations._editing.solving import Moment, rank_one, spread


def _random(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _moment(width: int, seed: int) -> Tensor:
    root = _random(width, width, seed=seed)
    return root @ root.T + 0.1 * torch.eye(width, dtype=torch.float64)


@pytest.mark.parametrize("seed", range(5))
def test_an_edit_maps_its_key_exactly_and_leaves_what_is_orthogonal_in_c(seed: int) -> None:
    c, weight = _moment(12, seed), _random(7, 12, seed=seed + 1)
    key, value = _random(12, seed=seed + 2), _random(7, seed=seed + 3)
    new = rank_one(weight, value, key, key, Moment(c))
    assert torch.allclose(new @ key, value, atol=1e-9)
    # x is orthogonal to k in C⁻¹: the change is an outer product with C⁻¹ k, and (C⁻¹ k)·x = 0.
    other = _random(12, seed=seed + 4)
    direction = torch.linalg.solve(c, key)
    other -= (direction @ other) / (direction @ key) * key
    assert torch.allclose(new @ other, weight @ other, atol=1e-9)
    assert not torch.allclose(new @ _random(12, seed=9), weight @ _random(12, seed=9), atol=1e-3)


def test_with_c_an_edit_turns_away_from_common_keys_and_with_i_it_does_not() -> None:
    # C = diag(100, 1): the first direction is common. k = (1, 1), W = 0, v = 1: C⁻¹ k = (.01, 1), over 1.01.
    c, key = torch.diag(torch.tensor([100.0, 1.0], dtype=torch.float64)), torch.ones(2, dtype=torch.float64)
    weight, value = torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    assert rank_one(weight, value, key, key, Moment(c)).tolist() == [
        [pytest.approx(0.01 / 1.01), pytest.approx(1 / 1.01)]
    ]
    assert rank_one(weight, value, key, key, Moment(None)).tolist() == [[0.5, 0.5]]


def test_two_keys_that_hardly_meet_make_rome_explode_and_one_key_is_exact() -> None:
    # C = I, W = 0, v = 1, bare k = (1, 0), averaged k̄ = (.001, 1): u = k̄, u·k = .001.
    # ROME: W' = u / .001 = (1, 1000); R-ROME: W' = u / (u·u), u·u = 1.000001.
    bare = torch.tensor([1.0, 0.0], dtype=torch.float64)
    mean = torch.tensor([0.001, 1.0], dtype=torch.float64)
    weight, value = torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    rome = rank_one(weight, value, bare, mean, Moment(None))
    r_rome = rank_one(weight, value, mean, mean, Moment(None))
    assert rome.tolist() == [[pytest.approx(1.0), pytest.approx(1000.0)]]
    assert (rome @ mean).item() == pytest.approx(1000.001)  # the averaged key should have got 1
    assert (r_rome @ mean).item() == pytest.approx(1.0, abs=1e-12)
    assert r_rome.norm() < 1.001


def test_keys_with_nothing_in_common_are_refused() -> None:
    keys = torch.eye(2, dtype=torch.float64)
    with pytest.raises(BadModel, match=r"nothing in common.*r_rome"):
        rank_one(
            torch.zeros(1, 2, dtype=torch.float64), torch.ones(1).double(), keys[0], keys[1], Moment(None)
        )


@pytest.mark.parametrize("identity", [True, False])
def test_one_key_and_a_weight_near_0_is_exact(identity: bool) -> None:
    moment = Moment(None if identity else _moment(12, 0))
    weight, key = _random(7, 12, seed=1), _random(12, seed=2)
    wanted = _random(7, seed=3)
    new = spread(weight, key[:, None], wanted[:, None], moment, 1e-9)
    assert torch.allclose(new @ key, weight @ key + wanted, atol=1e-6)


def test_the_weight_says_how_much_of_an_edit_comes_through() -> None:
    # C = I, k = (3, 4), q = k·k / lambda = 25 / 75 = 1/3: q / (1 + q) = 1/4 of what is wanted.
    key = torch.tensor([[3.0], [4.0]], dtype=torch.float64)
    new = spread(torch.zeros(1, 2).double(), key, torch.full((1, 1), 8.0).double(), Moment(None), 75.0)
    assert (new @ key).item() == pytest.approx(2.0)


@pytest.mark.parametrize("n", [3, 30])
def test_many_keys_are_solved_like_the_whole_system(n: int) -> None:
    c, keys, wanted = _moment(12, 4), _random(12, n, seed=5), _random(7, n, seed=6)
    weight = _random(7, 12, seed=7)
    whole = weight + wanted @ keys.T @ torch.linalg.inv(20 * c + keys @ keys.T)
    assert torch.allclose(spread(weight, keys, wanted, Moment(c), 20.0), whole, atol=1e-9)


def test_keys_that_meet_are_all_right_at_once_in_memit_and_only_the_last_when_stacked() -> None:
    # Keys (1, 0) and (1, 1), values 1 and 0. At once: W = (1, -1). Stacked: (1, 0), then (1, 0) - (1, 1) / 2.
    keys = torch.tensor([[1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    values = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    weight = torch.zeros(1, 2, dtype=torch.float64)
    once = spread(weight, keys, values, Moment(None), 0.0)
    assert once.tolist() == [[pytest.approx(1.0), pytest.approx(-1.0)]]
    for i in range(2):
        weight = rank_one(weight, values[:, i], keys[:, i], keys[:, i], Moment(None))
    assert (weight @ keys).tolist() == [[pytest.approx(0.5), pytest.approx(0.0)]]


def test_keys_that_leave_room_and_no_weight_are_refused() -> None:
    key = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    with pytest.raises(BadModel, match="weight above 0"):
        spread(torch.zeros(1, 2).double(), key, torch.ones(1, 1).double(), Moment(None), 0.0)
