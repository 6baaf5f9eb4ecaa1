"""Events from files: parquet and JSONL, in batches, with the number of a row that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evenhand.errors import BadData
from evenhand.monitor.events import Event

ROWS = 2000  # of a batch
_PREFIX = "attributes."


def batches(path: Path) -> Iterator[list[Event]]:
    """The events of a file in batches of 2000; by its ending parquet, or else JSONL.

    In parquet a column ``attributes.sex`` is an attribute, or all are in a structure or map ``attributes``.

    Raises:
        BadData: the file cannot be read, or a row is no event; the batches before it have been given.
    """
    own: list[Event] = []
    for number, row in enumerate(_rows(path), start=1):
        try:
            own.append(Event.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the row"
            raise BadData(
                f"{path}, row {number}: {place}: {first['msg']}.",
                mend="Mend the file and send it again: rows that were stored are not counted twice.",
            ) from None
        if len(own) == ROWS:
            yield own
            own = []
    if own:
        yield own


def _rows(path: Path) -> Iterator[Any]:
    return _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _jsonl(path)


def _jsonl(path: Path) -> Iterator[Any]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except (ValueError, RecursionError) as error:
                        raise _unreadable(f"{path}, line {number}", error) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(str(path), error) from None


def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS):
                for row in batch.to_pylist(maps_as_pydicts="strict"):
                    yield _as_event(row)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise _unreadable(str(path), error) from None


def _as_event(row: dict[str, Any]) -> dict[str, Any]:
    """A row as an event: missing values are none, and attributes are together."""
    found = {
        name: value
        for name, value in row.items()
        if not name.startswith(_PREFIX) and value is not None and value == value  # noqa: PLR0124 - NaN
    }
    attributes = {
        name.removeprefix(_PREFIX): value for name, value in row.items() if name.startswith(_PREFIX)
    }
    if attributes:
        found["attributes"] = {**found.get("attributes", {}), **attributes}
    return found


def _unreadable(place: str, error: Exception) -> BadData:
    return BadData(
        f"{place} cannot be read: {error}.", mend="Give a parquet file, or JSONL of one event a line."
    )
