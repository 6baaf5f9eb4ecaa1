"""Tokens that are parts of characters find their bytes, or the text is said to be ambiguous."""

from __future__ import annotations

import pytest

from evenhand.models.alignment import first_at, partial, places

U = "\ufffd"


def starts(tokens: list[str], text: str) -> list[list[int]] | None:
    found = places(tokens, text)
    return None if found is None else [sorted(at) for at in found]


@pytest.mark.parametrize(
    ("tokens", "text", "expected"),
    [
        (["a", " b", " c"], "a b", [[0], [1]]),
        (["caf", U, U, " x", "!"], "café x", [[0], [3], [4], [5]]),
        (["caf", "bytes:\\xc3", "bytes:\\xa9", "!"], "café", [[0], [3], [4]]),
        (["caf", "<0xC3>", "<0xA9>", "!"], "café", [[0], [3], [4]]),
        (["caf", "", "é", "!"], "café", [[0], [3], [3]]),
        (["bytes: \\xe2\\x98", "bytes:\\x83 ok", "!"], " ☃ ok", [[0], [3]]),  # letters stand for themselves
        (["f" + U, U + "x", "!"], "féx", [[0], [2]]),  # a letter and half a character in one token
        (["a", U, U, U, "b", "!"], "a☃b", [[0], [1], [2], [3], [4]]),
        (["a", U, U, "b", "!"], "a☃b", [[0], [1], [2, 3], [4]]),  # two bytes and one, or one and two
        (["a", U, "b", "!"], f"a{U}b", [[0], [1], [4]]),  # the text holds the sign itself
        (["<0xC3>", "!"], "<0xC3>", [[0]]),  # or the name of a byte
        (["bytes:\\xc3", "!"], "bytes:\\xc3", [[0]]),
        (["é", "!"], "é", [[0]]),
        ([], "", []),
    ],
)
def test_each_token_has_its_places(tokens, text, expected):
    assert starts(tokens, text) == expected


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["caf", "e", "!"], "café"),
        (["caf", U, "!"], "café"),  # one part of a character of two
        (["ca"], "café"),
        (["caf", "bytes:\\xc3", "bytes:\\xa8"], "café"),
        ([U, "!"], "a"),
        (["a☃", U], "a☃b"),
        ([], "a"),
    ],
)
def test_tokens_that_do_not_spell_the_text_have_none(tokens, text):
    assert places(tokens, text) is None


def test_one_token_is_written_after_the_text_where_its_end_is_open():
    # The third sign may be the end of the snowman or the beginning of what is written after it.
    assert starts(["a", U, U, U], "a☃") == [[0], [1], [2, 3]]
    assert starts(["a", U, U, U, " x"], "a☃") == [[0], [1], [2], [3]]


def test_a_token_is_at_a_place_only_where_no_reading_puts_it_elsewhere():
    found = places(["a", U, U, "b", "!"], "a☃b")
    assert found is not None
    assert [first_at(found, place) for place in (0, 1, 2, 3, 4)] == [0, 1, None, None, 3]


def test_of_tokens_without_text_the_first_begins_a_place():
    found = places(["a", "", "é", "!"], "aé")
    assert found is not None
    assert first_at(found, 1) == 1


def test_which_tokens_may_be_parts():
    assert all(partial(token) for token in (U, f"a{U}", "bytes:\\xc3", "<0xC3>"))
    assert not any(partial(token) for token in ("é", "a", "", "<0x>", " bytes"))
