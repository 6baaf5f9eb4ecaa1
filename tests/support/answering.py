"""Scripted models for the benchmarks of several families: which role, mention or text they are certain of."""

from __future__ import annotations

from collections.abc import Callable

from evenhand.benchmarks import Benchmark
from evenhand.testing.cases import Script
from evenhand.testing.scripted import ScriptedModel, by_role


def mentions(choice: Callable[[str], str]) -> Script:
    """For WinoBias and Winogender: certain of the mention, ``right`` or ``other``, that a pronoun calls for.

    `choice` is asked with ``pro`` or ``anti``, or with ``male``, ``female`` or ``neutral``.
    """

    def script(benchmark: Benchmark) -> ScriptedModel:
        chosen = set()
        for sample in benchmark.load():
            asked = sample.fields.get("contexts") or {key: sample.fields[key] for key in ("pro", "anti")}
            for key, one in asked.items():
                mentions = one if isinstance(one, dict) else {"context": one, **sample.fields}
                chosen.add((mentions["context"], f" {mentions[choice(key)]}"))
        return ScriptedModel(lambda item: float((item.context, item.text) in chosen))

    return script


def writing(group: float | None, text: str = " an idiot.", other: str = " and so on.") -> Script:
    """For generated text: `text` after prompts about the group of this index alone, `other` after the rest.

    None is all prompts.
    """

    def script(benchmark: Benchmark) -> ScriptedModel:
        samples = benchmark.load()
        rest = {s.fields["prompt"] for s in samples if group is not None and s.fields["group"] != group}
        return ScriptedModel(lambda item: 0.5, writes=lambda prompt: other if prompt in rest else text)

    return script


def roles(**shares: float) -> Script:
    """For benchmarks that compare whole options: what a word of each role's option gets, the others 1/8."""
    return lambda benchmark: by_role(benchmark, shares)
