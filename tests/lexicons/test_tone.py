"""The word-list scorer's words: plain, lower case, single, and split like the texts that they are found
in.
"""

from __future__ import annotations

import pytest

from evenhand.lexicons import tone, words


def test_three_lists_of_plain_words() -> None:
    lists = tone()
    assert set(lists) == {"hurtful", "positive", "negative"}
    for listed in lists.values():
        assert len(listed) > 40
        assert all(words(word) == [word] for word in listed)
    assert not lists["positive"] & (lists["negative"] | lists["hurtful"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A HALF-WIT, really!", ["a", "half", "wit", "really"]),
        ("don't_stop", ["don", "t", "stop"]),
        ("Straße ﬁne", ["strasse", "fine"]),
        (" ... ", []),
    ],
)
def test_words_fold_case_and_punctuation(text, expected) -> None:
    assert words(text) == expected
