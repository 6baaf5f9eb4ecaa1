"""The calls from the command line to the library; slow modules are imported here, when they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenhand.models import Asked
    from evenhand.records import Attribution, Effect, Measurement, Verification
    from evenhand.studies.compare import GateResult
    from evenhand.studies.options import RunOptions, VerifyOptions
    from evenhand.studies.plan import Plan


def run_options(**fields: Any) -> RunOptions:
    """The options of `measure`."""
    from evenhand.studies.options import RunOptions

    return RunOptions(**fields)


def verify_options(**fields: Any) -> VerifyOptions:
    """The options of `verify`, `locate` and `mitigate`."""
    from evenhand.studies.options import VerifyOptions

    return VerifyOptions(**fields)


def measure(
    uri: str, benchmarks: Sequence[str], options: RunOptions, *, by: Sequence[str] = ()
) -> list[Measurement]:
    """Measure the model on each benchmark; the slices `by` are crossed."""

    from evenhand.studies import verbs

    return verbs.measure(uri, benchmarks, options, by=by)


def requests(benchmarks: Sequence[str], *, seed: int, limit: int | None) -> dict[str, list[Asked]]:
    """What `measure` would ask under these options, by benchmark; no model is opened."""
    from evenhand import registry
    from evenhand.studies.measure import requests

    made = [registry.create("benchmark", spec) for spec in benchmarks]
    return {one.name: requests(one, seed=seed, limit=limit) for one in made}


def locate(uri: str, locator: str, options: VerifyOptions) -> Attribution:
    """Score the model's blocks."""

    from evenhand.studies import verbs

    return verbs.locate(uri, locator, options)


def mitigate(uri: str, mitigation: str, out: Path, options: VerifyOptions) -> Mapping[str, Any]:
    """Fit a treatment and save it into `out`; returns its summary."""

    from evenhand.studies import verbs

    return verbs.mitigate(uri, mitigation, out, options)


def verify(uri: str, mitigation: str, options: VerifyOptions) -> Verification:
    """Measure, treat, measure again, run the control, give a verdict."""

    from evenhand.studies import verbs

    return verbs.verify(uri, mitigation, options)


def run_folder(uri: str, mitigation: str, options: VerifyOptions) -> Path:
    """The folder of a verification: the same command finds the same folder again, and so resumes."""

    from evenhand.studies import verbs

    return verbs.run_folder(uri, mitigation, options)


def plan(uri: str, mitigation: str, options: VerifyOptions) -> Plan:
    """What a verification would run; no model is opened."""
    from evenhand.studies.plan import plan

    return plan(uri, mitigation, options)


def load(run: Path) -> Verification | tuple[Measurement, ...]:
    """What a run folder holds.

    Raises:
        BadData: neither a verification nor measurements, or damaged ones.
    """
    from evenhand.studies import store

    if store.holds_verification(run):
        return store.load_verification(run)
    return store.load_measurements(run)


def compare(before: Path, after: Path) -> tuple[list[Effect], list[str]]:
    """The paired effects between two run folders, and why some of them are unreliable.

    Of a verification, the measurements after treatment are used.
    """
    from evenhand.reports import doubted
    from evenhand.studies import runs

    old, new = (runs.opened(run).measurements for run in (before, after))
    found = runs.compare(old, new)
    shared = {effect.benchmark for effect in found}
    first = doubted.of([m for m in old if m.benchmark in shared])
    last = doubted.of([m for m in new if m.benchmark in shared], old)
    return found, doubted.both_sides(first, last)


def gate(run: Path, conditions: Sequence[str]) -> tuple[list[GateResult], bool]:
    """Every condition with its result, and whether the run was limited."""
    from evenhand.studies import runs

    stored = runs.opened(run)
    return runs.gate(stored, conditions), stored.limited
