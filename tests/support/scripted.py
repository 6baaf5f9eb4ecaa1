"""Models whose every answer is known in advance, and the figures that a benchmark draws from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from evenhand import lexicons
from evenhand.benchmarks import Benchmark
from evenhand.lexicons import Attribute
from evenhand.records import (
    Capability,
    Completion,
    Continuation,
    LogProb,
    ModelSpec,
    Sample,
    Sampling,
    Score,
    Value,
)

NEUTRAL = "neutral"
EVEN = "even"


class ScriptedModel:
    """A model that gives each continuation the probability that `rule` says; a word is a token."""

    can = frozenset({Capability.LOGPROBS})

    def __init__(self, rule: Callable[[Continuation], float], name: str = "scripted") -> None:
        self.rule = rule
        self.spec = ModelSpec(uri=f"scripted:{name}", digest=name)

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """The logarithm of the rule's probability (minus infinity for 0)."""
        return [LogProb(_log(self.rule(item)), len(item.text.split())) for item in items]

    def notes(self) -> tuple[str, ...]:
        """Nothing to know."""
        return ()

    def generate(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion]:
        """Nothing: a script has no text."""
        raise NotImplementedError


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf


def attribute_of(benchmark: Benchmark) -> Attribute:
    """The sensitive attribute whose groups a benchmark reports."""
    attributes = (lexicons.attribute(name) for name in lexicons.attribute_names())
    return next(about for about in attributes if about.group_names == benchmark.groups)


def choosing(benchmark: Benchmark, choice: Callable[[Sample], str]) -> ScriptedModel:
    """All probability on the group that `choice` names for a sample, on its first surface form.

    The choice may be `NEUTRAL` (all of it on the neutral form, or on no listed term where the attribute has
    none) or `EVEN` (shared by the groups).
    """
    about = attribute_of(benchmark)
    table = {}
    for sample in benchmark.load():
        shares = _shares(choice(sample), about)
        table |= {(r.context, r.text): shares.get(r.text, 0.0) for r in benchmark.ask(sample)}
    return ScriptedModel(lambda item: table[item.context, item.text])


def _shares(choice: str, about: Attribute) -> dict[str, float]:
    if choice == NEUTRAL:
        return {about.neutral[0]: 1.0} if about.neutral else {}
    if choice == EVEN:
        return {group.terms[0]: 1 / len(about.groups) for group in about.groups}
    return {group.terms[0]: 1.0 for group in about.groups if group.name == choice}


def stereotype(sample: Sample) -> str:
    """The gender that people associate with the sample's profession; `EVEN` where they associate none."""
    score = _STEREOTYPICAL[sample.cluster]
    return EVEN if score == 0 else "male" if score > 0 else "female"


def anti_stereotype(sample: Sample) -> str:
    """The other one."""
    return {"male": "female", "female": "male", EVEN: EVEN}[stereotype(sample)]


_STEREOTYPICAL = {entry.name: entry.stereotypical for entry in lexicons.profession_entries()}


def run(benchmark: Benchmark, model: ScriptedModel) -> list[Score]:
    """Load, ask, answer, score: what a study does, without a study."""
    return [
        benchmark.score(sample, model.logprobs(list(benchmark.ask(sample)))) for sample in benchmark.load()
    ]


def figures(benchmark: Benchmark, model: ScriptedModel) -> dict[str, Value]:
    """Every metric of the benchmark on the model."""
    scores = run(benchmark, model)
    return {metric.name: metric.value(scores) for metric in benchmark.metrics}
