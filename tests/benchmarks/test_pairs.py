"""Preferences, differences and plain words."""

from __future__ import annotations

import math

from evenhand.benchmarks._pairs import difference, mean_logprob, most_likely, plain, preference
from evenhand.records import LogProb


def test_preferences() -> None:
    assert [preference(-1.0, -2.0), preference(-2.0, -1.0), preference(-1.0, -1.0 - 1e-12)] == [1.0, 0.0, 0.5]
    assert preference(-math.inf, -math.inf) == 0.5
    assert preference(-1.0, -math.inf) == 1.0
    assert preference(None, -1.0) is None


def test_differences_are_finite_or_undefined() -> None:
    assert difference(-1.0, -3.0) == 2.0
    assert difference(-1.0, -math.inf) is None
    assert difference(-math.inf, -math.inf) is None
    assert difference(-1.0, None) is None


def test_the_most_likely_of_several() -> None:
    assert most_likely([-3.0, -1.0, -2.0]) == 1
    assert most_likely([-1.0, -1.0, -2.0]) is None
    assert most_likely([-2.0, -1.0, -2.0]) == 1
    assert most_likely([-1.0, None]) is None
    assert most_likely([-math.inf, -math.inf]) is None


def test_means_and_plain_texts() -> None:
    assert mean_logprob(LogProb(-6.0, 3)) == -2.0
    assert mean_logprob(LogProb(0.0, 0)) is None
    assert plain("  Isn't he  HERE, now?") == "isnt he here now"
