"""The refusal to measure what a mitigation was trained on."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.benchmarks import Benchmark
from evenhand.errors import UsageError
from evenhand.records import Material, PersonExample


def refuse_contamination(benchmarks: Sequence[Benchmark], examples: Sequence[Material]) -> None:
    """Refuse benchmarks that ask what is trained on: the same prompts, or people of the same content.

    Raises:
        UsageError: one does; the message says how many items, and what to do.
    """
    trained = {example.id for example in examples}
    people = {example.cluster for example in examples if isinstance(example, PersonExample)}
    for benchmark in benchmarks:
        shared = [s.id for s in benchmark.load() if s.id in trained or s.cluster in people]
        if shared:
            asked, mend = (
                ("people", "Give all benchmarks of these people the same seed, so that their parts differ.")
                if people
                else ("prompts", "Measure a part that is not trained on (part=test or part=dev).")
            )
            raise UsageError(
                f"{benchmark.name} would be measured on {len(shared)} {asked} that the mitigation is trained "
                f"on, such as {shared[0]}.",
                mend=mend,
            )
