"""How a verification comes by its treated model: the protocol, and a mitigation that is fitted for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from evenhand.benchmarks import Benchmark
from evenhand.mitigations import Mitigation, refuse, trained_examples
from evenhand.models import Model, gives_weights
from evenhand.records import Attribution, TrainingExample, digest
from evenhand.studies.location import check_sites, sites_for
from evenhand.studies.methods import canonical
from evenhand.studies.options import VerifyOptions
from evenhand.studies.resuming import kept_treatment
from evenhand.studies.training_data import check_apart

if TYPE_CHECKING:
    from evenhand.treatments import Treatment

IMPOSSIBLE = "No control model was possible"  # begins the sentence that says why
Found = tuple["Treatment", Attribution | None]
"""A treatment, and where in the model it works where a locator chose that."""


class Treating(Protocol):
    """Where the treated model of a verification comes from."""

    @property
    def said(self) -> str:
        """How the record names the treatment."""
        ...

    @property
    def uncontrolled(self) -> str:
        """Why there can be no control models, a sentence; empty where there can."""
        ...

    def check(self, tested: Sequence[Benchmark]) -> None:
        """Refuse what would fail later, before anything is measured on the benchmarks `tested`."""
        ...

    def treatment(self) -> Found:
        """The treatment; one that was stored is not made again."""
        ...

    def remarks(self, families: Sequence[str]) -> tuple[str, ...]:
        """Reasons to add to those of the verdict, beside control models of `families`."""
        ...


@dataclass(frozen=True)
class Fitting:
    """A mitigation that is fitted to `model` on `examples`; `folder` keeps the treatment that results.

    `spec` is its text as it was given.
    """

    method: Mitigation
    spec: str
    model: Model
    examples: Sequence[TrainingExample]
    options: VerifyOptions
    folder: Path

    @property
    def said(self) -> str:
        """The canonical spec of the method."""
        return canonical(self.spec)

    @property
    def uncontrolled(self) -> str:
        """A sentence where the model gives no weights to damage."""
        return "" if gives_weights(self.model) else no_weights(self.model)

    def check(self, tested: Sequence[Benchmark]) -> None:
        """Refuse what would fail later; the model is not asked.

        Raises:
            UsageError: a test item is among the training examples, or an option of the method suits neither
                the examples nor the model.
            BadModel: its blocks cannot be found.
        """
        refuse(self.method, self.model, self.examples)
        check_apart(tested, trained_examples(self.method, self.model, self.examples))
        check_sites(self.model, self.method, self.examples, self.options)

    def treatment(self) -> Found:
        """The stored treatment if it was fitted to this model with the same options, else a new one.

        Raises:
            EvenhandError: as for `Mitigation.fit`.
        """
        site = sites_for(self.model, self.method, self.examples, self.options)
        # The key holds the ranking, not the scores: these differ by rounding with the number of threads.
        ranking, seed = site.ranking() if site else None, self.options.seed
        key = digest(self.model.spec.identity, repr(self.method), seed, list(self.examples), ranking)
        kept = kept_treatment(
            self.folder,
            key,
            self.method,
            lambda method: method.fit(self.model, self.examples, sites=site, seed=seed),
        )
        return kept, site

    def remarks(self, families: Sequence[str]) -> tuple[str, ...]:
        """None: the control models copy the method's own settings."""
        return ()


def no_weights(model: Model) -> str:
    """Why a model cannot be compared with damaged ones."""
    return f"{IMPOSSIBLE}: {model.spec.uri} does not give access to its weights."
