"""Measurements as result files of the LM evaluation harness, for tools that read these files.

The layout is that of its ``results_*.json``: a figure is named ``metric,filter``, and its standard error
``metric_stderr,filter``, under the harness's own names where a benchmark is one of its tasks (see
`harness_names`); the items of a benchmark are written to a ``samples_*.jsonl``. What that format cannot hold
(slices, intervals, protocols, counts of undefined items) is stored under a further key, ``evenhand``, with
our names. An undefined figure is ``N/A``, as the harness writes a missing standard error. No time is stored:
the same run always gives the same file.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from evenhand import __version__, registry, stats
from evenhand.errors import BadData
from evenhand.files import disk_errors, write_atomically
from evenhand.outputs import UNSEALED, check_output_file, check_output_folder, sealed
from evenhand.records import Estimate, Measurement, Score, Value, to_json
from evenhand.reports.harness_names import PREFIX, Named, Scale, named, subtask
from evenhand.reports.tables import installed_metric
from evenhand.schema import SCHEMA

MISSING = "N/A"
SIGN = b'"evenhand": {'  # in every results file that is written here
_SHOTS = re.compile(r"(\d+) examples\b")  # how the benchmark `lm_eval` begins its protocol's template
_TASK = "task="  # the slices of one of the harness's groups


def write(run: Path, path: Path) -> Path:
    """Write the stored run in the folder `run` to `path`; of a verification, what was measured after.

    A `path` with an ending, such as ``out.json``, is a file of figures. Without one it is a folder, for that
    file and a file of items for each benchmark, named as the harness names them, with the time at which the
    run was stored. Returns the path of the figures.

    Raises:
        BadData: the run holds neither a verification nor measurements, or damaged ones; or `path` cannot be
            written, or is a file that evenhand did not write or that was changed since, or the folder holds
            another file of such a name.
        NoSpace: the disk is full or not writable.
    """
    from evenhand.studies import store

    alone = bool(path.suffix) and not path.is_dir()
    if alone:
        check_output_file(path, SIGN)
    else:
        check_output_folder(path)
    measurements = store.load_run(run).measurements
    figures = _figures_file(measurements)
    if alone:
        write_atomically(path, figures)
        return path
    stored = datetime.fromtimestamp(max(file.stat().st_mtime for file in run.glob("*.json")), UTC)
    stamp = stored.strftime("%Y-%m-%dT%H-%M-%S.%f")
    files = {
        path / f"samples_{_sanitised(task.name)}_{stamp}.jsonl": _samples_file(task)
        for task in _whole(measurements)
    }
    files[path / f"results_{stamp}.json"] = figures
    for file, content in files.items():
        _check_same(file, content)
    for file, content in files.items():
        write_atomically(file, content)
    return path / f"results_{stamp}.json"


def _figures_file(measurements: Sequence[Measurement]) -> bytes:
    found = results(measurements)
    found["evenhand"]["seal"] = UNSEALED
    return sealed((json.dumps(found, indent=2, allow_nan=False) + "\n").encode())


def _samples_file(task: _Task) -> bytes:
    rows = samples(task.of, task.named)
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode()


def _check_same(path: Path, content: bytes) -> None:
    """Refuse to overwrite another file: of another run at the same time, or of the user."""
    with disk_errors(path):
        free = not os.path.lexists(path) or (path.is_file() and path.read_bytes() in (b"", content))
    if not free:
        raise BadData(
            f"{path} is not replaced: there is such a file already, and it is not from this run.",
            mend="Name another folder, or move this file elsewhere.",
        )


def _sanitised(name: str) -> str:
    """A benchmark's name as part of a file name: a long one, such as one with a path, is cut."""
    plain = re.sub(r"\W+", "_", name).strip("_")
    return plain if len(plain) <= 100 else f"{plain[:90]}_{sha256(name.encode()).hexdigest()[:8]}"


