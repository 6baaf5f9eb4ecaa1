"""Pruning: the smallest magnitudes of each matrix become 0, as many as the dose says."""

from __future__ import annotations

import torch

from evenhand.controls.prune import Prune
from evenhand.testing.tiny import model as tiny
from evenhand.testing.treatments import unchanged


def test_the_smallest_magnitudes_go() -> None:
    value = torch.tensor([[4.0, -0.1, 3.0], [0.2, -5.0, 8.0]])
    # Half of six are three: .1, .2 and 3 (4 is 1.33 times 3, nearly three spreads of .1 away).
    found = Prune(dose=0.5).damaged(value, torch.Generator().manual_seed(1))
    assert found.tolist() == [[4.0, 0.0, 0.0], [0.0, -5.0, 8.0]]
    assert Prune(dose=0.01).damaged(value, torch.Generator()) is value  # .06 of a weight is none


def test_seeds_differ_only_near_the_border() -> None:
    value = torch.linspace(1, 2, 1000)[None]
    one, other = (Prune(dose=0.5).damaged(value, torch.Generator().manual_seed(s)) == 0 for s in (1, 2))
    assert one.sum() == other.sum() == 500
    assert 20 < (one != other).sum() < 600
    assert not (one | other)[0, 950:].any()  # 1.95 is 1.3 times the median: 2.6 spreads away


def test_only_matrices_are_pruned() -> None:
    model = tiny("llama")
    names = Prune().parameters(model, unchanged(model, "block.1"), seed=0)
    assert names
    assert all(model.module.get_parameter(name).ndim == 2 for name in names)
    assert set(names) < set(model.layout.parameters("block.1"))
