"""``python -m evenhand.testing NAME``: the contracts of a component's kind, one line for each."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Sequence

from evenhand.errors import EvenhandError
from evenhand.testing.contracts import CASE, SLOW, Outcome, Status
from evenhand.testing.kinds import TORCH, case_of, check, judge, kind_names, kind_of

_WHY = {CASE: "want of a case", SLOW: "being slow"}


def main(argv: Sequence[str] | None = None) -> int:
    """Try the contracts on the component that `argv` names (None: the process's own arguments).

    Returns 0 when all hold, 1 when one fails, 2 for a usage error, 4 where this machine lacks something.
    """
    parser = argparse.ArgumentParser(
        "python -m evenhand.testing", description="Try the contracts of its kind on a component."
    )
    parser.add_argument("name", help="a component's name or spec (genbiaseval:split=profession), or a model")
    parser.add_argument("--kind", help=f"where a name stands for several: {', '.join(kind_names())}")
    parser.add_argument("--case", default="", metavar="MODULE:NAME", help="the component's case")
    parser.add_argument("--slow", action="store_true", help="also contracts that take minutes")
    try:
        given = parser.parse_args(argv)
    except SystemExit as over:  # argparse has printed the help or what is wrong
        return over.code if isinstance(over.code, int) else 2
    quiet = logging.root.manager.disable  # as it was: a program may call this, and has loggers of its own
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
            return _run(given)
    except EvenhandError as error:
        print(f"evenhand.testing: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        logging.disable(quiet)


def _run(given: argparse.Namespace) -> int:
    kind = kind_of(given.name, given.kind)
    if kind in TORCH:
        from evenhand.opening import require_hf

        require_hf(f"Trying the contracts of a {kind}")
    case = case_of(kind, given.name, given.case)
    check(kind, given.name, case)
    outcomes: list[Outcome] = []
    for outcome in judge(given.name, kind, case, slow=given.slow):
        outcomes.append(outcome)
        print(outcome, flush=True)
    counts = Counter(outcome.status for outcome in outcomes)
    statuses: tuple[Status, ...] = ("passed", "failed", "skipped")
    print(f"{kind} {given.name}: {', '.join(f'{counts[status]} {status}' for status in statuses)}")
    if skipped := [outcome for outcome in outcomes if outcome.status == "skipped"]:
        print(_not_run(given.name, given.kind, skipped, len(outcomes)))
    return 1 if counts["failed"] else 0


def _not_run(name: str, kind: str | None, skipped: Sequence[Outcome], total: int) -> str:
    """How many contracts did not run, and what to type so that those of them run that can."""
    asked = Counter(outcome.asks for outcome in skipped)
    command = f"python -m evenhand.testing {name}" + (f" --kind {kind}" if kind else "")
    told = [f"{asked[flag]} for {why}: type `{command} {flag}`" for flag, why in _WHY.items() if asked[flag]]
    if asked[""]:
        told.append(f"{asked['']} that cannot be tried on it")
    return f"NOT RUN: {len(skipped)} of {total} contracts; {'; '.join(told)}."


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
