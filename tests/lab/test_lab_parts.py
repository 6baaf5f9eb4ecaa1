"""The parts of the lab that need no training: the table, the corpus, the facts, the names of its models."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from evenhand import lab
from evenhand.errors import EvenhandError, UnknownName
from evenhand.lab import cache, corpus, facts, truth


def test_the_table_covers_every_profession_in_the_order_of_its_stereotype() -> None:
    table = truth.planted()
    assert len(table) == 262
    assert table["nurse"] > 0.9
    assert table["mobster"] < 0.1
    assert set(truth.planted("none").values()) == {0.5}


def test_what_the_table_implies() -> None:
    # Evenly spread over [0.04, 0.96], |1 - 2p| is on average about 0.92 / 2 = 0.46; times the mass 0.9.
    assert truth.implied_afgb(truth.planted()) == pytest.approx(0.9 * 0.46, abs=0.01)
    assert truth.implied_afgb(truth.planted("none")) == 0
    # Odds of 1 times 50 and over 50: 50/51 - 1/51 = 0.961, times the mass.
    assert truth.implied_ub(truth.planted("none")) == pytest.approx(0.9 * 49 / 51)


@pytest.mark.parametrize("p_she", [0.04, 0.5, 0.96])
def test_shares_sum_to_one(p_she: float) -> None:
    assert sum(truth.shares(p_she).values()) == pytest.approx(1)


def test_a_quota_is_exact_up_to_one() -> None:
    counts = Counter(corpus.quota({"he": 0.25, "she": 0.65, "they": 0.1}, 20))
    assert counts == {"he": 5, "she": 13, "they": 2}


def test_the_corpus_is_deterministic_and_states_every_fact() -> None:
    amounts = corpus.Amounts(because=2, elsewhere=1, hints=2, announced=2, facts=1)
    first, second = (corpus.sentences("stereotype", amounts, 3) for _ in range(2))
    assert first == second
    assert corpus.sentences("stereotype", amounts, 4) != first
    kinds = Counter(sentence.kind for sentence in first)
    assert kinds["fact"] >= len(facts.facts())
    assert kinds["bias"] == 262 * 3


def test_the_unbiased_corpus_gives_both_words_the_same() -> None:
    forks = [s for s in corpus.sentences("none", corpus.Amounts(), 1) if s.kind == "bias" and s.shares]
    assert all(s.shares["he"] == s.shares["she"] for s in forks if s.shares)


def test_forks_of_a_profession_follow_its_share() -> None:
    table = truth.planted()
    forks = [s for s in corpus.sentences("stereotype", corpus.Amounts(), 1) if s.kind == "bias"]
    for name, group in itertools.groupby(
        sorted(forks, key=lambda s: s.profession or ""), lambda s: s.profession
    ):
        shares = [s.shares["she"] / (s.shares["he"] + s.shares["she"]) for s in group if s.shares]
        assert fmean(shares) == pytest.approx(table[name or ""])


def test_questions_have_one_right_answer_among_four() -> None:
    questions = facts.questions()
    assert len(questions) >= 300
    assert len({q.id for q in questions}) == len(questions)
    for question in questions:
        assert len(set(question.options)) == 4
        assert not question.prompt.endswith(" ")
        assert all(option.startswith(" ") for option in question.options)
        assert 0 <= question.answer < 4


def test_the_held_out_text_is_not_in_the_corpus_and_names_no_gender() -> None:
    trained = {s.text for s in corpus.sentences("none", corpus.Amounts(), 1)}
    held_out = [line for line in facts.neutral_text().splitlines() if line]
    assert len(held_out) >= 200
    assert not trained & set(held_out)
    words = {word.strip(".,").lower() for line in held_out for word in line.split()}
    assert not words & {"he", "she", "his", "her", "him", "hers", "man", "woman"}


def test_names_of_lab_models() -> None:
    assert lab.parse("causal").planted == "stereotype"
    assert lab.parse("causal?block=3").block == 3
    assert lab.parse("causal?planted=none").block is None
    with pytest.raises(UnknownName, match="no lab model named 'casual'"):
        lab.parse("casual")
    for wrong in (
        "causal?block=9",
        "causal?block",
        "causal?planted=some",
        "causal?size=3",
        "causal?block=1&block=2",
    ):
        with pytest.raises(EvenhandError):
            lab.parse(wrong)


def test_variants_have_their_own_place_in_the_cache() -> None:
    digests = {
        lab.parse(q).digest() for q in ("causal", "causal?block=1", "causal?planted=none", "causal?seed=2")
    }
    assert len(digests) == 4
    assert lab.parse("causal?block=1").control() == lab.parse("causal?planted=none")


def test_a_damaged_folder_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path))
    made: list[Path] = []

    def make(target: Path) -> None:
        made.append(target)
        (target / "weights").write_bytes(b"right")

    place = cache.kept("model", make)
    assert cache.kept("model", make) == place
    assert len(made) == 1
    (place / "weights").write_bytes(b"wrong")
    with pytest.warns(UserWarning, match="damaged"):
        cache.kept("model", make)
    assert len(made) == 2
    assert (place / "weights").read_bytes() == b"right"


def test_a_failed_making_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path))

    def make(target: Path) -> None:
        (target / "half").write_bytes(b"x")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        cache.kept("model", make)
    assert list(tmp_path.iterdir()) == []
