"""The tables of a source as they are printed, from its TOML file, and what is known to be wrong in them.

A file states its `source`, the `models` with their names on the hub, the `columns` (which figure of which
benchmark of ours a column is), the `tables` with their rows, and the `misprints`. A row that says what is
printed in `values` may say beside it what must have been meant, in `right`; the rest uses the latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evenhand.errors import UnknownName
from evenhand.files import parse_toml, read_text


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source's tables as a figure of ours.

    Attributes:
        title: the head of the column.
        metric: the metric's name.
        on: the benchmark's spec; empty where the rows name it.
        slice: the slice, such as ``scale=word``; empty for all items.
        scale: what the printed figures are divided by to be in the metric's unit.
        hub: whether it is only for models that are not the lab's.
        absent: why it is not measured at all, a clause; empty where it is.
    """

    title: str
    metric: str = ""
    on: str = ""
    slice: str = ""
    scale: float = 1.0
    hub: bool = False
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a printed table.

    Attributes:
        table: the table's name.
        name: the row's first cell.
        model: the source's name of the model; empty where it names none.
        treatment: what was done to it, as a spec of ours; empty for the model as it is.
        on: the benchmark's spec where it differs by row; ``{...}`` stands for what the model decides.
        printed: the cells as printed, in the order of the table's columns.
        right: the cells as they must have been meant.
        ours: whether the row is not the source's: what evenhand would do in its place.
    """

    table: str
    name: str
    model: str = ""
    treatment: str = ""
    on: str = ""
    printed: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A printed table; `draws` is behind how many draws of demonstrations its rows are measured."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    draws: int = 1

    @property
    def treats(self) -> bool:
        """Whether a row of it is of a treated model."""
        return any(row.treatment for row in self.rows)


@dataclass(frozen=True, slots=True)
class Misprint:
    """What is printed and cannot be: where, what arithmetic says instead, and why."""

    table: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    printed: str
    right: str
    why: str


@dataclass(frozen=True)
class Published:
    """Everything that a source's file holds; `models` gives the names on the hub."""

    source: str
    short: str
    models: Mapping[str, str]
    columns: Mapping[str, Column]
    tables: Mapping[str, Table]
    misprints: tuple[Misprint, ...]

    def chosen(self, name: str | None) -> tuple[Table, ...]:
        """The table `name`, or all of them.

        Raises:
            UnknownName: there is no such table.
        """
        if name is None:
            return tuple(self.tables.values())
        if name not in self.tables:
            raise UnknownName(f"table of {self.short}", name, self.tables)
        return (self.tables[name],)

    def model_of(self, uri: str) -> str:
        """The source's name of the model `uri`; empty where it is none of its models.

        A model of the hub is known by its organisation and name; a folder is not.
        """
        scheme, _, rest = uri.partition(":")
        name = rest.partition("+")[0].partition("?")[0].partition("@")[0].lower()
        known = {hub.lower(): own for own, hub in self.models.items()}
        return known.get(name, "") if scheme == "hf" and "+" not in rest else ""

    def uri_of(self, name: str) -> str:
        """`name`, or the address on the hub of the model that the source calls so."""
        known = {own.lower(): hub for own, hub in self.models.items()}
        return f"hf:{known[name.lower()]}" if name.lower() in known else name


@dataclass(frozen=True, slots=True)
class Figure:
    """One printed figure in the metric's unit; `half` is half a unit of its last digit."""

    row: Row
    printed: str
    value: float
    half: float
    doubt: str = ""


def figure(published: Published, row: Row, key: str) -> Figure | None:
    """The figure of a row in the column `key`, as it must have been meant; None where nothing can be."""
    columns = published.tables[row.table].columns
    place = columns.index(key)
    if place >= len(row.printed):
        return None
    scale, meant = published.columns[key].scale, (row.right or row.printed)[place]
    if not meant:
        return None
    decimals = len(meant.partition(".")[2])
    doubts = [
        m.why
        for m in published.misprints
        if m.table == row.table and row.name in m.rows and (not m.columns or key in m.columns)
    ]
    half = 0.5 * 10.0**-decimals / scale
    return Figure(row, row.printed[place], float(meant) / scale, half, "; ".join(doubts))


@cache
def read(name: str) -> Published:
    """The published figures of the source `name`, from the file beside this one.

    Raises:
        BadData: it is not there.
    """
    held = parse_toml(read_text(Path(__file__).with_name(f"{name}.toml")))
    tables = {one["name"]: _table(one) for one in held["tables"]}
    return Published(
        held["source"],
        held["short"],
        held["models"],
        {key: Column(**one) for key, one in held["columns"].items()},
        tables,
        tuple(_misprint(one) for one in held.get("misprints", ())),
    )


def _table(one: Mapping[str, Any]) -> Table:
    rows = [
        Row(
            one["name"],
            row["name"],
            row.get("model", ""),
            row.get("with", ""),
            row.get("on", ""),
            tuple(row.get("values", ())),
            tuple(row.get("right", ())),
            row.get("ours", False),
        )
        for row in one["rows"]
    ]
    return Table(one["name"], one["title"], tuple(one["columns"]), tuple(rows), one.get("draws", 1))


def _misprint(one: Mapping[str, Any]) -> Misprint:
    rows, columns = tuple(one.get("rows", ())), tuple(one.get("columns", ()))
    return Misprint(one["table"], rows, columns, one["printed"], one["right"], one["why"])
