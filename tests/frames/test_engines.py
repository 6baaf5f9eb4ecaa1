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
    return {
        (one.name, one.columns): (one.statistic, one.p_value, one.effect, one.low, one.high, one.n, one.state)
        for one in record.findings
    }


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
