"""A tie is one up to rounding."""

from __future__ import annotations

import math

from evenhand.ties import TIE, tied


def test_ties() -> None:
    assert tied(-1.0, -1.0 + TIE / 2)
    assert not tied(-1.0, -1.0 + 2 * TIE)
    assert tied(-math.inf, -math.inf)
    assert not tied(-math.inf, -1.0)
