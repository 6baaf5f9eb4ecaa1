"""Strict readers of users' tables: a malformed table is an error and is never repaired silently.

Rows with more or fewer cells than the header, repeated column names and text that is not UTF-8 are refused,
with the line number that an editor shows.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadData, listed
from evenhand.files import expanded, read_text

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_READ = "Name a readable file."


@dataclass(frozen=True)
class Delimited:
    """A file of delimited text: its columns, its rows and what is wrong with rows that are not among them.

    `rows` and `problems` begin with the line on which the row begins, counted from 1. Cells are as written.
    Columns without a name are left out where there are several of them.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    problems: tuple[tuple[int, str], ...]


def read_delimited(path: Path, separator: str = ",", *, mend: str = _READ, strict: bool = True) -> Delimited:
    """A UTF-8 file of cells with the separator between them (CSV), a header first; column names lose outer
    spaces.

    A line ends at a line feed alone, so that a cell may hold any other sign that some programs end lines at.
    Blank lines are skipped. Without `strict` a quotation mark may occur within a cell.

    Raises:
        BadData: the file cannot be read (`mend` says what to name instead), its header has a name twice, or
            it is separated by something else. What is wrong with single rows is among the `problems`.
    """
    reader = csv.reader(
        io.StringIO(read_text(path, mend=mend), newline="\n"), delimiter=separator, strict=strict
    )
    found: list[tuple[int, list[str]]] = []
    problems: list[tuple[int, str]] = []
    begin = 1
    try:
        for cells in reader:
            if cells:
                found.append((begin, cells))
            begin = reader.line_num + 1
    except csv.Error as error:
        problems.append((begin, f"this is not CSV ({_explained(error)})"))
    if not found:
        return Delimited((), (), tuple(problems))
    names = [name.strip() for name in found[0][1]]
    _check_separator(path, names, separator)
    check_names(names, f"The header of {path}")
    whole = [(line, cells) for line, cells in found[1:] if len(cells) == len(names)]
    problems += [(line, _uneven(cells, names)) for line, cells in found[1:] if len(cells) != len(names)]
    kept = [i for i, name in enumerate(names) if name or names.count("") == 1]
    rows = tuple((line, {names[i]: cells[i] for i in kept}) for line, cells in whole)
    return Delimited(tuple(names[i] for i in kept), rows, tuple(sorted(problems)))


def _explained(error: csv.Error) -> str:
    said = str(error)
    if "new-line character" in said:
        return "a carriage return stands within a line"
    if "unexpected end of data" in said:
        return "a quotation mark opens here and never closes"
    return said


def _check_separator(path: Path, names: Sequence[str], separator: str) -> None:
    if len(names) > 1:
        return
    for sign, called in _SEPARATORS.items():
        if sign in names[0] and sign != separator:
            raise BadData(
                f"{path} has one column, {names[0]!r}: it seems to be separated by {called}, not by commas.",
                mend='Save it as CSV with commas, for example with: python -c "import pandas; '
                f"pandas.read_csv('{path}', sep={sign!r}, dtype=str, keep_default_na=False)"
                ".to_csv('commas.csv', index=False)\"",
            )


def _uneven(cells: Sequence[str], names: Sequence[str]) -> str:
    """The description of a row with more or fewer cells than the header."""
    more, further = len(cells) > len(names), cells[len(names) :]
    counts = f"{len(cells)} cell{'s' * (len(cells) != 1)}, and the header has {len(names)}"
    if not more:
        return f"fewer cells than the header has: {counts}"
    if not any(cell.strip() for cell in further):
        return f"more cells than the header has: {counts} (the line ends with a separator too many)"
    return f"more cells than the header has: {counts} (quote a cell that has the separator in it)"


def check_names(names: Iterable[str], of: str) -> None:
    """Nothing if all column names are different; `of` begins the sentence that refuses them.

    Names that differ by outer spaces alone are the same; columns without a name are not compared.

    Raises:
        BadData: a name occurs twice.
    """
    counts = Counter(name.strip() for name in names)
    twice = [f"{name!r} {count} times" for name, count in counts.items() if name and count > 1]
    if twice:
        raise BadData(
            f"{of} has a column name more than once: {listed(twice)}.",
            mend="Give every column a name of its own, or delete the columns that are not meant.",
        )


def read_parquet(path: Path, *, mend: str = _READ) -> list[dict[str, Any]]:
    """The rows of a parquet file as Python's own values: whole numbers stay whole where some are missing.

    Missing values are None; single-precision numbers have their shortest decimals (2.1), and bytes are text.

    Raises:
        BadData: the file cannot be read as parquet, a column name stands twice, or bytes are not UTF-8.
    """
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    path = expanded(path)
    try:
        # Not `read_table`, which reads folder names as columns; without threads, for those of pyarrow now and
        # then abort the process as it exits.
        table = pq.ParquetFile(path, pre_buffer=False).read(use_threads=False)
    except FileNotFoundError:
        raise BadData(f"{path} does not exist.", mend=mend) from None
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        reason = str(error).strip().partition("\n")[0]
        raise BadData(f"{path} cannot be read as parquet: {reason}.", mend=mend) from None
    check_names(table.column_names, f"The parquet file {path}")
    columns = {
        name.strip(): plain_values(_listed(column), f"The column {name.strip()!r} of {path}")
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _listed(column: pa.ChunkedArray) -> list[Any]:
    import numpy as np
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    single = {pa.float16(): np.float16, pa.float32(): np.float32}.get(kind)
    values: list[Any] = column.to_pylist()
    return values if single is None else [None if v is None else single(v) for v in values]


def plain_values(values: Iterable[Any], of: str) -> list[Any]:
    """`values` with bytes as the text they are, and numbers of less than double precision as the double with
    their shortest decimals; `of` names the column in messages.

    Raises:
        BadData: bytes that are not UTF-8.
    """
    import numpy as np

    found: list[Any] = []
    for number, value in enumerate(values, start=1):
        if isinstance(value, bytes):
            try:
                value = value.decode("utf-8")
            except UnicodeDecodeError:
                raise BadData(
                    f"{of} holds bytes that are not UTF-8 text in row {number} ({value[:20]!r}).",
                    mend="Store the column as text, or leave it out of the table.",
                ) from None
        elif isinstance(value, np.float16 | np.float32):
            value = float(str(value))
        found.append(value)
    return found
