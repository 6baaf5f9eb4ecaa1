"""Spark, PostgreSQL and DuckDB give the same figures on the same data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

pytest.importorskip("ibis")

from evenhand import audit, repair
from evenhand.audits import _copies
from evenhand.errors import BadData, UnknownName
from evenhand.records import Audited
from tests.support import postgres

OPTIONS: dict[str, Any] = {"sensitive": ["sex", "race"], "target": "y"}


# Few rows are of q, or have no race; x stands for a missing job.
HIDDEN: dict[str, Any] = {
    "sensitive": ["sex", "race"],
    "target": "height",
    "positive": ["median"],
    "suppress": 20,
    "missing": ["job=x"],
    "audits": ["representation", "label_rates", "missingness"],
}


# Numbers and days out of texts, some of which are none.
READ: tuple[dict[str, Any], ...] = (
    {
        "sensitive": "age",
        "target": "y",
        "bins": {"age": [30, 50]},
        "missing": [-999],
        "audits": "label_rates",
    },
    {"sensitive": "born", "bins": {"born": "year"}, "audits": "representation"},
    {"sensitive": "sex", "target": "age", "positive": ">30", "audits": "label_rates"},
)


def people() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 3000
    sex = rng.choice(["f", "m"], n, p=[0.4, 0.6])
    frame = pd.DataFrame(
        {
            "sex": sex,
            "race": rng.choice(["a", "b", "c"], n),
            "y": (rng.random(n) < np.where(sex == "m", 0.4, 0.3)).astype(int),
            "height": rng.normal(np.where(sex == "m", 178, 166), 7).round(1),
            "job": rng.choice(["x", "y", None], n),
            "age": rng.choice(["20", " 35", "6.1e1", "?", "-999", "old"], n),
            "born": rng.choice(
                ["1950-03-01", "1984-02-29T10:00:00", "1985-02-29", "2000-12-31 23:30:00-02:00"], n
            ),
        }
    )
    few = frame[:5].assign(sex="q"), frame[5:12].assign(race="\u00a0"), frame[:40].assign(job="\u2003NA")
    return pd.concat([frame, frame[:50], *few])


def figures(record: Audited) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """All that is said of each finding, and of each of its groups by name."""
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for one in record.findings:
        key = one.name, one.columns
        ends = one.statistic, one.p_value, one.effect, one.low, one.high
        found[key] = (*ends, one.n, one.state, one.finding)
        found |= {(*key, g.group): (g.n, g.value, g.low, g.high) for g in one.groups}
    return found


def dated(n: int = 1600) -> pa.Table:
    """Days and moments, as texts and as such, that tell the sex, are missing, or hardly vary in one group."""
    rng = np.random.default_rng(8)
    female = rng.random(n) < 0.45
    days = np.datetime64("1961-02-27") + 41 * np.where(female, rng.integers(0, 9, n), rng.integers(3, 24, n))
    few, moments = days, days.astype("datetime64[us]") + np.timedelta64(84_600_250, "ms")
    made = {
        "sex": pa.array(np.where(female, "f", "m")),
        "y": pa.array((rng.random(n) < 0.3 + 0.1 * female).astype(int)),
        "iso": pa.array(
            few.astype(str).astype(object), pa.string(), mask=rng.random(n) < 0.05 + 0.1 * female
        ),
        "written": pa.array(
            [f"{one}T23:30:00-0{zone}:00" for one, zone in zip(days, days.astype(int) % 9, strict=True)]
        ),
        "born": pa.array(few, pa.date32(), mask=rng.random(n) < 0.05 + 0.1 * female),
        "seen": pa.array(moments, pa.timestamp("us")),
        "zoned": pa.array(moments, pa.timestamp("us", "UTC")),
        "since": pa.array(np.where(female | (rng.random(n) < 0.7), days[0], days[1]), pa.date32()),
        "score": pa.array(rng.integers(0, 30, n) / 4),
    }
    return pa.table(made)


DATED: tuple[dict[str, Any], ...] = (
    {"sensitive": ["sex", "iso"], "target": "y"},
    *({"sensitive": name, "target": "y"} for name in ("born", "seen", "zoned")),
    *(
        {"sensitive": name, "bins": {name: "year"}, "audits": ["representation"]}
        for name in ("iso", "written", "born", "seen", "zoned")
    ),
    {
        "sensitive": "sex",
        "target": "zoned",
        "positive": ["1961-02-27T23:30:00.250000"],
        "audits": "label_rates",
    },
)
# Of several values as frequent as each other, the same ones are counted apart everywhere.
POOLED = ("name", "born", "zoned", "score")


def assert_dates_alike(source: str, against: str, path: Path, other: Path) -> None:
    """All audits of `dated`, and what drifts, at an engine's addresses and in the files."""
    for asked in DATED:
        assert_alike(audit(source, **asked), audit(str(path), **asked))
    drifts: dict[str, Any] = {"sensitive": "sex", "target": "y", "audits": ["drift", "proxies"]}
    found = audit(source, **drifts, against=against)
    assert_alike(found, audit(str(path), **drifts, against=str(other)))
    told = {one.columns: one.effect for one in found.of("proxies")}
    assert min(told["sex", name] for name in ("iso", "born", "seen", "zoned")) > 0.7


