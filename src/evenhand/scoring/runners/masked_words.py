"""Pseudo-log-likelihoods of masked words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evenhand.records import Averaged, Cloze, Contrast, LogProb
from evenhand.scoring.pseudo import MaskedScorer
from evenhand.scoring.runners import Runner


class Filling(Protocol):
    """A model that reads masked words."""

    scorer: MaskedScorer


def run(model: Filling, items: Sequence[Averaged | Cloze | Contrast]) -> list[LogProb]:
    """Pseudo-log-likelihoods in nats, in order; see `MaskedScorer.fill`."""
    return model.scorer.fill(items)


runner = Runner((Averaged, Cloze, Contrast), run)
