"""Tasks of the LM evaluation harness, asked of the same model and kept item by item.

The harness gives the tasks: their data, prompts, filters and rules of scoring. The engine here gives the
answers, so every figure gets its interval and pairs with the same items after a treatment.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._harness import Loaded, Wanted, check_filter, load
from evenhand.benchmarks._harness_items import Item, answered, ask, gold, items, number, plain_choice, results
from evenhand.decimals import significant
from evenhand.errors import BadModel, BadOption
from evenhand.metrics import Metric
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.metrics.accuracies import ACCURACY_NORM as accuracy_norm
from evenhand.metrics.accuracies import TASK_SCORE as task_score
from evenhand.metrics.likelihoods import BYTE_PERPLEXITY as byte_perplexity
from evenhand.metrics.likelihoods import WORD_PERPLEXITY as word_perplexity
from evenhand.metrics.pairs import TIES as ties
from evenhand.records import Card, Request, Response, Sample, Score, Value
from evenhand.ties import tied

# The harness's names for a share of right answers; the first that a task has is its accuracy.
RIGHT = ("acc", "exact_match", "pass_at_1", "pass_at_k")
# Its names for a likelihood of texts: the column that counts their units, and our figure.
LIKELIHOODS: Mapping[str, tuple[str, Metric]] = {
    "perplexity": ("words", word_perplexity),  # of one target each
    "word_perplexity": ("words", word_perplexity),
    "byte_perplexity": ("bytes", byte_perplexity),
    "bits_per_byte": ("bytes", byte_perplexity),
}
ALSO = "also."  # columns that are kept but are not a figure of evenhand


@dataclass(frozen=True)
class Figures:
    """What a task's results become: `main` is the metric behind `column`, read under the filter `chosen`."""

    main: str
    column: str
    chosen: str
    filters: tuple[str, ...]
    names: frozenset[str]
    metrics: tuple[Metric, ...]
    choices: bool


@dataclass(frozen=True)
class LmEval(Benchmark):
    """A task of lm-evaluation-harness (Gao et al. 2024), scored by the harness's own rules.

    Written ``lm_eval:hellaswag`` or ``lm_eval:task=gsm8k,shots=5``; groups such as ``mmlu`` and YAML files of
    your own work, too. Ties and answers that no filter can read are judged as the harness judges them: a tie
    goes to the first option, an unreadable answer is wrong; notes say how many there are. Needs the extra
    ``lm-eval``. Licence: that of the task's data.

    Attributes:
        task: the harness's name of a task or group, or a YAML file.
        shots: how many worked examples stand before each question; empty takes the task's own number.
        filter: which of the task's filters reads a generated answer; empty takes its first.
        data: a local file (JSON lines, CSV, parquet) or folder in place of the task's data set.
        download: whether the task's data set may be fetched from the hub; without it nothing is fetched.
        run_code: whether code that the model wrote may be run here (humaneval, mbpp).

    Raises:
        MissingExtra, UnknownName, BadOption, BadData: see `evenhand.benchmarks._harness.load`.
    """

    task: str = ""
    shots: int | None = None
    filter: str = ""
    data: str = ""
    download: bool = field(default=False, repr=False)
    run_code: bool = field(default=False, repr=False)

    bare = "task"
    role = "capability"
    unfit = "The harness reads likelihoods from left to right."

    def check(self) -> None:
        """Load the harness's task: only the harness knows which options are possible.

        Raises:
            EvenhandError: see `evenhand.benchmarks._harness.load`; or its figures are no means over items.
        """
        _ = self._figures

    @cached_property
    def _loaded_tasks(self) -> Loaded:
        return load(Wanted(self.task, self.shots, self.data, self.download, self.run_code, self.filter))

    @cached_property
    def _figures(self) -> Figures:
        return _figures(self.task, self._loaded_tasks, self.filter)

    @cached_property
    def _items(self) -> dict[str, Item]:
        tasks = self._loaded_tasks.tasks.items()
        return {f"lm_eval/{name}/{item.number}": item for name, task in tasks for item in items(task)}

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return self._figures.metrics

    @property
    def template(self) -> str:
        return _template(self._loaded_tasks, self._figures)

    @cached_property
    def card(self) -> Card:
        return _card(self.task, self._loaded_tasks, self.digest)

    def read(self) -> list[Sample]:
        several = len(self._loaded_tasks.tasks) > 1
        return [_sample(key, item, several) for key, item in self._items.items()]

    def ask(self, sample: Sample) -> list[Request]:
        """The harness's requests for the sample's document."""
        return ask(self._items[sample.id])

    def score(self, sample: Sample, answers: Sequence[Response]) -> Score:
        """One document by the harness's rules.

        Columns: ``correct`` or ``task_score``, ``correct.norm``, ``nll`` (nats) with ``words`` or ``bytes``,
        and ``also.<metric>,<filter>`` for every other number; ``tie`` (multiple choice) is 1 where the two
        best options differ by less than 1e-9 nats, ``chance`` one over their number, ``invalid`` (text) is 1
        where the filter could not read the answer.
        """
        return _scored(sample, answers, self._items[sample.id], self._figures)

    def remarks(self, scores: Sequence[Score]) -> list[str]:
        """What the figures are called in the harness, and what its rules decided without evidence."""
        return _said(scores, self._loaded_tasks, self._figures)


