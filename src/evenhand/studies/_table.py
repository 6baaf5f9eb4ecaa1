"""Per-item scores as a parquet table and back, exactly: the same scores always give the same bytes.

Columns: ``sample``, ``cluster``, one ``value.<name>`` (float64, null is undefined) for each per-item value in
the benchmark's order, one ``slice.<key>`` (text, null is absent) for each slice. Nothing else is stored: no
index, no time, no path, so equal scores are equal files under one version of the parquet library.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from evenhand.records import Score, Value

_VALUE, _SLICE = "value.", "slice."


def to_parquet(scores: Sequence[Score]) -> bytes:
    """`scores` as the bytes of a parquet file, in their order.

    Raises:
        ValueError: a value is NaN or infinite (undefined is None), or two scores name different values.
    """
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    names = list(scores[0].values) if scores else []
    keys = list(dict.fromkeys(key for score in scores for key in score.slices))
    columns: dict[str, Any] = {
        "sample": pa.array([s.sample for s in scores], pa.string()),
        "cluster": pa.array([s.cluster for s in scores], pa.string()),
    }
    for name in names:
        columns[_VALUE + name] = pa.array([_finite(s, name, names) for s in scores], pa.float64())
    for key in keys:
        columns[_SLICE + key] = pa.array([s.slices.get(key) for s in scores], pa.string())
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd", write_statistics=False)
    return buffer.getvalue()


def from_parquet(data: bytes) -> tuple[Score, ...]:
    """The scores that `to_parquet` wrote.

    Raises:
        pyarrow.ArrowInvalid: `data` is not a parquet file.
        KeyError: the table lacks the columns of a score table.
    """
    import pyarrow.parquet as pq

    # Without threads: idle pyarrow threads sometimes abort the process at exit (code 134).
    table = pq.ParquetFile(io.BytesIO(data), pre_buffer=False).read(use_threads=False)
    values = {name.removeprefix(_VALUE): column for name, column in _columns(table, _VALUE)}
    slices = {name.removeprefix(_SLICE): column for name, column in _columns(table, _SLICE)}
    return tuple(
        Score(
            sample,
            cluster,
            {name: column[row] for name, column in values.items()},
            {key: column[row] for key, column in slices.items() if column[row] is not None},
        )
        for row, (sample, cluster) in enumerate(
            zip(table["sample"].to_pylist(), table["cluster"].to_pylist(), strict=True)
        )
    )


def _columns(table: Any, prefix: str) -> list[tuple[str, list[Any]]]:
    return [(name, table[name].to_pylist()) for name in table.column_names if name.startswith(prefix)]


def _finite(score: Score, name: str, names: Sequence[str]) -> Value:
    if len(score.values) != len(names) or name not in score.values:
        raise ValueError(
            f"{score.sample} has the values {', '.join(score.values)}, others have {', '.join(names)}"
        )
    value = score.values[name]
    if value is None:
        return None
    if not math.isfinite(value):
        raise ValueError(f"{name} of {score.sample} is {value}: an undefined value is None")
    return float(value)
