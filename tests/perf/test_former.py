"""Which models the former rule is asked about, and the table that sets both rules side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from perf.validity import former


def line(kind: str, base: str, **more: Any) -> dict[str, Any]:
    key = f"{kind}/{base}"
    return {"key": key, "kind": kind, "base": base, "seed": 1, "dose": 0.5, "counted": True, **more}


def test_a_model_is_chosen_once_with_the_reading_of_all_controls() -> None:
    alone, beside = line("noise", "a", inside=False), line("noise", "a", inside=True)
    lines = [alone, beside, line("noise", "b", inside=False), line("noise", "c", inside=False)]
    lines += [{**line("cut", "a"), "counted": False}, line("nothing_done", "a")]
    assert list(former.chosen(lines, 2)) == [
        ("noise-0", beside),
        ("noise-1", lines[2]),
        ("nothing_done-0", lines[5]),
    ]


def test_the_table_counts_the_claims_of_both(tmp_path: Path) -> None:
    control = {"families": [{"models": 6}, {"models": 9}]}
    now = [
        line("noise", "a", inside=True, verdict="capability loss only", control=control, seconds=40.0),
        line("cut", "a", inside=False, verdict="mitigated", control=control, seconds=20.0),
        line("exact_removal", "a", verdict="mitigated", control=control, seconds=50.0),
        line("fewer_bits", "a", verdict="no evidence", control=None),
        line("without_they", "a", verdict="mitigated at a cost", control=None),
    ]
    then = ("mitigated at a cost", "mitigated", "no evidence", "no evidence", "mitigated")
    judged = []
    for number, (one, verdict) in enumerate(zip(now, then, strict=True)):
        judged.append({"key": one["key"], "verdict": verdict, "models": 16, "seconds": 30.0 + number})
    (tmp_path / former.JUDGED).write_text("".join(json.dumps(one) + "\n" for one in judged))
    assert former.table(tmp_path, now).splitlines()[2:] == [
        "| damage | 2 | 2 | 1 | 16 | 15 | 30.5 | 30 |",
        "| exact_removal | 1 | 0 | 1 | 16 | 15 | 32 | 50 |",
        "| nothing done | 1 | 0 | 0 | 16 |  | 33 |  |",
        "| without_they | 1 | 1 | 0 | 16 |  | 34 |  |",  # such a mitigation may be claimed at a cost
    ]
