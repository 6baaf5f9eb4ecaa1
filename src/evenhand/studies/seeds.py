"""A verdict on a method: several treated models, one a seed, and the weakest of their verdicts.

A claim about a method says that its fits mitigate, whatever their seed, so every one of them has to show it.
Each is judged by the rule as if it were alone. The claim needs all of their claims (an intersection-union
test), so it is false no more often than each of them, and no p-value is adjusted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from evenhand.records import SeedResult, Value, VerdictName, Verification
from evenhand.studies import reasons
from evenhand.studies.store import load_verification, save_verification

# From the strongest verdict to the weakest. As within one verdict, a certain cost outweighs an unknown one.
STRENGTH = (
    VerdictName.MITIGATED,
    VerdictName.COST_UNKNOWN,
    VerdictName.AT_A_COST,
    VerdictName.NO_EVIDENCE,
    VerdictName.CAPABILITY_LOSS,
    VerdictName.OVER_CORRECTED,
    VerdictName.WORSE,
    VerdictName.NOT_COMPARABLE,
)
_FOLDER = "seeds"  # below the run's: a folder for each seed, named by its number


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over the treated models: its mean, and the smallest and the largest of them.

    `before` is the base's. `change` holds mean, least and most of after - before, `after` those of the figure
    itself; None where it is undefined in one of the models. `models` is how many there are.
    """

    benchmark: str
    metric: str
    before: Value
    after: tuple[float, float, float] | None
    change: tuple[float, float, float] | None
    models: int


def weakest(records: Sequence[Verification]) -> Verification:
    """The record with the weakest verdict; of several the first."""
    return max(records, key=lambda record: STRENGTH.index(record.verdict))


def of_method(records: Sequence[Verification]) -> Verification:
    """The record of a method from those of its treated models, in the order of their seeds."""
    shown = weakest(records)
    found = tuple(_result(record) for record in records)
    return replace(
        shown,
        seed=records[0].seed,
        reasons=(*shown.reasons, said(found)),
        notes=(*shown.notes, *_equal(found)),
        seeds=found,
    )


def said(seeds: Sequence[SeedResult]) -> str:
    """How many of the treated models got each verdict, and whose figures stand for the method."""
    counts = Counter(one.verdict for one in seeds)
    named = [f"{counts[verdict]} {verdict.value}" for verdict in STRENGTH if verdict in counts]
    last = max(seeds, key=lambda one: STRENGTH.index(one.verdict))
    numbers = [one.seed for one in seeds]
    return (
        f"Of {len(seeds)} treated models (seeds {numbers[0]} to {numbers[-1]}) {reasons.listed(named)}: a "
        f"method has the weakest verdict of its models, here that of seed {last.seed}."
    )


def spreads(seeds: Sequence[SeedResult]) -> tuple[Spread, ...]:
    """Every effect over the treated models; empty where one of them has none."""
    first = seeds[0].effects if seeds else ()
    every = [{(e.benchmark, e.metric): e for e in one.effects} for one in seeds]
    return tuple(
        Spread(
            effect.benchmark,
            effect.metric,
            effect.before.value,
            _range([one[key].after.value for one in every]),
            _range([one[key].change.value for one in every]),
            len(seeds),
        )
        for effect in first
        if all((key := (effect.benchmark, effect.metric)) in one for one in every)
    )


def folder_of(run: Path, seed: int) -> Path:
    """Where the record of one treated model lies, below the run of its method."""
    return run / _FOLDER / str(seed)


def cells_of(run: Path) -> Path:
    """The folder whose cells a run uses: the method's, for one of its treated models."""
    return run.parent.parent if run.parent.name == _FOLDER and not (run / "cells").is_dir() else run


def save(run: Path, record: Verification, each: Sequence[Verification]) -> None:
    """Store the record of a method, and below it those of its treated models.

    Raises:
        NoSpace: the disk is full or not writable.
    """
    for one in each:
        save_verification(folder_of(run, one.seed), one)
    save_verification(run, record)


def load_each(run: Path, record: Verification) -> Iterator[Verification]:
    """The records of the treated models of a method, in order.

    Raises:
        BadData: one of them is missing or damaged.
    """
    return (load_verification(folder_of(run, one.seed)) for one in record.seeds)


def _result(record: Verification) -> SeedResult:
    return SeedResult(
        record.seed,
        str(record.proof.get("digest", "")),
        record.verdict,
        record.reasons,
        record.effects,
        record.capability,
        record.guards,
        record.control,
    )


def _equal(seeds: Sequence[SeedResult]) -> tuple[str, ...]:
    """A note where fits with several seeds gave one treatment."""
    different = len({one.digest for one in seeds})
    if different == len(seeds):
        return ()
    return (
        f"The {len(seeds)} fits gave {different} different treatment{'s' if different > 1 else ''}: where a "
        "method does not depend on its seed, more seeds are no further evidence.",
    )


def _range(values: Sequence[Value]) -> tuple[float, float, float] | None:
    known = [value for value in values if value is not None]
    return (fmean(known), min(known), max(known)) if known and len(known) == len(values) else None
