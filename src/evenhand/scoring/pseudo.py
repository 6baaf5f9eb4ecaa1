"""`MaskedScorer`: pseudo-log-likelihoods, for models that read a text in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from evenhand.architectures import window
from evenhand.records import Averaged, Cloze, Continuation, Contrast, LogProb
from evenhand.scoring.engine import Scorer
from evenhand.scoring.masks import Masker, plan_copies
from evenhand.scoring.report import ScoringReport
from evenhand.scoring.tokens import embedding_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


class MaskedScorer:
    """Scores masked words with one model and its tokenizer; `batch_tokens` is as in `Scorer`.

    Raises:
        BadModel: the tokenizer has no mask token or no fast form.
    """

    def __init__(
        self, module: nn.Module, tokenizer: PreTrainedTokenizerBase, *, batch_tokens: int = 2048
    ) -> None:
        self.masker = Masker(tokenizer, window(getattr(module, "config", None)), embedding_rows(module))
        # Padding on the right does not move tokens; the model computes the positions.
        self._engine = Scorer(module, tokenizer, batch_tokens=batch_tokens, padding="right")

    def report(self) -> ScoringReport:
        """The report of the newest call."""
        return self._engine.report()

    def account(self) -> ScoringReport:
        """The report of the newest call, as `take_over` takes it."""
        return self._engine.account()

    def take_over(self, accounts: Sequence[ScoringReport]) -> None:
        """Report the sum of calls that were shares of one."""
        self._engine.take_over(accounts)

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
        plan = plan_copies(self.masker.copies(items))
        values = self._engine.run(plan)  # [plan.size], nats
        found = (values[list(slots)] for slots in plan.slots)  # [tokens scored] each
        pooled = zip(items, found, strict=True)
        return [LogProb(_pooled(item, logs), len(logs), kind="pseudo") for item, logs in pooled]


def _pooled(item: Averaged | Cloze | Contrast, logs: NDArray[np.float64]) -> float:
    if isinstance(item, Averaged):
        return float(np.logaddexp.reduce(logs) - np.log(len(logs)))
    return float(logs.sum())


def closed(item: Continuation) -> Cloze:
    """A continuation as a whole text to be filled in.

    After a context, a full stop is added to a text that ends in a letter or a digit: "The nurse smiled
    because [MASK]." Without it the most probable last token is the full stop itself, and almost no
    probability is left for the terms that are compared. Nothing is added to a text without a context.
    """
    whole = item.context + item.text
    stop = "." if item.context and whole[-1:].isalnum() else ""
    start = len(whole) - len(item.text.lstrip())
    return Cloze(whole + stop, start, len(whole.rstrip()) or len(whole))
