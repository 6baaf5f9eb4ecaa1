"""The inputs of `compare` and `gate`: stored runs by their folders, or records that were never stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evenhand.errors import UsageError
from evenhand.records import Effect, Measurement, Verification
from evenhand.studies import compare as figures
from evenhand.studies import store
from evenhand.studies.compare import GateResult
from evenhand.studies.options import RunOptions

Run = Path | str | store.StoredRun | Verification | Sequence[Measurement]
"""A run's folder, or what a verb returned; of a verification, the measurements after treatment are used."""


def compare(before: Run, after: Run, *, seed: int = 0) -> list[Effect]:
    """The paired effects, after - before, on every benchmark that both runs hold.

    ``compare("runs/base", "runs/treated")``; `seed` decides the resamples of the intervals.

    Raises:
        BadData: a folder holds no run, or a damaged one.
        BadOption: a seed that is not valid.
        NotComparable: no common benchmark, different protocols or items; the message names what differs.
    """
    RunOptions(seed=seed)
    return figures.compare(opened(before).measurements, opened(after).measurements, seed=seed)


def gate(run: Run, conditions: str | Sequence[str]) -> list[GateResult]:
    """Every condition, such as ``"afgb<=0.1"`` or ``"verdict==mitigated"``, with its result.

    `conditions` is one condition or several. An undefined or unreliable figure cannot be judged, and so does
    not meet any condition.

    Raises:
        BadData: the folder holds no run, or a damaged one.
        UsageError: no condition, or one that cannot be read or names what the run does not hold.
    """
    asked = [conditions] if isinstance(conditions, str) else conditions
    if not isinstance(asked, Sequence) or not asked or not all(isinstance(one, str) for one in asked):
        raise UsageError(f"{conditions!r} holds no condition.", mend="Give a condition, such as 'afgb<=0.1'.")
    stored = opened(run)
    return figures.gate(stored.measurements, asked, verdict=stored.verdict, before=stored.before)


def opened(run: Run) -> store.StoredRun:
    """The measurements and the verdict of `run`.

    Raises:
        BadData: the folder holds neither a verification nor measurements, or damaged ones.
        UsageError: `run` is neither a folder nor what a verb returned.
    """
    if isinstance(run, Verification):
        return store.StoredRun(run.after, run.verdict, run.before)
    if isinstance(run, store.StoredRun):
        return run
    if isinstance(run, str | Path):
        return store.load_run(Path(run))
    if isinstance(run, Sequence):
        measured = tuple(one for one in run if isinstance(one, Measurement))
        if len(measured) == len(run):
            return store.StoredRun(measured)
    raise UsageError(
        f"{run!r} is not a run.",
        mend="Give the folder that a verb wrote, or what `measure` or `verify` returned.",
    )
