"""The same tables through Spark, on this machine: for data that outgrow it, on a cluster.

A session that is there already (``SparkSession.builder`` of the user's own, in Python) is taken; otherwise
one is started on two local threads. Parquet files are split between tasks, and of CSV files those in which
every line is a row. A scan tells that first: Spark splits a file at any line break, also at one in a cell.
The others, and packed ones, are read by one task each.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from evenhand.errors import EnvironmentProblem, MissingExtra
from evenhand.frames.frame import Frame, readable
from evenhand.frames.headers import Header
from evenhand.frames.values import clean

if TYPE_CHECKING:
    from pathlib import Path

_PACKED = (".gz", ".zst")
_BLOCK = 1 << 24  # bytes that are scanned at once


def opened_in_spark(name: str, headers: Sequence[Header]) -> Frame:
    """A frame of parquet or CSV files with the same columns, read by Spark; `name` is what the user wrote.

    Raises:
        MissingExtra: PySpark is not installed.
        EnvironmentProblem: Spark cannot be started, for want of Java most often.
        BadData: the files cannot be read.
    """
    try:
        import ibis
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtra(error.name or "pyspark", "spark", "Auditing through Spark") from None
    try:
        session = SparkSession.getActiveSession() or _started()
        made = ibis.pyspark.connect(session)
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        raise EnvironmentProblem(f"Spark cannot be started: {said}.", mend="Install Java 17.") from error
    places = [str(one.path.resolve()) for one in headers]
    with readable(name):
        read = session.read.parquet(*places) if headers[0].parquet else _delimited(session, headers)
        view = f"evenhand_{abs(hash(tuple(places)))}"
        read.toDF(*map(clean, read.columns)).createOrReplaceTempView(view)
        return Frame(made.table(view), name, as_text=not headers[0].parquet)


def _started() -> Any:
    """A session of two threads that logs nothing: what Spark logs of a row that it cannot read is the row."""
    from pyspark.sql import SparkSession

    made = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    made.sparkContext.setLogLevel("OFF")
    return made


def _delimited(session: Any, headers: Sequence[Header]) -> Any:
    """CSV files as one table of texts, read as DuckDB reads them, whatever the order of their columns.

    Spark takes cells by their place: files with the columns in the same order are read together.
    """
    alike: dict[tuple[tuple[str, ...], str, bool], list[Path]] = defaultdict(list)
    for one in headers:
        alike[one.columns, one.separator, row_a_line(one)].append(one.path)
    parts = [
        session.read.csv(
            [str(path.resolve()) for path in paths],
            schema=_texts(columns),
            header=True,
            sep=separator,
            escape='"',
            multiLine=not split,
            mode="FAILFAST",
        )
        for (columns, separator, split), paths in alike.items()
    ]
    return reduce(lambda first, other: first.unionByName(other), parts)


def row_a_line(header: Header) -> bool:
    """Whether every line of a CSV file is a row of its own, whoever reads it.

    False where it cannot be sure: of a packed file, of one with empty lines, lone carriage returns, line
    breaks in cells or quotes in cells that are not quoted, and of a single column, in which an empty line is
    a row.
    """
    if header.path.suffix in _PACKED or len(header.columns) < 2:
        return False
    sign = re.escape(header.separator)
    cell = rf'(?:"(?:[^"\r\n]|"")*+"|[^"\r\n{sign}]*+)'
    rows = re.compile(rf"(?:(?![\0-\x09\x0b-\x20]*+\n){cell}(?:{sign}{cell})*+\r?\n)*+".encode())
    rest = b""
    with header.path.open("rb") as file:
        while block := file.read(_BLOCK):
            lines, end, begun = (rest + block).rpartition(b"\n")
            if not _all_rows(lines + end, rows):
                return False
            rest = begun
    return not rest or _all_rows(rest + b"\n", rows)


def _all_rows(lines: bytes, rows: re.Pattern[bytes]) -> bool:
    """Whether all of `lines` are such as `rows` matches."""
    found = rows.match(lines)
    return found is not None and found.end() == len(lines)


def _texts(columns: Sequence[str]) -> Any:
    """The schema of columns of text."""
    from pyspark.sql.types import StringType, StructField, StructType

    return StructType([StructField(name, StringType()) for name in columns])
