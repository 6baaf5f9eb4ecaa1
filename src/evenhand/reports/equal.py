"""What gaps over groups would be under equal rates, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenhand import decimals
from evenhand.records import Measurement, Value
from evenhand.reports import formats, tables
from evenhand.reports.tables import Table

if TYPE_CHECKING:  # numpy must not be loaded for --help
    from evenhand.stats.equal_rates import Equal

NOTE = (
    "Chance alone lifts a gap above 0 and pulls a ratio below 1. p is that of equal rates: membership of the "
    "groups drawn anew among these people."
)


def table(measurement: Measurement) -> Table:
    """Each gap or ratio over groups of different people beside what it would be under equal rates."""
    rows = tuple(
        (
            name,
            tables.metric_title(name),
            decimals.number(measurement.metrics[name].value),
            decimals.number(one.expected),
            formats.p_value(one.p),
        )
        for name, one in _found(measurement).items()
    )
    head = ("key", "metric", "value", "under equal rates", "p")
    return Table(f"{measurement.benchmark}: gaps beside chance", head, rows, labels=2)


def shown(measurement: Measurement) -> list[Table]:
    """The table, where it has rows."""
    found = table(measurement)
    return [found] if found.rows else []


def as_json(measurement: Measurement) -> dict[str, dict[str, Value]]:
    """``expected`` and ``p`` of each such figure, by its key."""
    from evenhand.stats.equal_rates import by_name

    return by_name(_found(measurement))


def _found(measurement: Measurement) -> dict[str, Equal]:
    from evenhand.errors import BadData
    from evenhand.stats.equal_rates import under_equal_rates

    installed = [tables.installed_metric(name) for name in measurement.metrics]
    metrics = [metric for metric in installed if metric is not None and metric.kind is not None]
    try:
        return under_equal_rates(metrics, measurement.scores, seed=measurement.protocol.seed)
    except BadData:  # items of a plug-in or an earlier version that lack what a metric reads today
        return {}
