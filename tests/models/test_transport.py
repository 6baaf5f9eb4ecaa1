"""What a server may answer that is no clean JSON."""

from __future__ import annotations

import pytest

from evenhand.models.refused import cleaned
from evenhand.models.transport import _object, _Transient


def test_half_an_emoji_is_replaced_so_that_it_can_be_stored_and_printed():
    answer = _object(b'{"choices": [{"text": "fine \\ud83d"}, {"text": "\\ud83d\\ude00"}]}')
    texts = [choice["text"] for choice in answer["choices"]]
    assert texts == ["fine \ufffd", "\U0001f600"]
    assert "".join(texts).encode()


@pytest.mark.parametrize("text", [b"{", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"\xff", b"[]"])
def test_an_answer_that_is_no_object_is_asked_for_again(text):
    with pytest.raises(_Transient):
        _object(text)


def test_an_error_of_brackets_is_shown_as_it_is():
    assert cleaned("[" * 100_000, None).startswith("[[[")
    assert cleaned('{"error": {"message": "no \\ud83d"}}', None) == "no \ufffd"
