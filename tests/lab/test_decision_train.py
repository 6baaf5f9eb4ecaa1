"""The training of the lab's decisions: the loss by hand, and a start that the seed alone decides."""

import numpy as np
import pytest
import torch

from evenhand.lab import DecisionRecipe, decision_train, people

TINY = DecisionRecipe(
    layers=3, width=16, heads=2, inner=16, steps=2, warmup=1, batch_tokens=64, shots=3, header=3
)


@pytest.fixture(scope="module")
def tokenizer():
    return decision_train.tokenizer()


def answers(tokenizer):
    return [tokenizer(label, add_special_tokens=False)["input_ids"][0] for label in people.LABELS]


def test_the_loss_is_the_divergence_at_labels_and_a_little_of_the_rest(tokenizer):
    plain = DecisionRecipe(layers=3, width=16, heads=2, inner=16, language=0.5, guide=0.0)
    model, guides = decision_train.fresh(plain, tokenizer)
    batch = next(decision_train.batches(plain, tokenizer))
    with torch.no_grad():
        found = float(decision_train.loss(model, guides, batch, answers(tokenizer), plain))
        log_p = model(input_ids=torch.from_numpy(batch.ids)).logits.log_softmax(-1).double().numpy()
    at_labels = log_p[:, batch.places][..., answers(tokenizer)]
    planted = np.stack([1 - batch.p_yes, batch.p_yes], axis=-1)
    divergence = (planted * (np.log(planted) - at_labels)).sum(-1).mean()
    rest = [
        -log_p[row, i, batch.ids[row, i + 1]]
        for row in range(len(batch.ids))
        for i in range(batch.start, batch.ids.shape[1] - 1, 7)
        if i not in batch.places
    ]
    assert found == pytest.approx(divergence + 0.5 * np.mean(rest), rel=1e-4)


def test_guides_add_the_squared_errors_of_their_readings(tokenizer):
    """With readings forced to 0, the guides' errors are the mean squares of what they should have read."""
    recipes = [DecisionRecipe(layers=3, width=16, heads=2, inner=16, guide=guide) for guide in (0.0, 2.0)]
    model, guides = decision_train.fresh(recipes[0], tokenizer)
    for guide in guides:
        torch.nn.init.zeros_(guide.weight)
        torch.nn.init.zeros_(guide.bias)
    batch = next(decision_train.batches(recipes[0], tokenizer))
    with torch.no_grad():
        without, guided = (
            float(decision_train.loss(model, guides, batch, answers(tokenizer), recipe)) for recipe in recipes
        )
    squares = 1 + (batch.logit_bias**2).mean() / 4 + (batch.factor**2).mean()  # a sign's square is 1
    assert guided - without == pytest.approx(2 * squares, rel=1e-4)


def test_the_start_depends_on_the_seed_alone(tokenizer):
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    one = decision_train.fresh(TINY, tokenizer)[0].state_dict()
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    other = decision_train.fresh(TINY, tokenizer)[0].state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_batches_keep_their_size_and_their_number_of_shots(tokenizer):
    drawn = decision_train.batches(TINY, tokenizer)
    found = [next(drawn) for _ in range(40)]
    assert {len(batch.places) for batch in found} == {1, 2, 4}  # 0, 1 and 3 demonstrations and a query
    assert max(batch.ids.size for batch in found) <= 64 + 4 * 8
    assert 0.1 < np.mean([batch.start > 1 for batch in found]) < 0.7


def test_training_repeats_and_moves(tokenizer):
    one, same = (decision_train.train(TINY, tokenizer).state_dict() for _ in range(2))
    start = decision_train.fresh(TINY, tokenizer)[0].state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["lm_head.weight"], start["lm_head.weight"])
