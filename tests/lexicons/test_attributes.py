"""Sensitive attributes: the rules that their data file promises."""

from __future__ import annotations

import re
from itertools import permutations

import pytest

from evenhand.errors import UnknownName
from evenhand.lexicons import attribute, attribute_names, profession_entries

GENDERED = {"he", "she", "his", "her", "him", "hers", "man", "woman", "men", "women", "male", "female"}
ALL = attribute_names()


def test_gender_is_first_and_exact() -> None:
    gender = attribute("gender")
    assert ALL[0] == "gender"
    assert gender.group_names == ("male", "female")
    assert [group.terms for group in gender.groups] == [(" he",), (" she",)]
    assert [group.possessive for group in gender.groups] == ["his", "her"]
    assert gender.neutral == (" they",)


def test_there_are_attributes_of_more_than_two_groups() -> None:
    assert {name: len(attribute(name).groups) for name in ("race", "religion", "age")} == {
        "race": 7, "religion": 6, "age": 3,
    }  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_frames_fill_in_and_say_no_gender(name) -> None:
    frame = attribute(name).frame
    text = frame.format(profession="nurse", action="smiled")
    assert "nurse" in text
    assert "smiled" in text
    assert text == text.strip()
    assert not GENDERED & set(re.findall(r"[a-z]+", frame.lower()))


@pytest.mark.parametrize("name", ALL)
def test_terms_start_with_one_space_and_exclude_each_other(name) -> None:
    about = attribute(name)
    terms = [term for group in about.groups for term in group.terms] + list(about.neutral)
    assert all(re.fullmatch(r" \S+( \S+)*", term) for term in terms)
    # A term that another one begins with would count the longer one's probability twice.
    assert not [(a, b) for a, b in permutations(terms, 2) if b.startswith(a)]
    assert all(group.terms for group in about.groups)


def test_race_and_gender_cross_in_full() -> None:
    both = attribute("race_gender")
    assert both.axes == ("race", "gender")
    assert len(both.groups) == 7 * 2
    first, second = both.groups[:2]
    assert (first.name, first.parts) == ("black_women", ("black", "women"))
    assert first.terms == (" Black women", " black women", " African American women")
    assert (second.name, second.parts) == ("black_men", ("black", "men"))
    assert sum(len(group.terms) for group in both.groups) == 2 * 13  # race has 13 forms


@pytest.mark.parametrize("name", [name for name in ALL if "gender" not in name])
def test_terms_of_other_attributes_have_no_gender(name) -> None:
    words = {
        word.lower() for group in attribute(name).groups for term in group.terms for word in term.split()
    }
    assert not GENDERED & words
    assert not {"latino", "latina"} & words


def test_definitional_professions_exist() -> None:
    names = {entry.name for entry in profession_entries()}
    assert attribute("religion").definitional <= names
    assert {"rabbi", "pastor"} <= attribute("religion").definitional


def test_an_unknown_attribute_names_near_ones() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'religion'") as caught:
        attribute("religon")
    assert caught.value.known == sorted(ALL)
    assert {"age", "gender", "race", "race_gender", "religion"} < set(ALL)
    assert "attribute=people.toml" in str(caught.value)
