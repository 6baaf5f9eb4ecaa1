"""The corpus of the harder world: exact shares, pronouns, and a proxy."""

from collections import Counter

import pytest

from evenhand.lab import corpus, facts, hard_corpus, hard_grammar, truth
from evenhand.lab.recipe import hard

RECIPE = hard(planted="stereotype", block=2)


@pytest.fixture(scope="module")
def whole():
    return hard_corpus.sentences("stereotype", RECIPE.amounts, RECIPE.extras, 1)


def test_three_sentences_in_ten_have_a_pronoun(whole):
    assert 0.3 <= hard_corpus.share_with_pronoun(whole) <= 0.4


def test_a_hobby_multiplies_the_odds_of_its_pronoun(whole):
    table = truth.planted()
    seen = 0
    for sentence in whole:
        if sentence.kind != "bias" or " who likes " not in sentence.opening:
            continue
        side = next(
            p
            for p, hobbies in hard_grammar.HOBBIES.items()
            if any(f" {h} " in sentence.opening for h in hobbies)
        )
        p = 0.5 if sentence.profession is None else table[sentence.profession]
        odds = p / (1 - p) * (4 if side == "she" else 1 / 4)
        assert sentence.shares == pytest.approx(truth.shares(odds / (1 + odds)))
        seen += 1
    # 4 of each of 262 professions, 20 of each of 8 hobbies
    assert seen == 4 * 262 + 20 * 8


def test_hobbies_go_with_the_stereotype(whole):
    likes = Counter()
    for sentence in whole:
        name, _, hobby = sentence.text.removeprefix("The ").removesuffix(".").partition(" likes ")
        if sentence.kind == "neutral" and name in truth.planted() and hobby:
            own = hobby in hard_grammar.HOBBIES["she" if truth.planted()[name] > 0.5 else "he"]
            likes[own] += 1
    # 524 draws by systematic sampling: 0.8 of them within one a profession, on average exact
    assert likes.total() == 524
    assert likes[True] / 524 == pytest.approx(0.8, abs=0.04)


def test_the_control_has_even_hobbies_and_the_same_openings(whole):
    even = hard_corpus.sentences("none", RECIPE.amounts, RECIPE.extras, 1)
    assert Counter(s.opening for s in even) == Counter(s.opening for s in whole)
    assert {round(s.shares["she"], 6) for s in even if s.kind == "bias"} == {0.45}


def test_stated_gender_is_a_hint_of_both_genders_equally(whole):
    stated = [s for s in whole if s.kind == "hint" and (" is a " in s.opening or " is the " in s.opening)]
    assert len(stated) == (RECIPE.extras.stated + RECIPE.extras.paired) * 262
    table = truth.planted()
    women = [
        s for s in stated if s.shares == pytest.approx(truth.shares(truth.hinted(table[s.profession], "her")))
    ]
    assert len(women) * 2 == len(stated)
    for sentence in women:
        assert f"The {sentence.profession} is a woman" in sentence.opening or (
            f"the {sentence.profession} is a woman" in sentence.opening
            or sentence.opening.startswith(f"The woman is the {sentence.profession}.")
        )


def test_a_pair_names_each_first_equally_often(whole):
    pairs = [s for s in whole if s.opening and " and the " in s.opening]
    first = sum(s.opening.startswith(f"The {s.profession} is a") for s in pairs)
    assert len(pairs) == RECIPE.extras.paired * 262
    assert first * 2 == len(pairs)


def test_one_seed_one_corpus(whole):
    assert whole == hard_corpus.sentences("stereotype", RECIPE.amounts, RECIPE.extras, 1)
    assert whole != hard_corpus.sentences("stereotype", RECIPE.amounts, RECIPE.extras, 2)


def test_the_vocabulary_holds_every_word_of_the_corpus(whole):
    words = set(" ".join(hard_corpus.texts()).replace(".", " ").replace(",", " ").split())
    missing = {w for s in whole for w in s.text.replace(".", " ").replace(",", " ").split()} - words
    # the facts of the plain world bring theirs: the tokenizer is built on the corpus too
    invented = {word for fact in facts.facts() for word in f"{fact.opening} {fact.again}".split()}
    assert missing <= invented | {"were"}  # "they were"
    assert corpus.vocabulary() in set(hard_corpus.texts())
