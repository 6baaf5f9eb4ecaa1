"""What was measured, as a table for people, a line of the history and a page of the documentation."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .harness import Found, Ratio

HEAD = (
    "workload",
    "ours",
    "beside",
    "ratio (lowest to highest)",
    "asked",
    "largest difference",
    "of the ceiling",
)


def rows(found: Sequence[Found]) -> list[tuple[str, ...]]:
    """The cells of the table: one row a peer, what is common to a case's peers in its first row alone."""
    made: list[tuple[str, ...]] = []
    for one in found:
        what = one.what + ("" if one.device == "cpu" else f", {one.device}")
        if not one.ratios:
            made.append((what, _amount(one.cost, one.unit), "", "", "", "", _ceiling(one)))
        for number, ratio in enumerate(one.ratios):
            first = number == 0
            made.append(
                (
                    what if first else "",
                    _amount(one.cost, one.unit) if first else "",
                    ratio.peer + (f", {ratio.batch} a batch" if ratio.batch else ""),
                    f"{_number(ratio.median)}x ({_number(ratio.low)} to {_number(ratio.high)})",
                    _asked(ratio, one.share),
                    _difference(ratio, equal=one.equal),
                    _ceiling(one) if first else "",
                )
            )
    return made


def _amount(cost: float, unit: str) -> str:
    return f"{cost:.3g} {unit}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def _asked(ratio: Ratio, share: float | None) -> str:
    """Whether the goal was reached, and where it was not, what the ratio would be at the ceiling."""
    if ratio.target is None:
        return ""
    if ratio.median >= ratio.target:
        return f"{ratio.target:g}x, reached"
    most = f"; {_number(ratio.median / share)}x at the ceiling" if share else ""
    return f"{ratio.target:g}x, not reached{most}"


def _difference(ratio: Ratio, *, equal: bool) -> str:
    if ratio.difference is None:
        return "not compared"
    return f"{ratio.difference:.1e}" + ("" if equal else " TOO LARGE")


def _ceiling(one: Found) -> str:
    if one.share is None:
        return ""
    asked = f" ({one.asked:.0%} asked)" if one.asked is not None else ""
    return f"{one.share:.0%}{asked}" + ("" if one.steady else ", unsteady")


def text(found: Sequence[Found], skipped: Mapping[str, str]) -> str:
    """The table in columns, and under it what was left out."""
    cells = [HEAD, *rows(found)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([*lines, *(f"{name}: left out, {why}" for name, why in skipped.items())])


def line(found: Sequence[Found], skipped: Mapping[str, str], about: Mapping[str, Any]) -> str:
    """One line of JSON: how the run was made, and everything that was measured."""
    data = _finite({**about, "cases": [asdict(one) for one in found], "skipped": dict(skipped)})
    return json.dumps(data, sort_keys=True, allow_nan=False)


def _finite(data: Any) -> Any:
    """`data` with infinities and NaN, which JSON has not, as text: a case with NaN differs by "inf"."""
    if isinstance(data, float) and not math.isfinite(data):
        return str(data)
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, list | tuple) else data


def remember(history: Path, record: str) -> None:
    """Append a line to the history."""
    with history.open("a", encoding="utf-8") as file:
        file.write(record + "\n")


def last(history: Path, runs: int, **alike: object) -> list[dict[str, Any]]:
    """The last `runs` lines of the history whose values are those of `alike`, the earliest first."""
    lines = map(json.loads, history.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if all(line.get(key) == value for key, value in alike.items())][-runs:]


def of_runs(runs: Sequence[Mapping[str, Any]], order: Sequence[str]) -> str:
    """The page of several runs, each as its line of the history: of a case the latest, in the given `order`.

    A case that there is no longer is left out; what a run could not measure is said where no other run did.
    """
    latest = {(case["name"], case["device"]): _case(case) for run in runs for case in run["cases"]}
    known = [one for one in latest.values() if one.name in order]
    found = sorted(known, key=lambda one: (one.device, order.index(one.name)))
    left = {name: why for run in runs for name, why in run["skipped"].items()}
    measured = {one.name for one in found}
    about = {
        **runs[-1],
        "command": "`, then `".join(run["command"] for run in runs),
        "machine": _machines([run["machine"] for run in runs]),
    }
    return page(found, {name: why for name, why in left.items() if name not in measured}, about)


def _machines(made: Sequence[str]) -> str:
    """The runs' versions and machines; those of runs that differ in the commit alone as one line."""
    first, rest = made[0].partition("), ")[::2]
    alike = all(one.partition("), ")[2] == rest for one in made)
    commits = dict.fromkeys(one.partition("), ")[0].rpartition("(commit ")[2] for one in made)
    if not alike or len(commits) == 1:
        return "\n\n".join(dict.fromkeys(made))
    return f"{first.rpartition('(commit ')[0]}(commits {', '.join(commits)}), {rest}"


def _case(case: Mapping[str, Any]) -> Found:
    """A case as a line of the history holds it."""
    return Found(**{**case, "ratios": tuple(map(_ratio, case["ratios"]))})


def _ratio(ratio: Mapping[str, Any]) -> Ratio:
    sweep = {int(size): cost for size, cost in ratio["sweep"].items()}
    fields: dict[str, Any] = {
        key: float(value) if value in TEXTS else value for key, value in ratio.items() if key != "sweep"
    }
    return Ratio(**fields, sweep=sweep)


TEXTS = ("inf", "-inf", "nan")  # as `_finite` writes them
PREFACE = """# {title}

Written by `{command}`; do not edit.

Every ratio is the cost of another way to the same numbers
over the cost of evenhand, both measured in the same rounds of one process: the median of {rounds} rounds, and
the lowest and the highest. A peer with batches runs at the best of the sizes below the table. "Largest
difference" compares the numbers themselves. "Of the ceiling" is what the matrix products of the distinct
tokens alone would take, at the rate of one large product in the same process, over what evenhand took; it is
"unsteady" where that rate changed by more than 15 % during the case, because something else used the
machine. "Asked" is a goal, not a test: only a difference fails. Where it is not reached, the ratio that the
matrix products alone would give is beside it.

Models have random weights ({layers} blocks, {width} wide), on which speed does not depend. {clock}

{machine}

The benchmarks of a run are planned one after the other, not together: on 2026-11-29 one plan for GenBiasEval
and GenHintEval would have run 10 016 tokens in place of 10 320 (2.9 % fewer), and with the lab's capability
benchmarks 12 937 in place of 13 249 (2.4 %). To hold the answers of all benchmarks at once is not worth that.
"""


def page(found: Sequence[Found], skipped: Mapping[str, str], about: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    parts = [PREFACE.format(**about), _markdown(HEAD, rows(found))]
    sweeps = [
        (
            one.what,
            ratio.peer,
            ", ".join(f"{size}: {_amount(cost, one.unit)}" for size, cost in ratio.sweep.items()),
        )
        for one in found
        for ratio in one.ratios
        if ratio.sweep
    ]
    if sweeps:
        parts += ["## Batch sizes of the peers", _markdown(("workload", "peer", "cost at each size"), sweeps)]
    details = [f"- {one.what}: {one.detail}." for one in found if one.detail]
    if details:
        parts += ["## What evenhand ran", "\n".join(details)]
    if skipped:
        parts += ["## Not measured", "\n".join(f"- {name}: {why}." for name, why in skipped.items())]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _markdown(head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *cells]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)
