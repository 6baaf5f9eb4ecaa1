"""Documents are counted as a loop over their words counts them, whatever the blocks that they come in."""

from __future__ import annotations

import re
from collections import Counter as Tally

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from evenhand.corpora import counting, opened_corpus
from evenhand.corpora.counting import Counted, Counter, normal
from evenhand.lexicons import mention_words

WORDS = ("he", "she", "doctor", "doctors", "nurse", "house", "the", "HE", "She,", "(doctor)", "they")


def counted(documents: list[str], size: int = 10_000, seed: int = 0) -> Counted:
    """The counts of documents that come `size` at a time."""
    counter = Counter("gender", seed)
    for start in range(0, len(documents), size):
        counter.add(documents[start : start + size])
    return counter.result()


def by_loop(documents: list[str]) -> tuple[Tally, Tally, int, Tally]:
    """Documents that mention a group, one alone, several, and by profession and group: word by word."""
    groups = mention_words("gender")
    mentioning, alone, beside = Tally(), Tally(), Tally()
    mixed = 0
    for text in documents:
        words = set(re.findall(r"[a-z0-9]+", text.lower()))
        there = [name for name, own in groups.items() if words & set(own)]
        mentioning.update(there)
        mixed += len(there) > 1
        if len(there) == 1:
            alone.update(there)
            beside.update((job, there[0]) for job in ("doctor", "nurse") if words & {job, f"{job}s"})
    return mentioning, alone, mixed, beside


def test_counts_are_those_of_a_loop_over_words() -> None:
    rng = np.random.default_rng(3)
    documents = [" ".join(rng.choice(WORDS, rng.integers(1, 8))) + "." for _ in range(500)]
    found = counted(documents)
    mentioning, alone, mixed, beside = by_loop(documents)
    assert dict(zip(found.groups, found.mentioning.tolist(), strict=True)) == dict(mentioning)
    assert dict(zip(found.groups, found.alone.tolist(), strict=True)) == dict(alone)
    assert found.mixed == mixed > 0
    for job in ("doctor", "nurse"):
        own = found.beside[found.jobs.index(job)]
        assert {(job, g): int(n) for g, n in zip(found.groups, own, strict=True)} == {
            (job, g): beside[job, g] for g in found.groups
        }


def test_a_document_counts_once_by_hand() -> None:
    # He twice is once; he and she is mixed; of the nurses' documents one mentions she alone.
    documents = ["He said he is a doctor.", "He met her.", "She is a nurse, a nurse!", "A nurse."]
    found = counted(documents)
    places = {name: i for i, name in enumerate(found.groups)}
    assert found.documents == 4
    assert [int(found.alone[places[g]]) for g in ("male", "female")] == [1, 1]
    assert [int(found.mentioning[places[g]]) for g in ("male", "female")] == [2, 2]
    assert found.mixed == 1
    assert found.beside[found.jobs.index("nurse")].sum() == 1
    assert found.beside[found.jobs.index("doctor")][places["male"]] == 1
    assert found.bytes == sum(map(len, documents))
    assert found.lengths == 6 + 3 + 6 + 2
    # Of male and of female alone, of several, of none.
    assert [found.totals[0, places[g]] for g in ("male", "female")] == [1, 1]
    assert found.totals[0, 2:].tolist() == [1, 1]
    assert found.totals[:, places["male"]].tolist() == [1, len(documents[0]), 6]


def test_what_few_documents_mention_is_in_no_total() -> None:
    # 5 of him, 2 of her, 3 of both, 4 of nobody, at least 3: hers are in no total, and no sample.
    documents = ["he a"] * 5 + ["she a"] * 2 + ["he she"] * 3 + ["nobody"] * 4
    found = counted(documents)
    shown = found.shown(3)
    assert (shown.groups, shown.documents, shown.mixed, shown.nobody) == (("male",), 12, 3, 4)
    assert (shown.lengths, shown.bytes) == (5 * 2 + 3 * 2 + 4, 5 * 4 + 3 * 6 + 4 * 6)
    assert {text for _, text in shown.seen} == {"he a", "he she", "nobody"}
    assert {shown.totals[0, place] for place, text in shown.seen if text == "nobody"} == {4}
    assert {text for _, text in shown.sample} == {"he a"}
    assert found.shown(4).documents == 9  # without those that mention both
    assert found.shown(0) is found


def test_blocks_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    documents = [" ".join(rng.choice(WORDS, 5)) for _ in range(300)]
    whole, pieces = counted(documents), counted(documents, size=7)
    for name in ("mentioning", "alone", "beside", "hashes"):
        assert (getattr(whole, name) == getattr(pieces, name)).all(), name
    assert (whole.mixed, whole.documents) == (pieces.mixed, pieces.documents)
    assert whole.sample == pieces.sample
    assert whole.seen == pieces.seen


def test_a_document_of_several_lines_is_one() -> None:
    found = counted(["He is here.\nShe is there.", "Nobody."])
    assert (found.documents, found.mixed) == (2, 1)


def test_words_are_whole_and_other_letters_are_letters() -> None:
    found = counted(["shell and heat", "été he", "théhe"])
    assert int(found.alone.sum()) == 1


def test_samples_are_seeded_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SAMPLED", 20)
    monkeypatch.setattr(counting, "SEEN", 10)
    documents = [f"he number {i}" for i in range(200)] + [f"nobody {i}" for i in range(200)]
    one, same, other = counted(documents), counted(documents, size=13), counted(documents, seed=1)
    assert (len(one.sample), len(one.seen)) == (20, 10)
    assert one.sample == same.sample
    assert one.sample != other.sample
    assert all(text.startswith("he ") for _, text in one.sample)
    # Every document is drawn alike: of 40 seeds' samples, 20 of 200 each, the mean number is near 99.5. Its
    # standard error is 57.7 / √800.
    numbers = [
        int(text.split()[-1]) for seed in range(40) for _, text in counted(documents, seed=seed).sample
    ]
    assert np.mean(numbers) == pytest.approx(99.5, abs=4 * 57.7 / np.sqrt(800))


def test_copies_are_told_by_their_words() -> None:
    assert normal("He, HE\nand She!") == normal("he  he and she ")
    assert normal("he") != normal("she")


def test_a_second_question_reads_nothing_again() -> None:
    corpus = opened_corpus(["He is a doctor.", "She is here."])
    assert corpus.counted("gender") is corpus.counted("gender")
    assert corpus.counted("gender") is not corpus.counted("gender", seed=1)
