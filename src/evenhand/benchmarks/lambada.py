"""LAMBADA: does the model predict the last word of a passage, which only follows from the whole passage?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from evenhand import sources
from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._tables import Problems, read_jsonl
from evenhand.errors import BadModel
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.metrics.likelihoods import WORD_PERPLEXITY as word_perplexity
from evenhand.records import Card, GreedyMatch, MatchedLogProb, Sample, Score, Value

DATA = "lambada/lambada_test.jsonl"


@dataclass(frozen=True)
class Lambada(Benchmark):
    """LAMBADA (Paperno et al. 2016), 5153 passages in the form of Radford et al. 2019: the last word.

    As the task lambada_openai of lm-evaluation-harness: what follows the last space is the word, right where
    every one of its tokens is the model's likeliest, and its perplexity is exp(-mean log P), each passage
    counted once. Licence: CC BY 4.0.

    Attributes:
        file: a JSON-lines file of your own with ``text`` in every line; empty takes the official file.

    Raises:
        BadData: the official file is not on this machine, or a file is malformed: all its problems at once.
    """

    file: str = ""

    metrics = (accuracy, word_perplexity)
    role = "capability"
    template = "the passage up to its last space"
    unfit = (
        "Whether every token of a word is the likeliest is read from left to right, from the whole "
        "vocabulary."
    )

    @cached_property
    def card(self) -> Card:
        return _card(bool(self.file), self.digest)

    def read(self) -> tuple[Sample, ...]:
        return _samples(Path(self.file) if self.file else sources.path(DATA))

    def ask(self, sample: Sample) -> list[GreedyMatch]:
        """The last word after the rest of the passage."""
        return [GreedyMatch(sample.fields["prompt"], sample.fields["word"])]

    def score(self, sample: Sample, answers: Sequence[MatchedLogProb]) -> Score:
        """The columns ``correct`` (1 where the model would write the word), ``nll`` (nats) and ``words`` (1).

        Raises:
            BadModel: the model gives the word no probability at all; its perplexity would be infinite.
        """
        (answer,) = answers
        if math.isinf(answer.value):
            raise BadModel(
                f"The model gives no probability at all to the word {sample.fields['word']!r}, so that its "
                "perplexity is infinite.",
                mend="Check the model: a working language model gives every word a probability above 0.",
            )
        values: dict[str, Value] = {"correct": float(answer.greedy), "nll": -answer.value, "words": 1.0}
        return Score(sample.id, sample.cluster, values, sample.slices)


def _samples(path: Path) -> tuple[Sample, ...]:
    rows, problems = read_jsonl(path)
    samples = [_sample(line, row.get("text"), problems) for line, row in rows]
    problems.raise_any()
    return tuple(sample for sample in samples if sample is not None)


def _sample(line: int, text: object, problems: Problems) -> Sample | None:
    if not isinstance(text, str) or not text.strip():
        problems.add(line, "has no text", "text")
        return None
    prompt, _, word = text.rstrip().rpartition(" ")
    if not prompt.strip() or prompt != prompt.rstrip():
        problems.add(line, "needs a passage, one space and its last word", "text")
        return None
    identity = f"lambada/{line}"  # two passages occur twice, so the line number makes them unique
    return Sample(identity, identity, {"prompt": prompt, "word": f" {word}"})


def _card(own: bool, data: str) -> Card:
    return Card(
        name="lambada",
        version="1",
        title="LAMBADA: the last word of a passage",
        source="the user's own passages"
        if own
        else "Paperno et al. 2016, arXiv:1606.06031; the text of Radford et al. 2019 (GPT-2)",
        licence="the user's own" if own else "CC BY 4.0",
        digest=data,
        families=("causal",),
        reading="The share of passages whose last word the model would write itself; chance is near 0. "
        "Figures of other texts of LAMBADA (lower case, tokenised) do not compare.",
    )


component = Lambada
