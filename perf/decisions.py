"""Tables 1 and 2 of FairCon on a model whose bias is known: how much bias demonstrations induce.

Table 1 varies the bias parity of the demonstrations, b_P = P(favourable | first group) - P(favourable |
second group). Table 2 shows each demonstrated person once as a member of every group (counterbalanced), which
leaves a parity of 0. The tested people are the same in every row, balanced between groups and outcomes, and
nobody is both shown and tested. Every row is asked behind several draws of demonstrations; the 95 % intervals
resample people and draws together, and all rows share their resamples, so that changes between rows are
paired. The gap is P(favourable) as the first group minus as the second, on twins who differ in nothing else
(without sign where there are more groups); with `lab:decisions` the planted gap stands beside it.

Must hold, beyond the 95 % intervals: the gap grows with every step in parity, and DPD from the lowest parity
to the highest; counterbalancing lowers the gap where the parity was 0.5 or more; accuracy exceeds the
majority rate without demonstrations and at the lowest parity. The exit status says so. On an unbiased model
it does not hold.

Run: python perf/decisions.py [--uri lab:decisions] [--task lab] [--parities 0,0.13,0.5,1] [--shots 16]
[--n 200] [--draws 10] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from evenhand import progress, registry, stats
from evenhand.benchmarks import Benchmark
from evenhand.lab import decision_truth
from evenhand.metrics import Array, Metric
from evenhand.models import Model
from evenhand.opening import open_model
from evenhand.progress import task
from evenhand.records import Score
from evenhand.reproductions import evidence
from evenhand.studies.measure import take

Figure = dict[str, Any]
SHOWN = {
    "gap": "counterfactual_gap_signed",
    "flips": "flip_rate",
    "dpd": "dpd",
    "deo_sum": "deo_sum",
    "accuracy": "decision_accuracy",
    "majority": "majority_rate",
}
HEADS = ("gap of twins", "decisions that flip", "DPD", "DEO (sum)", "accuracy", "majority rate")


@dataclass(frozen=True)
class Setting:
    """How the people of the demonstrations are drawn and shown: the settings of one row."""

    shots: int
    parity: float
    counterbalanced: bool = False

    @property
    def title(self) -> str:
        """The row's first cell."""
        if not self.shots:
            return "no demonstrations"
        return f"b_P = {self.parity:g}" + (", counterbalanced" if self.counterbalanced else "")


@dataclass(frozen=True)
class Row:
    """What was measured: the scores of all draws, one after the other, and the planted gap if it is known."""

    setting: Setting
    scores: Sequence[Score]
    metrics: tuple[Metric, ...]
    planted: float | None


def measured(model: Model, setting: Setting, options: argparse.Namespace) -> Row:
    """The setting for every draw of demonstrations; without demonstrations, a single draw."""
    benchmarks: list[Benchmark] = [
        registry.create(
            "benchmark",
            f"decisions:task={options.task},shots={setting.shots},parity={setting.parity},"
            f"counterbalanced={str(setting.counterbalanced).lower()},n={options.n},test_parity=0,"
            f"prompt_seed={draw}",
        )
        for draw in range(options.draws if setting.shots else 1)
    ]
    scores = [score for benchmark in benchmarks for score in take(model, benchmark).scores]
    scores *= options.draws // len(benchmarks)
    lab = options.task == "lab" and options.uri.startswith("lab:decisions")
    return Row(setting, scores, benchmarks[0].metrics, planted(benchmarks, options.uri) if lab else None)


def planted(benchmarks: Iterable[Benchmark], uri: str) -> float:
    """The mean gap of the tested people and their twins that the lab planted for these very prompts."""
    variant = "none" if "planted=none" in uri else "stereotype"
    gaps = []
    for benchmark in benchmarks:
        for sample in benchmark.load():
            first, second = (decision_truth.of_prompt(text, variant) for text in sample.fields["contexts"])  # type: ignore[arg-type]
            gaps.append(first - second)
    return statistics.fmean(gaps)


def metric_of(row: Row, name: str) -> Metric:
    """The metric in the column `name`; with more than two groups the gap has no sign."""
    there = {metric.name: metric for metric in row.metrics}
    return there.get(SHOWN[name]) or there["counterfactual_gap"]


def figure(row: Row, name: str, weights: Array) -> Figure:
    """Value and interval of one column."""
    found = stats.estimate(metric_of(row, name), row.scores, weights=weights)
    return {"value": found.value, "low": found.low, "high": found.high}


def change(before: Row, after: Row, name: str, weights: Array) -> Figure:
    """after - before of one column, paired."""
    metric = metric_of(before, name)
    first, last = metric.value(before.scores), metric.value(after.scores)
    old, new = (stats.replicates(metric, row.scores, weights=weights) for row in (before, after))
    low, high = stats.interval(np.subtract(new, old))
    return {"value": None if first is None or last is None else last - first, "low": low, "high": high}


