"""``evenhand gate``: fail a build when a stored run does not meet a condition."""

from __future__ import annotations

from typing import Annotated

import typer

from evenhand.cli import console, show
from evenhand.cli.options import Json, Run
from evenhand.errors import GateFailed, Inconclusive
from evenhand.records import to_json

Conditions = Annotated[list[str], typer.Argument(metavar="CONDITION...", help='Such as "afgb<=0.1".')]


def gate(run: Run, conditions: Conditions, as_json: Json = False) -> int:
    """Check conditions such as "afgb<=0.1", "genbiaseval.afgb.high<=0.2" or "verdict==mitigated".

    The exit code is 1 when one of them is not met, and 3 when one could not be judged: the figure is
    undefined, the model hardly uses the words that it is about, or the verdict is not settled.
    """
    from evenhand.studies import runs

    stored = runs.opened(run)
    results, limited = runs.gate(stored, conditions), stored.limited
    passed, judged = (all(getattr(result, name) for result in results) for name in ("passed", "judged"))
    if as_json:
        found = {"passed": passed, "judged": judged, "limited": limited, "conditions": to_json(results)}
        console.emit({"run": str(run), **found})
    else:
        show.stamp(limited)
        for result in results:
            console.say(str(result))
    return 0 if passed else GateFailed.exit_code if judged else Inconclusive.exit_code
