"""Limits for requests to a server: time, attempts, requests, tokens and money, reserved before use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from evenhand.errors import Inconclusive

Json = Mapping[str, Any]
# No common tokenizer has more bytes per token than this, on average over a text.
_BYTES = 16
PRICED = 1_000_000  # tokens that a price is for


@dataclass(frozen=True, slots=True)
class Tokens:
    """How many tokens a request is charged for: those of its `prompt` and those that are `written`."""

    prompt: int = 0
    written: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.prompt + self.written

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt + other.prompt, self.written + other.written)

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt - other.prompt, self.written - other.written)


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens of a prompt and a million written ones cost, in any currency."""

    prompt: float
    written: float

    def of(self, tokens: Tokens) -> float:
        """What so many tokens cost, in the same currency."""
        return (tokens.prompt * self.prompt + tokens.written * self.written) / PRICED


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for the requests to a server.

    Attributes:
        timeout: seconds for a whole request, from the connection to the last byte of the answer.
        retries: how often a failed request is sent again (busy, broken or silent server).
        concurrency: requests under way at once.
        requests: largest number of requests, including retries; None for no limit.
        tokens: largest number of charged tokens, prompt and answer; None for no limit.
        cost: largest sum of money, in the currency of `price`; None for no limit.
        price: what tokens cost; None where it is not known, and then there is no limit to the cost either.
        cache: whether answers are stored on disk and reused.
    """

    timeout: float = 60.0
    retries: int = 5
    concurrency: int = 8
    requests: int | None = None
    tokens: int | None = None
    cost: float | None = None
    price: Price | None = None
    cache: bool = True

    @property
    def again(self) -> str:
        """A sentence on what the same command does when it is run again."""
        if self.cache:
            return "The answers so far are kept: the same command asks only for what is missing."
        return "With cache=no nothing is kept: the same command asks for everything again."


class Budget:
    """Reserves requests, tokens and money before use: no request is sent that could exceed a limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self.requests = 0
        self.tokens = Tokens()

    @property
    def cost(self) -> float | None:
        """What the tokens so far cost, in the currency of the price; None where no price is known."""
        return None if self._limits.price is None else self._limits.price.of(self.tokens)

    def reserve(self, bound: Tokens) -> None:
        """Reserve one request of at most `bound` tokens.

        Raises:
            Inconclusive: the remaining budget is too small.
        """
        limits = self._limits
        with self._lock:
            after = self.tokens + bound
            if limits.requests is not None and self.requests >= limits.requests:
                raise self._spent(f"{limits.requests} requests", "requests")
            if limits.tokens is not None and after.total > limits.tokens:
                raise self._spent(f"{limits.tokens} tokens", "tokens")
            if limits.cost is not None and limits.price is not None and limits.price.of(after) > limits.cost:
                raise self._spent(f"{limits.cost:g} for tokens", "cost")
            self.requests += 1
            self.tokens = after

    def settle(self, bound: Tokens, used: Tokens) -> None:
        """Replace a reservation by the actual use; without this call the whole reservation counts."""
        with self._lock:
            self.tokens += used - bound

    def _spent(self, limit: str, kind: str) -> Inconclusive:
        return Inconclusive(
            f"The budget of {limit} is spent.",
            mend=f"{self._limits.again} Allow more with ?{kind}=N before the # of the model's name, or with "
            f"EVENHAND_BUDGET_{kind.upper()}=N.",
        )


def bound(body: Json | None) -> Tokens:
    """The largest number of tokens that can be charged for a request: a token has at least one byte."""
    if body is None:
        return Tokens()
    asked = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    texts = json.dumps(body.get("prompt") or body.get("messages"), ensure_ascii=False)
    return Tokens(len(texts.encode()), int(asked))


def turned_down(body: Json | None) -> Tokens:
    """The tokens counted for a request that the server read and rejected: its prompt, 4 bytes per token."""
    return Tokens(0 if body is None else -(-sum(len(text.encode()) for text in _prompts(body)) // 4))


def charged(body: Json | None, answer: Json, most: Tokens) -> Tokens:
    """The tokens counted for an answer: the server's own count, but at least the lower bound of the texts.

    A word is at least one token, and so are 16 bytes. An answer without a valid count is counted as `most`,
    its whole reservation. What the server does not count as the prompt's is counted as written.
    """
    usage = answer.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    total = _count(counts.get("total_tokens"))
    if total is None:
        return most
    prompt = max(_count(counts.get("prompt_tokens")) or 0, sum(_least(text) for text in _prompts(body or {})))
    seen = max((_least(text) for text in _written(answer)), default=0)
    return Tokens(prompt, max(total - prompt, seen, _count(counts.get("completion_tokens")) or 0))


def _count(value: Any) -> int | None:
    """A server's number of tokens; None if it cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _least(text: str) -> int:
    return max(len(text.split()), -(-len(text.encode("utf-8", "replace")) // _BYTES))


def _prompts(body: Json) -> Iterator[str]:
    if isinstance(prompt := body.get("prompt"), str):
        yield prompt
    for message in body.get("messages") or ():
        yield str(message["content"])


def _written(answer: Json) -> Iterator[str]:
    """The texts of an answer's choices, whatever shape they have; an echo holds its prompt as well."""
    choices = answer.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        message = choice.get("message")
        parts = [choice.get("text")] + (list(message.values()) if isinstance(message, dict) else [])
        yield " ".join(part for part in parts if isinstance(part, str))
