"""The models that contracts are tried on: tiny random ones and the lab's, and what is measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from evenhand import registry, stats
from evenhand.benchmarks import Benchmark
from evenhand.models import OpenModel
from evenhand.models.digests import weights_digest
from evenhand.opening import open_model
from evenhand.records import Estimate, Example
from evenhand.studies.measure import take
from evenhand.testing.contracts import Subject, expect
from evenhand.treatments import Treatment


@cache
def opened(uri: str) -> OpenModel:
    """A model of the lab, opened once."""
    return cast(OpenModel, open_model(uri))


@cache
def genbiaseval() -> tuple[Benchmark, tuple[Example, ...]]:
    """The benchmark of the planted gap, and the examples that a method may fit on."""
    benchmark = cast(Benchmark, registry.create("benchmark", "genbiaseval"))
    return benchmark, tuple(cast(Sequence[Example], benchmark.examples()))


def change(treatment: Treatment, model: OpenModel, benchmark: Benchmark, *metrics: str) -> list[Estimate]:
    """What the treatment does to each of `metrics` on the benchmark, with the paired interval."""
    before = take(model, benchmark).scores
    with treatment.applied(model) as treated:
        after = take(treated, benchmark).scores
    return [stats.paired_change(registry.get("metric", name), before, after) for name in metrics]


@dataclass(frozen=True)
class Untouched:
    """How a model was: `check` says whether it is so again, bit for bit."""

    model: OpenModel
    digest: str
    flags: tuple[bool, ...]

    @classmethod
    def seen(cls, model: OpenModel) -> Untouched:
        """The model as it is now."""
        return cls(model, weights_digest(model.module), _flags(model))

    def check(self, when: str) -> None:
        """Fail unless weights and gradients are as they were.

        Raises:
            AssertionError: they are not; `when` says after what.
        """
        expect(
            weights_digest(self.model.module) == self.digest,
            f"{when} the weights are not the same bit for bit",
        )
        expect(_flags(self.model) == self.flags, f"{when} other parameters require gradients")
        clean = all(p.grad is None for p in self.model.module.parameters())
        expect(clean, f"{when} gradients are left on the model")


def _flags(model: OpenModel) -> tuple[bool, ...]:
    return tuple(p.requires_grad for p in model.module.parameters())


def small(subject: Subject) -> Subject:
    """The subject with the options of its case that suit tiny models; its own options are kept."""
    spec = "" if subject.case is None or ":" in subject.spec else subject.case.spec
    return Subject(subject.kind, spec or subject.spec, subject.case)
