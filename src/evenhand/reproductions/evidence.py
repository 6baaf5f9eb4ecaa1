"""What was measured, as claims ask for it: figures, paired changes, and verifications by their treatment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from evenhand import registry, stats
from evenhand.metrics import Array, Metric
from evenhand.records import Estimate, Measurement, Score, Verification
from evenhand.reproductions.judging import Change
from evenhand.reproductions.published import Published
from evenhand.studies.grid.result import Outcome

if TYPE_CHECKING:
    from evenhand.benchmarks import Benchmark

RESAMPLES = 1000
NOT_LAB = "the lab's models were not made for it"


@dataclass(frozen=True, slots=True)
class Site:
    """One figure: its title, the metric, the benchmark's spec (several: one a draw), and the slice."""

    title: str
    metric: str
    on: tuple[str, ...]
    slice: str = ""


class Missing(Exception):
    """A figure that was not measured, and why; it never leaves this package."""


@dataclass(frozen=True)
class Evidence:
    """The figures of one run.

    Attributes:
        published: the source's tables, whose columns name figures.
        outcomes: the cells of the study, by the spec of their treatment.
        taken: measurements of the untreated model.
        places: what stands for each ``{...}`` in a benchmark's spec.
        absent: why a benchmark was not measured, by its spec.
        lab: whether the model is one of the lab's.
        seed: of the resamples.
    """

    published: Published
    outcomes: Mapping[str, Outcome]
    taken: Sequence[Measurement]
    places: Mapping[str, str]
    absent: Mapping[str, str]
    lab: bool = False
    seed: int = 0

    def site(self, column: str, *, table: str = "", row: str = "") -> Site:
        """The figure in a column of the source's tables, for a benchmark that depends on the row in its row.

        Raises:
            Missing: the column is not measured.
        """
        found = self.published.columns[column]
        why = NOT_LAB if found.hub and self.lab else found.absent
        if why:
            raise Missing(f"{found.title}: {why}")
        on, draws = found.on, 1
        if row:
            printed = self.published.tables[table]
            on = next(one.on for one in printed.rows if one.name == row) or on
            draws = printed.draws
        return Site(found.title, found.metric, specs(on, self.places, draws), found.slice)

    def record(self, treatment: str) -> Verification:
        """The verification of a treatment.

        Raises:
            Missing: its cell is not done.
        """
        outcome = self.outcomes.get(treatment)
        if outcome is None:
            raise Missing(f"{treatment} was not run")
        if outcome.record is None:
            raise Missing(f"{treatment}: {outcome.state.error or 'not begun'}".rstrip("."))
        return outcome.record

    def figure(self, site: Site, treatment: str = "") -> Estimate:
        """The figure of the untreated or of a treated model.

        Raises:
            Missing: it was not measured.
        """
        scores = self._scores(site, treatment)
        return stats.estimate(_metric(site), scores, weights=self._weights(site, scores), seed=self.seed)

    def change(self, site: Site, treatment: str, since: str = "") -> Change:
        """The figure after `treatment` beside that after `since` (the untreated model), on the same items.

        Raises:
            Missing: one of them was not measured.
        """
        new, old = self._scores(site, treatment), self._scores(site, since)
        change = stats.paired_change(_metric(site), old, new, seed=self.seed)
        return self._change(site.title, site, (old, new), change)

    def between(self, title: str, old: Site, new: Site) -> Change:
        """The figure in one setting beside that in another: the same people, so many draws of each.

        Raises:
            Missing: one of them was not measured.
        """
        both = self._scores(old), self._scores(new)
        weights = self._weights(old, both[0])
        if weights is None:
            weights = stats.resamples([s.cluster for s in both[0]], len(both[0]), RESAMPLES, self.seed)
        change = _difference(_metric(old), (both[0], both[1]), (weights, weights))
        return self._change(title, old, both, change)

    def across(self, title: str, site: Site, first: str, second: str) -> Change:
        """The figure on one slice beside that on another of the same measurement; clusters are resampled.

        Raises:
            Missing: it was not measured.
        """
        scores = self._scores(replace(site, slice=""))
        weights = stats.resamples([s.cluster for s in scores], len(scores), RESAMPLES, self.seed)  # [B, n]
        places = [[i for i, s in enumerate(scores) if _within(s, one)] for one in (first, second)]
        parts = [[scores[i] for i in place] for place in places]
        change = _difference(
            _metric(site), (parts[0], parts[1]), (weights[:, places[0]], weights[:, places[1]])
        )
        return self._change(title, site, (parts[0], parts[1]), change)

    def _change(
        self, title: str, site: Site, both: tuple[Sequence[Score], Sequence[Score]], change: Estimate
    ) -> Change:
        metric = _metric(site)
        before, after = (
            stats.estimate(metric, part, weights=self._weights(site, part), seed=self.seed) for part in both
        )
        return Change(title, site.metric, before, after, change)

    def _weights(self, site: Site, scores: Sequence[Score]) -> Array | None:
        """Weights [B, n] that resample people and draws; None where there is one draw."""
        draws = len(site.on)
        return None if draws == 1 else drawn(len(scores) // draws, draws, self.seed)

    def _scores(self, site: Site, treatment: str = "") -> list[Score]:
        """Every item's score, draw after draw, on the site's slice."""
        if treatment:
            taken: Iterable[Measurement] = self.record(treatment).after
        else:
            done = (one.record for one in self.outcomes.values() if one.record is not None)
            taken = [*self.taken, *(m for record in done for m in record.before)]
        held = {m.benchmark: m for m in taken}
        found: list[Score] = []
        for spec in site.on:
            if spec in self.absent:
                raise Missing(f"{site.title}: {self.absent[spec]}".rstrip("."))
            measurement = held.get(made(spec).name)
            if measurement is None:
                raise Missing(f"{site.title} was not measured")
            found += [s for s in measurement.scores if not site.slice or _within(s, site.slice)]
        return found


def specs(on: str, places: Mapping[str, str], draws: int = 1) -> tuple[str, ...]:
    """The benchmark `on` with what stands for each ``{...}``, once for each draw of its demonstrations.

    Raises:
        Missing: a place has nothing, a sentence says why.
    """
    text = on
    for name, value in places.items():
        if f"{{{name}}}" in text and not value:
            raise Missing(f"this model has no {name}")
        text = text.replace(f"{{{name}}}", value)
    return (text,) if draws == 1 else tuple(f"{text},prompt_seed={draw}" for draw in range(draws))


def drawn(people: int, draws: int, seed: int = 0) -> Array:
    """Weights [B, draws * people] that resample people and draws of demonstrations independently."""
    of_people = stats.resamples(None, people, RESAMPLES, seed)  # [B, people]
    of_draws = stats.resamples(None, draws, RESAMPLES, seed + 1)  # [B, draws]
    found: Array = (of_draws[:, :, None] * of_people[:, None, :]).reshape(RESAMPLES, -1)
    return found


@cache
def made(spec: str) -> Benchmark:
    """The benchmark that a spec stands for; its data are read once.

    Raises:
        EvenhandError: it cannot be made here: an unknown option, missing data, a missing extra.
    """
    found: Benchmark = registry.create("benchmark", spec)
    return found


def _metric(site: Site) -> Metric:
    metric: Metric = registry.get("metric", site.metric)
    return metric


def _within(score: Score, part: str) -> bool:
    name, _, value = part.partition("=")
    return score.slices.get(name) == value


def _difference(
    metric: Metric, both: tuple[Sequence[Score], Sequence[Score]], weights: tuple[Array, Array]
) -> Estimate:
    """second - first with a percentile interval over shared resamples; no interval where all are equal."""
    first, second = (metric.value(part) for part in both)
    old, new = (
        stats.replicates(metric, part, weights=held) for part, held in zip(both, weights, strict=True)
    )
    low, high = stats.interval(np.subtract(new, old))
    if low == high:  # nothing varies, which bounds nothing that was not seen
        low = high = None
    value = None if first is None or second is None else second - first
    return Estimate(value, low, high, len(both[1]), method="percentile, paired resamples")
