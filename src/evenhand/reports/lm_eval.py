"""Measurements as a results file of the LM evaluation harness, for tools that read those.

The layout is that of its ``results_*.json``: a figure is named ``metric,filter``, here with the filter
``none``, and its standard error ``metric_stderr,none``. What that format cannot say (slices, intervals,
protocols, counts of undefined items) stands under a key of our own, ``evenhand``. An undefined figure is
``N/A``, as the harness writes a standard error that it does not have. No time is stored: one run always
gives one file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evenhand import __version__, registry, stats
from evenhand.errors import BadData, UnknownName
from evenhand.files import write_atomically
from evenhand.metrics import Metric
from evenhand.records import Estimate, Measurement, Value, to_json

MISSING = "N/A"


def write(run: Path, path: Path) -> Path:
    """Write the stored run in the folder `run` to `path`; of a verification, what was measured after.

    Raises:
        BadData: the folder holds neither a verification nor measurements, or damaged ones.
        NoSpace: the disk is full or not writable.
    """
    from evenhand.studies import store

    data = results(store.load_run(run).measurements)
    write_atomically(path, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())
    return path


def results(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """The results file of measurements of one model, as plain JSON values.

    Raises:
        BadData: there are none.
    """
    if not measurements:
        raise BadData("There are no measurements to export.", mend="Run `evenhand measure` with --out first.")
    first = measurements[0]
    named = {m.benchmark: m for m in measurements}
    return {
        "results": {name: {"alias": name, **_figures(m)} for name, m in named.items()},
        "group_subtasks": {name: [] for name in named},
        "configs": {name: _config(m) for name, m in named.items()},
        "versions": {name: m.card.version for name, m in named.items()},
        "n-shot": dict.fromkeys(named, 0),
        "higher_is_better": {
            name: {metric: _higher(metric) for metric in m.metrics} for name, m in named.items()
        },
        "n-samples": {
            name: {"original": None if m.protocol.limited else m.n, "effective": m.n}
            for name, m in named.items()
        },
        "config": {
            "model": first.model.uri.partition(":")[0],
            "model_args": first.model.uri.partition(":")[2],
            "model_num_parameters": first.model.parameters,
            "model_dtype": first.model.dtype,
            "model_revision": first.model.revision,
            "model_sha": first.model.digest,
            "limit": first.protocol.limit,
            "bootstrap_iters": 1000,
            "random_seed": first.protocol.seed,
        },
        "evenhand": {"version": __version__, "tasks": {name: _own(m) for name, m in named.items()}},
    }


def _figures(measurement: Measurement) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, estimate in measurement.metrics.items():
        found[f"{name},none"] = _shown(estimate.value)
        found[f"{name}_stderr,none"] = _shown(standard_error(measurement, name, estimate))
    return found


def standard_error(measurement: Measurement, name: str, estimate: Estimate) -> Value:
    """The standard deviation of the cluster bootstrap over the stored items.

    None where the figure has no interval, no such metric is installed, or the items lack what it reads.
    """
    metric = _metric(name)
    if estimate.low is None or metric is None or not measurement.scores:
        return None
    try:
        values = stats.replicates(metric, measurement.scores, seed=measurement.protocol.seed)
    except BadData:
        return None
    return float(np.nanstd(values, ddof=1))


def _metric(name: str) -> Metric | None:
    try:
        found: Metric = registry.get("metric", name)
    except (UnknownName, ImportError):
        return None
    return found


def _higher(name: str) -> bool | None:
    """Whether more is better; None where the best value is neither end of the range, or there is none."""
    metric = _metric(name)
    if metric is None or metric.ideal is None or metric.ideal not in (metric.low, metric.high):
        return None
    return metric.ideal == metric.high


def _config(measurement: Measurement) -> dict[str, Any]:
    return {
        "task": measurement.benchmark,
        "description": measurement.card.title,
        "metadata": {"version": measurement.card.version, "data": measurement.protocol.data},
        "metric_list": [{"metric": name, "higher_is_better": _higher(name)} for name in measurement.metrics],
    }


def _own(measurement: Measurement) -> dict[str, Any]:
    kept: dict[str, Any] = to_json(measurement)
    return {name: kept[name] for name in ("card", "protocol", "metrics", "slices", "treatment", "notes")}


def _shown(value: Value) -> float | str:
    return MISSING if value is None else value
