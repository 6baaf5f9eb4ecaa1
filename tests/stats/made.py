"""A mean over items, and scores with one column, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evenhand.metrics import mean_metric
from evenhand.records import Score

MEAN = mean_metric(
    "mean",
    "Mean of x",
    per_item=lambda table: table["x"],
    unit="1",
    ideal=0.0,
    low=None,
    high=None,
    source="test",
    reading="test",
    needs=("x",),
)

RESAMPLED = replace(MEAN, kind=None)  # the same figure, of which nobody says that it is a mean


def scores(x: Sequence[float | None], clusters: Sequence[str] | None = None) -> list[Score]:
    names = clusters or [f"c{i}" for i in range(len(x))]
    return [Score(f"s{i}", name, {"x": v}) for i, (v, name) in enumerate(zip(x, names, strict=True))]
