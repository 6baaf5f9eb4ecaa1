"""Pieces of work in this process, and what is said where others cannot do them."""

from __future__ import annotations

import sys

import pytest

from evenhand.errors import BadOption, MissingExtra
from evenhand.workers import Ended, Here, Piece, workers


def halved(number: int) -> float:
    return number / 2


def test_this_process_does_one_after_the_other_and_an_error_is_a_value() -> None:
    here = Here()
    here.begin(Piece("a", "half of 6", halved, (6,)))
    here.begin(Piece("b", "half of a text", halved, ("6",)))
    assert here.slots == 1
    assert here.ended() == Ended("a", 3.0)
    found = here.ended()
    assert (found.key, found.value, type(found.error)) == ("b", None, TypeError)


def test_nobody_named_is_this_process() -> None:
    with workers(None) as found:
        assert isinstance(found, Here)


def test_what_is_wrong_is_said_before_anything_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadOption, match="names no place"), workers("rays"):
        pass
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"evenhand\[ray\]"), workers("ray"):
        pass
