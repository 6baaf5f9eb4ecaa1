"""Plots of decisions about people: the same people as members of each group, by their true outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenhand import stats
from evenhand.metrics import mean_metric
from evenhand.records import Estimate, Measurement, Score, Verification
from evenhand.reports import formats
from evenhand.reports.shares import PREFIX, first, groups
from evenhand.reports.tables import Table

OUTCOME = "outcome"
DESERTS = ((1.0, "deserve it"), (0.0, "do not"))


@dataclass(frozen=True, slots=True)
class Row:
    """People of one true outcome as members of one group: the mean probability of a favourable decision
    before and after (None without an after).
    """

    who: str
    group: str
    before: Estimate
    after: Estimate | None

    @property
    def name(self) -> str:
        """The row's name in plots."""
        return f"{self.who}, as {self.group}"


def is_decided(measurement: Measurement) -> bool:
    """Whether the scores are decisions about people with a known true outcome and their twins'."""
    values = measurement.scores[0].values if measurement.scores else {}
    return OUTCOME in values and len(groups(measurement)) >= 2


def pair(verification: Verification) -> tuple[Measurement, Measurement] | None:
    """The first benchmark of decisions, before and after; None when there is none."""
    return first(verification, is_decided)


def rows(before: Measurement, after: Measurement | None = None) -> tuple[Row, ...]:
    """Group by group for each true outcome. Every row of one outcome is about the same people."""
    return tuple(
        Row(
            who, group, _mean(before, outcome, group), None if after is None else _mean(after, outcome, group)
        )
        for outcome, who in DESERTS
        for group in groups(before)
    )


def table(found: Sequence[Row]) -> Table:
    """The figures of the plot."""
    both = any(row.after is not None for row in found)
    columns = ("before [95 % interval]", "after [95 % interval]") if both else ("value [95 % interval]",)
    body = tuple(
        (
            row.who,
            row.group,
            formats.with_interval(row.before),
            *((formats.with_interval(row.after),) if row.after is not None else ()),
            formats.count(row.before),
        )
        for row in found
    )
    head = ("true outcome", "asked about as", *columns, "n")
    return Table("Mean probability of a favourable decision", head, body, labels=2)


def _mean(measurement: Measurement, outcome: float, group: str) -> Estimate:
    column = PREFIX + group
    mean = mean_metric(
        column,
        f"Mean probability as {group}",
        per_item=lambda columns: columns[column],
        unit="probability",
        ideal=None,
        low=0.0,
        high=1.0,
        source="the mean over people",
        reading="",
        needs=(column,),
    )
    return stats.estimate(mean, _of(measurement.scores, outcome), seed=measurement.protocol.seed)


def _of(scores: Sequence[Score], outcome: float) -> list[Score]:
    return [score for score in scores if score.values[OUTCOME] == outcome]
