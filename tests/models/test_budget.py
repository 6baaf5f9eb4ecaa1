"""What requests are booked at: a bound before they are sent, and never less than their texts show after."""

from __future__ import annotations

from typing import Any

import pytest

from evenhand.errors import Inconclusive
from evenhand.models.budget import Budget, Limits, Price, Tokens, bound, charged, turned_down

CHAT = {"messages": [{"role": "user", "content": "one two three"}], "max_tokens": 8}
MOST = Tokens(90, 9)
PLAIN = {"prompt": "one two three", "max_tokens": 8}


def answer(text: str, total: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}}], "usage": {"total_tokens": total}}


def test_a_request_is_bounded_by_its_bytes_and_its_length():
    assert bound(PLAIN) == Tokens(len('"one two three"'), 8)
    assert bound({**PLAIN, "max_tokens": 0, "max_completion_tokens": 3}) == Tokens(len('"one two three"'), 3)
    assert bound(None) == Tokens()


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
    assert charged(CHAT, answer(text, total), MOST).total == booked


def test_thoughts_are_texts_too_and_an_answer_of_another_shape_has_none():
    thought = {"choices": [{"message": {"content": None, "reasoning_content": "a b c d"}}]}
    assert charged(CHAT, {**thought, "usage": {"total_tokens": 1}}, MOST) == Tokens(3, 4)
    assert charged(PLAIN, {"choices": "x", "usage": {"total_tokens": 1}}, MOST) == Tokens(3, 0)
    assert charged(PLAIN, {"choices": ["x"], "usage": {"total_tokens": 4}}, MOST) == Tokens(3, 1)


def test_a_prompt_that_is_turned_down_is_booked_at_four_bytes_a_token():
    assert turned_down(CHAT) == turned_down(PLAIN) == Tokens(4, 0)
    assert turned_down(None) == Tokens()


@pytest.mark.parametrize(
    ("usage", "booked"),
    [
        ({"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}, Tokens(12, 5)),
        # Thoughts that are not shown are written tokens: in the one count or in the other.
        ({"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 57}, Tokens(12, 45)),
        ({"prompt_tokens": 12, "completion_tokens": 45, "total_tokens": 17}, Tokens(12, 45)),
        # What is not said to be the prompt's counts as written, which costs more.
        ({"total_tokens": 17}, Tokens(3, 14)),
        ({"prompt_tokens": "12", "completion_tokens": -1, "total_tokens": 17}, Tokens(3, 14)),
    ],
)
def test_prompts_and_written_tokens_are_booked_apart(usage, booked):
    assert charged(CHAT, {**answer("four", 0), "usage": usage}, MOST) == booked


def test_no_request_is_sent_that_could_cost_more_than_is_left():
    budget = Budget(Limits(cost=1.0, price=Price(1000.0, 4000.0)))  # 0.001 and 0.004 a token
    most = Tokens(100, 50)  # 0.3
    for _ in range(3):
        budget.reserve(most)
    with pytest.raises(Inconclusive, match="budget of 1 for tokens is spent") as caught:
        budget.reserve(most)
    assert "?cost=N" in caught.value.mend
    budget.settle(most, Tokens(100, 25))  # 0.2: now 0.8 is spent, and there is still too little left
    with pytest.raises(Inconclusive):
        budget.reserve(most)
    budget.settle(most, Tokens(100, 25))
    budget.reserve(most)
    assert budget.cost == pytest.approx(1.0)
    assert (budget.requests, budget.tokens) == (4, Tokens(400, 150))


def test_without_a_price_no_cost_is_known():
    budget = Budget(Limits())
    budget.reserve(Tokens(10**9, 10**9))
    assert budget.cost is None
