"""``evenhand verify``: is it mitigated, or just broken? Measure, treat, measure again, give a verdict."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import console, payload, show
from evenhand.cli.configured import checks_first, ready, typed
from evenhand.cli.idle import refuse_idle
from evenhand.cli.options import (
    About,
    BatchTokens,
    Benchmarks,
    Budget,
    Capability,
    DataDir,
    Dtype,
    Json,
    Limit,
    LocatorChoice,
    Margin,
    On,
    Out,
    Primary,
    Seed,
    Seeds,
    Treated,
    UriOrRun,
    Withs,
    components,
    method,
    treated_components,
)
from evenhand.records import TREATED

if TYPE_CHECKING:
    from evenhand.records import Verification


class ControlForm(StrEnum):
    """How many control models are made."""

    STANDARD = "standard"
    FULL = "full"
    REDUCED = "reduced"
    NONE = "none"


REPORT = "report.html"
Control = Annotated[ControlForm, typer.Option("--control", help="Control models: how many.")]


@checks_first
def verify(
    uri: UriOrRun,
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
    budget: Budget = None,
    on: On = None,
    seed: Seed = 0,
    seeds: Seeds = 1,
    limit: Limit = None,
    out: Out = None,
    batch_tokens: BatchTokens = None,
    dtype: Dtype = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> int:
    """Measure, treat, measure again, and compare with models changed as much without a signal.

    With --treated the second model is one that somebody treated already. The folder of a finished verify in
    place of the model judges that run again, by today's rule and --margin; its own verdict stays.

    The exit code is 0 for every verdict, except 3 for `not comparable` and `mitigated, cost unknown`.
    """
    from evenhand.studies import given, verbs
    from evenhand.studies.again import is_verification
    from evenhand.studies.methods import check_locator
    from evenhand.studies.options import LOCATOR, METHOD, VerifyOptions

    again, said = is_verification(uri), method(with_)
    if control is ControlForm.NONE:
        refuse_idle(
            {"--budget": budget},
            "--control none",
            why="it bounds the time for control models, of which none is made",
            mend="Leave out one or the other.",
        )
    if treated is not None:
        given.check_treated(treated, said, locator, seeds)
    elif not again:
        check_locator(said or METHOD, typed("--locator", locator))
    chosen = not again or attribute is not None  # a stored run has its own, and refuses others
    bias = treated_components(uri, benchmark, attribute) if chosen else components(benchmark)
    options = VerifyOptions(
        seed=seed,
        limit=limit,
        out=out,
        batch_tokens=batch_tokens,
        dtype=dtype,
        benchmarks=bias,
        capability=components(capability),
        locator=locator or LOCATOR,
        control=control.value,
        primary=primary,
        margin=margin,
        budget=budget,
        seeds=seeds,
    )
    ready()
    said = said if again or treated is not None else said or METHOD
    folder = out if again else verbs.run_folder(uri, said or TREATED + str(treated), options)
    if folder is not None:
        check_report(folder / REPORT)
    record = verbs.verify(uri, said, options, treated=treated, on=on)
    path = None if folder is None else write_report(record, folder)
    if as_json:
        console.emit(payload.verification(record, path))
    else:
        show.verification(record)
        console.say(f"Report: {path}" if path else f"The verdict that {uri} holds is as it was.")
    return exit_code(record)


def check_report(path: Path) -> None:
    """Refuse, before any work, a report that cannot be written; see `evenhand.outputs.check_output_file`."""
    from evenhand import reports
    from evenhand.outputs import check_output_file, check_output_folder

    check_output_folder(path.parent)
    check_output_file(path, reports.SIGN)


def write_report(record: Verification, folder: Path) -> Path:
    """Write ``report.html`` into the run's folder; returns its path."""
    from evenhand import reports

    path = folder / REPORT
    reports.write_report(path, reports.verification_html(record))
    return path


def exit_code(record: Verification) -> int:
    """0 for a settled verdict, 3 if the question was not answered."""
    from evenhand.errors import Inconclusive

    return 0 if record.verdict.settled else Inconclusive.exit_code
