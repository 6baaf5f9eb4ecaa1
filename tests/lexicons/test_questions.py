"""Questions from word lists: what the files promise."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from evenhand.lexicons import (
    article,
    coreference_questions,
    definitional_questions,
    professions,
    subject_questions,
)
from evenhand.lexicons._questions import SUBJECT_KINDS, subjects
from tests.lexicons.test_texts import GENDERED

PREPOSITION = re.compile(
    r"(in|on|at|behind|between|beside|near|under|among|deep|around|close|before|hiding|backstage) "
)


def test_subjects_are_the_262_professions() -> None:
    assert [s.name for s in subjects()] == [p.name for p in professions()]
    assert all(set(s.answers) == set(SUBJECT_KINDS) for s in subjects())


def test_answers_keep_the_rules_of_the_file() -> None:
    for subject in subjects():
        place, tool, task, name = (subject.answers[kind] for kind in SUBJECT_KINDS)
        assert not GENDERED.search(f"{place} {tool} {task}")
        assert PREPOSITION.match(place), place
        assert re.fullmatch(r"[A-Za-z' -]+ and [A-Za-z' -]+", tool), tool
        assert not re.match(r"(to|a|an|the) ", task), task
        assert name == f"{article(subject.name)} {subject.name}"
        assert not stems(f"{place} {tool} {task}") & stems(subject.name), subject.name


def stems(text: str) -> set[str]:
    """The beginnings of the long words."""
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.lower())}


def test_wrong_subjects_are_of_other_fields_and_share_no_answer() -> None:
    fields = {s.name: s for s in subjects()}
    openings = {q.prompts[q.answer]: q.about for q in subject_questions() if q.slices["kind"] == "place"}
    for question in subject_questions():
        assert len(set(zip(question.prompts, question.options, strict=True))) == 4
        if question.slices["kind"] != "place":
            continue
        own = fields[question.about]
        wrong = [fields[openings[p]] for i, p in enumerate(question.prompts) if i != question.answer]
        assert len({one.field for one in wrong} | {own.field}) == 4
        assert not any(one.field in own.taken_for or own.field in one.taken_for for one in wrong)
        assert own.answers["place"] not in {one.answers["place"] for one in wrong}


def test_who_may_be_anyone_is_never_a_wrong_option() -> None:
    names = [q for q in subject_questions() if q.slices["kind"] == "name"]
    wrong = {option for q in names for i, option in enumerate(q.options) if i != q.answer}
    assert wrong.isdisjoint({" an employee", " a worker", " a student", " a boss"})
    assert any(q.options[q.answer] == " an employee" for q in names)
    assert len(wrong) > 150


def test_the_place_of_the_answer_tells_nothing() -> None:
    # 1048 questions, four of each profession: 262 at each index, 65 or 66 within a kind.
    assert set(Counter(q.answer for q in subject_questions()).values()) == {262}
    by_kind = Counter((q.slices["kind"], q.answer) for q in subject_questions())
    assert set(by_kind.values()) == {65, 66}


def test_nearness_goes_both_ways() -> None:
    # The file joins medicine to science; nothing but that joins science to medicine.
    taken = {s.name: s.taken_for for s in subjects()}
    assert "science" in taken["dentist"]
    assert "medicine" in taken["philosopher"]
    assert "music" not in taken["dentist"]


def test_articles() -> None:
    assert [article(word) for word in ("actor", "nurse", "undersecretary", "historian")] == [
        "an",
        "a",
        "an",
        "a",
    ]


@pytest.mark.parametrize("questions", [coreference_questions(3, "occupation"), definitional_questions()])
def test_both_pronouns_follow_one_opening(questions) -> None:
    for question in questions:
        assert len(set(question.prompts)) == 1
        assert len(set(question.options)) == 2
        assert all(option.startswith(" ") for option in question.options)
    assert len({q.id for q in questions}) == len(questions)


def test_every_profession_meets_every_frame_once() -> None:
    # 262 professions x 8 frames x 2 genders.
    found = coreference_questions(8, "occupation")
    assert (
        len({(q.about, q.slices["template"], q.slices["group"]) for q in found}) == 262 * 8 * 2 == len(found)
    )


def test_the_second_person_is_another_one() -> None:
    for question in coreference_questions(8, "occupation"):
        if question.slices["template"] == "first":
            other = re.findall(r"met the ([a-z ]+),", question.prompts[0])
            assert len(other) == 1
            assert other[0] != question.about
