"""`MaskedModel`: BERT and its kin, which read a text from both sides and fill in masked words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from evenhand.architectures import window
from evenhand.errors import BadModel
from evenhand.models.opened import Opened
from evenhand.records import Ability, Averaged, Cloze, Completion, Continuation, Contrast, LogProb, Sampling
from evenhand.scoring import Scorer, ScoringReport
from evenhand.scoring.masks import Masker, plan_copies
from evenhand.scoring.tokens import embedding_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


class MaskedModel(Opened):
    """A masked language model (BERT, RoBERTa, ALBERT, DistilBERT, ModernBERT, DeBERTa with a head).

    Its answers are pseudo-log-likelihoods (kind ``pseudo``): each token's log-probability with the text on
    both sides in view, summed. They are no probabilities of a text and never mix with true ones.

    Raises:
        BadModel: the tokenizer has no mask token or no fast form; otherwise as in `Opened`.
    """

    family = "masked"
    can: frozenset[Ability] = frozenset({Ability.LOGPROBS, Ability.CLOZE, Ability.HIDDEN})

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
        self._masker = Masker(tokenizer, window(getattr(module, "config", None)), embedding_rows(module))
        # Padding on the right moves no token and leaves the positions to the model.
        self.scorer = Scorer(module, tokenizer, batch_tokens=self.batch_tokens, padding="right")

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """The pseudo-log-likelihood in nats of each text given its context, as `closed` completes them.

        Raises:
            BadData, BadModel, OutOfMemory: see `Masker.copies` and `Scorer.run`.
        """
        return self.fill([closed(item) for item in items])

    def fill(self, items: Sequence[Averaged | Cloze | Contrast]) -> list[LogProb]:
        """The pseudo-log-likelihood in nats of what each request scores, in order; 0 of 0 tokens for none.

        That of an `Averaged` is the logarithm of its tokens' mean probability.

        All masked copies of all requests share batches; equal copies run once.

        Raises:
            BadData, BadModel, OutOfMemory: see `Masker.copies` and `Scorer.run`.
        """
        plan = plan_copies(self._masker.copies(items))
        values = self.scorer.run(plan)
        found = (values[list(slots)] for slots in plan.slots)
        pooled = zip(items, found, strict=True)
        return [LogProb(_pooled(item, logs), len(logs), kind="pseudo") for item, logs in pooled]

    def generate(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion]:
        """Nothing.

        Raises:
            BadModel: always: a masked model writes no text.
        """
        raise BadModel(
            f"{self.spec.uri} is a masked language model and writes no text.",
            mend="Use a causal or a sequence-to-sequence model, or a benchmark that reads likelihoods.",
        )

    def notes(self) -> tuple[str, ...]:
        """That the figures are pseudo-likelihoods, and whether the scoring engine left its usual path."""
        report = self.scorer.report()
        found = ["Scored by pseudo-likelihood: not comparable with a causal model's figures."]
        if report.path != "right":
            found.append(f"Scored with {report.path} lengths: {report.why}.")
        return (*found, *super().notes())

    def scoring(self) -> ScoringReport:
        """How the newest `logprobs` or `fill` was carried out."""
        return self.scorer.report()


def _pooled(item: Averaged | Cloze | Contrast, logs: NDArray[np.float64]) -> float:
    if isinstance(item, Averaged):
        return float(np.logaddexp.reduce(logs) - np.log(len(logs)))
    return float(logs.sum())


def closed(item: Continuation) -> Cloze:
    """A continuation as a whole text to be filled in.

    After a context, a full stop is put behind a text that ends in a letter or a digit: "The nurse smiled
    because [MASK]." Without it the best filling of a last place is the full stop itself, and next to no
    probability is left for the terms that are compared. Nothing is put behind a text without a context.
    """
    whole = item.context + item.text
    stop = "." if item.context and whole[-1:].isalnum() else ""
    start = len(whole) - len(item.text.lstrip())
    return Cloze(whole + stop, start, len(whole.rstrip()) or len(whole))
