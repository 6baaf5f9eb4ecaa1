"""A table becomes one file, whatever engine holds it; nothing is loaded whole."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.frames.engines import DUCKDB, SPARK, engine_of
from evenhand.frames.opening import connection
from evenhand.frames.spilling import spill_folder

if TYPE_CHECKING:
    import ibis.expr.types as ir


def write(table: ir.Table, path: Path, *, as_csv: bool) -> None:
    """Write a table to `path`, as CSV or as parquet; the engine streams it.

    Spark writes a folder of parts, which are put together afterwards.

    Raises:
        Exception: of the engine; see `evenhand.frames.frame.readable`.
    """
    if engine_of(table) == SPARK:
        with tempfile.TemporaryDirectory(dir=spill_folder()) as folder:
            table.to_parquet(f"{folder}/parts")
            write(connection().read_parquet(f"{folder}/parts/*.parquet"), path, as_csv=as_csv)
        return
    within = {}
    if engine_of(table) == DUCKDB:
        # It would write beside the file, where nobody looks for what a killed process left.
        within = {"use_tmp_file": False}
    elif as_csv:  # arrow writes no lists into CSV
        nested = [name for name, kind in table.schema().items() if kind.is_nested()]
        table = table.mutate(**{name: table[name].cast("string") for name in nested})
    if as_csv:
        table.to_csv(str(path), **within)
    else:
        table.to_parquet(str(path), **within)
