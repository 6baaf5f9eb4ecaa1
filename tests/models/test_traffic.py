"""Hundreds of requests at once: a limited rate, connections that break, and a budget that none exceeds."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from evenhand.errors import EnvironmentProblem, Inconclusive
from evenhand.models.address import parse
from evenhand.models.endpoint import EndpointModel
from evenhand.models.transport import Transport
from evenhand.records import Sampling
from evenhand.testing import tiny
from tests.support.asking import generated
from tests.support.server import Handler, State, dropped, serving, status

PROMPTS = [f"The nurse number {number}" for number in range(300)]
SHORT = Sampling(max_tokens=6)
USED = 16  # tokens of a request: 10 of its prompt, and 6 written
WANTED = [f"answer to {prompt}" for prompt in PROMPTS]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / "cache"))
    for name in ("API_KEY", "BUDGET_REQUESTS", "BUDGET_TOKENS", "BUDGET_COST"):
        monkeypatch.delenv(f"EVENHAND_{name}", raising=False)


@pytest.fixture
def served() -> Iterator[State]:
    with serving(tiny.model("llama"), instead=answered) as state:
        yield state


def answered(handler: Handler) -> bool:
    """An answer that names its prompt, so that no answer can be taken for another's."""
    usage = {"prompt_tokens": 10, "completion_tokens": 6, "total_tokens": USED}
    text = f"answer to {handler.body['prompt']}"
    handler.reply(200, {"choices": [{"text": text}], "usage": usage})
    return True


def opened(state: State, query: str, pause: float = 1.0) -> EndpointModel:
    """The endpoint; it sleeps `pause` times as long as it should."""
    address = parse(f"{state.url}?api=completions&{query}#tiny")
    transport = Transport(address.url, address.limits, sleep=lambda seconds: time.sleep(pause * seconds))
    return EndpointModel(address, transport)


def texts(model: EndpointModel, prompts: list[str] = PROMPTS) -> list[str]:
    return [one.text for one in generated(model, prompts, SHORT)]


class Window:
    """A rate limit: so many requests in so many seconds, the others are rejected and told when to return."""

    def __init__(self, most: int, seconds: float, retry_after: str | None) -> None:
        self.most, self.seconds, self.retry_after = most, seconds, retry_after
        self.rejected: dict[str, list[float]] = defaultdict(list)
        self.taken: dict[str, list[float]] = defaultdict(list)
        self._began, self._count, self._lock = 0.0, 0, threading.Lock()

    def __call__(self, handler: Handler) -> bool:
        prompt, now = handler.body["prompt"], time.monotonic()
        with self._lock:
            self.taken[prompt].append(now)
            if now - self._began >= self.seconds:
                self._began, self._count = now, 0
            self._count += 1
            if self._count <= self.most:
                return answered(handler)
            self.rejected[prompt].append(now)
        more = {} if self.retry_after is None else {"Retry_After": self.retry_after}
        handler.reply(429, {"error": {"message": "Rate limit reached", "code": "rate_limit"}}, **more)
        return True


def test_hundreds_are_under_way_and_every_answer_finds_its_prompt(served):
    together = threading.Barrier(len(PROMPTS))

    def all_at_once(handler: Handler) -> bool:
        together.wait(timeout=60)  # nobody is answered before all have asked
        return answered(handler)

    served.instead = all_at_once
    assert texts(opened(served, f"concurrency={len(PROMPTS)}")) == WANTED
    assert served.busiest == len(PROMPTS)


def test_a_limited_rate_loses_nothing_and_is_left_in_peace(served):
    # 100 ask where 8 in a quarter of a second are let in.
    prompts = PROMPTS[:120]
    window = served.instead = Window(8, 0.25, retry_after="1")
    # A second that the server asks for lasts a quarter of one here.
    model = opened(served, "concurrency=100&tokens=100000", pause=0.25)
    assert texts(model, prompts) == WANTED[:120]
    assert window.rejected
    for prompt, rejections in window.rejected.items():
        again = window.taken[prompt][1:]
        assert len(again) == len(rejections)  # each rejection is followed by one further request
        assert all(later - sooner >= 0.25 for sooner, later in zip(rejections, again, strict=True))
    # Halving has to find the rate: far fewer are sent in vain than by 100 that keep asking.
    rejected = sum(map(len, window.rejected.values()))
    assert rejected < 3 * len(prompts)
    assert model.transport.budget.requests == len(prompts) + rejected
    assert model.transport.budget.tokens.total == USED * len(prompts)  # rejected unread: no cost