def _scored(sample: Sample, answers: Sequence[Response], item: Item, figures: Figures) -> Score:
    filled = answered(item, answers)
    found = results(item, filled)
    values: dict[str, Value] = {}
    if figures.column:
        values[figures.column] = _main(found, figures)
    for name in sorted(figures.names):
        values |= _columns(name, found, figures)
    if figures.choices:
        values["tie"] = _tie(item, filled)
        values["chance"] = 1 / len(item.task.doc_to_choice(item.doc))
    if item.task.OUTPUT_TYPE == "generate_until":
        values["invalid"] = float(filled[0].filtered_resps.get(figures.chosen) == "[invalid]")
    return Score(sample.id, sample.cluster, values, sample.slices)


def _said(scores: Sequence[Score], loaded: Loaded, figures: Figures) -> list[str]:
    called = {figures.metrics[0].name: figures.main} if figures.main else {}
    for name, (_, metric) in LIKELIHOODS.items():
        if name in figures.names:
            called.setdefault(metric.name, name)
    own = f" {', '.join(f'{ours} is its {theirs}' for ours, theirs in called.items())}." if called else ""
    said = [f"lm-evaluation-harness {loaded.version}, {_template(loaded, figures)}.{own}"]
    also = sorted({name for s in scores for name in s.values if name.startswith(ALSO)})
    for name in also:
        known = [value for s in scores if (value := s.values.get(name)) is not None]
        if known:
            said.append(
                f"Its {name.removeprefix(ALSO)} is {significant(fmean(known), 4)} on average over "
                f"{len(known)} items."
            )
    for column, what in (
        ("tie", "exact ties, given to the first option"),
        ("invalid", "unreadable, so wrong"),
    ):
        count = sum(s.values.get(column) == 1 for s in scores)
        if count:
            said.append(f"{count} of {len(scores)} answers are {what}, as the harness does.")
    for what in sorted({_shown(task) for task in loaded.tasks.values()} - {""}):
        said.append(f"Its worked examples come from the measured rows themselves, {what}.")
    if len(loaded.tasks) > 1 and not loaded.even:
        said.append("Every item weighs alike here; the harness's own figure of this group weighs its tasks.")
    return said


def _shown(task: Any) -> str:
    """What the harness does with the question itself where examples and questions come from one split."""
    split = getattr(getattr(task, "fewshot_cfg", None), "split", None)
    if not task.get_config("num_fewshot") or split is None:
        return ""
    if split == task.config.test_split:
        return "the one that is asked left out"
    asked_of = task.config.test_split or task.config.validation_split
    return "and the harness may show the one that is asked, with its answer" if split == asked_of else ""


