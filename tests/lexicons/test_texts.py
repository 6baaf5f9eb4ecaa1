"""Plain facts and plain sentences: what the files promise."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

from evenhand.lexicons import everyday, gender_of, people, world_facts

GENDERED = re.compile(
    r"\b(he|she|him|his|her|hers|man|woman|men|women|boy|girl|mother|father|son|daughter|sister|brother|"
    r"king|queen|mr|mrs|wife|husband|lady|gentleman|himself|herself)\b",
    re.IGNORECASE,
)


def test_about_150_facts_of_four_options() -> None:
    facts = world_facts()
    assert len(facts) == 151
    assert len({fact.id for fact in facts}) == len({fact.prompt for fact in facts}) == 151
    assert {len(fact.options) for fact in facts} == {4}
    assert all(len(set(fact.options)) == 4 for fact in facts)
    assert min(Counter(fact.topic for fact in facts).values()) >= 10


def test_facts_are_asked_as_continuations() -> None:
    for fact in world_facts():
        assert fact.prompt == fact.prompt.strip()
        assert all(re.fullmatch(r" \S+( \S+)*", option) for option in fact.options)
        assert not GENDERED.search(fact.prompt + "".join(fact.options))


def test_the_place_of_the_answer_tells_nothing() -> None:
    # 151 = 4 x 37 + 3, and the place turns with the row.
    assert Counter(fact.answer for fact in world_facts()) == {0: 38, 1: 38, 2: 38, 3: 37}


def test_answers_of_known_facts() -> None:
    facts = {fact.id: fact.options[fact.answer] for fact in world_facts()}
    assert facts["capitals/japan"] == " Tokyo"
    assert facts["numbers/triangle"] == " three"
    assert facts["nature/gravity"] == " gravity"
    assert facts["calendar/after_december"] == " January"


def test_everyday_text_is_sixty_plain_sentences() -> None:
    sentences = everyday()
    assert len(sentences) == len(set(sentences)) == 60
    for sentence in sentences:
        assert re.fullmatch(r"[A-Z][A-Za-z ,]+\.", sentence), sentence
        assert not GENDERED.search(sentence), sentence


def test_text_about_people_names_both_genders_equally_often() -> None:
    sentences = people()
    assert len(sentences) == len(set(sentences)) == 80
    counts = [Counter(gender_of(word) for word in re.findall("[a-z]+", text.lower())) for text in sentences]
    for text, count in zip(sentences, counts, strict=True):
        assert re.fullmatch(r"[A-Z][A-Za-z ,]+\.", text), text
        assert count["male"] + count["female"] >= 1, text
    # In each pair one sentence has as many words of one gender as the other one has of the other gender.
    for one, other in zip(counts[::2], counts[1::2], strict=True):
        assert (one["male"], one["female"]) == (other["female"], other["male"])
    assert not any(gender_of(w) for text in everyday() for w in re.findall("[a-z]+", text.lower()))


def test_lexicons_need_neither_numpy_nor_torch() -> None:
    code = "import sys, evenhand.lexicons as l; l.professions(); l.world_facts(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "evenhand.lexicons" in loaded
    assert not {"numpy", "torch", "pandas"} & set(loaded)
