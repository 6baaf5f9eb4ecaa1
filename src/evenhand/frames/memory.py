"""A data frame in memory becomes an arrow table of types that the engine holds.

Numbers, texts, dates and truths stay what they are. What has no counterpart becomes what a file would hold:
mixed types, intervals and periods of pandas are texts, a length of time is its number of seconds, and a
moment in a time zone is what the clock shows there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evenhand.errors import BadData, UsageError
from evenhand.frames.headers import check_case
from evenhand.frames.values import clean
from evenhand.tables import check_names

_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}  # in a second
_OF_PANDAS = ("pandas.interval", "pandas.period")  # in a table that pandas gave to arrow
_NO_ARROW = (ValueError, TypeError, NotImplementedError, OverflowError)  # arrow's own errors among them


def as_arrow(source: Any) -> Any:
    """A table of pandas, polars or pyarrow as an arrow table with clean column names.

    Raises:
        UsageError: it is none of them.
        BadData: it has no column, a name twice, or one that the engine cannot hold.
    """
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]

    if isinstance(source, pd.DataFrame):
        _check(map(str, source.columns))
        source = pa.table({str(name): _of_pandas(source[name]) for name in source.columns})
    elif not isinstance(source, pa.Table) and hasattr(source, "to_arrow"):  # polars
        source = source.to_arrow()
    if not isinstance(source, pa.Table):
        raise UsageError(
            f"A {type(source).__name__} is no data set.",
            mend="Give a path, a list of paths, or a table of pandas, polars, pyarrow or Ibis.",
        )
    if not source.column_names:
        raise BadData("The data frame has no column.", mend="Give one with the columns of the data set.")
    names = [clean(name) for name in source.column_names]
    _check(names)
    return pa.table([_held(column) for column in source.columns], names=names)


def _check(given: Iterable[str]) -> None:
    """Refuse names that are there twice, or that engines take for another."""
    names = list(given)
    check_names(names, "The data frame")
    check_case(names, "The data frame")


def _of_pandas(values: Any) -> Any:
    """A column of pandas as an arrow array; texts where arrow has no type for its values."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(values.dtype, pd.CategoricalDtype) and _is_of_pandas(values.cat.categories.dtype):
        # By the categories: where a value is missing, pandas gives out intervals of whole numbers as others.
        values = values.cat.rename_categories([_written(one) for one in values.cat.categories])
    if not _is_of_pandas(values.dtype):
        try:
            return pa.array(values, from_pandas=True)
        except _NO_ARROW:
            pass
    missing = values.isna()
    return pa.array([None if no else _written(one) for one, no in zip(values, missing, strict=True)])


def _is_of_pandas(kind: Any) -> bool:
    """Whether a type has no counterpart outside pandas."""
    import pandas as pd

    return isinstance(kind, pd.IntervalDtype | pd.PeriodDtype)


def _written(value: Any) -> str:
    """A value as text, that of half a pair of surrogates as its number."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _held(column: Any) -> Any:
    """A column of arrow's in a type that DuckDB reads and Ibis brings back."""
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped]

    kind, types, made = column.type, pa.types, column
    if types.is_dictionary(kind):
        own = kind.value_type
        alone = types.is_nested(own) or isinstance(
            own, pa.BaseExtensionType
        )  # which the engine has no codes of
        if alone or _held(pa.chunked_array([], own)).type != own:
            made = _held(pa.chunked_array([one.dictionary_decode() for one in column.chunks], own))
    elif isinstance(kind, pa.BaseExtensionType) and kind.extension_name in _OF_PANDAS:
        made = pa.chunked_array([_of_pandas(column.to_pandas())])
    elif types.is_timestamp(kind) and kind.tz is not None:
        made = pc.local_timestamp(column)
    elif types.is_duration(kind):
        ticks = column.cast(pa.int64()).cast(pa.float64(), safe=False)
        made = pc.divide(ticks, float(_UNITS[kind.unit]))
    elif types.is_float16(kind) or types.is_decimal256(kind):
        made = column.cast(pa.float32() if types.is_float16(kind) else pa.float64())
    elif types.is_interval(kind) or types.is_union(kind):
        values = [None if one is None else _written(one) for one in column.to_pylist()]
        made = pa.chunked_array([pa.array(values, pa.string())])
    return made
