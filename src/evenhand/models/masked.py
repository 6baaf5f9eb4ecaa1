"""`MaskedModel`: BERT and similar models, which read a text in both directions and fill in masked words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from evenhand.models.opened import Opened
from evenhand.records import Ability
from evenhand.scoring import ScoringReport
from evenhand.scoring.pseudo import MaskedScorer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class MaskedModel(Opened):
    """A masked language model (BERT, RoBERTa, ALBERT, DistilBERT, ModernBERT, DeBERTa with a head).

    Its answers are pseudo-log-likelihoods (kind ``pseudo``): the sum of each token's log-probability given
    the text on both sides. They are not probabilities of a text and are never mixed with true ones.

    Raises:
        BadModel: the tokenizer has no mask token or no fast form; otherwise as in `Opened`.
    """

    family = "masked"
    can: frozenset[Ability] = frozenset(Ability) - {Ability.GENERATE, Ability.NEXT}
    instead = "Use a causal or a sequence-to-sequence model, or a benchmark that needs only likelihoods."

    def __init__(
        self,
        module: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        uri: str,
        *,
        revision: str | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        super().__init__(module, tokenizer, uri, revision=revision, batch_tokens=batch_tokens)
        self.scorer = MaskedScorer(module, tokenizer, batch_tokens=self.batch_tokens)

    def notes(self) -> tuple[str, ...]:
        """That the figures are pseudo-likelihoods, and a fallback of the scoring engine, if any."""
        report = self.scorer.report()
        found = ["Scored by pseudo-likelihood: not comparable with a causal model's figures."]
        if report.path != "right":
            found.append(f"Scored with {report.path} lengths: {report.why}.")
        return (*found, *super().notes())

    def scoring(self) -> ScoringReport:
        """How the newest log-probabilities were computed."""
        return self.scorer.report()
