"""`Seq2SeqModel`: T5, BART and similar models; an encoder reads a source, a decoder writes a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from evenhand.models.opened import Opened
from evenhand.records import Ability
from evenhand.scoring.forms import ConditionalScorer, Form

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Seq2SeqModel(Opened):
    """A sequence-to-sequence model (T5, Flan-T5, mT5, BART): true likelihoods of a text given a source.

    A `Continuation` is put to the model in one of two forms; `form` ``auto`` chooses by its context:

    - ``source``, where the context is complete (its last character is one of . ? ! : … or a line end), like a
      question or an instruction: the context is the source, the text the target.
    - ``infill``, where the context ends inside a sentence, or is empty: the model fills the gap, as in
      pre-training. With sentinels (T5) the source is the context and ``<extra_id_0>``, the target
      ``<extra_id_0>`` and the text. With a mask token (BART) the source is the context and ``<mask>``, the
      target repeats the context, followed by the text. A model with neither uses ``source``.

    Neither form counts the end token of a target, so a text may be the beginning of a longer one: the same
    probability that a causal model gives.

    Raises:
        BadModel: the tokenizer gives no ids, or the configuration names no first token of the decoder.
    """

    family = "seq2seq"
    can: frozenset[Ability] = frozenset(Ability) - {Ability.CLOZE, Ability.NEXT}
    instead = "Use a causal or a masked model."

    def __init__(
        self,
        module: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        uri: str,
        *,
        revision: str | None = None,
        batch_tokens: int | None = None,
        form: Form = "auto",
    ) -> None:
        super().__init__(module, tokenizer, uri, revision=revision, batch_tokens=batch_tokens)
        self.scorer = ConditionalScorer(module, tokenizer, batch_tokens=self.batch_tokens, form=form)

    def notes(self) -> tuple[str, ...]:
        """The form of the newest log-probabilities."""
        said = {
            "infill": "as the filling of a gap after their context",
            "source": "as the target of their context",
        }
        parts = [f"{self.scorer.used[form]} {text}" for form, text in said.items() if self.scorer.used[form]]
        found = (f"Sequence-to-sequence: scored {' and '.join(parts)}.",) if parts else ()
        return (*found, *super().notes())
