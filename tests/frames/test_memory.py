"""Data frames of any types: each value is a group of its own, and nothing stops the engine."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

pytest.importorskip("ibis.backends.duckdb")

from evenhand import audit
from evenhand.errors import BadData, UsageError

HALF = 40
DAY = datetime.timedelta(days=1)


def counts(values: Any, **options: Any) -> dict[str, int | None]:
    """The rows by group of a column of these values, in all audits of which none may stop."""
    frame = pd.DataFrame({"x": values, "y": [0, 1, 1, 0] * (HALF // 2)}) if not is_arrow(values) else values
    audit(frame, "x", "y", **options)
    audit(frame, "y", "x", positive=[next(iter(found))] if (found := groups(frame)) else [], **options)
    return found


def is_arrow(values: Any) -> bool:
    return isinstance(values, pa.Table)


def groups(frame: Any) -> dict[str, int | None]:
    one = audit(frame, "x", audits=["label_rates", "representation"][1:]).findings[0]
    return {group.group: group.n for group in one.groups}


PANDAS: dict[str, tuple[Any, tuple[str, str]]] = {
    "interval": (pd.cut([1, 40] * HALF, [0, 30, 50]), ("(0, 30]", "(30, 50]")),
    "intervals apart": (pd.arrays.IntervalArray.from_tuples([(0, 1), (1, 2)] * HALF), ("(0, 1]", "(1, 2]")),
    "period": (pd.PeriodIndex(["2020-01", "2020-02"] * HALF, freq="M"), ("2020-01", "2020-02")),
    "length": (pd.to_timedelta([1, 2] * HALF, unit="D"), ("86400", "172800")),
    "length of arrow": (
        pd.Series([DAY, 2 * DAY] * HALF, dtype=pd.ArrowDtype(pa.duration("ms"))),
        ("86400", "172800"),
    ),
    "lengths by code": (pd.Categorical([DAY, 2 * DAY] * HALF), ("86400", "172800")),
    "zone": (
        pd.DatetimeIndex(["2020-01-01", "2021-01-01"] * HALF, tz="Europe/Berlin"),
        ("2020-01-01T00:00:00", "2021-01-01T00:00:00"),
    ),
    "truths by code": (pd.Categorical([True, False] * HALF), ("true", "false")),
    "truths or none": (pd.array([True, False] * HALF, dtype="boolean"), ("true", "false")),
    "numbers or none": (pd.array([1, 2] * HALF, dtype="Int64"), ("1", "2")),
    "texts": (pd.array(["a", "b"] * HALF, dtype="string"), ("a", "b")),
    "decimals": ([Decimal("1.50"), Decimal(2)] * HALF, ("1.5", "2")),
    "fractions": ([Fraction(1, 2), Fraction(1, 3)] * HALF, ("1/2", "1/3")),
    "complex": ([1j, 2] * HALF, ("1j", "(2+0j)")),
    "large": ([10**30, 1] * HALF, (str(10**30), "1")),
    "unsigned": (np.array([2**64 - 1, 1] * HALF, dtype="uint64"), (str(2**64 - 1), "1")),
    "short": (np.array([1.5, 2] * HALF, dtype="float16"), ("1.5", "2")),
    "sparse": (pd.arrays.SparseArray([0, 1] * HALF), ("0", "1")),
    "mixed": (["a", 1] * HALF, ("a", "1")),
    "bytes": ([b"a", b"b"] * HALF, ("a", "b")),
    "lists": ([[1], [2]] * HALF, ("[1]", "[2]")),
    "lists and numbers": ([[1], 2] * HALF, ("[1]", "2")),
    "identifiers": (
        [uuid.UUID(int=1), uuid.UUID(int=2)] * HALF,
        (str(uuid.UUID(int=1)), str(uuid.UUID(int=2))),
    ),
    "times": ([datetime.time(1), datetime.time(2)] * HALF, ("01:00:00", "02:00:00")),
    "days": ([datetime.date(1, 1, 1), datetime.date(9999, 12, 31)] * HALF, ("0001-01-01", "9999-12-31")),
    "half a pair": (pd.Series(["\ud800", "a"] * HALF, dtype=object), ("\\ud800", "a")),
    "infinite": ([np.inf, 1.0] * HALF, ("inf", "1")),
    "signs": (["a'b", '👩"'] * HALF, ("a'b", '👩"')),
}


@pytest.mark.parametrize("kind", PANDAS)
def test_values_of_pandas(kind: str) -> None:
    values, names = PANDAS[kind]
    assert counts(values) == dict.fromkeys(names, HALF)


ARROW: dict[str, tuple[Any, tuple[str, str]]] = {
    "decimal": (pa.array([Decimal("1.5"), Decimal(2)] * HALF, pa.decimal256(50, 3)), ("1.5", "2")),
    "short": (pa.array(np.array([1, 2] * HALF, dtype="float16")), ("1", "2")),
    "length": (pa.array([DAY, 2 * DAY] * HALF), ("86400", "172800")),
    "lengths by code": (pa.array([DAY, 2 * DAY] * HALF).dictionary_encode(), ("86400", "172800")),
    "texts by code": (pa.array(["a", "b"] * HALF).dictionary_encode(), ("a", "b")),
    "interval": (pa.array(pd.cut([1, 40] * HALF, [0, 30, 50])), ("(0, 30]", "(30, 50]")),
    "views": (pa.array(["a", "b"] * HALF, pa.string_view()), ("a", "b")),
    "runs": (pa.RunEndEncodedArray.from_arrays([HALF, 2 * HALF], ["a", "b"]), ("a", "b")),
    "union": (
        pa.UnionArray.from_sparse(
            pa.array([0, 1] * HALF, pa.int8()), [pa.array([1] * 80), pa.array(["x"] * 80)]
        ),
        ("1", "x"),
    ),
}


@pytest.mark.parametrize("kind", ARROW)
def test_values_of_arrow(kind: str) -> None:
    values, names = ARROW[kind]
    assert counts(pa.table({"x": values, "y": [0, 1, 1, 0] * (HALF // 2)})) == dict.fromkeys(names, HALF)


def test_months_and_days_have_names() -> None:
    values = pa.array([(1, 2, 3), (4, 5, 6)] * HALF, pa.month_day_nano_interval())
    assert sorted(counts(pa.table({"x": values, "y": [0, 1, 1, 0] * (HALF // 2)})).values()) == [HALF] * 2


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("to_days((i % 2)::int + 1)", ("1 day", "2 days")),
        ("case when i % 2 = 0 then '01'::bit else '10'::bit end", ("01", "10")),
        ("(i % 2)::uhugeint", ("0", "1")),
    ],
)
def test_values_of_a_database_that_python_has_none_of(
    value: str, names: tuple[str, str], tmp_path: Any
) -> None:
    import duckdb

    with duckdb.connect(str(tmp_path / "a.db")) as made:
        made.sql(f"create table t as select {value} as x, i % 3 = 0 as y from range(80) t(i)")
    source = f"duckdb:{tmp_path / 'a.db'}#t"
    found = groups(source)
    assert found == dict.fromkeys(names, HALF)
    assert audit(source, "y", "x", positive=[names[0]]).n == 2 * HALF


@pytest.mark.parametrize("kind", ["numbers or none", "truths or none", "interval", "length", "zone", "mixed"])
def test_what_is_missing_stays_missing(kind: str) -> None:
    # A quarter of the rows, all of them of the first group.
    values = pd.Series(PANDAS[kind][0]).astype(object).where(np.arange(2 * HALF) % 4 != 0)
    typed = values.astype(pd.Series(PANDAS[kind][0]).dtype)
    assert counts(typed) == dict(zip(PANDAS[kind][1], (HALF // 2, HALF), strict=True))


def test_years_begin_where_the_column_says_so() -> None:
    # Midnight in Berlin is the day before in UTC.
    born = pd.DatetimeIndex(["2020-01-01", "2021-01-01"] * HALF, tz="Europe/Berlin")
    one = audit(pd.DataFrame({"x": born}), "x", bins={"x": "year"}, audits=["representation"]).findings[0]
    assert {group.group: group.n for group in one.groups} == {"2020": HALF, "2021": HALF}


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (pd.DataFrame(), "has no column"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' 2 times"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "'1' 2 times"),
        (pd.DataFrame([[1, 2]], columns=["a", "A"]), "differ in case alone"),
        (pd.DataFrame([[1, 2]], columns=["a\0b", "a\0c"]), "a column named 'a.x00b'"),
        (pd.DataFrame([[1]], columns=pd.Index(["\ud800"], dtype=object)), "a column named '.ud800'"),
    ],
)
def test_columns_that_cannot_be_told_apart_are_refused(frame: pd.DataFrame, told: str) -> None:
    with pytest.raises(BadData, match=told):
        audit(frame, "a")


def test_frames_of_few_rows() -> None:
    frame = pd.DataFrame({"x": ["a", "b"], "y": [1, 0], "z": [None, None]})
    assert audit(frame[:1], "x", "y").n == 1
    assert audit(frame, "x", "y").n == 2
    for empty in (frame[:0], frame.assign(x=None)):
        with pytest.raises(UsageError, match="has no value in any"):
            audit(empty, "x", "y", positive="1")
    index = frame.set_index(["y", "z"])  # an index is no column
    assert audit(index, "x").n == 2
    assert audit(pd.concat({"k": frame}, axis=1), ["('k', 'x')"]).n == 2
