"""The verdict on models whose making is known: the shortest proof of the promise.

`python -m perf.validity` judges whole populations. Here one model of each kind is judged: what is damaged, or
was never biased, must not be called mitigated; what removes the planted bias must be.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from perf.validity.runs import judged
from perf.validity.tables import CLAIM, NAMED

import evenhand
from evenhand.records import VerdictName

pytestmark = pytest.mark.real

CLAIMED = frozenset({VerdictName.MITIGATED, VerdictName.AT_A_COST, VerdictName.COST_UNKNOWN})
ANY_OTHER = frozenset(VerdictName) - CLAIMED
LAB = "lab:causal?block=2&seed=1"


@pytest.mark.parametrize(
    ("uri", "treatment", "right"),
    [
        ("lab:causal", "lftf:loss=mass_preserving", CLAIMED),
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


@pytest.mark.parametrize("kind", ["exact_removal", "half_removed"])
def test_an_exact_treatment_is_claimed(kind: str) -> None:
    share = {"exact_removal": 1.0, "half_removed": 0.5}[kind]
    found = judged({"key": kind, "kind": kind, "base": LAB, "dose": share, "seed": 0})
    assert found["verdict"] in CLAIM, found


@pytest.mark.parametrize(
    ("kind", "dose"),
    [("noise", 1.0), ("plain_text", 2.6), ("temperature", 0.2), ("words", 0.9), ("shrunk", 0.3)],
)
def test_damage_is_not_claimed_though_its_own_family_is_absent(kind: str, dose: float) -> None:
    """A third to ninefold more than what changes nothing, in another block than that of the bias."""
    family = kind.replace("_", " ") if kind in ("noise", "plain_text", "temperature") else ""
    job = {"key": kind, "kind": kind, "family": family, "inside": False, "held_out": False}
    found = judged({**job, "base": LAB, "dose": dose, "seed": 5})
    assert found.get("verdict") not in CLAIM, found


def test_what_damage_shows_for_the_larger_part_is_not_claimed() -> None:
    """The attention of the block with the bias writes nothing: `prune` shows seven eighths of that fall."""
    job = {"key": "cut", "kind": "cut", "family": "", "inside": False, "held_out": False}
    found = judged({**job, "base": LAB, "dose": 1.0, "seed": 2})
    assert found["counted"]
    assert found["verdict"] not in CLAIM, found


def test_nothing_done_is_neither_worse_nor_a_loss() -> None:
    found = judged({"key": "nothing", "kind": "nothing_done", "base": LAB, "dose": 0.0, "seed": 0})
    assert found["verdict"] not in (*CLAIM, *NAMED), found
