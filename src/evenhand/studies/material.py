"""What a mitigation or a locator is given to work on, and the refusal of what it cannot use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, UsageError
from evenhand.models import Model
from evenhand.records import Ability, Example, Material, PersonExample
from evenhand.studies.defaults import BIAS, DECISIONS

Kinds = tuple[type[Example] | type[PersonExample], ...]
KINDS: Mapping[type[Any], str] = {
    Example: "prompts that groups' terms may follow",
    PersonExample: "people to decide on",
}
_GIVES: Mapping[type[Any], str] = {Example: BIAS[0], PersonExample: DECISIONS}


def fits_on(method: Any) -> Kinds:
    """The kinds of examples that a mitigation fits on; prompts for one that does not say."""
    found: Kinds = getattr(method, "fits_on", (Example,))
    return found


def usable(method: Any, examples: Iterable[Material]) -> bool:
    """Whether a mitigation can be fitted on all of `examples`."""
    return all(isinstance(example, fits_on(method)) for example in examples)


def material(
    benchmarks: Sequence[Benchmark], kinds: Kinds, name: str, kind: str = "mitigation"
) -> Sequence[Material]:
    """The training examples of the first benchmark that has some of `kinds`, then its anchors.

    `kind` and `name` say what they are for: a mitigation or a locator.

    Raises:
        UsageError: none of the benchmarks has examples, or none of these kinds; the message says what fits.
    """
    offered: dict[str, type[Any]] = {}
    for benchmark in benchmarks:
        found = benchmark.examples() if benchmark.examples is not None else ()
        if found and all(isinstance(example, kinds) for example in found):
            return [*found, *(benchmark.anchors() if benchmark.anchors else ())]
        if found:
            offered[benchmark.name] = type(found[0])
    if not offered:
        raise UsageError(
            f"None of {', '.join(b.name for b in benchmarks)} has a train part to learn from.",
            mend="Add one that has, such as -b genbiaseval.",
        )
    given = "; ".join(f"{name} gives {KINDS[made]}" for name, made in offered.items())
    raise UsageError(
        f"The {kind} {name} works on {' or '.join(KINDS[one] for one in kinds)}, and {given}.",
        mend=_mend(kinds, set(offered.values()), kind),
    )


def _mend(kinds: Kinds, offered: set[type[Any]], kind: str) -> str:
    measure = " or ".join(f"-b {_GIVES[one]}" for one in kinds)
    others = [
        name
        for name in registry.names(kind)
        for method in [registry.get(kind, name)]
        if offered & set(fits_on(method)) and getattr(method, "purpose", "mitigation") == "mitigation"
    ]
    if not others:
        return f"Measure {measure}; no {kind} works on {' or '.join(KINDS[one] for one in offered)}."
    return f"Take a {kind} that works on what is measured ({', '.join(others)}), or measure {measure}."


def check_capability(benchmarks: Sequence[Benchmark]) -> None:
    """Refuse benchmarks of something else than capability where capability is asked for.

    Raises:
        UsageError: one is of bias: to keep a bias is no capability.
    """
    for benchmark in benchmarks:
        if benchmark.role != "capability":
            raise UsageError(
                f"{benchmark.name} is a benchmark of {benchmark.role}, not of capability.",
                mend="Give it with -b, and for capability one such as facts or perplexity.",
            )


def nothing_to_locate(model: Model) -> BadModel:
    """The refusal of a model without blocks that a locator can read, with what works on it instead."""
    uri, family = model.spec.uri, model.spec.family
    if family == "causal":
        return BadModel(
            f"{uri} does not give access to its weights, so nothing can be located in it.",
            mend="Use a causal model whose weights are in hand (hf: or lab:).",
        )
    able = Ability.LOGPROBS in model.can  # what a text in front of the prompts needs
    prompted = f", and so does `evenhand verify {uri} --with prompt`" if able else ""
    return BadModel(
        f"{uri} is a {family} model, and locators read the blocks of causal models only.",
        mend=f"Locate in a causal model. On this one, `evenhand measure {uri}` works{prompted}.",
    )
