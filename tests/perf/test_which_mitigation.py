"""The page that says which mitigation to use when: its order, its marks, and that it is what its rows say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perf import which_mitigation

DOCS = Path(__file__).parents[2] / "docs"


def _cell(
    mitigation: str, after: float, verdict: str, seed: int = 0, treatment: str = "", **more: Any
) -> list[dict[str, Any]]:
    common = dict.fromkeys(which_mitigation.KEPT) | {
        "model": "m", "mitigation": mitigation, "treatment": treatment or mitigation, "seed": seed,
        "state": "done", "verdict": verdict, "capability": "kept", "minutes": 1.0, "role": "bias",
        "claim": True, "ideal": 0.0, "n": 10, "before": 0.4,
    }  # fmt: skip
    main = {"benchmark": "g", "metric": "afgb", "primary": True, "after": after, "effect": after - 0.4}
    other = {"benchmark": "s", "metric": "ss", "primary": False, "ideal": 50.0, "effect": -2.0, "low": -5.0}
    texts = {"benchmark": "p", "metric": "perplexity", "role": "capability", "claim": False, "primary": False}
    return [
        common | main | {"low": -0.35, "high": -0.1} | more,
        common | other | {"high": 1.0 if seed else -0.5, "before": 60.0, "after": 58.0},
        common | texts | {"before": 10.0, "after": 10.0 * (1.1 if seed else 1.0)},
    ]


def test_better_verdicts_come_first_then_less_bias() -> None:
    text = which_mitigation.page(
        [
            *_cell("none", 0.01, "no evidence"),
            *_cell("costly", 0.05, "mitigated at a cost"),
            *_cell("small", 0.30, "mitigated"),
            *_cell("large", 0.10, "mitigated"),
        ]
    )
    table = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert table[:4] == ["large", "small", "costly", "none"]
    said = which_mitigation.MEANING["mitigated"]
    assert f"- *mitigated*: {said}. `large`, `small`." in text


def test_a_figure_that_is_undefined_comes_last_and_the_heading_has_each_number_of_items() -> None:
    broken = _cell("broken", 0.0, "no evidence", n=7)
    broken[0] |= dict.fromkeys(("after", "effect", "low", "high"))
    broken[2]["after"] = None
    text = which_mitigation.page([*broken, *_cell("fine", 0.3, "no evidence")])
    table = [line for line in text.splitlines() if line.startswith("| `")]
    assert table[0].startswith("| `fine` | 1 | 0.400 | 0.300 |")
    undefined = "undefined | undefined (undefined to undefined) | – |"
    assert table[1].startswith(f"| `broken` | 1 | 0.400 | {undefined}")
    assert "(7 to 10 items, ideal 0.000)" in text


def test_what_ran_on_several_models_stands_side_by_side() -> None:
    refused = dict.fromkeys(which_mitigation.KEPT) | {
        "model": "other", "mitigation": "a", "seed": 0, "state": "failed", "error": "BadModel: no blocks.",
    }  # fmt: skip
    rows = [*_cell("a", 0.1, "mitigated"), *_cell("a", 0.1, "no evidence", seed=1), *_cell("b", 0.1, "worse")]
    further = [*_cell("b", 0.3, "mitigated", model="other"), refused]
    text = which_mitigation.page([*rows, *further, *({**row, "model": "other"} for row in further[1:3])])
    assert "| mitigation | `m` | `other` |" in text
    assert "| `a` | 1x *mitigated*, 1x *no evidence* | refused |" in text
    assert "| `b` | *worse* | *mitigated* |" in text
    assert "At a glance" not in which_mitigation.page(rows)


def test_the_page_says_which_falls_no_control_models_judge() -> None:
    judged, alone = _cell("judged", 0.1, "mitigated", control="standard"), _cell("alone", 0.2, "no evidence")
    assert "Control models" not in which_mitigation.page([*judged, *alone])
    alone[0]["control"] = "none"
    text = which_mitigation.page([*judged, *alone])
    assert "Control models were made for these alone: `judged`. No fall of the others' is judged" in text
    assert "alone: none." in which_mitigation.page(alone)


def test_seeds_that_disagree_are_all_shown_and_the_worst_counts() -> None:
    text = which_mitigation.page(
        [
            *_cell("split", 0.05, "mitigated", holds=False),
            *_cell("split", 0.20, "no evidence", seed=1),
            *_cell("even", 0.30, "mitigated at a cost"),
        ]
    )
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    assert lines[0].startswith("| `even` | 1 |")  # its only verdict is better than the worse one of the other
    assert "1x *mitigated* ‡, 1x *no evidence*" in lines[1]
    assert "| 0.400 | 0.050, 0.200 |" in lines[1]
    assert "+5 %" in lines[1]  # sqrt(1.0 x 1.1) = 1.049
    assert lines[3] == "| `split` | (-2.000) |".replace("-", "−")  # the second seed's interval holds 0
    assert "*different verdicts by seed*" in text
    assert "\n‡ What the verdict claims" in text
    assert "‡" not in which_mitigation.page(_cell("even", 0.30, "mitigated at a cost"))


def test_a_fall_without_control_models_is_not_called_one_that_they_show_as_well() -> None:
    text = which_mitigation.page(
        [*_cell("a", 0.1, "no evidence", judged=False), *_cell("b", 0.4, "no evidence")]
    )
    assert "| *not judged* |" in text
    assert f"- *not judged*: {which_mitigation.MEANING['not judged']}. `a`." in text
    assert f"- *no evidence*: {which_mitigation.MEANING['no evidence']}. `b`." in text


def test_a_cell_that_cannot_be_compared_is_named_with_its_verdict() -> None:
    row = dict.fromkeys(which_mitigation.KEPT) | {
        "model": "m", "mitigation": "prompt", "treatment": "prompt", "seed": 0, "state": "done",
        "verdict": "not comparable", "error": "",
    }  # fmt: skip
    assert which_mitigation._needed(row)
    assert "Not done:\n\n- `prompt`: not comparable\n" in which_mitigation.page([row])
    both = which_mitigation.page([row, *_cell("a", 0.1, "mitigated")])
    assert "- `prompt`: not comparable\n" in both
    assert "| `a` | 1 |" in both


def test_each_text_has_its_perplexity() -> None:
    rows = _cell("a", 0.1, "mitigated")
    other = {**rows[-1], "benchmark": "q", "after": 9.6}
    assert "| +10 %, −4 % |" in which_mitigation.page([*rows[:-1], {**rows[-1], "after": 11.0}, other])


def test_a_name_of_its_own_comes_with_what_to_write() -> None:
    text = which_mitigation.page(
        [*_cell("plain", 0.2, "mitigated"), *_cell("gentle", 0.1, "mitigated", treatment="plain:lr=1e-4")]
    )
    assert "The names stand for these settings:\n\n- gentle: `plain:lr=1e-4`\n\n" in text
    assert "- plain:" not in text
    assert "settings" not in which_mitigation.page(_cell("plain", 0.2, "mitigated"))


def test_a_cell_that_failed_is_named() -> None:
    failed = dict.fromkeys(which_mitigation.KEPT) | {
        "model": "m", "mitigation": "broken", "seed": 0, "state": "failed", "error": "BadModel: no blocks.",
    }  # fmt: skip
    text = which_mitigation.page([*_cell("fine", 0.1, "mitigated"), failed])
    assert "- `broken`: BadModel: no blocks." in text


def test_a_cell_that_is_run_again_takes_its_place() -> None:
    old, new = _cell("a", 0.3, "no evidence"), _cell("a", 0.1, "mitigated")
    b = _cell("b", 0.2, "mitigated")
    assert which_mitigation.merged([*old, *b], new) == [*new, *b]
    assert len(which_mitigation.merged(old, _cell("a", 0.1, "mitigated", seed=1))) == 6
    not_begun = [{**row, "state": "missing"} for row in _cell("a", 0.3, "")]
    assert which_mitigation.merged(old, not_begun) == old, "what was done stays"
    assert which_mitigation.merged(not_begun, old) == old


def test_a_further_benchmark_joins_the_cell_of_the_same_model_alone() -> None:
    old = _cell("a", 0.3, "mitigated", control="standard")
    main, other, _ = _cell("a", 0.3 + 1e-5, "no evidence", control="none")
    further = [main, {**other, "benchmark": "t"}]

    both = which_mitigation.merged(old, further)
    assert both == [*old, further[1]], "its verdict and control stay"
    assert "Control models" not in which_mitigation.page(both)
    moved = [{**main, "after": 0.31}, further[1]]
    assert which_mitigation.merged(old, moved) == moved, "another model"
    undefined = [{**old[0], "before": None, "after": None}, *old[1:]]
    assert which_mitigation.merged(undefined, further) == further
    again = _cell("a", 0.3, "no evidence")
    assert which_mitigation.merged(old, again) == again, "a study with all that is known takes its place"


def test_the_page_is_what_its_rows_say() -> None:
    rows = DOCS / "which-mitigation.json"
    if not rows.exists():
        pytest.skip("no study has been run for the page")
    found = json.loads(rows.read_text(encoding="utf-8"))
    assert (DOCS / "which-mitigation.md").read_text(encoding="utf-8") == which_mitigation.page(found)
