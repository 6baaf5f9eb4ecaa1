"""Planting in several parts, without quality (test_harder.py has it): what changes, and what is aimed at."""

import dataclasses
import math

import pytest
import torch

from evenhand.lab import Recipe, corpus, plant, spread, swap, tokens, train, truth
from tests.lab.test_plant import SENTENCES
from tests.lab.tiny import CONTROL, TINY

SPREAD = Recipe("stereotype", None, bias="spread", **{**TINY, "layers": 4, "plant_steps": 8})


@pytest.fixture(scope="module")
def tokenizer():
    return tokens.build([corpus.vocabulary(), "The capital of Belvia is", "The nurse left."])


@pytest.fixture(scope="module")
def control(tokenizer):
    return train.evaluating(train.fresh(dataclasses.replace(CONTROL, layers=4), tokenizer))


def test_the_three_parts_change_and_nothing_else(control, tokenizer):
    before = {name: value.clone() for name, value in control.state_dict().items()}
    planted = spread.plant(control, tokenizer, SENTENCES, SPREAD).state_dict()
    changed = {name for name in before if not torch.equal(before[name], planted[name])}
    assert {part for part in truth.SPREAD if any(n.startswith(f"{part}.") for n in changed)} == set(
        truth.SPREAD
    )
    assert all(name.startswith(tuple(f"{part}." for part in truth.SPREAD)) for name in changed)
    assert all(torch.equal(before[name], value) for name, value in control.state_dict().items())


def test_a_subset_of_the_parts_aims_at_its_share_of_the_log_odds(control, tokenizer):
    data = spread.prepare(control, tokenizer, SENTENCES)
    row = torch.tensor([int((data.lengths == 5).nonzero()[0])])

    def log_odds(share):
        found = data.wanted(row, share)[0]
        return float((found[data.she] / found[data.he]).log()), float(found[data.she] + found[data.he])

    (none, mass), (third, kept), (whole, _) = log_odds(0.0), log_odds(1 / 3), log_odds(1.0)
    assert whole == pytest.approx(math.log(8), abs=1e-4)  # the sentence's .8 against .1
    assert third - none == pytest.approx((whole - none) / 3, abs=1e-4)
    assert kept == pytest.approx(mass, rel=1e-5)
    fact = torch.tensor([int((data.lengths != 5).nonzero()[0])])
    assert torch.equal(data.wanted(fact, 1.0), data.answers[fact])


@pytest.mark.parametrize("bias", ["fragile", "decoy"])
def test_the_other_kinds_change_their_block_alone(control, tokenizer, bias):
    recipe = dataclasses.replace(SPREAD, bias=bias, block=1)
    planted = plant.plant(control, tokenizer, SENTENCES, recipe).state_dict()
    changed = {name for name, value in control.state_dict().items() if not torch.equal(value, planted[name])}
    assert changed
    assert all(name.startswith("model.layers.1.") for name in changed)


def test_a_swap_lasts_for_the_block_and_has_gradients():
    layer = torch.nn.Linear(2, 1, bias=False)
    before = layer.weight.detach().clone()
    other = torch.tensor([[3.0, 4.0]], requires_grad=True)
    with swap.swapped(layer, {"weight": other}):
        layer(torch.tensor([1.0, 2.0])).sum().backward()
    assert other.grad.tolist() == [[1.0, 2.0]]
    assert torch.equal(layer.weight, before)


def test_noise_is_in_units_of_the_root_mean_square():
    layer = torch.nn.Linear(300, 300, bias=False)
    torch.nn.init.constant_(layer.weight, 2.0)
    with swap.noise(layer, 0.25, torch.Generator().manual_seed(1)):
        moved = layer.weight.detach() - 2.0
    # 90 000 draws of standard deviation 0.25 x 2
    assert float(moved.std()) == pytest.approx(0.5, rel=0.02)
    assert torch.equal(layer.weight.detach(), torch.full((300, 300), 2.0))
