"""Models whose every answer is known in advance, and the figures that a benchmark draws from them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, cast

from evenhand import lexicons
from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._pairs import plain
from evenhand.lexicons import Attribute
from evenhand.records import (
    Ability,
    Completion,
    ContextPair,
    Continuation,
    Divergence,
    Embedding,
    Generation,
    GreedyMatch,
    LogProb,
    MatchedLogProb,
    ModelSpec,
    Request,
    Sample,
    Score,
    Value,
    Vector,
)

NEUTRAL = "neutral"
EVEN = "even"


def _silent(prompt: str) -> str:
    raise NotImplementedError("this script has no text")


class ScriptedModel:
    """A model that gives each continuation the probability that `rule` says; a word is a token.

    `writes` gives the text after a prompt; without it the model writes none. `embeds` gives a text's vector.
    """

    def __init__(
        self,
        rule: Callable[[Continuation], float],
        name: str = "scripted",
        *,
        writes: Callable[[str], str] = _silent,
        embeds: Callable[[str], Sequence[float]] | None = None,
    ) -> None:
        self.rule = rule
        self.embeds = embeds
        self.writes = writes
        self.can = frozenset({Ability.LOGPROBS} | ({Ability.GENERATE} if writes is not _silent else set()))
        self.spec = ModelSpec(uri=f"scripted:{name}", digest=name)

    def answer(self, requests: Sequence[Request]) -> list[Any]:
        """What the script says to each request, in order."""
        return [self.say(request) for request in requests]

    def say(self, request: Request) -> Any:
        """The answer to one request: for a text the logarithm of the rule's probability (ln 0 is -inf)."""
        if isinstance(request, Generation):
            text = self.writes(request.prompt)
            return Completion(text, len(text.split()))
        if isinstance(request, Embedding):
            if self.embeds is None:
                raise NotImplementedError("this script has no vectors")
            return Vector(tuple(self.embeds(request.text)))
        if isinstance(request, ContextPair):
            return Divergence(0.0, True)
        if isinstance(request, GreedyMatch):
            found = self.say(Continuation(request.context, request.text))
            return MatchedLogProb(found.value, found.n_tokens, found.value > math.log(0.5))
        item: Any = request
        return LogProb(_log(self.rule(item)), len(item.text.split()))

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()


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
    table: dict[tuple[str, str], float] = {}
    for sample in benchmark.load():
        shares = _shares(choice(sample), about)
        asked: Sequence[Any] = benchmark.ask(sample)
        table |= {(r.context, r.text): shares.get(r.text, 0.0) for r in asked}
    return ScriptedModel(lambda item: table[item.context, item.text])


def _shares(choice: str, about: Attribute) -> dict[str, float]:
    if choice == NEUTRAL:
        return {about.neutral[0]: 1.0} if about.neutral else {}
    if choice == EVEN:
        return {group.terms[0]: 1 / len(about.groups) for group in about.groups}
    return {group.terms[0]: 1.0 for group in about.groups if group.name == choice}


def by_role(benchmark: Benchmark, shares: Mapping[str, float], rest: float = 0.125) -> ScriptedModel:
    """Gives every word of an option the probability of the option's role (``fields["roles"]``), else `rest`.

    Asked in words, it names the likeliest option, and says that it cannot choose where there are two.
    """
    table: dict[Any, float] = {}
    answers: dict[str, str] = {}
    for sample in benchmark.load():
        roles, asked = sample.fields["roles"], cast(Sequence[Any], benchmark.ask(sample))
        for request, role in zip_longest(asked, roles, fillvalue="unknown"):
            if isinstance(request, Generation):
                answers[request.prompt] = _choice(request.prompt, sample, shares, rest)
            elif not isinstance(request, str):
                table[request] = shares.get(role, rest) ** len(request.text.split())
    writes = answers.__getitem__ if answers else _silent
    return ScriptedModel(table.__getitem__, writes=writes)


def _choice(prompt: str, sample: Sample, shares: Mapping[str, float], rest: float) -> str:
    options = [plain(option) for option in sample.fields["options"]]
    listed = [plain(text) for text in re.findall(r"^Choice\d: (.*)$", prompt, flags=re.MULTILINE)]
    found = [shares.get(sample.fields["roles"][options.index(text)], rest) for text in listed]
    best = [place for place, share in enumerate(found, start=1) if share == max(found)]
    return f" Choice{best[0]}" if len(best) == 1 else " I cannot choose."


def stereotype(sample: Sample) -> str:
    """The gender that people associate with the sample's profession; `EVEN` where they associate none."""
    score = _STEREOTYPICAL[sample.cluster]
    return EVEN if score == 0 else "male" if score > 0 else "female"


def anti_stereotype(sample: Sample) -> str:
    """The gender that is not `stereotype`; `EVEN` where that is `EVEN`."""
    return {"male": "female", "female": "male", EVEN: EVEN}[stereotype(sample)]


_STEREOTYPICAL = {entry.name: entry.stereotypical for entry in lexicons.profession_entries()}


def run(benchmark: Benchmark, model: ScriptedModel) -> list[Score]:
    """Load, ask, answer, score: what a study does, without a study."""
    return [benchmark.score(sample, model.answer(benchmark.ask(sample))) for sample in benchmark.load()]


def figures(benchmark: Benchmark, model: ScriptedModel) -> dict[str, Value]:
    """Every metric of the benchmark on the model."""
    scores = run(benchmark, model)
    return {metric.name: metric.value(scores) for metric in benchmark.metrics}
