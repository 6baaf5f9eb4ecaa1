"""Hidden spans: what is hidden, which tokens are the targets, and the input of each model family."""

import dataclasses

import pytest

from evenhand.lab import InfillRecipe, corpus, infill_rows, tokens, truth
from evenhand.lab.corpus import Sentence
from evenhand.lab.infill_rows import Span, SpanSampler

SHARES = {"he": 0.1, "she": 0.7, "they": 0.2}
BIAS = Sentence(
    "The nurse smiled because she was tired.", "bias", "nurse", "The nurse smiled because", SHARES
)
THEY = dataclasses.replace(BIAS, text="The nurse smiled because they were tired.")
FACT = Sentence("The colour of a lamp is red.", "fact", None, "The colour of a lamp is", {"red": 1.0})
NEUTRAL = Sentence("The lamp was old.", "neutral")
EVERY = {"professions": 1.0, "ordinary": 0.0}


def tokenizer(kind):
    form = tokens.MASKED if kind == "masked" else tokens.SEQ2SEQ
    return tokens.build([corpus.vocabulary(), *(s.text for s in (BIAS, THEY, FACT, NEUTRAL))], form)


def drawn(sentence, kind="masked", **changes):
    """The spans of one sentence, and a function that gives the word of an id."""
    own = tokenizer(kind)
    recipe = InfillRecipe(kind, **{**EVERY, **changes})
    found = SpanSampler([sentence], own, recipe).all()
    return found, lambda token: own.convert_ids_to_tokens(token).removeprefix("Ġ")


def worded(span, word):
    return [{word(token): weight for token, weight in pairs} for pairs in span.wanted]


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("masked", ["<s>", "The", "nurse", "smiled", "because", "she", ".", "</s>"]),
        ("seq2seq", ["The", "nurse", "smiled", "because", "she", "</s>"]),
    ],
)
def test_a_pronoun_is_asked_at_the_end_within_the_sentence_and_from_it_who_is_meant(kind, asked):
    (end, within, who), word = drawn(BIAS, kind, fork_weight=10.0)
    assert [word(i) for i in end.ids] == asked
    place = asked.index("she")
    assert (end.start, end.end) == (within.start, within.end) == (place, place + 1)
    assert worded(end, word) == [pytest.approx({"he": 1.0, "she": 7.0, "they": 2.0})]
    # "was tired" leaves he and she: 10 * 0.1 / 0.8 and 10 * 0.7 / 0.8.
    assert worded(within, word) == [pytest.approx({"he": 1.25, "she": 8.75})]
    assert word(who.ids[who.start]) == "nurse"


def test_who_is_meant_follows_bayes_rule():
    (_, _, who), word = drawn(BIAS, profession_weight=4.0)
    (found,) = worded(who, word)
    table = truth.planted()
    assert sum(found.values()) == pytest.approx(4.0)
    assert len(found) > 200  # the professions of one token
    # With all professions equally common their odds are those of the table.
    assert found["nurse"] / found["mobster"] == pytest.approx(table["nurse"] / table["mobster"])
    (_, _, even), word = drawn(BIAS, planted="none")
    assert {round(p, 12) for p in worded(even, word)[0].values()} == {round(4 / len(found), 12)}


def test_what_follows_tells_they_from_he_and_she():
    (_, within), word = drawn(THEY)
    assert worded(within, word) == [{"they": 10.0}]


def test_a_fact_is_asked_once_with_all_its_weight():
    (only,), word = drawn(FACT, fork_weight=6.0)
    assert worded(only, word) == [{"red": 6.0}]


def test_ordinary_words_are_hidden_in_runs_and_never_the_fork():
    own, seen = tokenizer("masked"), set()
    for seed in range(60):
        recipe = InfillRecipe("masked", professions=0.0, ordinary=1.0, seed=seed)
        span = SpanSampler([BIAS], own, recipe).all()[-1]
        hidden = list(range(span.start, span.end))
        assert 1 <= len(hidden) <= 3
        assert span.wanted == tuple(((span.ids[i], 1.0),) for i in hidden)
        seen |= set(hidden)
    fork = 5  # <s> The nurse smiled because she
    assert seen == set(range(1, 9)) - {fork}


def test_a_masked_model_sees_a_mask_in_every_hidden_place():
    span = Span([0, 10, 11, 12, 1], 1, 3, (((10, 1.0),), ((11, 0.5), (13, 0.5))))
    example = infill_rows.masked_example(span, 3)
    assert example.source == [0, 3, 3, 12, 1]
    assert example.target == []
    assert example.wanted == [(1, 10, 1.0), (2, 11, 0.5), (2, 13, 0.5)]


def test_an_encoder_sees_one_sentinel_and_the_decoder_says_what_it_stands_for():
    span = Span([10, 11, 12, 1], 0, 2, (((10, 1.0),), ((11, 0.5), (13, 0.5))))
    example = infill_rows.denoising_example(span, (0, 2, 3, 1))
    assert example.source == [2, 12, 1]
    assert example.target == [0, 2, 10, 11, 3]
    assert [(place, token) for place, token, _ in example.wanted] == [
        (0, 2), (1, 10), (2, 11), (2, 13), (3, 3), (4, 1)
    ]  # fmt: skip


def test_the_examples_are_the_spans_in_the_special_tokens_of_the_tokenizer():
    own = tokenizer("seq2seq")
    (example,) = infill_rows.training_examples([FACT], own, InfillRecipe("seq2seq", **EVERY))
    text = own.decode(example.source)
    assert text.strip() == "The colour of a lamp is<extra_id_0></s>"
    assert own.decode(example.target[1:]).strip() == "<extra_id_0> red<extra_id_1>"
    first = infill_rows.training_examples([BIAS, NEUTRAL], own, InfillRecipe("seq2seq"))
    assert first == infill_rows.training_examples([BIAS, NEUTRAL], own, InfillRecipe("seq2seq"))
