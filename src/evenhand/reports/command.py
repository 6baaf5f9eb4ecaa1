"""The command that repeats a verification, reconstructed from its record only."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from evenhand.records import TREATED, Measurement, Verification


def verify_command(verification: Verification) -> str:
    """The `evenhand verify` that gives this record again, quoted for a shell.

    The number of a `--limit` is the largest n, which is what every benchmark longer than it was cut to.
    """
    given = verification.treatment.startswith(TREATED)
    choice = ["--treated" if given else "--with", verification.treatment.removeprefix(TREATED)]
    words = ["evenhand", "verify", verification.model.uri, *choice]
    for measurement in verification.before:
        flag = "--capability" if measurement.role == "capability" else "-b"
        words += [flag, measurement.benchmark]
    if verification.location is not None:
        words += ["--locator", verification.location.locator]
    primaries = {m.primary for m in verification.before if m.role == "bias" and m.primary is not None}
    if verification.primary is not None and primaries != {verification.primary}:
        words += ["--primary", verification.primary]
    words += ["--control", _control(verification), "--margin", f"{_margin(verification):g}"]
    if verification.seeds:
        words += ["--seeds", str(len(verification.seeds))]
    return shlex.join([*words, *_common(verification.before, verification.seed, verification.limited)])


def measure_command(measurements: Sequence[Measurement]) -> str:
    """The `evenhand measure` that gives these measurements again, quoted for a shell."""
    first = measurements[0]
    words = ["evenhand", "measure", first.model.uri]
    for measurement in measurements:
        words += ["-b", measurement.benchmark]
    limited = any(m.protocol.limited for m in measurements)
    return shlex.join([*words, *_common(measurements, first.protocol.seed, limited)])


def _control(verification: Verification) -> str:
    if verification.control is None:
        return "none"
    from evenhand import registry

    extra = {name for name in registry.names("control") if registry.create("control", name).ladder.extra}
    made = {family.family.replace(" ", "_") for family in verification.control.families}
    return "full" if extra & made and "sham" in made else "standard"


def _margin(verification: Verification) -> float:
    from evenhand.studies.capability import ACCURACY  # here: numpy must not be loaded for --help

    accuracies = [c.margin for c in verification.capability.checks if c.name.startswith(ACCURACY.name)]
    return accuracies[0] if accuracies else 0.01


def _common(measurements: Sequence[Measurement], seed: int, limited: bool) -> list[str]:
    words = ["--seed", str(seed)]
    if measurements and measurements[0].model.dtype:
        words += ["--dtype", measurements[0].model.dtype]
    if limited and measurements:
        words += ["--limit", str(max(m.n for m in measurements))]
    return words
