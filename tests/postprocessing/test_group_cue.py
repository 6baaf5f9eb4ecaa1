"""What tells a prompt's group: learnt from twins, read at the end of the prompt, refused where unsure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from evenhand.errors import BadData
from evenhand.postprocessing.group_cue import GroupCue, learn
from evenhand.records import PersonExample, from_json, to_json

AGES = (19, 34, 51)
SHOWN = "age: 40, sex: female, hours: 38, hired: yes\n"


def _people(
    template: str, groups: Sequence[str], rendered: Sequence[object], head: str = ""
) -> list[PersonExample]:
    return [
        PersonExample(
            str(age),
            str(age),
            tuple(head + template.format(age=age, g=g) for g in rendered),
            tuple(groups),
            0,
            (" no", " yes"),
            1,
            "dev",
        )
        for age in AGES
    ]


SEX = ("male", "female")
PLAIN = "age: {age}, sex: {g}, hours: 40, hired:"


def test_the_group_is_read_and_taken_out() -> None:
    cue = learn(_people(PLAIN, SEX, SEX))
    male = cue.read("age: 77, sex: male, hours: 20, hired:")
    female = cue.read("age: 77, sex: female, hours: 20, hired:")
    assert (male[0], female[0]) == SEX
    assert male[1] == female[1]  # what is left names the person, whichever twin was asked about
    assert male[1] != cue.read("age: 78, sex: male, hours: 20, hired:")[1]


@pytest.mark.parametrize("head", ["", SHOWN, SHOWN.replace("female", "male") * 3])
def test_demonstrations_do_not_tell(head: str) -> None:
    cue = learn(_people(PLAIN, SEX, SEX, head=SHOWN))
    assert cue.read(head + "age: 30, sex: male, hours: 40, hired:")[0] == "male"
    assert cue.read(head + "age: 30, sex: female, hours: 40, hired:")[0] == "female"


def test_a_demonstration_never_stands_in_for_a_person_without_the_attribute() -> None:
    cue = learn(_people(PLAIN, SEX, SEX, head=SHOWN))
    with pytest.raises(BadData, match=r"cannot be recognised.*female; male"):
        cue.read(SHOWN + "age: 30, sex: not stated, hours: 40, hired:")


def test_values_that_happened_to_be_the_same_for_everyone_do_not_bind() -> None:
    template = "Kim is tall because {g} is {age}. Hired:"
    cue = learn(_people(template, SEX, ("he", "she")))
    assert cue.marks[0].before == ("is", "tall", "because")  # everybody was tall, so far
    assert cue.read("Kim is short because she is 30. Hired:")[0] == "female"
    with pytest.raises(BadData, match="cannot be recognised"):  # "because" twice: which one is it?
        cue.read("Kim is short because he left because she is 30. Hired:")
    with pytest.raises(BadData, match="cannot be recognised"):  # the nearest word must be there
        cue.read("Kim is short and she is 30. Hired:")


def test_the_sign_before_a_value_is_not_enough() -> None:
    cue = learn(_people("sex: {g}, age: {age}, hired:", SEX, SEX))
    with pytest.raises(BadData, match="cannot be recognised"):
        cue.read("sex: not stated, ward: male, age: 3, hired:")


def test_words_elsewhere_in_the_record_do_not_tell() -> None:
    template = "He is {g}. Work: white collar, age {age}. Hired:"
    cue = learn(_people(template, ("white", "Black"), ("white", "Black")))
    assert cue.read("He is Black. Work: white collar, age 20. Hired:")[0] == "Black"


def test_phrases_of_several_words_and_of_unlike_lengths() -> None:
    groups = ("native", "islander", "white")
    rendered = ("an American Indian", "an Asian-Pac-Islander", "a white")
    cue = learn(_people("The applicant is {g} person of {age} years. Hired:", groups, rendered))
    for group, phrase in zip(groups, rendered, strict=True):
        assert cue.read(f"The applicant is {phrase} person of 9 years. Hired:")[0] == group


def test_two_places_tell_intersections() -> None:
    class Pair:
        def __init__(self, race: str, sex: str) -> None:
            self.race, self.sex = race, sex

    groups = ("white male", "white female", "Black male", "Black female")
    pairs = [Pair(*name.split()) for name in groups]
    cue = learn(_people("race: {g.race}, age: {age}, sex: {g.sex}, hired:", groups, pairs))
    assert len(cue.marks) == 2
    for name, pair in zip(groups, pairs, strict=True):
        told, rest = cue.read(f"race: {pair.race}, age: 8, sex: {pair.sex}, hired:")
        assert told == name
        assert rest == cue.read("race: white, age: 8, sex: male, hired:")[1]


def test_pronouns_count_as_places() -> None:
    cue = learn(_people("{g} is {age}. Hired:", SEX, ("He", "She")))
    assert cue.read("She is 4. Hired:")[0] == "female"


def test_it_survives_json() -> None:
    cue = learn(_people(PLAIN, SEX, SEX))
    assert from_json(GroupCue, to_json(cue)) == cue


def test_twins_that_do_not_differ_are_refused() -> None:
    with pytest.raises(BadData, match="differ in 0 to 0 places"):
        learn(_people("age: {age}, hired:", SEX, SEX))


def test_one_phrase_for_two_groups_is_refused() -> None:
    people = _people(PLAIN, SEX, SEX)
    turned = dataclasses.replace(people[0], contexts=people[0].contexts[::-1])
    with pytest.raises(BadData, match="renders both"):
        learn([*people[1:], turned])
