"""Rows and batches."""

import itertools

import pytest

from evenhand.lab import batching, corpus, tokens
from evenhand.lab.corpus import Sentence


@pytest.fixture(scope="module")
def tokenizer():
    return tokens.build(["The nurse left.", corpus.vocabulary()])


def test_the_fork_is_the_last_position_of_the_opening(tokenizer):
    fork = Sentence(
        "The nurse left because she sang.", "bias", "nurse", "The nurse left because", {"he": 0.2, "she": 0.8}
    )
    plain = Sentence("The nurse left.", "neutral")
    first, second = batching.encode([fork, plain], tokenizer)
    # positions: 0 <s>, 1 The, 2 nurse, 3 left, 4 because, 5 she
    assert first.fork == 4
    assert first.ids[5] == batching.word_id(tokenizer, "she")
    assert first.shares == (
        (batching.word_id(tokenizer, "he"), 0.2),
        (batching.word_id(tokenizer, "she"), 0.8),
    )
    assert (second.fork, second.shares) == (None, ())
    assert second.ids[-1] == tokenizer.eos_token_id


def test_a_pass_has_everything_once_within_the_budget():
    lengths = [3 + i % 7 for i in range(200)]
    order = batching.bucketed(lengths, 40, seed=1)
    seen = []
    while len(seen) < 200:
        batch = next(order)
        assert len(batch) * max(lengths[i] for i in batch) <= 40
        seen += batch
    assert sorted(seen) == list(range(200))


def test_batches_repeat_under_one_seed():
    def first(seed):
        return list(itertools.islice(batching.bucketed([5] * 50, 20, seed), 20))

    assert first(1) == first(1) != first(2)


def test_lengths_within_a_batch_are_alike():
    lengths = [3 + i % 12 for i in range(600)]
    batches = list(itertools.islice(batching.bucketed(lengths, 60, seed=1), 80))
    padding = sum(max(lengths[i] for i in b) * len(b) - sum(lengths[i] for i in b) for b in batches)
    assert padding / sum(lengths[i] for b in batches for i in b) < 0.15


def test_padding_is_on_the_right():
    assert batching.padded([[1, 2], [3]], 9).tolist() == [[1, 2], [3, 9]]
