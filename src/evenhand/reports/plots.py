"""A plot of a page with what stands beside it for readers who do not see it."""

from __future__ import annotations

from dataclasses import dataclass

from evenhand.reports.figures import Figure
from evenhand.reports.tables import Table


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot with its accessible alternative: `alt` describes it, `table` holds its figures.

    `more` is a second, longer figure behind a button, `labels` the texts of the two buttons.
    """

    id: str
    alt: str
    figure: Figure
    table: Table
    more: Figure | None = None
    labels: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Panel:
    """One of several small plots that share a table; `alt` describes it."""

    id: str
    alt: str
    figure: Figure