def many() -> pa.Table:
    """More than 10 000 values of a column, hundreds of them as frequent as each other."""
    code = np.minimum(np.arange(24_000) % 12_000, np.random.default_rng(2).integers(0, 15_000, 24_000))
    days = np.datetime64("1950-01-01") + code
    made = {
        "name": pa.array(
            [("\u00e9", "a", "B")[one % 3] + ("_", "-", " ")[one % 5 % 3] + str(one) for one in code]
        ),
        "born": pa.array(days, pa.date32()),
        "zoned": pa.array(days.astype("datetime64[us]"), pa.timestamp("us", "UTC")),
        "score": pa.array(code / 8),
        "y": pa.array(np.arange(24_000) % 7 // 5),
    }
    return pa.table(made)


def assert_pooled_alike(source: str, path: Path) -> None:
    for name in POOLED:
        asked: dict[str, Any] = {"sensitive": name, "target": "y", "audits": ["label_rates", "duplicates"]}
        assert_alike(audit(source, **asked), audit(str(path), **asked))


def assert_alike(found: Audited, wanted: Audited) -> None:
    ours, theirs = figures(found), figures(wanted)
    assert found.n == wanted.n
    assert ours.keys() == theirs.keys()
    for key, values in ours.items():
        for one, other in zip(values, theirs[key], strict=True):
            assert one == (pytest.approx(other, rel=1e-9) if isinstance(other, float) else other), key


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("engines") / "people.parquet"
    people().to_parquet(file, index=False)
    return file


@pytest.fixture(scope="module")
def dates(path: Path) -> tuple[Path, Path, Path]:
    """Files of `dated`, of others of its rows, and of `many`."""
    made = path.with_name("dated.parquet"), path.with_name("other.parquet"), path.with_name("many.parquet")
    for file, table in zip(made, (dated(), dated(900), many()), strict=True):
        pq.write_table(table, file)
    return made


def _needed(package: str, there: bool, absent: str) -> None:
    """Skip where something is not installed; `make engines` asks for all of it, and fails instead."""
    lacking = absent if not there else "" if find_spec(package) else f"the package {package} is not installed"
    if lacking and os.environ.get("EVENHAND_ENGINES") == "all":
        pytest.fail(lacking)
    if lacking:
        pytest.skip(lacking)


def assert_drawn(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples of a table that is larger than they are, parts of one with many copies, and drawn repairs."""
    options: dict[str, Any] = {**OPTIONS, "sample": 1000, "audits": ["proxies", "duplicates"]}
    first, again, other = (audit(source, **options, seed=seed) for seed in (0, 0, 1))
    assert figures(first) == figures(again)
    assert figures(first) != figures(other)
    assert 850 < first.of("proxies")[0].n < 1150
    monkeypatch.setattr(_copies, "MOST_EXACT", 1000)
    parts = [audit(source, **OPTIONS, audits=["duplicates"], seed=part) for part in range(4)]
    sizes = [one.of("duplicates")[0].n for one in parts]
    assert sum(sizes) == len(people())  # each row is in one part, also those without a value
    assert min(sizes) > 500
    shares = {"a": 0.6, "b": 0.2, "c": 0.2}
    out = folder / "balanced.parquet"
    (after,) = repair(source, "balance", out, "race", baseline=shares, audits=["representation"]).findings
    assert after.n == len(pd.read_parquet(out))
    assert 1500 < after.n < 1850
    assert after.effect < 0.03


@pytest.mark.spark
def test_spark_gives_the_figures_of_duckdb(path) -> None:
    _needed("pyspark", shutil.which("java") is not None, "there is no Java on this machine")
    assert_alike(audit(f"spark:{path}", **OPTIONS), audit(str(path), **OPTIONS))
    assert_alike(audit(f"spark:{path}", **HIDDEN), audit(str(path), **HIDDEN))
    for asked in READ:
        assert_alike(audit(f"spark:{path}", **asked), audit(str(path), **asked))


@pytest.mark.spark
def test_spark_reads_dates_as_duckdb_does(dates) -> None:
    _needed("pyspark", shutil.which("java") is not None, "there is no Java on this machine")
    dated, other, many = dates
    assert_dates_alike(f"spark:{dated}", f"spark:{other}", dated, other)
    assert_pooled_alike(f"spark:{many}", many)


@pytest.mark.spark
def test_spark_draws_rows(path, tmp_path, monkeypatch) -> None:
    _needed("pyspark", shutil.which("java") is not None, "there is no Java on this machine")
    assert_drawn(f"spark:{path}", tmp_path, monkeypatch)


@pytest.mark.spark
def test_spark_reads_delimited_files_as_duckdb_does(tmp_path) -> None:
    _needed("pyspark", shutil.which("java") is not None, "there is no Java on this machine")
    frame = people()[["sex", "y", "job"]].replace({"job": {"x": 'two\nlines, "quoted"', "y": "back\\slash"}})
    frame[:1000].to_csv(tmp_path / "a.csv", index=False)
    frame[1000:2000][["job", "y", "sex"]].rename(columns={"sex": " sex "}).to_csv(
        tmp_path / "b.csv.gz", index=False
    )
    (tmp_path / "c.csv").write_text("\ufeff" + frame[2000:].to_csv(index=False, sep=";"))
    asked: dict[str, Any] = {"sensitive": "sex", "target": "y"}
    every = str(tmp_path / "*.csv*")
    assert_alike(audit(f"spark:{every}", **asked), audit(every, **asked))
    (tmp_path / "d.csv").write_text("sex,y,job\nf,1,x\nWilhelmine,0\n")
    with pytest.raises(BadData, match=r"[^*]d\.csv cannot be read: Spark says .*MALFORMED_CSV") as caught:
        audit(f"spark:{every}", **asked)
    assert "Wilhelmine" not in str(caught.value)
    assert "--skip-broken" in caught.value.mend
    with pytest.raises(BadData) as caught:
        audit(f"spark:{tmp_path / 'd.csv'}", **asked)
    assert "--skip-broken" not in caught.value.mend
    found = audit(f"spark:{every}", **asked, skip_broken=True)
    assert found.n == len(frame)
    assert "1 of 4 files were left out" in found.notes[0]


@pytest.mark.spark
def test_spark_splits_delimited_files(tmp_path) -> None:
    _needed("pyspark", shutil.which("java") is not None, "there is no Java on this machine")
    from pyspark.sql import SparkSession

    from evenhand.frames.opening import opened

    frame = people()[["sex", "y", "job"]].replace({"job": {"x": 'in one line, "quoted"'}})
    split, whole = tmp_path / "split.csv", tmp_path / "whole.csv"
    split.write_text("\ufeff" + frame.to_csv(index=False))
    frame.replace({"job": {"y": "in\ntwo"}}).to_csv(whole, index=False)
    opened(f"spark:{split}")  # starts a session, if there is none
    session = SparkSession.getActiveSession()
    before = session.conf.get("spark.sql.files.maxPartitionBytes")
    session.conf.set("spark.sql.files.maxPartitionBytes", "8192")
    try:
        for file, least, most in ((split, 4, 99), (whole, 1, 1)):
            table = opened(f"spark:{file}").table
            assert least <= session.table(table.get_name()).rdd.getNumPartitions() <= most
            asked: dict[str, Any] = {"sensitive": "sex", "target": "y"}
            assert_alike(audit(f"spark:{file}", **asked), audit(str(file), **asked))
    finally:
        session.conf.set("spark.sql.files.maxPartitionBytes", before)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server of these tests' own."""
    _needed("psycopg", postgres.programs_here() is not None, postgres.ABSENT)
    with postgres.running() as started:
        yield f"postgres://auditor@127.0.0.1:{started.port}/postgres"


@pytest.mark.postgres
def test_postgresql_gives_the_figures_of_duckdb(path, server, tmp_path, monkeypatch) -> None:
    import psycopg

    with psycopg.connect(server.replace("postgres://", "postgresql://")) as made:
        made.execute(
            "create table people (sex text, race text, y int, height double precision, job text, "
            "age text, born text)"
        )
        with made.cursor().copy("copy people from stdin") as rows:
            for row in people().astype(object).where(people().notna(), None).itertuples(index=False):
                rows.write_row(row)
    assert_alike(audit(f"{server}#people", **OPTIONS), audit(str(path), **OPTIONS))
    assert_alike(audit(f"{server}#people", **HIDDEN), audit(str(path), **HIDDEN))
    for asked in READ:
        assert_alike(audit(f"{server}#people", **asked), audit(str(path), **asked))
    assert_drawn(f"{server}#people", tmp_path, monkeypatch)


@pytest.mark.postgres
def test_postgresql_reads_dates_as_duckdb_does(dates, server) -> None:
    """In a base whose clock, dates, numbers and order of letters are those of another country."""
    import psycopg

    address = server.replace("postgres://", "postgresql://")
    with psycopg.connect(address, autocommit=True) as made:
        made.execute("create database abroad template template0 locale_provider icu icu_locale 'en-US'")
        for one in ("timezone to 'America/New_York'", "datestyle to 'German'", "extra_float_digits to 0"):
            made.execute(f"alter database abroad set {one}")
    abroad = f"{server.rpartition('/')[0]}/abroad"
    kinds = {"date32[day]": "date", "timestamp[us]": "timestamp", "timestamp[us, tz=UTC]": "timestamptz"}
    kinds |= {"string": "text", "int64": "bigint", "double": "double precision"}
    with psycopg.connect(abroad.replace("postgres://", "postgresql://")) as made:
        for name, file in zip(("dated", "other", "many"), dates, strict=True):
            table = pq.read_table(file)
            columns = ", ".join(f"{one.name} {kinds[str(one.type)]}" for one in table.schema)
            made.execute(f"create table {name} ({columns})")
            with made.cursor().copy(f"copy {name} from stdin") as rows:
                for row in zip(*table.to_pydict().values(), strict=True):
                    rows.write_row(row)
    assert_dates_alike(f"{abroad}#dated", f"{abroad}#other", *dates[:2])
    assert_pooled_alike(f"{abroad}#many", dates[2])


@pytest.mark.postgres
def test_tables_of_postgresql_may_hold_any_type_in_any_schema(server, tmp_path) -> None:
    import psycopg

    with psycopg.connect(server.replace("postgres://", "postgresql://")) as made:
        made.execute("create schema other")
        made.execute(
            "create table other.folk as select case when i % 4 = 0 then 'f' else 'm' end as sex, i % 2 as y, "
            "gen_random_uuid() as id, '{\"a\": 1}'::json as more, '10.0.0.1'::inet as address, "
            "array[i, 2] as pair, now() as seen, i * interval '1 day' as since from generate_series(1, 400) i"
        )
    found = audit(f"{server}#other.folk", "sex", "y")
    assert found.of("representation")[0].effect == pytest.approx(0.25)
    assert {one.name for one in found.findings} >= {"label_rates", "representation"}
    after = repair(f"{server}#other.folk", "deduplicate", tmp_path / "folk.csv", "sex", "y")
    assert after.n == 400
    with pytest.raises(UnknownName, match=r"'other\.fok'"):
        audit(f"{server}#other.fok", "sex")
