"""``evenhand gate``: fail a build when a stored run does not meet a condition."""

from __future__ import annotations

from typing import Annotated

import typer

from evenhand.cli import calls, console
from evenhand.cli.options import Json, Run
from evenhand.errors import GateFailed
from evenhand.records import to_json

Conditions = Annotated[list[str], typer.Argument(metavar="CONDITION...", help='Such as "afgb<=0.1".')]


def gate(run: Run, conditions: Conditions, as_json: Json = False) -> int:
    """Check conditions such as "afgb<=0.1", "genbiaseval.afgb.high<=0.2" or "verdict==mitigated".

    The exit code is 1 when one of them is not met; an undefined figure meets none.
    """
    results = calls.gate(run, conditions)
    passed = all(result.passed for result in results)
    if as_json:
        console.emit({"run": str(run), "passed": passed, "conditions": to_json(results)})
    else:
        for result in results:
            console.say(str(result))
    return 0 if passed else GateFailed.exit_code
