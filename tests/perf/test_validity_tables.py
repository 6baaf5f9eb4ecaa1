"""Readings of an older rule are judged by the present one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from perf.validity.tables import Rate, clustered, judged_now, named, rate, readings
from scipy.stats import beta


def reading(
    verdict: str,
    *parts: float | None,
    capability: bool | None = True,
    guard: bool | None = True,
    few: bool | None = True,
    p: float = 0.001,
) -> dict[str, Any]:
    """What each family leaves of a fall; the last one could not reach the size. delta is .04.

    `guard` says whether a guard is kept, and `few` whether few items grew.
    """
    families: list[dict[str, Any]] = [
        {"family": f"f{i}", "state": "matched", "specific": part, "p": p, "limit": 0.025}
        for i, part in enumerate(parts)
    ]
    families.append({"family": "inert", "state": "inert", "specific": None, "p": None, "limit": None})
    return {
        "verdict": verdict,
        "counted": True,
        "capability": capability,
        "checks": [{"name": "hints", "kept": guard}, {"name": "items whose gap grew", "kept": few}],
        "control": {"families": families, "delta": 0.04, "reduced": False},
    }


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (reading("mitigated at a cost", 0.2001, 0.4, guard=False), "mitigated at a cost"),
        (reading("mitigated at a cost", 0.1999, 0.4, guard=False), "no evidence"),
        (reading("mitigated, cost unknown", 0.1999, 0.4, guard=None), "no evidence"),
        (reading("mitigated", 0.1999, 0.4), "mitigated"),
        (reading("no evidence", 0.1999, 0.4), "mitigated"),
        (reading("no evidence", 0.1999, 0.4, guard=None), "no evidence"),
        (reading("no evidence", 0.1999, 0.4, p=0.03), "no evidence"),
        (reading("no evidence", 0.0399, 0.4), "no evidence"),
        (reading("mitigated, cost unknown", 0.3, 0.4, few=None), "no evidence"),
        (reading("mitigated at a cost", 0.3, 0.4, few=None, capability=False), "capability loss only"),
        (reading("mitigated, cost unknown", 0.3, 0.1, capability=None), "no evidence"),
        (reading("mitigated at a cost", 0.1, 0.4, capability=False), "capability loss only"),
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


def test_packed_readings_are_read_as_others_are(tmp_path: Path) -> None:
    about = {"kind": "noise", "verdict": "worse", "counted": True, "control": None}
    first, second = ({"key": key, **about} for key in "ab")
    (tmp_path / "readings-1.jsonl").write_text(json.dumps(first) + "\n{cut off")
    (tmp_path / "readings-2.jsonl.gz").write_bytes(gzip.compress((json.dumps(second) + "\n").encode()))
    assert readings(tmp_path) == [first, second]


def test_half_of_the_way_is_not_half_of_the_bias() -> None:
    """Weights half of the way to the unbiased ones have another name than a twin with half of the bias."""
    kinds = {
        key: named({"kind": "half_removed", "key": f"half_removed/{key}lab:causal/0"})["kind"]
        for key in ("", "planted/")
    }
    assert kinds == {"": "half_of_the_way", "planted/": "half_removed"}


def runs(labs: dict[str, int], claimed: int) -> list[dict[str, Any]]:
    """So many runs of each lab, the first `claimed` of them with a claim."""
    bases = [lab for lab, count in labs.items() for _ in range(count)]
    return [
        {"base": base, "counted": True, "verdict": "mitigated" if number < claimed else "no evidence"}
        for number, base in enumerate(bases)
    ]


def test_a_bound_over_labs_counts_runs_of_one_lab_as_one() -> None:
    alone = {f"lab{i}": 1 for i in range(20)}
    assert clustered(runs(alone, claimed=0)) == pytest.approx((Rate(0, 20).high,) * 2)
    # 20 labs of 3 runs say as much as 20 runs at the worst, and as 60 where no lab was seen to differ.
    threes = {f"lab{i}": 3 for i in range(20)}
    assert clustered(runs(threes, claimed=0)) == pytest.approx((Rate(0, 60).high, Rate(0, 20).high))
    # 10 runs of one lab and 10 of ten labs: 20^2 / (10^2 + 10) = 3.64 runs; without a claim 1 - .05^(1/3.64).
    uneven = runs({"large": 10, **{f"lab{i}": 1 for i in range(10)}}, claimed=0)
    assert clustered(uneven)[1] == pytest.approx(1 - 0.05 ** (110 / 400))


def test_claims_that_gather_in_a_lab_widen_its_bound() -> None:
    # One lab of 20 claims all of its 3 runs, p = .05. Over labs: 20/19 * ((3 * .95)^2 + 19 * (3 * .05)^2)
    # = 9; independent runs: 60 * .05 * .95 = 2.85. So 3.158 runs say as much as one, and Student's t of 19
    # and of 59 degrees of freedom (1.7291 and 1.6711) makes that 3.381.
    seen, worst = clustered(runs({f"lab{i}": 3 for i in range(20)}, claimed=3))
    runs_left = 60 / 3.381
    assert seen == pytest.approx(float(beta.ppf(0.95, 0.05 * runs_left + 1, 0.95 * runs_left)), abs=1e-4)
    assert worst == seen  # which is more than 3 runs a lab alone would do


def test_a_bound_over_labs_without_information_is_one() -> None:
    assert clustered([{"base": "lab", "counted": False}]) == (1.0, 1.0)
    assert clustered(runs({"lab": 2}, claimed=2)) == (1.0, 1.0)
    assert clustered(runs({"lab": 9}, claimed=1)) == (1.0, 1.0)  # one lab does not say how labs differ
