"""What a verification trains on: examples of a benchmark that it measures, else default ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.records import Material, PersonExample
from evenhand.studies import defaults
from evenhand.studies.material import Kinds, material


@dataclass(frozen=True)
class Lesson:
    """The `examples`, the benchmark that gave them, and a note where the run does not measure it."""

    examples: Sequence[Material]
    giver: str
    note: str = ""


def lesson(uri: str, bias: Sequence[Benchmark], kinds: Kinds, mitigation: str) -> Lesson:
    """What `mitigation`, which fits on examples of `kinds`, learns from in a run that measures `bias`.

    The first benchmark with such examples gives them. Where none has any examples, the default benchmark of
    the first kind does: for prompts the first default bias benchmark, for people that of decisions.

    Raises:
        UsageError: the benchmarks have examples, but none of these kinds; the message says what fits.
    """
    offering = [b for b in bias if b.examples is not None and b.examples()]
    if offering:
        giver = next((b for b in offering if _fits(b, kinds)), offering[0])
        return Lesson(material(bias, kinds, mitigation), giver.name)
    spec = defaults.people(uri) if kinds[0] is PersonExample else defaults.BIAS[0]
    giver = registry.create("benchmark", spec)
    note = (
        f"No bias benchmark of this run has a train part, so {mitigation} was fitted on that of "
        f"{giver.name}, which was not measured."
    )
    return Lesson(material([giver], kinds, mitigation), giver.name, note)


def _fits(benchmark: Benchmark, kinds: Kinds) -> bool:
    found = benchmark.examples() if benchmark.examples is not None else ()
    return all(isinstance(example, kinds) for example in found)
