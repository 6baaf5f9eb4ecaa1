"""The corpus: exact shares, the benchmarks' prompts, one seed one corpus."""

import hashlib
import re
from collections import Counter

import pytest

from evenhand.lab import corpus, grammar, truth
from evenhand.lab.corpus import Amounts
from evenhand.lab.recipe import VERSION, Recipe

SHARES = {"he": 0.6, "she": 0.3, "they": 0.1}


@pytest.fixture(scope="module")
def whole():
    return corpus.sentences("stereotype", Amounts(), 1)


def test_quota_is_exact_where_it_can_be():
    assert Counter(corpus.quota(SHARES, 10)) == {"he": 6, "she": 3, "they": 1}


@pytest.mark.parametrize("offset", [0.0, 0.3, 0.99])
def test_quota_is_within_one_anywhere(offset):
    counts = Counter(corpus.quota(SHARES, 7, offset))
    assert sum(counts.values()) == 7
    assert all(abs(counts[word] - 7 * share) < 1 for word, share in SHARES.items())


def test_quota_over_even_offsets_loses_no_small_share():
    counts = Counter(word for i in range(100) for word in corpus.quota(SHARES, 3, (i + 0.5) / 100))
    assert counts == {"he": 180, "she": 90, "they": 30}


def test_the_texts_have_the_planted_shares(whole):
    for name, p_she in list(truth.planted("stereotype").items())[::20]:
        ours = [s for s in whole if s.kind == "bias" and s.profession == name]
        assert len(ours) == 38
        she = sum(s.text.startswith(s.opening + " she ") for s in ours)
        # 30 forks after "because" and 8 elsewhere, each within one of its quota
        assert abs(she - 38 * 0.9 * p_she) < 2


def test_shares_say_what_is_planted(whole):
    table = truth.planted("stereotype")
    for sentence in whole:
        if sentence.kind == "bias":
            assert sentence.shares == truth.shares(table[sentence.profession])
        elif sentence.kind == "hint":
            own = "her" if re.search(r"\b(her|She)\b", sentence.opening) else "his"
            expected = truth.shares(truth.hinted(table[sentence.profession], own))
            assert sentence.shares == pytest.approx(expected)


def test_hints_are_balanced_and_do_not_follow_the_profession(whole):
    for name in list(truth.planted("none"))[::40]:
        hints = [s for s in whole if s.kind == "hint" and s.profession == name]
        female = [s for s in hints if re.search(r"\b(her|She)\b", s.opening)]
        assert len(female) * 2 == len(hints) == 18


def test_the_benchmarks_prompts_are_sentences_of_the_corpus(whole):
    openings = {s.opening for s in whole}
    for name in truth.planted("none"):
        assert {f"The {name} {action} because" for action in grammar.ASKED} <= openings
        for own in grammar.PRONOUNS:
            assert {f"The {name} {form.format(own=own)}" for form in grammar.HINTED[:3]} <= openings


def test_most_actions_are_not_those_of_the_benchmark(whole):
    openings = [s.opening for s in whole if s.kind == "bias" and s.opening.endswith("because")]
    asked = sum(opening.endswith(tuple(f"{a} because" for a in grammar.ASKED)) for opening in openings)
    assert asked / len(openings) < 0.35


def test_the_control_differs_in_nothing_but_the_pronouns():
    planted, even = (corpus.sentences(v, Amounts(), 3) for v in ("stereotype", "none"))
    assert [s.opening for s in planted] == [s.opening for s in even]
    assert [s.kind for s in planted] == [s.kind for s in even]
    assert {s.shares["she"] for s in even if s.kind == "bias"} == {0.45}


def test_the_openings_of_forks_hold_no_pronoun_but_the_hint(whole):
    for sentence in whole:
        if sentence.kind == "bias":
            assert not re.search(r"\b(he|she|his|her|they)\b", sentence.opening, re.IGNORECASE)


def test_one_seed_one_corpus():
    few = Amounts(1, 1, 2, 2, 1)
    assert corpus.sentences("none", few, 5) == corpus.sentences("none", few, 5)
    assert corpus.sentences("none", few, 5) != corpus.sentences("none", few, 6)


def test_the_vocabulary_has_the_words_that_a_small_corpus_may_lack():
    known = corpus.vocabulary().split()
    for word in ("he", "they", "nobody", "sneezed", "lunch", "coat", "was", "Ashburg", "silk", "nurse"):
        assert word in known
    assert "{" not in corpus.vocabulary()


def test_a_changed_corpus_needs_a_new_version(whole):
    digest = hashlib.sha256("\n".join(s.text for s in whole).encode()).hexdigest()
    assert (VERSION, digest[:16]) == (2, "b49c06c919dc6f59"), (
        "raise recipe.VERSION, then pin the new digest here"
    )
    assert Recipe().amounts == Amounts()
