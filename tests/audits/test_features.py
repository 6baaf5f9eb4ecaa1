"""Columns as small numbers: what a value that most rows share leaves of the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis")

from evenhand import audit
from evenhand.audits._features import feature

ROWS = 4000


@pytest.mark.parametrize(("share", "sign"), [(0.0, 1), (0.7, 1), (0.92, 1), (0.92, -1), (0.98, -1)])
def test_values_beside_a_frequent_one_have_bins(share: float, sign: int) -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(ROWS) < share, 0.0, sign * rng.uniform(1, 100, ROWS))
    made = feature("gain", values.tolist())
    assert len(set(made.codes[values == 0]) & set(made.codes[values != 0])) == 0
    assert made.codes.max() < made.size
    assert (made.codes > 0).all()


def test_a_number_that_is_mostly_zero_is_found() -> None:
    """Days of leave that nearly nobody of one group takes, here and in a later table."""
    rng = np.random.default_rng(2)
    sex = np.where(rng.random(ROWS) < 0.5, "f", "m")
    leave = np.where((rng.random(ROWS) < 0.08) & (sex == "f"), rng.integers(20, 200, ROWS), 0)
    later = np.where((rng.random(ROWS) < 0.08) & (sex == "m"), rng.integers(20, 200, ROWS), 0)
    table, other = (pd.DataFrame({"sex": sex, "leave": days}) for days in (leave, later))
    (_, alone) = audit(table, "sex", audits=["proxies"]).of("proxies")
    assert alone.columns == ("sex", "leave")
    assert alone.low is not None
    assert alone.low > 0.52
    assert alone.p_value is not None
    assert alone.p_value < 1e-20
    drifts = audit(table, "sex", audits=["drift"], against=other).of("drift")
    assert any(one.columns == ("sex", "leave") and (one.low or 0) > 0.1 for one in drifts)
