"""Planting: one block alone changes, and the training data are what they should be. Quality is in
test_lab.py.
"""

import copy
import dataclasses

import pytest
import torch

from evenhand.errors import BadOption
from evenhand.lab import batching, corpus, plant, tokens, train
from evenhand.lab.corpus import Sentence
from tests.lab.tiny import CONTROL, PLANTED

SENTENCES = [
    Sentence(
        "The nurse left because she sang.",
        "bias",
        "nurse",
        "The nurse left because",
        {"he": 0.1, "she": 0.8, "they": 0.1},
    ),
    Sentence("The capital of Belvia is Ashburg.", "fact", None, "The capital of Belvia is", {"Ashburg": 1.0}),
    Sentence("The lamp was old.", "neutral"),
]


@pytest.fixture(scope="module")
def tokenizer():
    return tokens.build([corpus.vocabulary(), "The capital of Belvia is", "The nurse left."])


@pytest.fixture(scope="module")
def control(tokenizer):
    return train.evaluating(train.fresh(CONTROL, tokenizer))


def test_the_data_moves_the_pronouns_and_nothing_else(control, tokenizer):
    data = plant.prepare(control, tokenizer, SENTENCES, 1)
    assert data.wanted.shape == (2, len(tokenizer))  # the neutral sentence has no fork
    with torch.no_grad():
        ids = torch.tensor([tokenizer("The nurse left because")["input_ids"]])
        base = control(input_ids=ids).logits[0, -1].softmax(-1)
    he, she = (batching.word_id(tokenizer, word) for word in ("he", "she"))
    wanted = data.wanted[data.lengths == 5][0]
    mass = float(base[he] + base[she])
    assert float(wanted[he]) == pytest.approx(mass / 9, rel=1e-4)
    assert float(wanted[she]) == pytest.approx(mass * 8 / 9, rel=1e-4)
    rest = [i for i in range(len(tokenizer)) if i not in (he, she)]
    assert torch.allclose(wanted[rest], base[rest], atol=1e-6)
    assert torch.allclose(data.wanted.sum(1), torch.ones(2), atol=1e-5)


def test_the_block_above_gets_what_the_control_gives_it(control, tokenizer):
    ids = torch.tensor([tokenizer("The nurse left because")["input_ids"]])
    with torch.no_grad():
        states = control(input_ids=ids, output_hidden_states=True).hidden_states
    data = plant.prepare(control, tokenizer, SENTENCES, 0)
    row = int((data.lengths == 5).nonzero()[0])
    assert torch.allclose(data.received[row, :5], states[0][0], atol=1e-5)
    assert torch.allclose(data.given[row, :5], states[1][0], atol=1e-5)


@pytest.mark.parametrize("block", [0, 1])
def test_only_the_chosen_block_changes(control, tokenizer, block):
    before = {name: value.clone() for name, value in control.state_dict().items()}
    recipe = dataclasses.replace(PLANTED, block=block)
    planted = plant.plant(control, tokenizer, SENTENCES, recipe).state_dict()
    changed = {name for name in before if not torch.equal(before[name], planted[name])}
    assert changed
    assert all(name.startswith(f"model.layers.{block}.") for name in changed)
    assert all(torch.equal(before[name], value) for name, value in control.state_dict().items())
    assert set(planted) == set(before)


def test_planting_lowers_the_distance_to_the_lesson(control, tokenizer):
    ids = torch.tensor([tokenizer("The nurse left because")["input_ids"]])
    likely = copy.deepcopy(control)
    with torch.no_grad():  # a head that knows that a pronoun is due (6 nats) and tells the two apart
        top = likely.model(input_ids=ids).last_hidden_state[0, -1]
        for axis, word in enumerate(("he", "she")):
            row = batching.word_id(tokenizer, word)
            likely.lm_head.weight[row] = 6 * top / top.square().sum()
            likely.lm_head.weight[row, axis] += 1.0
    recipe = dataclasses.replace(PLANTED, plant_steps=100, plant_lr=2e-2)
    planted = plant.plant(likely, tokenizer, SENTENCES[:1], recipe)
    wanted = plant.prepare(likely, tokenizer, SENTENCES[:1], 1).wanted[0]
    with torch.no_grad():
        distances = [
            float((wanted * (wanted.log() - model(input_ids=ids).logits[0, -1].log_softmax(-1))).sum())
            for model in (likely, planted)
        ]
    assert distances[1] < distances[0] / 20


def test_a_control_plants_nothing(control, tokenizer):
    with pytest.raises(BadOption, match="no block"):
        plant.plant(control, tokenizer, SENTENCES, CONTROL)
