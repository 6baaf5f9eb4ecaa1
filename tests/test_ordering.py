"""Random orders are the same everywhere, and a tie is one up to rounding."""

from __future__ import annotations

import math

from evenhand.ordering import TIE, shuffle_key, tied


def test_the_order_depends_on_seed_and_text_alone() -> None:
    assert shuffle_key(0, "nurse").startswith("8f349957")  # the first digits of sha256("0:nurse")
    assert shuffle_key(1, "nurse") != shuffle_key(0, "nurse") != shuffle_key(0, "pilot")


def test_ties() -> None:
    assert tied(-1.0, -1.0 + TIE / 2)
    assert not tied(-1.0, -1.0 + 2 * TIE)
    assert tied(-math.inf, -math.inf)
    assert not tied(-math.inf, -1.0)
