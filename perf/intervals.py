"""What the statistics of a whole run cost, and how they, comparisons and reports grow with the items.

One process, one thread for products (set OMP_NUM_THREADS=1), CPU seconds. The peers, fairlearn and scipy, are
in ``make bench``.

Run: OMP_NUM_THREADS=1 python perf/intervals.py [--rows 1000000] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from evenhand import registry, stats
from evenhand.benchmarks import Benchmark
from evenhand.records import Card, Measurement, ModelSpec, Protocol, Score
from evenhand.reports import measurements_html
from evenhand.studies.compare import compare

B = 1000
PAIR_METRICS = ("stereotype_preference", "ties", "log_ratio", "likelihood_difference")
Row = dict[str, Any]


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of `work`."""
    start = time.process_time()
    work()
    return time.process_time() - start


def genbiaseval() -> tuple[Benchmark, list[Score]]:
    """The benchmark and scores of a made-up model on all of its prompts."""
    benchmark: Benchmark = registry.create("benchmark", "genbiaseval:part=all")
    chance = np.random.default_rng(2)
    found = []
    for sample in benchmark.load():
        he, she, neutral = chance.dirichlet((2, 2, 1, 20))[:3].tolist()
        values = {"p.he": he, "p.she": she, "neutral": neutral}
        values |= {"stereotypical": float(chance.normal()), "factual": float(chance.normal())}
        found.append(Score(sample.id, sample.cluster, values, sample.slices))
    return benchmark, found


def a_run() -> Row:
    """10 000 resamples of every metric and slice of a run of GenBiasEval."""
    benchmark, scores = genbiaseval()
    places = slices_of(scores)
    seconds = [
        cpu(lambda: stats.estimates_by_slice(benchmark.metrics, scores, places, B=10_000)) for _ in range(3)
    ]
    clusters = len({s.cluster for s in scores})
    what = f"{len(scores)} items, {clusters} clusters, {len(benchmark.metrics)} metrics, {len(places)} tables"
    return {"work": f"a run x 10000 ({what})", "seconds": statistics.median(seconds)}


def slices_of(scores: Sequence[Score]) -> dict[str, list[int]]:
    """The places of the items of every slice, and of all."""
    places: dict[str, list[int]] = {"": list(range(len(scores)))}
    for place, score in enumerate(scores):
        for key, value in score.slices.items():
            places.setdefault(f"{key}={value}", []).append(place)
    return places


def pairs(n: int, seed: int) -> tuple[Score, ...]:
    """The scores of `n` pairs of sentences, each its own cluster."""
    chance = np.random.default_rng(seed)
    return tuple(
        Score(
            f"s{i}",
            f"s{i}",
            {"preferred": float(x > 0), "tie": 0.0, "log_ratio": float(x)},
            {"bias_type": ("gender", "age")[i % 2]},
        )
        for i, x in enumerate(chance.normal(size=n))
    )


def measurement(scores: tuple[Score, ...]) -> Measurement:
    """The figures of `scores` and of their slices."""
    metrics = [registry.get("metric", name) for name in PAIR_METRICS]
    tables = stats.estimates_by_slice(metrics, scores, slices_of(scores), B=B)
    return Measurement(
        model=ModelSpec("recorded:made-up", "0"),
        benchmark="crows_pairs",
        card=Card("pairs", "1", "pairs", "made up", "none"),
        protocol=Protocol("made up"),
        n=len(scores),
        metrics=tables.pop(""),
        slices=tables,
        scores=scores,
        primary=PAIR_METRICS[0],
    )


def growth(most: int) -> list[Row]:
    """CPU seconds of each part of the work by the number of items, each its own cluster."""
    found = []
    for n in (size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= most):
        row: Row = {"items": n}
        first, taken = pairs(n, 0), []
        row["estimated_s"] = cpu(lambda: taken.append(measurement(first)))  # noqa: B023
        if n <= 100_000:
            before, after = taken[0], measurement(pairs(n, 1))
            row["compared_s"] = cpu(lambda: compare([before], [after]))  # noqa: B023
            row["reported_s"] = cpu(lambda: measurements_html([before]))  # noqa: B023
        found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="most items of the growth table")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    run, table = a_run(), growth(options.rows)
    if options.json:
        print(json.dumps({"run": run, "growth": table}))
        return
    print(f"{run['work']}: {run['seconds'] * 1000:.0f} ms")
    for row in table:
        parts = [f"{key[:-2]} {s:.2f} s" for key, s in row.items() if key != "items"]
        print(f"{row['items']:>9} items: {', '.join(parts)}")


if __name__ == "__main__":
    main()
