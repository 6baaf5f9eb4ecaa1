"""``evenhand plan``: what a verify would run, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evenhand import decimals
from evenhand.cli import console, payload, show
from evenhand.cli.configured import checks_first, ready, typed
from evenhand.cli.options import (
    About,
    BatchTokens,
    Benchmarks,
    Capability,
    DataDir,
    Dtype,
    Json,
    Limit,
    LocatorChoice,
    Margin,
    Primary,
    Seed,
    Seeds,
    Treated,
    Uri,
    Withs,
    components,
    method,
    treated_components,
)
from evenhand.cli.verify import Control, ControlForm
from evenhand.progress import duration

if TYPE_CHECKING:
    from evenhand.studies.plan import Plan


Minutes = Annotated[
    bool,
    typer.Option(
        "--minutes/--no-minutes", help="Open a model on this machine, and time a few items of each benchmark."
    ),
]


@checks_first
def plan(
    uri: Uri,
    *,
    with_: Withs = None,
    treated: Treated = None,
    benchmark: Benchmarks = None,
    attribute: About = None,
    capability: Capability = None,
    locator: LocatorChoice = None,
    control: Control = ControlForm.STANDARD,
    primary: Primary = None,
    margin: Margin = 0.01,
    seed: Seed = 0,
    seeds: Seeds = 1,
    limit: Limit = None,
    batch_tokens: BatchTokens = None,
    dtype: Dtype = None,
    minutes: Minutes = True,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> int:
    """List what `verify` would run with the same options: cells (a benchmark on a model), rows and minutes.

    Only --out and --budget are not among them. A locator and a margin change nothing of the plan; they are
    checked as `verify` checks them.

    The memory is computed from the model's configuration where that is on this machine; no weights are read.

    For the minutes, and for the smallest effect that could be shown, a model on this machine is opened and
    measured on a few items; --no-minutes opens none.
    """
    from evenhand.studies import plan as studies
    from evenhand.studies.given import check_treated
    from evenhand.studies.methods import check_locator
    from evenhand.studies.options import LOCATOR, METHOD, VerifyOptions

    said = method(with_)
    if treated is not None:
        check_treated(treated, said, locator, seeds)
    else:
        check_locator(said or METHOD, typed("--locator", locator))
    options = VerifyOptions(
        seed=seed,
        limit=limit,
        batch_tokens=batch_tokens,
        dtype=dtype,
        benchmarks=treated_components(uri, benchmark, attribute),
        capability=components(capability),
        locator=locator or LOCATOR,
        control=control.value,
        primary=primary,
        margin=margin,
        seeds=seeds,
    )
    ready()
    made = studies.timed_plan if minutes else studies.sized_plan
    planned = made(uri, said, options, treated=treated)
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
    if planned.note:
        console.say(f"Note: {planned.note}")
    control = ", ".join(
        f"{name} {planned.least[name]} to {most}"
        if planned.least.get(name, most) < most
        else f"{name} {most}"
        for name, most in planned.control.items()
    )
    treated = "the treated one" if planned.fits == 1 else f"{planned.fits} treated ones"
    console.say(f"Models: the base, {treated}, and control models: {control or 'none'}.")
    console.say(
        f"In all {planned.cells} cells and {planned.rows} rows to score, at most: finished cells are not run "
        "again."
    )
    _print_memory(planned)
    if planned.seconds is not None:
        low, high = (duration(seconds) for seconds in planned.seconds)
        fewest, most = planned.models
        models = f"{fewest} to {most} models" if fewest < most else f"{most} models"
        console.say(f"It takes about {low} to {high} for {models}; `verify --budget MINUTES` bounds it.")
    elif planned.untimed:
        console.say(f"How long it takes is not known: {planned.untimed}")
    if planned.smallest is not None:
        console.say(
            f"A fall of {planned.primary} by {decimals.number(planned.smallest)} or more would probably be "
            "certain on these items, control models aside."
        )


def _print_memory(planned: Plan) -> None:
    memory = planned.memory
    if memory is None:
        if planned.unsized:
            console.say(f"How much memory it takes is not known: {planned.unsized}")
        return
    from evenhand.models.room import advice, sized

    large = {part: size for part, size in memory.parts.items() if size >= memory.total / 100}
    parts = ", ".join(f"{part} {sized(size)}" for part, size in large.items())
    console.say(f"It takes about {sized(memory.total)} of memory, most while {memory.peak}: {parts}.")
    if len(memory.places) > 1:
        places = ", ".join(f"{place} {sized(size)}" for place, size in memory.places.items())
        console.say(f"The weights go to: {places}.")
    if memory.unknown:
        console.say(f"What {', '.join(memory.unknown)} takes is not in it.")
    if memory.fits is False:
        assert memory.free is not None  # else nobody knows whether it fits
        console.say(
            f"That does not fit: beside this process it needs {sized(memory.needed)}, "
            f"{sized(memory.free)} are free. {advice(memory.ways)}"
        )
