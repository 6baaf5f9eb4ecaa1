"""A table that is asked and never loaded: counts by cells, samples under a seed, heads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evenhand.errors import BadData, EvenhandError, UnknownName, UsageError
from evenhand.frames.cells import Cells
from evenhand.frames.engines import POSTGRES, drawn, engine_of, in_order, stripped
from evenhand.frames.values import BLANKS, BOM, text_of
from evenhand.quoting import MEND

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa  # type: ignore[import-untyped]

MOST_CELLS = 10_000  # cells of a count that are fetched; above, all but the largest values are pooled
MOST_VALUES = 50  # of a column, that stand alone where values are pooled
OTHER = "(all others)"
IN_MEMORY = ("the data frame", "the table")  # as what Python gives is called
Groups = Mapping[str | None, str | None]  # the name of the group that a text stands for
_SPARK = ("pyspark", "py4j")
_ENGINES = ("duckdb", "_duckdb", "psycopg", "ibis", "pyarrow", *_SPARK)  # where errors about data come from
_FILE = re.compile(  # in what DuckDB says of a CSV file, and of a parquet file; in what Spark says
    r"^\s*file = (.+)$|[Ff]ailed to read file \"([^\"]+)\": "
    r"|while reading file (?:file:/*(?=/))?(\S+?)\.\s",
    re.MULTILINE,
)
_CONDITION = re.compile(r"\[([A-Z][A-Z_.]+)\]")  # what Spark calls an error; its sentences quote rows
_UNSAID = ("Original Line", "LINE ", "Possible", "* ")  # a row, and advice about DuckDB
_TRACE = "Stack Trace:"  # of DuckDB itself, behind what it says
_NOTHING = ""  # no group's name: what values that stand for a missing one are found by
_STOPPED = "Query interrupted"  # what DuckDB raises where a signal's handler raised KeyboardInterrupt
_BEGINNINGS = (  # between which all of `BLANKS` and `SPACES` lie, and all that is not ASCII
    *(("", "0"), ("<", "@"), ("M", "O"), ("m", "o")),
    ("\x80", "\U0010ffff"),
)


@dataclass
class Frame:
    """A table behind an Ibis expression.

    Attributes:
        table: the expression.
        name: what the user called it.
        as_text: whether every cell is text as written (CSV), so that numbers have to be read out of it.
        weights: the column of the rows' weights; empty for none.
        complete: columns of which the files themselves say that no value is missing.
        notes: what a reader has to know: files left out, values pooled.
        fetched: how many rows each question brought back, in order.
    """

    table: ir.Table
    name: str
    as_text: bool = False
    weights: str = ""
    complete: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def having(self, table: ir.Table, *, weights: str | None = None, changed: Iterable[str] = ()) -> Frame:
        """The same frame with other rows, or with `changed` columns."""
        weights = self.weights if weights is None else weights
        complete = self.complete - set(changed)
        return Frame(table, self.name, self.as_text, weights, complete, self.notes, self.fetched)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names, without the weights."""
        return tuple(name for name in self.table.columns if name != self.weights)

    @property
    def types(self) -> dict[str, str]:
        """The columns' types; "text as written" in a CSV file."""
        schema = self.table.schema()
        return {name: "text as written" if self.as_text else str(schema[name]) for name in self.table.columns}

    def column(self, name: str) -> str:
        """The column of that name, which may be written with outer spaces or a byte-order mark.

        Raises:
            UnknownName: there is none; the message gives near names, or says how one with a comma is written.
        """
        wanted = name.replace(BOM, "").strip()
        if wanted not in self.table.columns:
            same = [one for one in self.table.columns if one.casefold() == wanted.casefold()]
            if len(same) != 1:
                raise self._no_column(wanted)
            return str(same[0])
        return wanted

    def named(self, columns: Iterable[str]) -> Frame:
        """The frame with each of these columns named so, which may differ in case here.

        Raises:
            UnknownName: as `column`.
        """
        other = {name: own for name in columns if (own := self.column(name)) != name}
        return self.having(self.table.rename(**other), changed=other.values()) if other else self

    def _no_column(self, wanted: str) -> UsageError:
        """What is said of a name that is none; a part of a name may have been meant for all of it."""
        for name in self.table.columns:
            if wanted in (part.strip() for sign in ",|=" for part in name.split(sign)):
                return UsageError(f"There is no column {wanted!r} in {self.name}, but {name!r}.", mend=MEND)
        return UnknownName(f"column in {self.name}", wanted, self.table.columns)

    def fetch(self, question: ir.Table, most: int) -> pa.Table:
        """The answer to a question, of at most `most` rows.

        Raises:
            BadData: the data cannot be read, or the answer has more rows: it would be a column loaded whole.
        """
        with readable(self.name):
            found = question.limit(most + 1).to_pyarrow()
        self.fetched.append(found.num_rows)
        if found.num_rows > most:
            raise BadData(
                f"A question about {self.name} has more than {most} rows for an answer.",
                mend="Name columns with fewer different values.",
            )
        return found

    @property
    def rows(self) -> int:
        """How many rows there are."""
        if "rows" not in self._kept:
            cubes = [one for key, one in self._kept.items() if isinstance(key, tuple) and key[0] == "cube"]
            if cubes:
                self._kept["rows"] = cubes[0].total
            else:
                found = self.fetch(self.table.aggregate(n=self.table.count()), 1)
                self._kept["rows"] = int(found["n"][0].as_py())
        return int(self._kept["rows"])

    def text_column(self, name: str) -> bool:
        """Whether a column holds text."""
        return bool(self.table.schema()[name].is_string())

    def known(self, name: str) -> ir.BooleanValue:
        """An expression: whether a row has a value in this column that does not stand for a missing one."""
        import ibis

        value = self.table[name]
        if value.type().is_floating():  # some programs write "not a number" for nothing
            return value.notnull() & ~value.isnan()
        if not self.text_column(name):
            return value.notnull()
        blank = stripped(value).lower().isin(sorted(BLANKS))
        if engine_of(self.table) != POSTGRES:  # which compares texts as in a language
            # Signs begin in few ways: most values need not be copied to be compared.
            may_be = ibis.or_(*(((value >= first) & (value < end)) for first, end in _BEGINNINGS))
            blank = ibis.ifelse(may_be, blank, False)
        return value.notnull() & ~blank

    def unused(self, *wanted: str) -> tuple[str, ...]:
        """Names such as those `wanted` that no column has, in whatever case."""
        taken = {name.casefold() for name in self.table.columns}
        mark = ""
        while any(f"{one}{mark}".casefold() in taken for one in wanted):
            mark += "_"
        return tuple(f"{one}{mark}" for one in wanted)

    def spelt(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """By the names of a column's groups, the values that they stand for, each as the engine writes it.

        A value is found again by what the engine makes of it as text, which loses nothing: a group's name has
        lost outer spaces, the digits of a number beyond the fifteenth, and more. Of a column of more than
        10 000 values, those of the most frequent. The values that stand for a missing one are those of "".
        """
        key = ("spelt", name)
        if key not in self._kept:
            value, text = "evenhand_value", "evenhand_text"
            every = self.table.select(self.table[name].name(value)).distinct()
            asked = every.mutate(every[value].cast("string").name(text))
            found = self.fetch(asked.limit(MOST_CELLS + 1), MOST_CELLS + 1).to_pydict()
            pairs = list(zip(found[value], found[text], strict=True))
            if len(pairs) > MOST_CELLS:
                pairs = [(raw, own) for raw, own, _ in self._most_frequent(name, MOST_VALUES)]
            made: dict[str, list[str]] = {}
            for raw, own in pairs:
                group = text_of(raw)
                if own is not None:
                    made.setdefault(_NOTHING if group is None else group, []).append(own)
            self._kept[key] = {group: tuple(sorted(own)) for group, own in made.items()}
        kept: Mapping[str, tuple[str, ...]] = self._kept[key]
        return kept

    def holds(self, name: str, groups: Iterable[str]) -> ir.BooleanValue:
        """An expression: whether a row is of one of the groups of a column; null where it has no value."""
        known = self.spelt(name)
        texts = [text for group in groups for text in known.get(group, ())]
        return self.table[name].cast("string").isin(texts)

    def lacks(self, name: str) -> ir.BooleanValue:
        """An expression, never null: whether a row has no value in a column, as the groups are counted."""
        texts = self.spelt(name).get(_NOTHING, ())
        return self.table[name].isnull() | self.table[name].cast("string").isin(texts).fill_null(False)

    def cells(self, columns: Sequence[str]) -> Cells:
        """The rows counted by the values of `columns`, and how many have a value in every other column.

        Values beyond the 50 most frequent of a column are pooled where there would be more than 10 000 cells;
        a note says so.
        """
        key = ("cube", *columns)
        if key not in self._kept:
            found = self._counted(self.table, columns, MOST_CELLS)
            if found is None:
                table, groups = self._pooled(columns)
                found = self._counted(table, columns, MOST_CELLS, groups)
            self._kept[key] = found
        made: Cells | None = self._kept[key]
        if made is None:
            raise BadData(
                f"{', '.join(columns)} of {self.name} have more than {MOST_CELLS} combinations of values.",
                mend="Name fewer columns, or make bins of the numbers: --bins age=30|50.",
            )
        return made

    def _counted(
        self, table: ir.Table, columns: Sequence[str], most: int, groups: Mapping[str, Groups] | None = None
    ) -> Cells | None:
        """The counts of `table`; None where there are more than `most`.

        `groups` are the names of values that stand there as text, by column.
        """
        import ibis

        others = [name for name in self.columns if name not in columns]
        rows, whole, square, *present = self.unused("rows", "weight", "square", *map(str, range(len(others))))
        asked: dict[str, Any] = {rows: table.count()}
        if self.weights:
            weight = table[self.weights].cast("float64")
            asked |= {whole: weight.sum(), square: (weight * weight).sum()}
        frame = self.having(table)
        held = {}
        for name, own in zip(others, present, strict=True):
            if frame.text_column(name) or table[name].type().is_floating():
                asked[own] = ibis.ifelse(frame.known(name), 1, 0).sum()
            elif name not in self.complete:  # what has no missing value need not be read for it
                asked[own] = table[name].count()
            held[name] = own if own in asked else rows
        with readable(self.name):
            found = table.group_by(list(columns)).aggregate(**asked).limit(most + 1).to_pyarrow()
        self.fetched.append(found.num_rows)
        if found.num_rows > most:
            return None
        n = _floats(found[rows])
        keys = tuple(zip(*([text_of(v) for v in found[c].to_pylist()] for c in columns), strict=True))
        raw = Cells(
            tuple(columns),
            keys if columns else ((),),
            n,
            _floats(found[whole]) if self.weights else n,
            _floats(found[square]) if self.weights else n,
            {name: _floats(found[own]) for name, own in held.items()},
        )
        named = [{} if groups is None else groups.get(name, {}) for name in columns]
        # Values that differ by outer spaces alone are one.
        return raw.mapped(lambda key: tuple(rule.get(one, one) for one, rule in zip(key, named, strict=True)))

    def _pooled(self, columns: Sequence[str]) -> tuple[ir.Table, Mapping[str, Groups]]:
        """The table with the values of `columns` as text, those beyond the most frequent as `OTHER`.

        And by column which group each of these texts is: engines write a number or a moment each in their own
        way.
        """
        import ibis

        table, groups = self.table, {}
        for name in columns:
            top = self._most_frequent(name, MOST_VALUES + 1)
            if len(top) <= MOST_VALUES:
                continue
            value = table[name].cast("string")
            kept = ibis.ifelse(value.isin([own for _, own, _ in top[:MOST_VALUES]]), value, OTHER)
            groups[name] = {text_of(own): text_of(raw) for raw, own, _ in top[:MOST_VALUES]}
            table = table.mutate(**{name: ibis.ifelse(value.isnull(), None, kept)})
            self.notes.append(
                f"{name} has so many different values that all but the {MOST_VALUES} most frequent are "
                f"counted "
                f"together as {OTHER!r}. Bins make groups of numbers and dates: "
                f"--bins {name}=30|50 or --bins {name}=year."
            )
        return table, groups

    def frequent(self, name: str, most: int) -> list[tuple[str, int]]:
        """The most frequent values of a column as text, with their counts."""
        return [(own, n) for _, own, n in self._most_frequent(name, most)]

    def _most_frequent(self, name: str, most: int) -> list[tuple[Any, str, int]]:
        """The most frequent values of a column, the text that the engine makes of each, and their counts."""
        import ibis

        counts = self.table.select(value=self.table[name]).group_by("value").aggregate(n=lambda t: t.count())
        text = counts["value"].cast("string")
        known = counts.filter(counts["value"].notnull()).mutate(text=text)
        first = known.order_by([ibis.desc("n"), in_order(known["text"])]).limit(most)
        found = self.fetch(first, most).to_pydict()
        return [
            (raw, str(own), int(n))
            for raw, own, n in zip(found["value"], found["text"], found["n"], strict=True)
        ]

    def sample(self, size: int, seed: int) -> Mapping[str, list[Any]]:
        """About `size` rows by column: all in the order of their values where there are no more than that.

        A random sample otherwise, the same under one seed and engine.
        """
        key = ("sample", size, seed)
        if key not in self._kept:
            table = self.table
            if self.rows > size:
                table = drawn(table, size / self.rows, seed)
            found = self.fetch(table, 2 * size + 1000).to_pydict()
            names = list(found)
            order = sorted(zip(*found.values(), strict=True), key=lambda row: tuple(map(_order, row)))
            columns = zip(*order, strict=True) if order else ((),) * len(names)
            self._kept[key] = {n: list(c) for n, c in zip(names, columns, strict=True)}
        kept: Mapping[str, list[Any]] = self._kept[key]
        return kept


def _order(value: Any) -> tuple[bool, str]:
    return value is None, str(value)


def _floats(column: Any) -> Any:
    return np.array([0.0 if v is None else float(v) for v in column.to_pylist()], dtype=np.float64)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn the engine's errors about data that cannot be read into evenhand's.

    Raises:
        BadData: with what the engine says in its first line.
        KeyboardInterrupt: a signal stopped the engine, which says so by an error of its own.
    """
    try:
        yield
    except EvenhandError:
        raise
    except Exception as error:
        if isinstance(error, RuntimeError) and str(error) == _STOPPED:
            raise KeyboardInterrupt from None
        if type(error).__module__.partition(".")[0] not in _ENGINES:
            raise
        file = _file_of(error, name)
        more = ", or add --skip-broken to audit the others" if file != name else ""
        mend = f"Repair the file, or leave it out of the list{more}."
        if name in IN_MEMORY:
            mend = "Make its columns numbers, texts, dates or truths."
        elif "#" in name:
            mend = "Make a view of the columns that are needed, as numbers, texts, dates or truths."
        raise BadData(f"{file} cannot be read: {_said(error)}.", mend=mend) from None


def _file_of(error: Exception, name: str) -> str:
    """The file of a pattern or a list that an error is about, as seen from here; else `name`."""
    found = _FILE.search(str(error))
    place = "" if found is None else found[1] or found[2] or found[3]
    if not place or place.endswith(name.removeprefix("spark:").removeprefix("./")):
        return name
    path = Path(place)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _said(error: Exception) -> str:
    """The engine's message without the rows that it quotes: what an audit writes holds none."""
    if type(error).__module__.partition(".")[0] in _SPARK:
        return (
            f"Spark says {', '.join(dict.fromkeys(_CONDITION.findall(str(error)))) or type(error).__name__}"
        )
    said = _FILE.sub(lambda found: found[0] if found[1] else "", str(error).partition(_TRACE)[0])
    if any(kind.__name__ == "DataError" for kind in type(error).__mro__):  # of PostgreSQL: quotes a value
        said = said.partition(": ")[0]
    lines = [line.strip() for line in said.split("\n") if line.strip()]
    kept = [line for line in lines[:6] if not line.startswith(_UNSAID) and not _FILE.match(line)]
    return " ".join(kept)[:300].rstrip(". ")