@pytest.mark.parametrize("others", [True, False])
def test_a_rejection_is_an_attempt_only_if_nobody_else_was_answered(served, others):
    model = opened(served, "retries=1&concurrency=1", pause=0.0)
    rejections = iter(range(6))

    def rejected(handler: Handler) -> bool:
        if next(rejections, None) is None:
            return answered(handler)
        if others:
            model.transport._pace._answered()  # as if another thread had got its answer meanwhile
        return status(429, Retry_After="0")(handler)

    served.instead = rejected
    if others:
        assert texts(model, PROMPTS[:1]) == WANTED[:1]
        assert len(served.asked) == 7
    else:
        with pytest.raises(EnvironmentProblem, match="2 attempts"):
            texts(model, PROMPTS[:1])
        assert len(served.asked) == 2


def test_a_rate_that_lets_nobody_in_ends_the_run(served):
    served.instead = Window(0, 1.0, retry_after="1")
    with pytest.raises(EnvironmentProblem, match=r"3 attempts: .* answers 429: Rate limit reached"):
        texts(opened(served, "concurrency=50&retries=2", pause=0.05))
    # Three attempts of each that was under way, and none for those that had not been sent.
    assert max(Counter(body["prompt"] for body in served.asked).values()) == 3
    assert len({body["prompt"] for body in served.asked}) <= 50


def test_connections_that_break_in_the_middle_lose_nothing(served):
    count, lock = [0], threading.Lock()

    def every_third(handler: Handler) -> bool:
        with lock:
            count[0] += 1
            broken = count[0] % 3 == 0
        return dropped(handler) if broken else answered(handler)

    served.instead = every_third
    model = opened(served, "concurrency=100&retries=20", pause=0.01)
    assert texts(model) == WANTED
    broken = len(served.asked) - len(PROMPTS)
    assert broken == len(served.asked) // 3
    # What a broken answer cost nobody knows: its whole reservation stays booked.
    assert model.transport.budget.tokens.total > USED * (len(PROMPTS) + broken)
    assert texts(opened(served, "concurrency=100&requests=1")) == WANTED  # all are kept


def test_a_budget_of_requests_holds_with_hundreds_under_way(served):
    with pytest.raises(Inconclusive, match="budget of 120 requests"):
        texts(opened(served, "concurrency=100&requests=120"))
    assert len(served.asked) == 120
    again = opened(served, "concurrency=100&requests=180")
    assert texts(again) == WANTED
    assert len(served.asked) == len(PROMPTS)
    assert again.transport.reused == 120


def test_money_is_never_exceeded_with_hundreds_under_way(served):
    # 10 and 6 tokens at 1000 and 5000 for a million.
    price = "price=1000,5000&concurrency=100"
    with pytest.raises(Inconclusive, match="budget of 3 for tokens is spent") as caught:
        texts(opened(served, f"{price}&cost=3"))
    spent = 0.04 * len(served.asked)
    assert 0 < spent <= 3.0
    assert "EVENHAND_BUDGET_COST" in caught.value.mend
    again = opened(served, f"{price}&cost=20")
    assert texts(again) == WANTED
    assert len(served.asked) == len(PROMPTS)
    cost = again.transport.budget.cost
    assert cost == pytest.approx(0.04 * len(PROMPTS) - spent)
    assert any(f"cost at most {cost:.3g}." in note for note in again.notes())


def test_one_at_a_time_spends_the_money_to_the_last_request(served):
    # Before its answer is known, a request counts as 22 and 6 tokens: 0.052.
    model = opened(served, "price=1000,5000&cost=3&concurrency=1")
    with pytest.raises(Inconclusive):
        texts(model)
    assert 3.0 - 0.052 < 0.04 * len(served.asked) <= 3.0


def test_the_cost_may_be_limited_in_the_environment(served, monkeypatch):
    monkeypatch.setenv("EVENHAND_BUDGET_COST", "0.06")
    with pytest.raises(Inconclusive):
        texts(opened(served, "price=1000,5000&concurrency=1"))
    assert len(served.asked) == 1


def test_a_server_that_ignores_the_temperature_is_named(served):
    model = opened(served, "cache=no")
    for seed in range(3):
        generated(model, PROMPTS[:5], Sampling(max_tokens=4, temperature=1.0, seed=seed))
    assert any("15 texts of 5 prompts" in note and "ignore the temperature" in note for note in model.notes())
