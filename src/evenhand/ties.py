"""When two log-probabilities have no order."""

from __future__ import annotations

TIE = 1e-9  # nats: closer than this, two options are equally likely


def tied(first: float, second: float) -> bool:
    """Whether two log-probabilities (nats) are closer than `TIE`, or both impossible."""
    return first == second or abs(first - second) < TIE
