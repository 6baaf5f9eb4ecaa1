"""The tidy table of a study: one row for each figure of each cell, as CSV and as JSON.

A *claim* is a row about the bias metric that a benchmark is measured for. Its p-value tests that the figure
did not change; Holm's method adjusts it over all claims of the table. The p-value of a cell's verdict, the
largest over its families of control models, is adjusted over all cells.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evenhand import stats
from evenhand.files import write_atomically
from evenhand.outputs import check_ours
from evenhand.provenance import made_by
from evenhand.records import Check, Effect, Value, VerdictName, Verification, to_json
from evenhand.schema import SCHEMA
from evenhand.studies.grid.result import Outcome, StudyResult
from evenhand.studies.primary import subject
from evenhand.studies.reasons import is_judged

FORMAT = "evenhand/study-table/1"
CSV, JSON = "table.csv", "table.json"
COLUMNS: Mapping[str, str] = {
    "model": "the model's name",
    "mitigation": "the mitigation's name in the study file",
    "treatment": "its spec, for a grid the setting that was chosen on dev items",
    "seed": "the seed of the fit and of the resamples",
    "state": "done, failed, or missing (not begun: the budget was spent)",
    "benchmark": "the benchmark; empty where the cell is not done",
    "role": "bias or capability",
    "metric": "the metric's key",
    "primary": "whether the verdict is about this figure",
    "claim": "whether the row is among those that Holm's method adjusts together",
    "n": "items on which both figures are defined",
    "ideal": "the best value of the metric; empty for a descriptive one",
    "before": "the untreated model's figure",
    "before_low": "lower end of its 95 % interval",
    "before_high": "upper end of its 95 % interval",
    "after": "the treated model's figure",
    "after_low": "lower end of its 95 % interval",
    "after_high": "upper end of its 95 % interval",
    "effect": "after - before on the same items",
    "low": "lower end of the effect's 95 % paired interval",
    "high": "upper end of the effect's 95 % paired interval",
    "relative": "the effect as a share of the figure before, or of its distance from an ideal inside",
    "p": "p-value of no change, as it is; empty for a metric that is no mean over items",
    "p_holm": "the same adjusted by Holm's method over all claims of the table; empty for other rows",
    "verdict": "the verdict of the cell",
    "judged": "whether it could be judged: False where the bias fell and no control models were asked for, "
    "and where before and after cannot be compared",
    "p_control": "the verdict's p-value: the largest over the families of control models; empty without one",
    "p_control_holm": "the same adjusted by Holm's method over all cells of the table",
    "holds": "whether a claim of mitigation still holds at 5 % after that; empty where none is made",
    "capability": "kept, lost or undecided",
    "capability_loss": "loss of accuracy, as a share, or of log-perplexity where no question is asked",
    "capability_loss_low": "its lower one-sided 95 % bound",
    "capability_loss_high": "its upper one-sided 95 % bound",
    "capability_check": "the check that the loss is from",
    "limited": "whether only a part of the items was taken: a trial, not a result",
    "minutes": "how long all sittings at the cell took",
    "error": "why the cell failed",
}
CLAIMS = (VerdictName.MITIGATED, VerdictName.AT_A_COST, VerdictName.COST_UNKNOWN)
ALPHA = 0.05
Row = dict[str, Any]


def rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Every row of the table, each with all `COLUMNS`; of a cell that is not done, one without figures."""
    found = [row for outcome in outcomes for row in _rows(outcome)]
    _adjust(found, "p", "p_holm", [row for row in found if row["claim"]])
    _adjust(found, "p_control", "p_control_holm", _firsts(found))
    for row in found:
        if row["verdict"] in CLAIMS and row["p_control_holm"] is not None:
            row["holds"] = row["p_control_holm"] <= ALPHA
    return found


def _firsts(found: Sequence[Row]) -> list[Row]:
    """The first row of each cell."""
    return list({_cell(row): row for row in reversed(found)}.values())[::-1]


def _cell(row: Row) -> tuple[object, ...]:
    return row["model"], row["mitigation"], row["seed"]


