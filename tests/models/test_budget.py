"""What requests are booked at: a bound before they are sent, and never less than their texts show after."""

from __future__ import annotations

from typing import Any

import pytest

from evenhand.models.budget import bound, charged, turned_down

CHAT = {"messages": [{"role": "user", "content": "one two three"}], "max_tokens": 8}
PLAIN = {"prompt": "one two three", "max_tokens": 8}


def answer(text: str, total: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}}], "usage": {"total_tokens": total}}


def test_a_request_is_bounded_by_its_bytes_and_its_length():
    assert bound(PLAIN) == len('"one two three"') + 8
    assert bound({**PLAIN, "max_tokens": 0, "max_completion_tokens": 3}) == len('"one two three"') + 3
    assert bound(None) == 0


@pytest.mark.parametrize(
    ("text", "total", "booked"),
    [
        ("four five", 20, 20),  # the server's own count
        ("four five", 1, 5),  # fewer than there are words
        ("four five", 0, 5),
        ("x" * 160, 1, 13),  # fewer than 16 bytes a token
        ("四" * 16, 1, 6),
        ("four", -5, 99),
        ("four", None, 99),
        ("four", True, 99),
    ],
)
def test_the_servers_count_is_not_believed_below_what_the_texts_show(text, total, booked):
    assert charged(CHAT, answer(text, total), 99) == booked


def test_thoughts_are_texts_too_and_an_answer_of_another_shape_has_none():
    thought = {"choices": [{"message": {"content": None, "reasoning_content": "a b c d"}}]}
    assert charged(CHAT, {**thought, "usage": {"total_tokens": 1}}, 99) == 7
    assert charged(PLAIN, {"choices": "x", "usage": {"total_tokens": 1}}, 99) == 3
    assert charged(PLAIN, {"choices": ["x"], "usage": {"total_tokens": 4}}, 99) == 4


def test_a_prompt_that_is_turned_down_is_booked_at_four_bytes_a_token():
    assert turned_down(CHAT) == turned_down(PLAIN) == 4
    assert turned_down(None) == 0
