"""Orders: one at random that every machine repeats, and when two log-probabilities have none."""

from __future__ import annotations

import hashlib

TIE = 1e-9  # nats: closer than this, two options are equally likely


def shuffle_key(seed: int, text: str) -> str:
    """A sort key that orders texts at random, the same on every machine and Python, for one `seed`."""
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def tied(first: float, second: float) -> bool:
    """Whether two log-probabilities (nats) are closer than `TIE`, or both impossible."""
    return first == second or abs(first - second) < TIE
