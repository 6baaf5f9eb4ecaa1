"""Spark, PostgreSQL and DuckDB give the same figures on the same data."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis")

from evenhand import audit
from evenhand.records import Audited

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


@pytest.mark.spark
def test_spark_gives_the_figures_of_duckdb(path) -> None:
    _needed("pyspark", shutil.which("java") is not None, "there is no Java on this machine")
    assert_alike(audit(f"spark:{path}", **OPTIONS), audit(str(path), **OPTIONS))
    assert_alike(audit(f"spark:{path}", **HIDDEN), audit(str(path), **HIDDEN))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a PostgreSQL server of this test's own."""
    folders = [Path(shutil.which("initdb") or "").parent, *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    programs = next((one for one in folders if (one / "initdb").is_file()), None)
    _needed("psycopg", programs is not None, "the programs of PostgreSQL are not on this machine")
    assert programs is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path("/tmp") / f"evenhand-postgres-{os.getpid()}"
    folder.mkdir()
    # The server refuses to run for root; the system's user nobody will do.
    user = {"user": "nobody"} if os.getuid() == 0 else {}
    if user:
        shutil.chown(folder, "nobody")
    data = str(folder / "data")
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "auditor", "--auth=trust"],
        check=True,
        capture_output=True,
        **user,
    )
    options = ["-D", data, "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
    process = subprocess.Popen(
        [programs / "postgres", *options], stderr=subprocess.DEVNULL, cwd=folder, **user
    )
    try:
        _wait(port)
        yield f"postgres://auditor@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int) -> None:
    import time

    import psycopg

    for _ in range(100):
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=auditor dbname=postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server did not start")


@pytest.mark.postgres
def test_postgresql_gives_the_figures_of_duckdb(path, server) -> None:
    import psycopg

    with psycopg.connect(server.replace("postgres://", "postgresql://")) as made:
        made.execute("create table people (sex text, race text, y int, height double precision, job text)")
        with made.cursor().copy("copy people from stdin") as rows:
            for row in people().astype(object).where(people().notna(), None).itertuples(index=False):
                rows.write_row(row)
    assert_alike(audit(f"{server}#people", **OPTIONS), audit(str(path), **OPTIONS))
    assert_alike(audit(f"{server}#people", **HIDDEN), audit(str(path), **HIDDEN))
