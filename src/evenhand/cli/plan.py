"""``evenhand plan``: what a verify would run, without touching a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from evenhand.cli import calls, console, show
from evenhand.cli.options import (
    Benchmarks,
    Capability,
    DataDir,
    Json,
    Limit,
    Uri,
    With,
    bias_components,
    components,
)
from evenhand.cli.verify import Control, ControlForm


@dataclass(frozen=True, slots=True)
class Line:
    """One benchmark of the plan: its `items`, the distinct `rows` to score, and on how many `models`."""

    benchmark: str
    role: str
    items: int
    rows: int
    models: int


def plan(
    uri: Uri,
    *,
    with_: With = "lftf",
    benchmark: Benchmarks = None,
    capability: Capability = None,
    control: Control = ControlForm.FULL,
    limit: Limit = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> int:
    """Say what `verify` would run with the same options: cells (a benchmark on a model) and rows to score."""
    from evenhand import registry

    registry.create("mitigation", with_)  # an unknown name or option must fail here, not after an hour
    families = calls.control_models(control.value)
    bias = bias_components(uri, benchmark)
    calls.check_material(with_, bias)  # and so must one that cannot be fitted on what is measured
    first, *others = bias
    matched = (first, *(components(capability) or calls.capability_of(uri, bias)))
    models = 2 + sum(families.values())
    lines = [line(spec, limit, models) for spec in matched] + [line(spec, limit, 2) for spec in others]
    if as_json:
        console.emit(_payload(uri, with_, families, lines, limit))
    else:
        _print(families, lines, limit)
    return 0


def line(spec: str, limit: int | None, models: int) -> Line:
    """What one benchmark costs: equal requests are scored once, and a limited benchmark asks its share."""
    from evenhand import registry

    made = registry.create("benchmark", spec)
    samples = made.load()
    rows = len({request for sample in samples for request in made.ask(sample)})
    items = len(samples) if limit is None else min(limit, len(samples))
    return Line(made.name, made.role, items, round(rows * items / max(1, len(samples))), models)


def _payload(
    uri: str, mitigation: str, families: dict[str, int], lines: Sequence[Line], limit: int | None
) -> dict[str, object]:
    return {
        "uri": uri,
        "mitigation": mitigation,
        "limited": limit is not None,
        "models": {"base": 1, "treated": 1, "control": families},
        "benchmarks": [asdict(entry) for entry in lines],
        "cells": sum(entry.models for entry in lines),
        "rows": sum(entry.models * entry.rows for entry in lines),
    }


def _print(families: dict[str, int], lines: Sequence[Line], limit: int | None) -> None:
    show.stamp(limit is not None)
    rows = [(e.benchmark, e.role, str(e.items), str(e.rows), str(e.models)) for e in lines]
    console.table("plan", ("benchmark", "role", "items", "rows", "models"), rows, labels=2)
    control = ", ".join(f"{count} of {name}" for name, count in families.items()) or "none"
    cells = sum(e.models for e in lines)
    total = sum(e.models * e.rows for e in lines)
    console.say(f"Models: the base, the treated one, and control models: {control}.")
    console.say(f"In all {cells} cells and {total} rows to score, at most: finished cells are not run again.")
