"""The training data of a mitigation or a locator, and the refusal of examples that it cannot use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, UsageError
from evenhand.models import Model
from evenhand.records import Kinds, TrainingExample


def usable(method: Any, examples: Iterable[TrainingExample]) -> bool:
    """Whether a mitigation, a control or a locator can use all of `examples`."""
    return all(isinstance(example, method.fits_on) for example in examples)


def source(benchmarks: Sequence[Benchmark], kinds: Kinds) -> Benchmark | None:
    """The first benchmark that offers training examples of `kinds`, or None."""
    return next((b for b in benchmarks if (found := b.examples()) and _all(found, kinds)), None)


def training_data(
    benchmarks: Sequence[Benchmark], kinds: Kinds, name: str, kind: str = "mitigation"
) -> Sequence[TrainingExample]:
    """The training examples of the first benchmark that has some of `kinds`, then its anchors.

    `kind` and `name` say what they are for: a mitigation or a locator.

    Raises:
        UsageError: none of the benchmarks has examples, or none of these kinds; the message says what fits.
    """
    found = source(benchmarks, kinds)
    if found is not None:
        return [*found.examples(), *found.anchors()]
    offered = {b.name: type(examples[0]) for b in benchmarks if (examples := b.examples())}
    if not offered:
        raise UsageError(
            f"None of {', '.join(b.name for b in benchmarks)} has a train part to learn from.",
            mend="Add a benchmark with a train part, such as -b genbiaseval.",
        )
    given = "; ".join(f"{name} gives {made.what}" for name, made in offered.items())
    raise UsageError(
        f"The {kind} {name} works on {' or '.join(one.what for one in kinds)}, and {given}.",
        mend=_mend(kinds, set(offered.values()), kind),
    )


def _all(examples: Iterable[TrainingExample], kinds: Kinds) -> bool:
    return all(isinstance(example, kinds) for example in examples)


def _mend(kinds: Kinds, offered: set[type[TrainingExample]], kind: str) -> str:
    measure = " or ".join(f"-b {one.given_by}" for one in kinds if one.given_by)
    others = [name for name in registry.names(kind) if offered & set(registry.get(kind, name).fits_on)]
    if not others:
        return f"Measure {measure}; no {kind} works on {' or '.join(one.what for one in offered)}."
    return f"Take a {kind} that works on what is measured ({', '.join(others)}), or measure {measure}."


def check_apart(benchmarks: Sequence[Benchmark], examples: Sequence[TrainingExample]) -> None:
    """Refuse benchmarks that share items or subjects with the training examples.

    Raises:
        UsageError: a benchmark shares an item or a subject with the examples.
    """
    items = {example.id: example for example in examples}
    subjects = {example.subject: example for example in examples if example.subject is not None}
    for benchmark in benchmarks:
        shared = [s.id for s in benchmark.load() if s.id in items or s.cluster in subjects]
        if shared:
            kind = type(items[shared[0]]) if shared[0] in items else type(next(iter(subjects.values())))
            raise UsageError(
                f"{benchmark.name} would be measured on {len(shared)} {kind.noun} that the mitigation is "
                f"trained on, such as {shared[0]}.",
                mend=kind.apart,
            )


def check_capability(benchmarks: Sequence[Benchmark]) -> None:
    """Refuse benchmarks given as capability benchmarks that measure something else.

    Raises:
        UsageError: a benchmark measures bias: to keep a bias is not to keep a capability.
    """
    for benchmark in benchmarks:
        if benchmark.role != "capability":
            raise UsageError(
                f"{benchmark.name} is a benchmark of {benchmark.role}, not of capability.",
                mend="Give it with -b, and a capability benchmark such as facts or perplexity.",
            )


def nothing_to_locate(model: Model) -> BadModel:
    """The error for a model without blocks that a locator can read, with what works on it instead."""
    uri, family = model.spec.uri, model.spec.family
    if family != "encoder":
        return BadModel(
            f"{uri} does not give access to its weights, so nothing can be located in it.",
            mend="Use a model with access to its weights (hf: or lab:).",
        )
    return BadModel(
        f"{uri} is an {family} without a head, and locators explain probabilities of words.",
        mend=f"Locate in a checkpoint with its head. On this one, `evenhand measure {uri} -b seat` works.",
    )
