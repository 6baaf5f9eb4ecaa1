"""Signs of missing values: hinted at, and taken for missing where they are declared and nowhere else."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

from evenhand import audit
from evenhand.audits.sentinels import suspects
from evenhand.errors import BadOption, UnknownName, UsageError
from evenhand.studies.audit_options import AuditOptions
from evenhand.studies.audit_values import signs
from evenhand.studies.auditing import question_of
from evenhand.studies.repairing import repaired


def people() -> pd.DataFrame:
    """200 of f, of whom 20 have the age -999, and 200 of m, of whom 10 have -99."""
    age = [-999] * 20 + [20 + i % 50 for i in range(180)] + [-99] * 10 + [20 + i % 50 for i in range(190)]
    return pd.DataFrame({"sex": ["f"] * 200 + ["m"] * 200, "age": age, "job": ["a", "Unknown "] * 200})


def lost(frame: Any, **options: Any) -> dict[str, list[float | None]]:
    """The shares of missing values by column, of f and of m."""
    found = audit(frame, "sex", audits=["missingness"], **options).of("missingness")
    return {one.columns[-1]: [group.value for group in one.groups] for one in found}


@pytest.mark.parametrize("kind", ["frame", "csv", "parquet"])
def test_numbers_stay_numbers_unless_they_are_declared(kind: str, tmp_path: Path) -> None:
    source: Any = people()
    if kind != "frame":
        path = tmp_path / f"a.{kind}"
        source.to_csv(path, index=False) if kind == "csv" else source.to_parquet(path)
        source = str(path)
    assert lost(source) == {}
    assert lost(source, missing="age=-999") == {"age": [0.1, 0]}
    assert lost(source, missing=["age=-999.0|-99", "unknown"]) == {"age": [0.1, 0.05], "job": [0.5, 0.5]}
    assert lost(source, missing={"age": [-99]}) == {"age": [0, 0.05]}
    assert lost(source, missing="-99,UNKNOWN") == {"age": [0, 0.05], "job": [0.5, 0.5]}


def test_days_are_declared_as_days() -> None:
    frame = people().assign(born=[date(1900, 1, 1)] * 20 + [date(1990, 1, 1 + i % 28) for i in range(380)])
    frame["born"] = pd.to_datetime(frame["born"])
    assert lost(frame, missing="born=1900-01-01") == {"born": [0.1, 0]}
    (found,) = [one for one in audit(frame, "sex", audits="sentinels").findings if one.columns == ("born",)]
    assert found.effect == 0.05


def test_what_may_be_a_sign_is_told_and_the_command_declares_it() -> None:
    # Also where bins have made groups of the numbers, in which -999 is below 30.
    record = audit(people(), "sex,age", audits=["sentinels"], bins={"age": [30]})
    job, age = record.findings
    assert (age.columns, age.effect, age.n, age.state) == (("age",), 30 / 400, 400, "note")
    assert {one.group: one.n for one in age.groups} == {"-999": 20, "-99": 10}
    assert "--missing 'age=-999|-99'" in age.mend
    assert "'Unknown' in 200 rows" in job.finding
    found = audit(people(), "sex,age", audits=["missingness"], bins={"age": [30]}, missing="age=-999|-99")
    assert "age itself is missing in 30 of 400 rows" in found.findings[0].finding
    # The rows of groups that may not be shown are in no hint, nor is a rare sign.
    assert audit(people(), "sex", audits=["sentinels"], suppress=30).findings[0].columns == ("job",)
    assert len(audit(people(), "sex", audits=["sentinels"], suppress=30).findings) == 1


def test_a_sign_that_stands_nowhere_is_refused() -> None:
    with pytest.raises(UsageError, match="No row of the data frame has '-9' in age"):
        audit(people(), "sex", missing="age=-9")
    with pytest.raises(UsageError, match="has 'nobody' in any column"):
        audit(people(), "sex", missing="nobody")
    with pytest.raises(UnknownName, match="There is no column"):
        audit(people(), "sex", missing="agge=-9")
    for wrong in ("age=", "=3", " , "):
        with pytest.raises(BadOption, match="declares no value"):
            signs(wrong)
    assert signs(['"a=b"="x|y"|z', "u,v"]) == {"a=b": ["x|y", "z"], "": ["u", "v"]}


def test_declared_values_are_written_as_empty_cells(tmp_path: Path) -> None:
    given = AuditOptions(sensitive=["sex"], missing=["age=-999|-99"], audits=["missingness"])
    after = repaired(question_of(people(), given), given, "deduplicate", tmp_path / "new.parquet")
    written = pd.read_parquet(tmp_path / "new.parquet")
    assert written["age"].isna().sum() == 4  # of each sex and job one
    assert after.of("missingness")[0].columns == ("sex", "age")


@pytest.mark.parametrize(
    ("usual", "sign"),
    [
        (range(18, 80), "-999"),
        (range(18, 80), "-1"),
        (range(11), "99"),
        (range(91), "99"),
        ([1.5 * i for i in range(50)], "99999"),
        (range(10, 60), "2147483647"),
        (range(10, 60), "refused"),
        (range(10, 60), "inf"),
        ([f"1990-01-{i:02}" for i in range(1, 29)], "9999-12-31"),
        (["a", "b"], "Prefer not  to say"),
    ],
)
def test_signs_by_hand(usual: Any, sign: str) -> None:
    counts = Counter({**{str(one): 20 for one in usual}, sign: 30})
    assert list(suspects(counts)) == [sign]


@pytest.mark.parametrize(
    "counts",
    [
        {"0": 900, **{str(i): 9 for i in range(1000, 1060)}},  # many have none of it
        {str(i): 9 for i in range(-50, 50)},
        {str(2**i): 9 for i in range(12)} | {"1000000": 1},  # a long tail, and one who is rich
        {str(i): 9 for i in range(1, 99)} | {"99": 40},  # hours, of which 99 is the last
        {"0": 50, "1": 50, "99": 50},  # too few values for one to be odd
        {"a": 50, "b": 3, "x": 9},
        {},
    ],
)
def test_what_is_no_sign(counts: dict[str, int]) -> None:
    assert suspects(counts) == {}
