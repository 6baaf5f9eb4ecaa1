"""Scores with a known fault: one group is scored too low, the other too high, and the base rates differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BASE = {"a": 0.5, "b": 0.3, "c": 0.4}
SHIFT = {"a": 0.7, "b": -0.7, "c": 0.0}


def drawn(n: int, seed: int, *, k: int = 3) -> tuple[NDArray[np.float64], NDArray[np.int64], list[str]]:
    """`n` people of `k` groups: scores, true outcomes and groups.

    The log-odds of the favourable outcome are ``1.2 z + logit(base rate)`` with z standard normal, and a
    score is the sigmoid of twice that (overconfident) plus the group's shift (unfair).
    """
    rng = np.random.default_rng(seed)
    names = list(BASE)[:k]
    groups = [names[i] for i in rng.integers(0, k, n)]
    base = np.array([BASE[g] for g in groups])
    log_odds = 1.2 * rng.normal(size=n) + np.log(base / (1 - base))
    labels = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)
    shift = np.array([SHIFT[g] for g in groups])
    return 1 / (1 + np.exp(-(2 * log_odds + shift))), labels, groups
