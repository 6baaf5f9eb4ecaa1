"""Agreement of rankings."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand import stats
from evenhand.errors import BadData


def test_kendall_tau_by_hand() -> None:
    # Pairs of (1,2,3) and (1,3,2): two agree, one does not: (2 - 1) / 3.
    assert stats.kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert stats.kendall_tau([1, 2, 3], [30, 20, 10]) == pytest.approx(-1.0)
    assert stats.kendall_tau([1, 2, np.nan, 3], [1, 3, 9, 2]) == pytest.approx(1 / 3)


def test_kendall_tau_is_undefined_without_a_ranking() -> None:
    assert stats.kendall_tau([1, 2, 3], [5, 5, 5]) is None
    assert stats.kendall_tau([1.0], [2.0]) is None
    assert stats.kendall_tau([1.0, np.nan], [2.0, 1.0]) is None
    with pytest.raises(BadData):
        stats.kendall_tau([1.0], [2.0, 3.0])
