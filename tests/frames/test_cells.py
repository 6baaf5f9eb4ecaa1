"""The names of cells, and the values that they hold."""

from __future__ import annotations

import pytest

from evenhand.frames.cells import key_of, named


@pytest.mark.parametrize(
    "key",
    [
        ("a", "b"),
        ("a", "b", "c"),
        ("a / b", "c"),
        ("a", '"b" / c'),
        ('"a"', 'b"'),
        ("/ a", "b /"),
        ("a/b", "c\\"),
        ("a\nb", "é"),
        ("a / b",),
        ('"a',),
    ],
)
def test_a_name_holds_the_values_it_was_made_of(key: tuple[str, ...]) -> None:
    assert key_of(named(key), len(key)) == key


@pytest.mark.parametrize("name", ["a", "a / b / c", "", " / ", '"a', '"a" b / c', "a / ", '"\\x" / a'])
def test_what_is_no_name_of_two_values(name: str) -> None:
    assert key_of(name, 2) is None
