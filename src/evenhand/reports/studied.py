"""A study as tables and sentences, for the command line and for the report."""

from __future__ import annotations

from evenhand.decimals import fixed, number
from evenhand.records import Effect, Value
from evenhand.reports import formats, leading, sentences
from evenhand.reports.tables import Table
from evenhand.studies.distance import distance_of
from evenhand.studies.grid import table as tidy
from evenhand.studies.grid.result import Outcome, StudyResult

MISSING = "not begun"
NOT_HELD = "‡"  # marks a verdict of mitigation that does not hold after Holm's adjustment
HELD = (
    f"{NOT_HELD} Judged alone the bias fell beyond every family of control models, but not at 5 % once its "
    "p-value is adjusted by Holm's method over all cells of this study."
)


def overview(result: StudyResult) -> Table:
    """One row a cell: verdict, bias before and after, the loss of capability and its bound, minutes."""
    held = holding(result)
    rows = tuple(_row(outcome, held[place]) for place, outcome in enumerate(result.outcomes))
    head = (
        "mitigation",
        "model",
        "verdict",
        "seed",
        "before",
        "after",
        "change of the bias",
        "capability lost, at most",
        "p (Holm)",
        "minutes",
    )
    return Table(f"The study {result.study.name}", head, rows, labels=3)


def _row(outcome: Outcome, adjusted: tuple[Value, bool | None]) -> tuple[str, ...]:
    cell, record = outcome.cell, outcome.record
    names, seed = (cell.mitigation, cell.model), str(cell.seed)
    minutes = fixed(outcome.minutes, 1)
    if record is None:
        failed = outcome.state.state == "failed"
        return (*names, "failed" if failed else MISSING, seed, "–", "–", "–", "–", "–", minutes)
    effect, p, holds = leading.about(record), *adjusted
    figures = ("–", "–", "–") if effect is None else _figures(effect)
    verdict = f"{sentences.headline(record)}{f' {NOT_HELD}' if holds is False else ''}"
    return (*names, verdict, seed, *figures, lost(outcome), formats.p_value(p), minutes)


def _figures(effect: Effect) -> tuple[str, str, str]:
    away = distance_of(effect)
    before, after = away.estimate(effect.before), away.estimate(effect.after)
    change = formats.with_interval(away.change(effect.change), signed=True)
    return number(before.value), number(after.value), change


def lost(outcome: Outcome) -> str:
    """The loss of capability and its bound; a dash where none is measured."""
    check = None if outcome.record is None else tidy.capability_loss(outcome.record)
    if check is None or check.loss.value is None:
        return "–"
    return f"{number(check.loss.value, signed=True)}, {number(check.loss.high, signed=True)}"


def holding(result: StudyResult) -> list[tuple[Value, bool | None]]:
    """Of each outcome the adjusted p-value of its verdict, and whether a claim holds with it."""
    firsts = {
        (row["model"], row["mitigation"], row["seed"]): (row["p_control_holm"], row["holds"])
        for row in tidy.rows(result.outcomes)
    }
    return [firsts[o.cell.model, o.cell.mitigation, o.cell.seed] for o in result.outcomes]


def notes(result: StudyResult) -> list[str]:
    """What has to be said beside the table: limits, failures, what was chosen, what is still to be done."""
    found = [f"{sentences.LIMITED}: {sentences.LIMITED_WHY}"] if result.limited else []
    found += [HELD] if any(holds is False for _, holds in holding(result)) else []
    found += [
        f"{one.mitigation} on {one.model}: {one.selection.chosen} was chosen, {one.selection.why}."
        for one in result.chosen
    ]
    found += [f"{o.cell.name} failed: {o.state.error} {o.state.mend}".rstrip() for o in result.failed]
    missing = result.study.cells - sum(o.record is not None for o in result.outcomes) - len(result.failed)
    if missing:
        found.append(
            f"{missing} of {result.study.cells} cells were not begun: the same command goes on with them."
        )
    return found
