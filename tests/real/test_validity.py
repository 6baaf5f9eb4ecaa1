"""The verdict on models whose bias is known, each with a reduced control: the shortest proof of the promise.

`perf/verdicts.py` holds the whole table. What is damaged, or was never biased, must not be called mitigated;
what removes the planted bias and nothing else must be.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import evenhand
from evenhand.records import VerdictName

pytestmark = pytest.mark.real

# The lab asks too few questions of its own to exclude a loss of one point.
MITIGATED = frozenset({VerdictName.MITIGATED, VerdictName.COST_UNKNOWN})
ANY_OTHER = frozenset(VerdictName) - MITIGATED - {VerdictName.AT_A_COST}


@pytest.mark.parametrize(
    ("uri", "treatment", "right"),
    [
        ("lab:causal", "lftf:loss=mass_preserving", MITIGATED),
        ("lab:causal", "noise:dose=0.5", ANY_OTHER),
        ("lab:causal", "lftf:loss=printed", ANY_OTHER),
        ("lab:causal?planted=none", "lftf", ANY_OTHER),
    ],
)
def test_the_verdict_sees_what_was_done(
    uri: str, treatment: str, right: frozenset[VerdictName], tmp_path: Path
) -> None:
    record = evenhand.verify(uri, treatment, control="reduced", out=tmp_path / "run")
    assert record.verdict in right, record.reasons
