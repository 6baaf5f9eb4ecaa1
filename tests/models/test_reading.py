"""What an answer says: its text in every shape, or why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from evenhand.errors import BadModel
from evenhand.models.reading import CUT_OFF, completion
from evenhand.records import Completion, Undefined
from evenhand.thinking import UNCLOSED


def chat(content: Any, finish: str | None = "stop", **message: Any) -> Any:
    answer = {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}
    return completion(answer, chat=True, server="http://here")


PART = {"type": "text", "text": " one"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (chat(" one two"), Completion(" one two", 2)),
        (chat([PART, {"type": "text", "text": " two"}]), Completion(" one two", 2)),
        (chat([{"type": "thinking", "thinking": [PART]}, PART]), Completion(" one", 1)),
        (chat([{"text": " one"}, " two", 3, {"type": "image_url"}]), Completion(" one two", 2)),
        (chat([{"type": "refusal", "refusal": "I cannot"}]), Completion("I cannot", 2)),
        (chat(None, refusal="I cannot"), Completion("I cannot", 2)),
        (chat(None), Completion("", 0)),
        (chat(""), Completion("", 0)),
        (chat([]), Completion("", 0)),
        (chat(" ", "length"), Completion(" ", 0)),
        (chat("so it", "length"), Completion("so it", 2)),
        (chat(None, reasoning_content="hm"), Completion("", 0)),  # it thought, and then said nothing
        (chat(None, "length", reasoning_content="hm"), Undefined(UNCLOSED)),
        (chat("", "length", reasoning="hm"), Undefined(UNCLOSED)),
        (chat([{"type": "thinking", "thinking": "hm"}], "length"), Undefined(UNCLOSED)),
        (chat("", "length"), Undefined(CUT_OFF)),
        (chat(None, "content_filter"), Undefined("content_filter")),
        (chat(" one tw", "content_filter"), Undefined("content_filter")),
    ],
)
def test_the_text_of_a_chat_or_why_there_is_none(found, expected):
    assert found == expected


def test_a_continuation_and_the_servers_own_count():
    answer = {"choices": [{"text": " one"}], "usage": {"completion_tokens": 7}}
    assert completion(answer, chat=False, server="here") == Completion(" one", 7)
    filtered = {"choices": [{"text": "", "finish_reason": "content_filter"}]}
    assert completion(filtered, chat=False, server="here") == Undefined("content_filter")


@pytest.mark.parametrize("count", [-1, True, "7", None])
def test_a_count_that_cannot_be_one_gives_the_words(count):
    answer = {"choices": [{"text": "one two"}], "usage": {"completion_tokens": count}}
    assert completion(answer, chat=False, server="here") == Completion("one two", 2)


@pytest.mark.parametrize("choice", [{"text": "x"}, {"message": None}, {"message": "x"}, "x", None])
def test_no_message_is_no_chat(choice):
    with pytest.raises(BadModel, match="no text in its choices"):
        completion({"choices": [choice]}, chat=True, server="here")
