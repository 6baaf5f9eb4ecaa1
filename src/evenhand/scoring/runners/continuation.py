"""Log-probabilities of a text after a context, by the scorer of the model's family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evenhand.records import Continuation, LogProb
from evenhand.scoring.runners import Runner


class Scores(Protocol):
    """The scorer of a family: `Scorer`, `MaskedScorer` or `ConditionalScorer`."""

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """Log-probabilities in nats, in the order of `items`."""
        ...


class Scoring(Protocol):
    """A model with its scorer."""

    @property
    def scorer(self) -> Scores:
        """What scores its texts."""
        ...


def run(model: Scoring, items: Sequence[Continuation]) -> list[LogProb]:
    """log P(text | context) in nats, in order; see the family's scorer for the errors."""
    return model.scorer.logprobs(items)


runner = Runner((Continuation,), run)