def _adjust(found: Sequence[Row], raw: str, adjusted: str, claims: Sequence[Row]) -> None:
    """Adjust `raw` over `claims`; what stands for a cell as a whole is written into each of its rows."""
    values = stats.holm([row[raw] for row in claims])
    if raw == "p":
        for row, value in zip(claims, values, strict=True):
            row[adjusted] = value
        return
    by_cell = {_cell(row): value for row, value in zip(claims, values, strict=True)}
    for row in found:
        row[adjusted] = by_cell[_cell(row)]


def _rows(outcome: Outcome) -> list[Row]:
    cell, record = outcome.cell, outcome.record
    common: Row = dict.fromkeys(COLUMNS) | {
        "model": cell.model,
        "mitigation": cell.mitigation,
        "treatment": cell.spec,
        "seed": cell.seed,
        "state": outcome.state.state if record is None else "done",
        "claim": False,
        "minutes": round(outcome.minutes, 3),
        "error": outcome.state.error if record is None else "",
    }
    if record is None:
        return [common]
    common |= _verdict(record)
    about = subject(record)
    roles = {m.benchmark: (m.role, m.primary) for m in record.before}
    found = [common | _figures(effect, *roles[effect.benchmark], about=about) for effect in record.effects]
    return found or [common]  # what cannot be compared has a verdict and no figure


def _verdict(record: Verification) -> Row:
    loss = capability_loss(record)
    state = {True: "kept", False: "lost", None: "undecided"}[record.capability.kept]
    return {
        "verdict": str(record.verdict),
        "judged": is_judged(record) and record.verdict is not VerdictName.NOT_COMPARABLE,
        "p_control": None if record.control is None else record.control.p_value,
        "capability": state,
        "capability_loss": None if loss is None else loss.loss.value,
        "capability_loss_low": None if loss is None else loss.loss.low,
        "capability_loss_high": None if loss is None else loss.loss.high,
        "capability_check": "" if loss is None else loss.name,
        "limited": record.limited,
    }


def capability_loss(record: Verification) -> Check | None:
    """The check of capability that stands for all: over all questions, else the first; None without any."""
    checks = [c for c in record.capability.checks if not c.name.startswith("options")]
    return next(iter(checks), None)


def _figures(effect: Effect, role: str, primary: str | None, *, about: tuple[str, str] | None) -> Row:
    is_about = (effect.benchmark, effect.metric) == about
    return {
        "benchmark": effect.benchmark,
        "role": role,
        "metric": effect.metric,
        "primary": is_about,
        "claim": (role == "bias" and effect.metric == primary) or is_about,
        "n": effect.change.n,
        "ideal": effect.before.ideal,
        **_ends("before", effect.before.value, effect.before.low, effect.before.high),
        **_ends("after", effect.after.value, effect.after.low, effect.after.high),
        "effect": effect.change.value,
        "low": effect.change.low,
        "high": effect.change.high,
        "relative": effect.relative,
        "p": effect.raw_p_value,
    }


def _ends(name: str, value: Value, low: Value, high: Value) -> Row:
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def write(result: StudyResult) -> tuple[Path, Path]:
    """Write the table into the study's folder, as CSV and as JSON; returns both paths.

    Raises:
        NoSpace: the disk is full or not writable.
        BadData: there is a JSON of that name that evenhand did not write.
    """
    found = rows(result.outcomes)
    places = result.folder / CSV, result.folder / JSON
    check_ours(places[0], b"p_control_holm")
    check_ours(places[1], FORMAT.encode())
    write_atomically(places[0], as_csv(found).encode())
    body = {
        "format": FORMAT,
        "schema": SCHEMA,
        "study": result.study.name,
        "columns": dict(COLUMNS),
        "rows": found,
        "chosen": to_json(result.chosen),
        "made_by": to_json(made_by()),
    }
    text = json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(places[1], f"{text}\n".encode())
    return places


def as_csv(found: Sequence[Row]) -> str:
    """The rows as CSV with a head; what is undefined is empty, and true and false are words."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for row in found:
        writer.writerow(
            {key: str(value).lower() if isinstance(value, bool) else value for key, value in row.items()}
        )
    return stream.getvalue()
