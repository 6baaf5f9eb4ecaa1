"""``evenhand plan``: what a verify would run, without touching a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenhand.cli import console, payload, show
from evenhand.cli.options import (
    Benchmarks,
    Capability,
    DataDir,
    Json,
    Limit,
    Primary,
    Treated,
    Uri,
    Withs,
    components,
    method,
    treated_components,
)
from evenhand.cli.verify import Control, ControlForm

if TYPE_CHECKING:
    from evenhand.studies.plan import Plan


def plan(
    uri: Uri,
    *,
    with_: Withs = None,
    treated: Treated = None,
    benchmark: Benchmarks = None,
    capability: Capability = None,
    control: Control = ControlForm.STANDARD,
    primary: Primary = None,
    limit: Limit = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> int:
    """List what `verify` would run with the same options: cells (a benchmark on a model) and rows."""
    from evenhand.studies import plan as studies
    from evenhand.studies.options import VerifyOptions

    options = VerifyOptions(
        limit=limit,
        benchmarks=treated_components(uri, benchmark),
        capability=components(capability),
        control=control.value,
        primary=primary,
    )
    planned = studies.plan(uri, method(with_), options, treated=treated)
    if as_json:
        console.emit(payload.plan(planned))
    else:
        _print(planned)
    return 0


def _print(planned: Plan) -> None:
    show.stamp(planned.limited)
    rows = [(e.benchmark, e.role, str(e.items), str(e.rows), str(e.models)) for e in planned.benchmarks]
    console.table("plan", ("benchmark", "role", "items", "rows", "models"), rows, labels=2)
    console.say(f"The verdict would be about {planned.primary}.")
    control = ", ".join(
        f"{name} {planned.least[name]} to {most}"
        if planned.least.get(name, most) < most
        else f"{name} {most}"
        for name, most in planned.control.items()
    )
    console.say(f"Models: the base, the treated one, and control models: {control or 'none'}.")
    console.say(
        f"In all {planned.cells} cells and {planned.rows} rows to score, at most: finished cells are not run "
        "again."
    )
