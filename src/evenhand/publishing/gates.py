"""Gates for machines that build and test: every condition has one of three states.

*passed*; *failure*: judged, and not met; *error*: it could not be judged, or the run could not be read. An
error is never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evenhand.studies.compare import GateResult


class State(StrEnum):
    """What became of a condition."""

    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True)
class Case:
    """One condition of a gate.

    Attributes:
        run: the run that it is about.
        condition: as it was typed.
        state: what became of it.
        said: the figure and the reason, in one line.
    """

    run: str
    condition: str
    state: State
    said: str


def cases(run: str, results: Sequence[GateResult]) -> list[Case]:
    """The conditions of a gate that was judged."""
    return [Case(run, one.condition, _state(one), str(one)) for one in results]


def unread(run: str, conditions: Sequence[str], why: str) -> list[Case]:
    """The conditions of a gate that could not be judged at all, each an error for the reason `why`."""
    return [Case(run, one, State.ERROR, f"could not be judged: {one}. {why}") for one in conditions]


def _state(result: GateResult) -> State:
    if not result.judged:
        return State.ERROR
    return State.PASSED if result.passed else State.FAILURE
