"""Cells: one benchmark on one (treated) model, read from the store or measured and stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial

from evenhand.benchmarks import Benchmark
from evenhand.models import Model
from evenhand.records import Measurement, digest
from evenhand.studies.measure import protocol, take
from evenhand.studies.shift import Shift
from evenhand.studies.store import Store, cell_key

Enter = Callable[[], AbstractContextManager[Model]]


@dataclass(frozen=True)
class Cells:
    """The cells of one base model under one seed and limit."""

    model: Model
    store: Store
    seed: int
    limit: int | None

    def base(self, benchmarks: Sequence[Benchmark]) -> tuple[Measurement, ...]:
        """The untreated model on every benchmark."""
        return tuple(self._cell(b, None, partial(self._take, self.model, b)) for b in benchmarks)

    def treated(
        self, benchmarks: Sequence[Benchmark], treatment: str, enter: Enter
    ) -> tuple[Measurement, ...]:
        """A treated model on every benchmark; `treatment` is the digest in the keys of its cells.

        `enter` gives the context of the treated model; it is entered only when some cell is missing, so a
        resumed run fits nothing again.
        """
        with ExitStack() as stack:
            entered: list[Model] = []

            def compute(benchmark: Benchmark) -> Measurement:
                if not entered:
                    entered.append(stack.enter_context(enter()))
                return self._take(entered[0], benchmark)

            return tuple(self._cell(b, treatment, partial(compute, b)) for b in benchmarks)

    def shifted(self, shift: Shift, treatment: str, enter: Enter, kinds: Sequence[str] = ()) -> Measurement:
        """How far a treated model moved, after the contexts of `kinds`, all without any; see `treated`.

        The temperature is fitted over all of them only.

        Raises:
            NoShift: it cannot be compared so.
        """

        def compute() -> Measurement:
            shift.ready()  # before anything is applied to the base
            with enter() as changed:
                return shift.of(changed, kinds, fitted=not kinds)

        key = cell_key(
            weights=self.model.spec.identity,
            treatment=digest(treatment, *kinds),
            card=shift.card(),
            protocol=shift.protocol(),
            seed=self.seed,
        )
        return self.store.cell(key, compute)

    def _take(self, model: Model, benchmark: Benchmark) -> Measurement:
        return take(model, benchmark, seed=self.seed, limit=self.limit)

    def _cell(
        self, benchmark: Benchmark, treatment: str | None, compute: Callable[[], Measurement]
    ) -> Measurement:
        key = cell_key(
            weights=self.model.spec.identity,
            treatment=treatment,
            card=benchmark.card,
            protocol=protocol(self.model, benchmark, seed=self.seed, limit=self.limit),
            seed=self.seed,
        )
        return self.store.cell(key, compute)
