"""Readings of an older rule are judged by the present one, which claims less and never more."""

from __future__ import annotations

from typing import Any

import pytest
from perf.validity.tables import judged_now, rate


def reading(verdict: str, *parts: float | None, capability: bool | None = True) -> dict[str, Any]:
    """What each family leaves of a fall; the last one could not reach the size."""
    families = [{"family": f"f{i}", "state": "matched", "specific": part} for i, part in enumerate(parts)]
    families.append({"family": "inert", "state": "inert", "specific": None})
    return {
        "verdict": verdict,
        "counted": True,
        "capability": capability,
        "control": {"families": families},
    }


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (reading("mitigated", 0.2001, 0.4), "mitigated"),
        (reading("mitigated", 0.1999, 0.4), "no evidence"),
        (reading("mitigated, cost unknown", 0.3, 0.1, capability=None), "no evidence"),
        (reading("mitigated at a cost", 0.1, 0.4, capability=False), "capability loss only"),
        (reading("mitigated at a cost", 0.1, 0.4), "no evidence"),  # a guard was lost, capability was not
        (reading("capability loss only", 0.1), "capability loss only"),
        (reading("worse", 0.1), "worse"),
    ],
)
def test_a_claim_needs_the_larger_part_beyond_each_family(line: dict[str, Any], verdict: str) -> None:
    assert judged_now(line)["verdict"] == verdict


def test_what_has_no_verdict_or_no_control_is_left() -> None:
    nothing = {"counted": False, "fall": None}
    assert judged_now(nothing) is nothing
    bare = reading("mitigated") | {"control": None}
    assert judged_now(bare) is bare
    assert rate([nothing, reading("mitigated", 0.3)]).runs == 1
