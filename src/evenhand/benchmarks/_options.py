"""Questions of a few options, one of them right: the requests, and the options' shares as columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._common import Normalise, judge, slug
from evenhand.lexicons import Question
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.records import Continuation, LogProb, Sample, Score, Value


class OptionsBenchmark(Benchmark):
    """A benchmark of capability by such questions; a subclass states its card and its questions."""

    metrics = (accuracy,)
    role = "capability"

    def ask(self, sample: Sample) -> list[Continuation]:
        """One request per option, in order."""
        return requests(sample)

    def score(self, sample: Sample, answers: Sequence[LogProb]) -> Score:
        """The columns ``correct``, ``margin``, ``chance`` and the options' shares: see `score`."""
        return score(sample, answers)


def sample(benchmark: str, question: Question) -> Sample:
    """The question as a sample; what it is about is the cluster."""
    fields = {"prompts": question.prompts, "options": question.options, "answer": question.answer}
    name = "/".join([benchmark, *map(slug, question.id.split("/"))])
    return Sample(name, question.about, fields, question.slices)


def requests(sample: Sample) -> list[Continuation]:
    """One request per option, in order."""
    pairs = zip(sample.fields["prompts"], sample.fields["options"], strict=True)
    return [Continuation(prompt, option) for prompt, option in pairs]


def score(sample: Sample, answers: Sequence[LogProb], normalise: Normalise = "total") -> Score:
    """The columns ``correct``, ``margin``, ``chance`` (one over the number of options) and ``share.<i>``.

    ``margin`` is the log-odds (nats) of the right option against the best wrong one, None unless finite;
    ``correct`` is 1 where it is above 0, 0 where below, and None for a tie. ``share.0``, ``share.1`` ... are
    the options' parts, in order, of all the probability that they have together: see `shares`.
    """
    compared = [a.value / (a.n_tokens if normalise == "token" else 1) for a in answers]
    right = sample.fields["answer"]
    correct, margin = judge(compared[right], max(v for i, v in enumerate(compared) if i != right))
    values: dict[str, Value] = {"correct": correct, "margin": margin, "chance": 1 / len(answers)}
    values |= {f"share.{i}": share for i, share in enumerate(shares(compared))}
    return Score(sample.id, sample.cluster, values, sample.slices)


def shares(logs: Sequence[float]) -> list[Value]:
    """exp(log) / Σ exp(log), which sum to 1, from log-probabilities (nats); all None if none is possible."""
    most = max(logs)
    if math.isinf(most):
        return [None] * len(logs)
    parts = [math.exp(value - most) for value in logs]
    whole = math.fsum(parts)
    return [part / whole for part in parts]
