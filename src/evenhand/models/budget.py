"""Limits for requests to a server: time, attempts, requests and tokens, reserved before they are used."""

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


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for the requests to a server.

    Attributes:
        timeout: seconds for a whole request, from the connection to the last byte of the answer.
        retries: how often a failed request is sent again (busy, broken or silent server).
        concurrency: requests under way at once.
        requests: largest number of requests, including retries; None for no limit.
        tokens: largest number of charged tokens, prompt and answer; None for no limit.
        cache: whether answers are stored on disk and reused.
    """

    timeout: float = 60.0
    retries: int = 5
    concurrency: int = 8
    requests: int | None = None
    tokens: int | None = None
    cache: bool = True

    @property
    def again(self) -> str:
        """A sentence on what the same command does when it is run again."""
        if self.cache:
            return "The answers so far are kept: the same command asks only for what is missing."
        return "With cache=no nothing is kept: the same command asks for everything again."


class Budget:
    """Reserves requests and tokens before use: no request is sent that could exceed a limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self.requests = 0
        self.tokens = 0

    def reserve(self, bound: int) -> None:
        """Reserve one request of at most `bound` tokens.

        Raises:
            Inconclusive: the remaining budget is too small.
        """
        with self._lock:
            if self._limits.requests is not None and self.requests >= self._limits.requests:
                raise self._spent(self._limits.requests, "requests")
            if self._limits.tokens is not None and self.tokens + bound > self._limits.tokens:
                raise self._spent(self._limits.tokens, "tokens")
            self.requests += 1
            self.tokens += bound

    def settle(self, bound: int, used: int) -> None:
        """Replace a reservation by the actual use; without this call the whole reservation counts."""
        with self._lock:
            self.tokens += used - bound

    def _spent(self, limit: int, kind: str) -> Inconclusive:
        return Inconclusive(
            f"The budget of {limit} {kind} is spent.",
            mend=f"{self._limits.again} Allow more with ?{kind}=N before the # of the model's name, or with "
            f"EVENHAND_BUDGET_{kind.upper()}=N.",
        )


def bound(body: Json | None) -> int:
    """The largest number of tokens that can be charged for a request: a token has at least one byte."""
    if body is None:
        return 0
    asked = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    return len(json.dumps(body.get("prompt") or body.get("messages"), ensure_ascii=False).encode()) + int(
        asked
    )


def turned_down(body: Json | None) -> int:
    """The tokens counted for a request that the server read and rejected: its prompt, 4 bytes per token."""
    return 0 if body is None else -(-sum(len(text.encode()) for text in _prompts(body)) // 4)


def charged(body: Json | None, answer: Json, most: int) -> int:
    """The tokens counted for an answer: the server's own count, but at least the lower bound of the texts.

    A word is at least one token, and so are 16 bytes. An answer without a valid count is counted as `most`,
    its whole reservation.
    """
    usage = answer.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        return most
    seen = sum(_least(text) for text in _prompts(body or {}))
    return max(total, seen + max((_least(text) for text in _written(answer)), default=0))


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
