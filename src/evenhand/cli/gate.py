"""``evenhand gate``: fail a build when a stored run does not meet a condition."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import console, given, show
from evenhand.cli.given import checked
from evenhand.cli.options import Json, Run
from evenhand.errors import EvenhandError, GateFailed, Inconclusive, UsageError

if TYPE_CHECKING:
    from evenhand.publishing.gates import Case
    from evenhand.studies.compare import GateResult
    from evenhand.studies.store import StoredRun

Conditions = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONDITION]...",
        callback=checked(given.each(given.condition)),
        help='Such as "afgb<=0.1".',
        show_default=False,
    ),
]
Policy = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE.toml", help="Also ask the rules of a policy of the monitor."),
]
UseCase = Annotated[
    str, typer.Option("--use-case", metavar="NAME", help="Only the rules that watch this use case.")
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Also write JUnit XML; failure and error are apart."),
]
Github = Annotated[
    bool,
    typer.Option(
        "--github",
        help="Also print GitHub annotations, and append to the step's summary; as a default where "
        "GITHUB_STEP_SUMMARY is set.",
    ),
]


def gate(
    run: Run,
    conditions: Conditions = None,
    *,
    policy: Policy = None,
    use_case: UseCase = "",
    junit: Junit = None,
    github: Github = False,
    as_json: Json = False,
) -> int:
    """Check conditions such as "afgb<=0.1", "genbiaseval.afgb.high<=0.2" or "verdict==mitigated".

    The exit code is 1 when one of them is not met, and 3 when one could not be judged: the figure is
    undefined, the model hardly uses the words that it is about, the verdict is not settled, or a rule of
    the policy has too few people to tell.
    """
    from evenhand.publishing import gates
    from evenhand.records import to_json
    from evenhand.studies import runs

    asked = conditions or []
    try:
        stored = runs.opened(run)
        results = runs.gate(stored, asked) if asked or policy is None else []
        results += _by_policy(stored, policy, use_case)
        limited = stored.limited
    except EvenhandError as error:
        names = [*asked, *([] if policy is None else [str(policy)])]
        _publish(gates.unread(str(run), names, str(error)), False, junit, github, as_json)
        raise
    passed, judged = (all(getattr(result, name) for result in results) for name in ("passed", "judged"))
    if as_json:
        found = {"passed": passed, "judged": judged, "limited": limited, "conditions": to_json(results)}
        console.emit({"run": str(run), **found})
    else:
        show.stamp(limited)
        for result in results:
            console.say(str(result))
    _publish(gates.cases(str(run), results), limited, junit, github, as_json)
    return 0 if passed else GateFailed.exit_code if judged else Inconclusive.exit_code


def _by_policy(stored: StoredRun, policy: Path | None, use_case: str) -> list[GateResult]:
    """What the rules of a policy say; nothing without one."""
    from evenhand.cli.monitor import extra

    if policy is None:
        if use_case:
            raise UsageError("--use-case chooses rules of a policy.", mend="Give --policy FILE.toml as well.")
        return []
    with extra():
        from evenhand.monitor.policy import read_policy
        from evenhand.monitor.releasing import gated
    return gated(read_policy(policy), stored, use_case=use_case)


def _publish(cases: Sequence[Case], limited: bool, junit: Path | None, github: bool, as_json: bool) -> None:
    """Write the files that builds read, and print annotations (to stderr beside JSON; the runner reads both).

    Raises:
        NoSpace: a file cannot be written.
    """
    from evenhand.files import disk_errors, expanded, write_atomically
    from evenhand.publishing.github import SUMMARY, commands, summary

    if junit is not None:
        from evenhand.publishing.junit import junit as xml

        write_atomically(expanded(junit), xml(cases, limited=limited))
    place = os.environ.get(SUMMARY, "")
    if not (github or place):
        return
    for line in commands(cases):
        (console.warn if as_json else console.say)(line)
    if place:
        with disk_errors(Path(place)), Path(place).open("a", encoding="utf-8") as file:
            file.write(summary(cases, limited=limited))
