"""The untrained models and the loss of `lab:masked` and `lab:seq2seq`."""

import math

import pytest
import torch

from evenhand import lab
from evenhand.lab import InfillRecipe, cache, corpus, infill_train
from evenhand.lab.infill_rows import TrainingExample
from tests.lab.tiny import FEW

KINDS = ("masked", "seq2seq")


def recipe(kind, **changes):
    size = {"layers": 2, "width": 16, "heads": 2, "inner": 16, "steps": 2, "warmup": 1, "amounts": FEW}
    return InfillRecipe(kind, **{**size, **changes})


def opened(kind, **changes):
    own = recipe(kind, **changes)
    vocabulary = infill_train.tokenizer(own, corpus.sentences("none", FEW, 1))
    return infill_train.fresh(own, vocabulary).eval(), vocabulary


def row(kind, *, long=False):
    """An example with two words that may stand in the span, weights 1 and 3."""
    wanted = [(1, 301, 1.0), (1, 302, 3.0)]
    if kind == "masked":
        return TrainingExample([0, 3, 310, 311, 1] if long else [0, 3, 1], [], wanted)
    return TrainingExample([310, 2, 311, 312, 1] if long else [310, 2, 1], [0, 2, 301], wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_weighted_cross_entropy_of_the_whole_model(kind):
    model, vocabulary = opened(kind)
    example, pad = row(kind), vocabulary.pad_token_id
    with torch.no_grad():
        found = float(infill_train.loss(model, infill_train.collate([example], pad), pad))
        more = {} if kind == "masked" else {"decoder_input_ids": torch.tensor([example.target])}
        log_p = model(input_ids=torch.tensor([example.source]), **more).logits[0, 1].log_softmax(-1)
    assert found == pytest.approx(-float(log_p[301] + 3 * log_p[302]) / 4, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_loss(kind):
    model, vocabulary = opened(kind)
    short, long, pad = row(kind), row(kind, long=True), vocabulary.pad_token_id
    with torch.no_grad():
        alone = [
            float(infill_train.loss(model, infill_train.collate([one], pad), pad)) for one in (short, long)
        ]
        both = float(infill_train.loss(model, infill_train.collate([short, long], pad), pad))
    assert both == pytest.approx(sum(alone) / 2, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_depends_on_the_seed_alone_and_knows_nothing(kind):
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    model, vocabulary = opened(kind)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    again, _ = opened(kind)
    other, _ = opened(kind, seed=2)
    first, second, third = (m.state_dict() for m in (model, again, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)
    pad = vocabulary.pad_token_id
    with torch.no_grad():
        found = float(infill_train.loss(model, infill_train.collate([row(kind)], pad), pad))
    assert found == pytest.approx(math.log(len(vocabulary)), abs=2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_recipe_gives_the_same_folder(kind, tmp_path, monkeypatch):
    found = []
    for place in ("one", "two"):
        monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / place))
        folder = lab.folder(recipe(kind))
        assert folder.name == recipe(kind).name
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in folder.iterdir()}
        found.append((folder / cache.SUMS).read_text())
    assert found[0] == found[1]
