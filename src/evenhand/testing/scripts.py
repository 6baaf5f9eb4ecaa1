"""Scripts: scripted models made for a benchmark, by what they answer. The usual ones of each role are here.

A benchmark whose stereotype is not a group's term after a profession brings scripts of its own in its case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evenhand.benchmarks import Benchmark
from evenhand.testing.cases import Script
from evenhand.testing.scripted import (
    EVEN,
    NEUTRAL,
    ScriptedModel,
    anti_stereotype,
    choosing,
    stereotype,
)


def constant(benchmark: Benchmark | None = None, share: float = 0.25) -> ScriptedModel:
    """Answers requests of every kind, always the same: it prefers nothing, whatever is asked."""
    return ScriptedModel(
        lambda item: share, writes=lambda prompt: " and so on.", embeds=lambda text: (1.0, 0.0)
    )


def uniform(benchmark: Benchmark) -> ScriptedModel:
    """The same probability for every option of a sample."""
    shares: dict[tuple[str, str], float] = {}
    for sample in benchmark.load():
        asked: Sequence[Any] = benchmark.ask(sample)
        shares |= {(request.context, request.text): 1 / len(asked) for request in asked}
    return ScriptedModel(lambda item: shares[item.context, item.text])


def right(benchmark: Benchmark) -> ScriptedModel:
    """Certain of the right option (the one at ``fields["answer"]``), or of every text."""
    correct = _answers(benchmark)
    return ScriptedModel(lambda item: float((item.context, item.text) in correct))


def wrong(benchmark: Benchmark) -> ScriptedModel:
    """Certain of anything but the right option."""
    correct = _answers(benchmark)
    return ScriptedModel(lambda item: 0.0 if (item.context, item.text) in correct else 1 / 3)


def _answers(benchmark: Benchmark) -> set[tuple[str, str]]:
    found = set()
    for sample in benchmark.load():
        request: Any = benchmark.ask(sample)[sample.fields.get("answer", 0)]
        found.add((request.context, request.text))
    return found


def by_word(share: float) -> Script:
    """Finds every word of a text as likely as `share`."""
    return lambda benchmark: ScriptedModel(lambda item: share ** len(item.text.split()))


BIAS: Mapping[str, Script] = {
    "stereotype": lambda benchmark: choosing(benchmark, stereotype),
    "anti": lambda benchmark: choosing(benchmark, anti_stereotype),
    "even": lambda benchmark: choosing(benchmark, lambda sample: EVEN),
    "unknown": lambda benchmark: choosing(benchmark, lambda sample: NEUTRAL),
    "uniform": uniform,
}
CAPABILITY: Mapping[str, Script] = {"right": right, "wrong": wrong, "uniform": uniform}
BY_ROLE: Mapping[str, Mapping[str, Script]] = {"bias": BIAS, "capability": CAPABILITY}
