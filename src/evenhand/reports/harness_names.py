"""The LM evaluation harness's names of benchmarks and figures, and the scales of its figures.

A benchmark gets the name of a harness task only if it *is* that task, with the same items and the same rule;
everything else is named ``evenhand_...``, so that different things are not compared. Sources:
the task files of lm-eval 0.4.13 (lambada/lambada_openai.yaml, crows_pairs/utils.py, wikitext/wikitext.yaml).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evenhand import registry
from evenhand.records import Measurement

PREFIX = "evenhand_"
Scale = Callable[[float], float]
_CALLED = re.compile(r"([a-z_]+) is its ([\w@.+-]*[\w@+-])")  # in the first note of the benchmark `lm_eval`
_FILTER = re.compile(r"read by the filter (\S+)$")  # how that benchmark ends its protocol's template
_LIKE = {"accuracy": "acc", "accuracy_norm": "acc_norm"}
_LAMBADA = {"accuracy": "acc", "word_perplexity": "perplexity"}
# The same rule on another revision of the pairs: the harness's figures under a task's name of ours.
_CROWS = {"stereotype_preference": "pct_stereotype", "likelihood_difference": "likelihood_diff"}
COLUMNS = {"accuracy": "correct", "accuracy_norm": "correct.norm", "task_score": "task_score"}


@dataclass(frozen=True, slots=True)
class Named:
    """`task`, and for each of our metrics the harness's own name; `filter` names the answer filter.

    `theirs` is True for a task of the harness; figures that only evenhand has then get the prefix.
    """

    task: str
    theirs: bool = False
    filter: str = "none"
    metrics: Mapping[str, str] = field(default_factory=dict)

    def key(self, metric: str) -> str:
        """The name of one of our metrics."""
        return self.metrics.get(metric, f"{PREFIX}{metric}" if self.theirs else metric)

    def scale(self, metric: str) -> Scale:
        """The conversion of our figure to the harness's: percent to a share of 1, a perplexity to bits."""
        return _SCALES.get(self.key(metric), _same)

    def column(self, name: str) -> str:
        """The name of a column of per-item values: an item's own accuracy has the figure's name."""
        own = {COLUMNS[metric]: key for metric, key in self.metrics.items() if metric in COLUMNS}
        return own.get(name, name)


def named(measurement: Measurement) -> Named:
    """The names for a measurement, from its benchmark's options and its notes."""
    spec = registry.parse(measurement.benchmark)
    if measurement.card.name == "lm_eval":
        return _of_harness(measurement, spec.options)
    if spec.name == "lambada" and not spec.options:
        return Named("lambada_openai", theirs=True, metrics=_LAMBADA)
    if spec.name == "crows_pairs" and spec.options.get("mode") == "lm_eval":
        return Named(PREFIX + measurement.benchmark, metrics=_CROWS)
    return Named(PREFIX + measurement.benchmark)


def subtask(whole: Named, task: str) -> Named:
    """The names for one task of a group that is named `whole`."""
    return Named(task if whole.theirs else PREFIX + task, whole.theirs, whole.filter, whole.metrics)


def _of_harness(measurement: Measurement, options: Mapping[str, str]) -> Named:
    noted = next((n for n in measurement.notes if n.startswith("lm-evaluation-harness")), "")
    metrics = {**_LIKE, **dict(_CALLED.findall(noted))}
    read = _FILTER.search(measurement.protocol.template)
    kind = read[1] if read else "none"
    own = "data" in options  # the task's rule on rows of the user's own
    task = _task(measurement, options.get("task", measurement.benchmark))
    return Named(PREFIX + task if own else task, not own, kind, metrics)


def _task(measurement: Measurement, written: str) -> str:
    """The task's own name: a YAML file's is part of the items' ids (``lm_eval/NAME/0``), a group's is not."""
    several = any(key.startswith("task=") for key in measurement.slices)
    if several or not measurement.scores:
        return Path(written).stem if written.endswith((".yaml", ".yml")) else written
    return measurement.scores[0].sample.split("/")[1]


def _share(percent: float) -> float:
    return percent / 100


_SCALES: Mapping[str, Scale] = {"pct_stereotype": _share, "bits_per_byte": math.log2}


def _same(value: float) -> float:
    return value