def _figures(task: str, loaded: Loaded, wanted: str) -> Figures:
    every = list(loaded.tasks.values())
    filters = list(dict.fromkeys(ensemble.name for t in every for ensemble in t._filters))
    check_filter(task, wanted, filters)
    how = {name: getattr(f, "__name__", "") for t in every for name, f in t.aggregation().items()}
    means = [name for name, aggregation in how.items() if aggregation in ("mean", "nanmean")]
    texts = [name for name in how if name in LIKELIHOODS]
    right = next((name for name in RIGHT if name in means), "")
    main = right or next((name for name in means if name != "acc_norm" and not texts), "")
    metrics = [accuracy if right else task_score] if main else []
    metrics += [accuracy_norm] if "acc_norm" in means else []
    metrics += list(dict.fromkeys(LIKELIHOODS[name][1] for name in texts))
    if not metrics:
        raise BadOption(
            f"The figures of the task {task} ({', '.join(how)}) are not means over items, so they cannot get "
            "an interval.",
            mend="Name another task, or run this one in the harness itself.",
        )
    choices = all(plain_choice(t) for t in every)
    return Figures(
        main=main,
        column=metrics[0].needs[0] if main else "",
        chosen=wanted or filters[0],
        filters=tuple(filters),
        names=frozenset(how),
        metrics=(*metrics, ties) if choices else tuple(metrics),
        choices=choices,
    )


def _main(found: Mapping[tuple[str, str], Any], figures: Figures) -> Value:
    """The main figure; a metric function may give its result a name of its own, such as pass@1."""
    own = {name: value for (name, filter), value in found.items() if filter == figures.chosen}
    named = own.get(figures.main, next((v for k, v in own.items() if k not in figures.names), None))
    return number(named)


def _columns(name: str, found: Mapping[tuple[str, str], Any], figures: Figures) -> dict[str, Value]:
    """The columns of one of the harness's metrics, None where this document has no such result.

    Raises:
        BadModel: a likelihood is 0; left out, it would make the perplexity smaller.
    """
    value = found.get((name, figures.chosen))
    if name in LIKELIHOODS:
        logprob, units = value if isinstance(value, tuple) else (value, 1)
        if isinstance(logprob, int | float) and math.isinf(logprob):
            raise BadModel(
                f"The model gives a text of the task no probability at all, so that its {name} is infinite.",
                mend="Check the model: a working language model gives every text a probability above 0.",
            )
        nll = None if number(logprob) is None else -float(logprob)
        return {"nll": nll, LIKELIHOODS[name][0]: number(units)}
    if name == "acc_norm":
        return {"correct.norm": number(value)}
    return {
        f"{ALSO}{name},{filter}": number(found.get((name, filter)))
        for filter in figures.filters
        if (name, filter) != (figures.main, figures.chosen)
    }


def _tie(item: Item, filled: Sequence[Any]) -> float:
    best = sorted((i.resps[0][0] for i in filled[: len(item.task.doc_to_choice(item.doc))]), reverse=True)
    return float(len(best) > 1 and tied(best[0], best[1]))


def _sample(key: str, item: Item, several: bool) -> Sample:
    name = key.split("/")[1]
    target = gold(item) if plain_choice(item.task) else item.task.doc_to_target(item.doc)
    text = json.dumps(item.doc, sort_keys=True, default=str)
    fields: dict[str, Any] = {
        "task": name,
        "document": hashlib.sha256(text.encode()).hexdigest(),
        "target": str(target),
    }
    if plain_choice(item.task) and isinstance(target, int):
        fields["answer"] = target
    return Sample(key, key, fields, {"task": name} if several else {})


def _template(loaded: Loaded, figures: Figures) -> str:
    shots = sorted({task.get_config("num_fewshot") for task in loaded.tasks.values()})
    read = "" if figures.chosen == "none" else f", read by the filter {figures.chosen}"
    return f"{' and '.join(map(str, shots))} examples, no chat template{read}"


def _card(task: str, loaded: Loaded, data: str) -> Card:
    versions = sorted({str(t.VERSION) for t in loaded.tasks.values()})
    places = list(dict.fromkeys(str(t.DATASET_PATH) for t in loaded.tasks.values()))
    return Card(
        name="lm_eval",
        version=f"task {' and '.join(versions)}, lm_eval {loaded.version}",
        title=f"{task} of lm-evaluation-harness",
        source=f"lm-evaluation-harness, Gao et al. 2024; data: {', '.join(places)}",
        licence="that of the task's data",
        digest=data,
        families=("causal",),
        reading="Read it with chance and beside the same task before a treatment. It is the harness's "
        "figure where its own run uses the same number of examples and no chat template.",
    )


component = LmEval