def changes(before: Row, after: Row, weights: Array) -> Figure:
    """The changes between two rows that the tables report."""
    found: Figure = {name: change(before, after, name, weights) for name in ("gap", "dpd", "accuracy")}
    return {"before": before.setting.title, "after": after.setting.title, **found}


def tables(rows: Sequence[Row], draws: int) -> Figure:
    """Both tables as plain data: a line for every row, and the changes between rows."""
    weights = evidence.drawn(len(rows[0].scores) // draws, draws)
    drawn = [row for row in rows if row.setting.shots and not row.setting.counterbalanced]
    twins = [row for row in rows if row.setting.counterbalanced]
    return {
        "rows": [
            {"title": row.setting.title, **asdict(row.setting), "planted_gap": row.planted}
            | {name: figure(row, name, weights) for name in SHOWN}
            for row in rows
        ],
        "steps": [changes(a, b, weights) for a, b in pairwise(drawn)],
        "whole": changes(drawn[0], drawn[-1], weights),
        "counterbalancing": [
            {"parity": a.setting.parity, **changes(a, b, weights)} for a, b in zip(drawn, twins, strict=True)
        ],
    }


def failures(found: Figure) -> list[str]:
    """The expectations that are not met, in words."""
    wrong = [
        f"{step['before']} to {step['after']}: the gap does not grow"
        for step in found["steps"]
        if not above(step["gap"], 0.0)
    ]
    if not above(found["whole"]["dpd"], 0.0):
        wrong.append("DPD does not grow from the lowest parity to the highest")
    for row in found["counterbalancing"]:
        if row["parity"] >= 0.5 and not below(row["gap"], 0.0):
            wrong.append(f"{row['after']}: the gap does not fall")
    for row in found["rows"][:2]:
        if not above(row["accuracy"], row["majority"]["value"]):
            wrong.append(f"{row['title']}: no more accurate than one answer for everybody")
    return wrong


def above(found: Figure, border: float) -> bool:
    """Whether the whole interval lies above the border; an undefined one does not."""
    return found["low"] is not None and bool(found["low"] > border)


def below(found: Figure, border: float) -> bool:
    """Whether the whole interval lies below the border; an undefined one does not."""
    return found["high"] is not None and bool(found["high"] < border)


def cell(found: Figure, sign: str = "") -> str:
    """A figure with its interval."""
    if found["value"] is None:
        return "undefined"
    text = f"{found['value']:{sign}.3f}"
    return text if found["low"] is None else f"{text} ({found['low']:{sign}.3f} to {found['high']:{sign}.3f})"


def markdown(found: Figure) -> str:
    """Both tables."""
    lines = [f"| demonstrations | planted gap | {' | '.join(HEADS)} |", f"|{'---|' * (len(HEADS) + 2)}"]
    for row in found["rows"]:
        truth = "-" if row["planted_gap"] is None else f"{row['planted_gap']:.3f}"
        cells = " | ".join(
            f"{row[name]['value']:.3f}" if name == "majority" else cell(row[name]) for name in SHOWN
        )
        lines.append(f"| {row['title']} | {truth} | {cells} |")
    lines += ["", "| change | gap of twins | DPD | accuracy |", "|---|---|---|---|"]
    whole = [found["whole"]] if len(found["steps"]) > 1 else []
    for row in [*found["steps"], *whole, *found["counterbalancing"]]:
        cells = " | ".join(cell(row[name], "+") for name in ("gap", "dpd", "accuracy"))
        lines.append(f"| {row['before']} → {row['after']} | {cells} |")
    return "\n".join(lines)


def settings(shots: int, parities: Sequence[float]) -> list[Setting]:
    """The rows in their order: none, table 1, table 2."""
    drawn = [Setting(shots, parity) for parity in sorted(parities)]
    return [Setting(0, 0.0), *drawn, *(Setting(shots, one.parity, counterbalanced=True) for one in drawn)]


def main() -> int:
    """Measure every row; exit status 1 when what must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--uri", default="lab:decisions")
    parser.add_argument("--task", default="lab", help="lab, adult, or a TOML file")
    parser.add_argument(
        "--parities", type=lambda text: [float(x) for x in text.split(",")], default=[0.0, 0.13, 0.5, 1.0]
    )
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--n", type=int, default=200, help="tested people")
    parser.add_argument("--draws", type=int, default=10, help="of demonstrations")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    progress.enable()
    model = open_model(options.uri)
    rows = []
    wanted = settings(options.shots, options.parities)
    with task("demonstrations", len(wanted), unit="row") as advance:
        for setting in wanted:
            rows.append(measured(model, setting, options))
            advance(1)
    found = tables(rows, options.draws)
    wrong = failures(found)
    if options.json:
        asked = {"uri": options.uri, "task": options.task, "n": options.n, "draws": options.draws}
        print(json.dumps({**asked, "shots": options.shots, **found, "does_not_hold": wrong}))
    else:
        print(markdown(found))
        print("\n" + ("What must hold holds." if not wrong else f"Does not hold: {'; '.join(wrong)}."))
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
