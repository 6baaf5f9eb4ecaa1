"""A recipe: the tables of a source, what is run for each of them, and the claims that the figures decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evenhand.reproductions.evidence import Evidence, Missing
from evenhand.reproductions.judging import Judgement, missing
from evenhand.reproductions.published import Published, Row, read

if TYPE_CHECKING:
    from evenhand.records import ModelSpec

Judge = Callable[[Evidence], Judgement]


@dataclass(frozen=True)
class Claim:
    """What the source says of a table, in our words, and how the figures of any model decide it.

    `ours` marks a statement that is not the source's: what its tables do not show.
    """

    table: str
    text: str
    judge: Judge = field(repr=False)
    ours: bool = False

    def judged(self, evidence: Evidence) -> Judgement:
        """What the figures say; undecided where one of them was not measured."""
        try:
            return self.judge(evidence)
        except Missing as gap:
            return missing(f"not measured: {gap}")


@dataclass(frozen=True)
class Recipe:
    """How the tables of one source are reproduced on any model.

    Attributes:
        name: of the source, as it is typed; that of the file with its tables.
        families: models that the source's methods fit at all, and `unfit`, why no others.
        only_causal: specs of treatments, up to their options, that other families do not take.
        claims: what the figures decide.
        differs: what is done otherwise than in the source, each a sentence.
        places: what stands for each ``{...}`` in benchmarks' specs, for a model's URI; empty for nothing.
        benchmarks: further bias benchmarks that are measured with every treatment, for a model.
        blocks: whether a locator's choice is a part of it.
    """

    name: str
    families: tuple[str, ...]
    unfit: str
    claims: tuple[Claim, ...]
    differs: tuple[str, ...] = ()
    only_causal: tuple[str, ...] = ()
    places: Callable[[ModelSpec], Mapping[str, str]] = field(default=lambda spec: {}, repr=False)
    benchmarks: Callable[[ModelSpec], tuple[str, ...]] = field(default=lambda spec: (), repr=False)
    treatment: Callable[[Row, ModelSpec], bool] = field(default=lambda row, spec: True, repr=False)

    @property
    def published(self) -> Published:
        """The source's tables."""
        return read(self.name)

    def fits(self, row: Row, model: ModelSpec) -> bool:
        """Whether the treatment of a row can be given to the model."""
        name = row.treatment.partition(":")[0]
        return (model.family == "causal" or name not in self.only_causal) and self.treatment(row, model)


def on_lab(model: ModelSpec) -> bool:
    """Whether a model is one of the lab's."""
    return model.uri.startswith("lab:")
