"""Group probabilities per cluster (a profession), before and after, from the per-item scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenhand import registry
from evenhand.records import GuardName, Measurement, Score, Value, Verification
from evenhand.studies.fitness import is_about_words

if TYPE_CHECKING:  # numpy must not be loaded for --help
    from evenhand.metrics import Metric

PREFIX = "p."
TERMS = {"male": "he", "female": "she"}
SCALE = "scale="
CROSSED = " & "  # joins the keys of slices that were crossed
MOST_SLICES = 24  # in one plot
_ORDER = {"word": 0, "phrase": 1, "sentence": 2}
LEAST_MASS = 1e-6  # below it a share of the mass is rounding noise


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster: the mean probability of each group before and after; None where it has no defined item."""

    cluster: str
    before: tuple[Value, ...]
    after: tuple[Value, ...]

    @property
    def share_before(self) -> Value:
        """See `share`."""
        return share(self.before)

    @property
    def share_after(self) -> Value:
        """See `share`."""
        return share(self.after)

    @property
    def change(self) -> Value:
        """The share after minus the share before; None where either is undefined."""
        old, new = self.share_before, self.share_after
        return None if old is None or new is None else new - old

    @property
    def gap(self) -> float:
        """The distance of the share before from 0.5, for sorting; 0 where undefined."""
        return 0.0 if self.share_before is None else abs(self.share_before - 0.5)


def share(means: Sequence[Value]) -> Value:
    """The second group's share of the mass of two groups; None when undefined or when there is no mass.

    Ratio of means, not mean of ratios: a prompt with very little mass must not outweigh the others.
    """
    if len(means) != 2 or means[0] is None or means[1] is None:
        return None
    mass = means[0] + means[1]
    return means[1] / mass if mass >= LEAST_MASS else None


def groups(measurement: Measurement) -> tuple[str, ...]:
    """The groups whose probabilities the scores hold, in the benchmark's order; empty when there are none."""
    values = measurement.scores[0].values if measurement.scores else {}
    return tuple(name.removeprefix(PREFIX) for name in values if name.startswith(PREFIX))


def gap(measurement: Measurement) -> str | None:
    """The figure of the groups' probabilities that is drawn by scale; None where the benchmark has none.

    The primary one if it is computed from these probabilities only, else the first such one. Probabilities of
    a decision for one person as a member of each group are not shares of one mass, and have another plot.
    """
    if any(name.startswith("decision") for score in measurement.scores[:1] for name in score.values):
        return None
    own = [name for name in measurement.metrics if _of_groups(name) and not is_about_words(name)]
    return measurement.primary if measurement.primary in own else next(iter(own), None)


def beside(measurement: Measurement) -> tuple[str, ...]:
    """The further figures by scale: the first one of the groups' probabilities, and their mass."""
    first = next((name for name in measurement.metrics if _of_groups(name)), None)
    found = [name for name in (first, measurement.guards.get(GuardName.MASS)) if name is not None]
    return tuple(n for n in dict.fromkeys(found) if n in measurement.metrics and n != gap(measurement))


def _of_groups(name: str) -> bool:
    """Whether a metric reads the groups' probabilities and nothing else."""
    metric: Metric | None = registry.find("metric", name)
    return metric is not None and metric.needs == (f"{PREFIX}*",)


def term(group: str) -> str:
    """A group's name for the reader: its pronoun for gender, else its own name."""
    return TERMS.get(group, group)


def pair(verification: Verification) -> tuple[Measurement, Measurement] | None:
    """The first benchmark with group probabilities by scale, before and after; None when there is none."""
    return first(verification, lambda m: len(groups(m)) >= 2 and bool(scale_keys(m)))


def first(
    verification: Verification, wanted: Callable[[Measurement], bool]
) -> tuple[Measurement, Measurement] | None:
    """The first benchmark that is `wanted` and was measured on both sides, before and after; None if none."""
    after = {m.benchmark: m for m in verification.after}
    for before in verification.before:
        if wanted(before) and before.benchmark in after:
            return before, after[before.benchmark]
    return None


def scale_keys(measurement: Measurement) -> list[str]:
    """The slices by scale: shortest prompts first, then any others by name."""
    keys = [key for key in measurement.slices if key.startswith(SCALE)]
    return sorted(keys, key=lambda key: (_ORDER.get(key.removeprefix(SCALE), len(_ORDER)), key))


def slice_keys(measurement: Measurement, metric: str) -> list[str]:
    """The slices by which a metric is drawn: those by scale, else the single ones, unless they are many."""
    single = [key for key, table in measurement.slices.items() if metric in table and CROSSED not in key]
    return scale_keys(measurement) or (single if len(single) <= MOST_SLICES else [])


def rows(before: Measurement, after: Measurement | None = None) -> tuple[Row, ...]:
    """One row a cluster, sorted by the share before, then by name; undefined shares come last.

    Without `after`, the row's `after` values are None.
    """
    names = groups(before)
    old = _means(before.scores, names)
    new = _means(after.scores, names) if after is not None else {}
    nothing: tuple[Value, ...] = (None,) * len(names)
    table = [Row(cluster, means, new.get(cluster, nothing)) for cluster, means in old.items()]
    return tuple(sorted(table, key=lambda r: (r.share_before is None, r.share_before or 0.0, r.cluster)))


def _means(scores: Sequence[Score], names: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    clusters: dict[str, list[Score]] = {}
    for score in scores:
        clusters.setdefault(score.cluster, []).append(score)
    return {
        cluster: tuple(_mean([item.values.get(PREFIX + name) for item in items]) for name in names)
        for cluster, items in clusters.items()
    }


def _mean(values: Sequence[Value]) -> Value:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def by_change(table: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with the largest changes first; ties keep their order, undefined changes come last."""
    return tuple(sorted(table, key=lambda r: (r.change is None, -abs(r.change or 0.0))))


def extremes(table: Sequence[Row], each: int = 25) -> tuple[Row, ...]:
    """The first and the last `each` rows of a sorted table; all of them when that is no fewer."""
    if len(table) <= 2 * each:
        return tuple(table)
    return tuple(table[:each]) + tuple(table[-each:])
