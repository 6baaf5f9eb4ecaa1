"""What a file of a table says of itself before it is read: its columns, and how its cells are separated."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from evenhand.errors import BadData, listed
from evenhand.files import check_line_ends, not_utf8
from evenhand.frames.values import BOM, clean
from evenhand.tables import check_names

_SEPARATORS = ",\t;|"
_HEAD = 1 << 20  # bytes of a header at most
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_UNHELD = re.compile("[\0\ud800-\udfff]")  # where C ends a text, and what is no character
_PARQUET = b"PAR1"
_MEND = "Name a CSV file (also .gz or .zst) or a parquet file."


@dataclass(frozen=True)
class Header:
    """A file of a table: its columns in order, the separator of delimited text, and which lack no value."""

    path: Path
    columns: tuple[str, ...]
    separator: str = ","
    parquet: bool = False
    complete: frozenset[str] = frozenset()


def header_of(path: Path) -> Header:
    """The header of a CSV or parquet file.

    Raises:
        BadData: the file is empty, is none of both, or has a column's name twice or none at all.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror}.", mend=_MEND) from None
    if not head:
        raise BadData(f"{path} is empty.", mend=_MEND)
    if head == _PARQUET or path.suffix == ".parquet":
        return _parquet(path)
    text = _first_lines(path)
    outside = _QUOTED.sub("", text).partition("\n")[0]  # of the header alone: rows may have other signs
    separator = max(_SEPARATORS, key=outside.count)
    names = [clean(name) for name in _first_row(path, text, separator)]
    if not any(names):
        raise BadData(f"{path} has no header.", mend="Write the columns' names into its first line.")
    check_names(names, f"The header of {path}")
    check_case(names, f"The header of {path}")
    if "" in names:
        raise BadData(f"{path} has a column without a name.", mend="Give every column a name in the header.")
    return Header(path, tuple(names), separator)


def _parquet(path: Path) -> Header:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        complete = _complete(file.metadata)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(". ")
        raise BadData(f"{path} cannot be read as parquet: {reason}.", mend=_MEND) from None
    check_names(names, f"The parquet file {path}")
    check_case(names, f"The parquet file {path}")
    return Header(path, tuple(clean(name) for name in names), parquet=True, complete=complete)


def check_case(names: Iterable[str], of: str) -> None:
    """Nothing if engines tell the columns by their names; `of` begins the sentence that refuses them.

    Raises:
        BadData: two differ in case alone, which the engines take for one, or one has a sign that they lose.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if _UNHELD.search(name):
            raise BadData(f"{of} has a column named {name!r}.", mend="Name it without that sign.")
        alike[clean(name).lower()].append(name)
    for several in alike.values():
        if len(several) > 1:
            raise BadData(
                f"{of} has columns whose names differ in case alone: {listed([*map(repr, several)])}.",
                mend="Rename one of them, or leave one out: the engine takes them for the same.",
            )


def _complete(metadata: Any) -> frozenset[str]:
    """The columns of which every part of the file counts no missing value."""
    places = {metadata.schema.column(i).path: i for i in range(metadata.num_columns)}

    def whole(i: int) -> bool:
        kept = (metadata.row_group(g).column(i).statistics for g in range(metadata.num_row_groups))
        return all(one is not None and one.has_null_count and one.null_count == 0 for one in kept)

    return frozenset(name for name, i in places.items() if whole(i))


def _first_row(path: Path, text: str, separator: str) -> list[str]:
    """The cells of the header, were they separated so; a quoted name may have line breaks.

    Raises:
        BadData: a carriage return stands in it.
    """
    try:
        return next(csv.reader(io.StringIO(text, newline="\n"), delimiter=separator), [])
    except csv.Error as error:
        raise BadData(
            f"The header of {path} cannot be read: {error}.",
            mend="End lines with a line feed, and quote names that have a carriage return in them.",
        ) from None


def _first_lines(path: Path) -> str:
    """The header's line and what follows, out of a packed file as well.

    Raises:
        BadData: it cannot be unpacked, or is not UTF-8 text with lines that end in line feeds.
    """
    try:
        with _unpacked(path) as file:
            data = file.read(_HEAD)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise BadData(f"{path} cannot be unpacked: {error}.", mend="Pack the file again.") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:2]:
        raise not_utf8(path, data, 0)
    try:
        text = data.decode("utf-8", "strict" if len(data) < _HEAD else "ignore").removeprefix(BOM)
    except UnicodeDecodeError as error:
        raise not_utf8(path, data, error.start) from None
    check_line_ends(path, text)
    return text.lstrip("\r\n")


def _unpacked(path: Path) -> BinaryIO | gzip.GzipFile | io.BufferedReader:
    if path.suffix in (".bz2", ".xz", ".zip"):
        raise BadData(
            f"{path} is packed as {path.suffix}, which is not read.",
            mend="Pack it as .gz or .zst, or unpack it.",
        )
    if path.suffix == ".gz":
        return gzip.GzipFile(path, "rb")
    if path.suffix == ".zst":
        import pyarrow as pa

        return io.BufferedReader(pa.input_stream(os.fspath(path), compression="zstd"))
    return path.open("rb")