def results(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """The results file of measurements of one model, as plain JSON values.

    A group of the harness's tasks is listed in the results, together with its tasks, and under ``groups``.

    Raises:
        BadData: there are none.
    """
    if not measurements:
        raise BadData("There are no measurements to export.", mend="Run `evenhand measure` with --out first.")
    whole = _whole(measurements)
    parts = {task.name: [_Task(subtask(task.named, t), m) for t, m in _tasks(task.of)] for task in whole}
    every = {task.name: task for task in (*whole, *(one for tasks in parts.values() for one in tasks))}
    shown = {name: _figures(task) for name, task in every.items()}
    groups = {name: shown[name] for name, tasks in parts.items() if tasks}
    return {
        "results": shown,
        **({"groups": groups} if groups else {}),
        "group_subtasks": {name: [task.name for task in tasks] for name, tasks in parts.items()},
        "configs": {name: _config(task) for name, task in every.items()},
        "versions": {name: task.of.card.version for name, task in every.items()},
        "n-shot": {name: shots for name, task in every.items() if (shots := _shots(task.of)) is not None},
        "higher_is_better": {
            name: {task.named.key(metric): _higher(metric) for metric in task.of.metrics}
            for name, task in every.items()
        },
        "n-samples": {
            name: {"original": None if task.of.protocol.limited else task.of.n, "effective": task.of.n}
            for name, task in every.items()
        },
        **_model(measurements[0]),
        "task_hashes": {task.name: task.of.protocol.data for task in whole},
        "evenhand": {
            "schema": SCHEMA,
            "version": __version__,
            "made_by": to_json(measurements[0].made_by),
            "tasks": {task.name: _own(task.of) for task in whole},
        },
    }


@dataclass(frozen=True, slots=True)
class _Task:
    """A measurement under its names in the format."""

    named: Named
    of: Measurement

    @property
    def name(self) -> str:
        return self.named.task


def _whole(measurements: Sequence[Measurement]) -> list[_Task]:
    """Each benchmark under a unique name: a second one with the same harness name gets one of our names."""
    found: dict[str, _Task] = {}
    for measurement in {m.benchmark: m for m in measurements}.values():
        task = _Task(named(measurement), measurement)
        if task.name in found:
            ours = dataclasses.replace(task.named, task=PREFIX + measurement.benchmark)
            task = _Task(ours, measurement)
        found[task.name] = task
    return list(found.values())


def samples(measurement: Measurement, names: Named | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a samples file: each item's identity and values, which are null where undefined.

    Requests and answers are not stored with a run, so ``target``, ``arguments`` and ``resps`` are empty and
    have no hashes.
    """
    names = names or named(measurement)
    for number, score in enumerate(measurement.scores):
        values = {names.column(column): value for column, value in score.values.items()}
        doc = {"id": score.sample, "cluster": score.cluster, **score.slices}
        yield {
            "doc_id": number,
            "doc": doc,
            "target": "",
            "arguments": {},
            "resps": [],
            "filtered_resps": [],
            "filter": names.filter,
            "metrics": list(values),
            "doc_hash": sha256(json.dumps(doc, indent=2, ensure_ascii=False).encode()).hexdigest(),
            **values,
        }


def _tasks(measurement: Measurement) -> Iterator[tuple[str, Measurement]]:
    """The tasks of one of the harness's groups, each as a separate measurement."""
    for key, metrics in measurement.slices.items():
        if not key.startswith(_TASK) or measurement.card.name != "lm_eval":
            continue
        task = key.removeprefix(_TASK)
        scores = tuple(score for score in measurement.scores if score.slices.get("task") == task)
        yield (
            task,
            dataclasses.replace(
                measurement,
                benchmark=task,
                metrics=metrics,
                slices={},
                scores=scores,
                n=_count(scores, metrics),
            ),
        )


def _count(scores: Sequence[Score], metrics: Mapping[str, Estimate]) -> int:
    return len(scores) or max((e.n + e.undefined for e in metrics.values()), default=0)


def _shots(measurement: Measurement) -> int | None:
    """How many worked examples stood before each item; None where the tasks of a group differ."""
    given = registry.parse(measurement.benchmark).options.get("shots", "")
    if given.isdecimal():
        return int(given)
    if measurement.card.name != "lm_eval":
        return 0
    said = _SHOTS.match(measurement.protocol.template)
    return int(said[1]) if said else None


def _model(measurement: Measurement) -> dict[str, Any]:
    """The format's fields about the model and the run."""
    model, protocol = measurement.model, measurement.protocol
    source, _, name = model.uri.partition(":")
    unknown = ("batch_size", "device", "use_cache", "gen_kwargs", "numpy_seed", "torch_seed", "fewshot_seed")
    return {
        "config": {
            "model": source,
            "model_args": name,
            "model_num_parameters": model.parameters,
            "model_dtype": model.dtype,
            "model_revision": model.revision,
            "model_sha": model.digest,
            "limit": protocol.limit,
            "bootstrap_iters": 1000,
            "random_seed": protocol.seed,
            "batch_sizes": [],
            **dict.fromkeys(unknown),
        },
        "model_source": source,
        "model_name": name,
        "model_name_sanitized": re.sub(r"[\"<>:/|\\?*\[\]]+", "__", name),
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": None,
        "chat_template": None,
        "chat_template_sha": None,
    }


def _figures(task: _Task) -> dict[str, Any]:
    found: dict[str, Any] = {"name": task.name, "alias": task.name, "sample_len": task.of.n}
    for metric, estimate in task.of.metrics.items():
        key, scale = task.named.key(metric), task.named.scale(metric)
        value = None if estimate.value is None else scale(estimate.value)
        error = standard_error(task.of, metric, estimate, scale)
        found[f"{key},{task.named.filter}"] = _shown(value)
        found[f"{key}_stderr,{task.named.filter}"] = _shown(error)
    return found


def standard_error(measurement: Measurement, name: str, estimate: Estimate, scale: Scale = float) -> Value:
    """The standard error that the figure's interval is made of, over the stored items, after `scale`.

    That of a mean, a share or a ratio over clusters is the linearised one; of a figure of another kind it is
    the standard deviation of resamples. None where the figure has no interval, no such metric is installed,
    or the items lack what it reads.
    """
    metric = installed_metric(name)
    if estimate.low is None or estimate.value is None or metric is None or not measurement.scores:
        return None
    try:
        error = stats.linear_error(metric, measurement.scores)
        if error is not None:
            return abs(error * _slope(scale, estimate.value))
        values = stats.replicates(metric, measurement.scores, seed=measurement.protocol.seed)
    except BadData:
        return None
    return float(np.nanstd([scale(value) for value in values], ddof=1))


def _slope(scale: Scale, at: float) -> float:
    """How much `scale` changes a figure near `at`; every scale of the harness is straight there."""
    step = 1e-4 * max(1.0, abs(at))
    return (scale(at + step) - scale(at - step)) / (2 * step)


def _higher(name: str) -> bool | None:
    """Whether higher is better; None where the best value is neither end of the range, or there is none."""
    metric = installed_metric(name)
    ways = {"higher is better": True, "lower is better": False}
    return None if metric is None else ways.get(metric.direction)


def _config(task: _Task) -> dict[str, Any]:
    measurement = task.of
    return {
        "task": task.name,
        "description": measurement.card.title,
        "metadata": {"version": measurement.card.version, "data": measurement.protocol.data},
        "metric_list": [
            {"metric": task.named.key(name), "higher_is_better": _higher(name)}
            for name in measurement.metrics
        ],
    }


def _own(measurement: Measurement) -> dict[str, Any]:
    kept: dict[str, Any] = to_json(measurement)
    return {
        name: kept[name]
        for name in ("benchmark", "card", "protocol", "metrics", "slices", "treatment", "notes")
    }


def _shown(value: Value) -> float | str:
    return MISSING if value is None else value
