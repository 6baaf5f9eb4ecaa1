"""How fast an audit reads: a table of 20 million rows beside DuckDB's own count, and texts a core.

Run: OMP_NUM_THREADS=1 python perf/audit.py [--rows 20000000] [--megabytes 1000] [--folder PATH]

Prints ratios, and the peak memory of a process of its own for each.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COUNTED = ("representation", "label_rates", "missingness")
_TABLE = """
copy (select case when hash(i * 7) % 10 < 6 then 'male' else 'female' end as sex,
  ['white', 'black', 'asian', 'other'][1 + (hash(i * 11) % 4)::int] as race,
  (hash(i * 13) % 80)::int as age, case when hash(i * 17) % 100 < 24 then 1 else 0 end as y,
  case when hash(i * 19) % 50 = 0 then null else (hash(i * 19) % 1000)::double end as income,
  (hash(i * 23) % 500)::int as zip, 'job' || (hash(i * 29) % 40) as job, i as id
from range({rows}) t(i)) to '{path}' (format parquet)
"""


def made_table(path: Path, rows: int) -> None:
    import duckdb

    if not path.is_file():
        duckdb.sql(_TABLE.format(rows=rows, path=path))


def made_texts(path: Path, megabytes: int) -> None:
    import numpy as np

    from evenhand.lexicons import professions

    if path.is_file():
        return
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, size=rng.integers(2, 10))) for _ in range(20_000)])
    share = 1 / np.arange(1, len(words) + 1)
    jobs = [one.name for one in professions()]
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1_000_000:
            for row in rng.choice(words, p=share / share.sum(), size=(10_000, 30)):
                who = ("He", "She", "It")[int(rng.random() * 3)]
                file.write(f"{who} {' '.join(row)}, the {jobs[int(rng.random() * len(jobs))]}.\n")


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """The median of the seconds and of the processor's seconds."""
    clocks, cores = [], []
    for _ in range(repeats):
        clock, core = time.perf_counter(), time.process_time()
        work()
        clocks.append(time.perf_counter() - clock)
        cores.append(time.process_time() - core)
    return statistics.median(clocks), statistics.median(cores)


def paired(first: Callable[[], Any], second: Callable[[], Any], pairs: int) -> list[tuple[float, float]]:
    """By turns: the medians of both, of the second over the first, by the clock and by the processor's time.

    Another process that takes a core for a while slows both of a pair down.
    """
    found = [(timed(first, 1), timed(second, 1)) for _ in range(pairs)]
    return [
        (statistics.median(clocks), statistics.median(cores))
        for clocks, cores in (
            zip(*[one[0] for one in found], strict=True),
            zip(*[one[1] for one in found], strict=True),
            zip(*[(b[0] / a[0], b[1] / a[1]) for a, b in found], strict=True),
        )
    ]


def own_count(path: str) -> None:
    import duckdb

    made = duckdb.connect()
    made.sql(f"select sex, race, y, count(*) from '{path}' group by all").fetchall()


def counted(path: str) -> None:
    from evenhand import audit

    audit(path, ["sex", "race"], "y", audits=COUNTED)


def proxies(path: str) -> Any:
    from evenhand import audit

    return audit(path, ["sex"], "y", audits=["proxies"]).findings[0].n


def everything(path: str) -> None:
    from evenhand import audit

    audit(path, ["sex", "race"], "y")


def texts(path: str) -> None:
    from evenhand import audit

    audit(path)


def _table(path: str, results: Any) -> None:
    for work in (own_count, counted):  # imports, and the file in the system's memory
        work(path)
    own, ours, ratio = paired(lambda: own_count(path), lambda: counted(path), 9)
    results["own count, s"], results["three audits, s"] = own[0], ours[0]
    results["three audits / own count"] = ratio[0]
    results["the same by processor time"] = ratio[1]
    results["peak MB of the three"] = _peak()


def _proxies(path: str, results: Any) -> None:
    clock = time.perf_counter()
    results["proxies: rows of the sample"] = proxies(path)
    results["proxies, s"], results["peak MB of proxies"] = time.perf_counter() - clock, _peak()


def _everything(path: str, results: Any) -> None:
    clock = time.perf_counter()
    everything(path)
    results["all audits, s"], results["peak MB of all"] = time.perf_counter() - clock, _peak()


def _texts(path: str, results: Any) -> None:
    size = Path(path).stat().st_size / 1e6
    clock, core = timed(lambda: texts(path), 1)
    results["texts, MB a second"], results["texts, MB a second of a core"] = size / clock, size / core
    results["peak MB of texts"] = _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/evenhand-audit"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    table, words = given.folder / f"{given.rows}.parquet", given.folder / f"{given.megabytes}.txt"
    made_table(table, given.rows)
    made_texts(words, given.megabytes)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        results = manager.dict()
        for work, path in ((_table, table), (_proxies, table), (_everything, table), (_texts, words)):
            process = spawn.Process(target=work, args=(str(path), results))
            process.start()
            process.join()
        print(json.dumps({name: round(value, 3) for name, value in results.items()}, indent=2))


if __name__ == "__main__":
    main()
