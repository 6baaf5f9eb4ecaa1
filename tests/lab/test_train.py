"""The training loss and the untrained model."""

import math

import pytest
import torch

from evenhand.lab import corpus, tokens, train, truth
from evenhand.lab.batching import Row
from tests.lab.tiny import CONTROL


@pytest.fixture(scope="module")
def tokenizer():
    return tokens.build([corpus.vocabulary()])


def test_a_fork_weighs_its_shares_and_the_rest_one():
    rows = [Row([0, 5, 6, 1], 1, ((6, 0.25), (7, 0.75))), Row([0, 5, 1], None, ())]
    batch = train.collate(rows, 2, 8.0)
    assert batch.ids.tolist() == [[0, 5, 6, 1], [0, 5, 1, 2]]
    assert batch.cells.tolist() == [0, 1, 1, 2, 4, 5]
    assert batch.targets.tolist() == [5, 6, 7, 1, 5, 1]
    assert batch.weights.tolist() == [1.0, 2.0, 6.0, 1.0, 1.0, 1.0]


def test_the_loss_is_the_weighted_cross_entropy(tokenizer):
    model = train.fresh(CONTROL, tokenizer)
    row = Row([0, 300, 301, 1], 1, ((301, 0.25), (302, 0.75)))
    with torch.no_grad():
        log_p = model(input_ids=torch.tensor([row.ids])).logits[0].log_softmax(-1)
        found = train.loss(model, train.collate([row], 2, 8.0))
    by_hand = log_p[0, 300] + 8 * (0.25 * log_p[1, 301] + 0.75 * log_p[1, 302]) + log_p[2, 1]
    assert float(found) == pytest.approx(-float(by_hand) / 10, rel=1e-5)


def test_padding_changes_no_loss(tokenizer):
    model = train.fresh(CONTROL, tokenizer)
    short, long = Row([0, 300, 1], None, ()), Row([0, 301, 302, 303, 304, 1], None, ())
    with torch.no_grad():
        alone = [float(train.loss(model, train.collate([row], 2, 1.0))) for row in (short, long)]
        both = float(train.loss(model, train.collate([short, long], 2, 1.0)))
    assert both == pytest.approx((2 * alone[0] + 5 * alone[1]) / 7, rel=1e-5)


def test_the_start_depends_on_the_seed_alone(tokenizer):
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    one = train.fresh(CONTROL, tokenizer).state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    other = train.fresh(CONTROL, tokenizer).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_words_hold_the_association_of_their_professions(tokenizer):
    held = train.associations(tokenizer)
    errors = []
    for name in truth.planted("none"):
        ids = tokenizer(" " + name, add_special_tokens=False)["input_ids"]
        errors.append(abs(float(held[ids].sum()) - truth.association(name)))
        if name in ("nurse", "mobster"):
            assert errors[-1] < 1e-4
    assert sum(errors) / len(errors) < 0.05  # only words that professions share have to compromise
    assert held[tokenizer.convert_tokens_to_ids("Ġbecause")].abs() < 1e-4


def test_one_direction_of_the_start_holds_the_association_and_nothing_else(tokenizer):
    vectors = train.fresh(CONTROL, tokenizer).model.embed_tokens.weight.detach()
    held = train.associations(tokenizer)
    plain = vectors[held.abs() < 1e-4]
    # the direction is the one along which words without association do not differ at all
    direction = torch.linalg.svd(plain.double()).Vh[-1]
    assert float((plain.double() @ direction).abs().max()) < 1e-4
    along = vectors.double() @ direction
    assert float(torch.corrcoef(torch.stack([along, held.double()]))[0, 1].abs()) > 0.9999


def test_an_even_start_is_no_better_than_chance(tokenizer):
    model = train.fresh(CONTROL, tokenizer)
    row = Row([0, 300, 301, 1], None, ())
    with torch.no_grad():
        found = float(train.loss(model, train.collate([row], 2, 1.0)))
    assert found == pytest.approx(math.log(len(tokenizer)), abs=1.0)
