"""What a verdict on a method adds: each of its treated models, and the effects over them."""

from __future__ import annotations

from typing import Any

from evenhand import decimals
from evenhand.records import Effect, SeedResult, Verification
from evenhand.reports import formats, tables
from evenhand.reports.tables import Table

_Range = tuple[float, float, float] | None


def lead(record: Verification) -> str:
    """How many treated models got each verdict, as a sentence before the first; empty for one artefact."""
    from evenhand.studies import seeds  # here: numpy must not be loaded for --help

    return f"{seeds.said(record.seeds)} " if record.seeds else ""


def models(record: Verification) -> Table:
    """Each treated model: its verdict, and the figure that the verdict is about; no rows for one artefact."""
    head = ("seed", "verdict", "after", "change", "95 % interval", "largest p beside controls")
    rows = tuple((str(one.seed), one.verdict.value, *_figures(record, one), _p(one)) for one in record.seeds)
    return Table("The treated models of the method", head, rows, labels=2)


def effects(record: Verification) -> Table:
    """Every effect over the treated models: its mean, and the smallest and the largest of them."""
    from evenhand.studies import seeds

    rows = tuple(
        (
            one.benchmark,
            one.metric,
            tables.metric_title(one.metric),
            decimals.number(one.before),
            _over(one.after),
            _over(one.change, signed=True),
        )
        for one in seeds.spreads(record.seeds)
    )
    head = ("benchmark", "key", "metric", "before", "after: mean (range)", "change: mean (range)")
    return Table(f"Effects over {len(record.seeds)} treated models", head, rows, labels=3)


def as_json(record: Verification) -> list[dict[str, Any]]:
    """The effects over the treated models, each with ``mean``, ``least`` and ``most``; empty for one."""
    from evenhand.studies import seeds

    return [
        {
            "benchmark": one.benchmark,
            "metric": one.metric,
            "before": one.before,
            "after": _named(one.after),
            "change": _named(one.change),
            "models": one.models,
        }
        for one in seeds.spreads(record.seeds)
    ]


def _named(found: _Range) -> dict[str, float] | None:
    return None if found is None else dict(zip(("mean", "least", "most"), found, strict=True))


def _over(found: _Range, *, signed: bool = False) -> str:
    if found is None:
        return "undefined"
    mean, least, most = (decimals.number(value, signed=signed) for value in found)
    return f"{mean} ({least} to {most})"


def _figures(record: Verification, one: SeedResult) -> tuple[str, str, str]:
    effect = _about(record, one)
    if effect is None:
        return ("–", "–", "–")
    change = effect.change
    shown = decimals.number(change.value, signed=True), formats.interval(change, signed=True)
    return decimals.number(effect.after.value), *shown


def _about(record: Verification, one: SeedResult) -> Effect | None:
    from evenhand.studies.primary import subject

    about = subject(record)
    return next((e for e in one.effects if (e.benchmark, e.metric) == about), None)


def _p(one: SeedResult) -> str:
    return "–" if one.control is None else formats.p_value(one.control.p_value)
