"""What intervals cost beside fairlearn and scipy, and how statistics grow with the number of items.

One process, one thread for products (set OMP_NUM_THREADS=1), CPU seconds; the rounds of both sides alternate
and the median of the rounds' ratios counts. fairlearn runs few resamples, which are scaled up: its work is
the same for each. A side that is not installed is left out with a word.

Run: OMP_NUM_THREADS=1 python perf/intervals.py [--rounds 5] [--rows 1000000] [--json]
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from evenhand import registry, stats
from evenhand.benchmarks import Benchmark
from evenhand.metrics import Metric, mean_metric
from evenhand.records import Card, Measurement, ModelSpec, Protocol, Score
from evenhand.reports import measurements_html
from evenhand.studies.compare import compare

B, N = 1000, 2358
FAIRLEARN_RESAMPLES = 20
GROUPS = ("a", "b", "c", "d")
PAIR_METRICS = ("stereotype_preference", "ties", "log_ratio", "likelihood_difference")
Row = dict[str, Any]


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of `work`."""
    start = time.process_time()
    work()
    return time.process_time() - start


def people(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True outcomes, decisions and groups of `n` people."""
    chance = np.random.default_rng(0)
    return chance.integers(2, size=n), chance.integers(2, size=n), chance.choice(GROUPS, size=n)


def decisions(n: int) -> list[Score]:
    """The scores of `people`."""
    return [
        Score(
            f"p{i}",
            f"p{i}",
            {"decision": float(d), "outcome": float(y), **{f"member.{g}": float(g == who) for g in GROUPS}},
        )
        for i, (y, d, who) in enumerate(zip(*people(n), strict=True))
    ]


def by_group(group: str) -> list[Metric]:
    """Four rates of one group: selection, accuracy, true and false positives."""
    member = f"member.{group}"

    def rate(name: str, value: Callable[[Any], Any]) -> Metric:
        return mean_metric(
            f"{name} of {group}",
            name,
            per_item=lambda table: np.where(table[member] == 1, value(table), np.nan),
            unit="share",
            ideal=None,
            low=0.0,
            high=1.0,
            source="",
            reading="",
            needs=("decision", "outcome", member),
        )

    return [
        rate("selection", lambda t: t["decision"]),
        rate("accuracy", lambda t: 1.0 - np.abs(t["decision"] - t["outcome"])),
        rate("true positives", lambda t: np.where(t["outcome"] == 1, t["decision"], np.nan)),
        rate("false positives", lambda t: np.where(t["outcome"] == 0, t["decision"], np.nan)),
    ]


def against(
    name: str, ours: Callable[[], object], theirs: Callable[[], object], scale: float, rounds: int
) -> Row:
    """A row of the table: the median ratio of `rounds` rounds of both sides, theirs times `scale`."""
    ours(), theirs()
    pairs = [(cpu(theirs) * scale, cpu(ours)) for _ in range(rounds)]
    ratios = sorted(them / us for them, us in pairs)
    return {
        "work": name,
        "theirs_s": statistics.median(them for them, _ in pairs),
        "ours_s": statistics.median(us for _, us in pairs),
        "ratio": statistics.median(ratios),
        "least": ratios[0],
        "most": ratios[-1],
    }


def fairlearn(rounds: int) -> Row:
    """Four rates of four groups against fairlearn's MetricFrame."""
    peer: Any = importlib.import_module("fairlearn.metrics")
    judge: Any = importlib.import_module("sklearn.metrics")

    outcome, decision, group = people(N)
    rates = {
        "selection": peer.selection_rate,
        "accuracy": judge.accuracy_score,
        "true positives": peer.true_positive_rate,
        "false positives": peer.false_positive_rate,
    }

    def theirs() -> None:
        peer.MetricFrame(
            metrics=rates,
            y_true=outcome,
            y_pred=decision,
            sensitive_features=group,
            n_boot=FAIRLEARN_RESAMPLES,
            ci_quantiles=[0.025, 0.975],
            random_state=0,
        )

    metrics, scores = [m for g in GROUPS for m in by_group(g)], decisions(N)
    return against(
        f"16 group metrics x {B}, fairlearn",
        lambda: stats.estimates(metrics, scores, B=B),
        theirs,
        B / FAIRLEARN_RESAMPLES,
        rounds,
    )


def means(k: int, n: int = N) -> tuple[list[Metric], list[Score], np.ndarray]:
    """`k` means of `n` items of their own, their scores, and the values [k, n]."""
    x = np.random.default_rng(1).normal(size=(k, n))
    scores = [Score(f"s{i}", f"s{i}", {f"x{j}": float(v) for j, v in enumerate(x[:, i])}) for i in range(n)]
    about: dict[str, Any] = {
        "unit": "",
        "ideal": None,
        "low": None,
        "high": None,
        "source": "",
        "reading": "",
    }
    metrics = [
        mean_metric(f"x{j}", "", per_item=lambda t, j=j: t[f"x{j}"], needs=(f"x{j}",), **about)  # type: ignore[misc]
        for j in range(k)
    ]
    return metrics, scores, x


def scipys(rounds: int) -> list[Row]:
    """Twelve means against scipy.stats.bootstrap, one call a mean, and one call for the array of all."""
    from scipy.stats import bootstrap

    metrics, scores, x = means(12)

    def theirs(data: Sequence[np.ndarray]) -> None:
        for one in data:
            bootstrap((one,), np.mean, n_resamples=B, method="percentile", vectorized=True, axis=-1)

    def ours() -> None:
        stats.estimates(metrics, scores, B=B)

    return [
        against(f"12 means x {B}, scipy, vectorised, each mean", ours, lambda: theirs(list(x)), 1.0, rounds),
        against(
            f"12 means x {B}, scipy, vectorised, one array of 12", ours, lambda: theirs([x]), 1.0, rounds
        ),
    ]


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
    return {"work": f"a run x 10000 ({what})", "ours_s": statistics.median(seconds)}


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


def installed(*modules: str) -> bool:
    """Whether all `modules` can be imported."""
    return all(importlib.util.find_spec(name) for name in modules)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000, help="most items of the growth table")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    if installed("fairlearn", "sklearn"):
        rows.append(fairlearn(options.rounds))
    elif not options.json:
        print("fairlearn is not installed: left out.")
    rows += [*scipys(options.rounds), a_run()]
    table = growth(options.rows)
    if options.json:
        print(json.dumps({"peers": rows, "growth": table}))
        return
    for row in rows:
        ratio = f"  {row['ratio']:.0f}x [{row['least']:.0f}..{row['most']:.0f}]" if "ratio" in row else ""
        print(f"{row['work']}: {row['ours_s'] * 1000:.0f} ms{ratio}")
    for row in table:
        parts = [f"{key[:-2]} {s:.2f} s" for key, s in row.items() if key != "items"]
        print(f"{row['items']:>9} items: {', '.join(parts)}")


if __name__ == "__main__":
    main()
