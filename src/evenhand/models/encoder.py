"""`EncoderModel`: a text encoder without a language-model head, such as a sentence embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from evenhand.errors import BadModel
from evenhand.models.opened import Opened
from evenhand.records import Ability, Completion, Continuation, LogProb, Sampling


class EncoderModel(Opened):
    """An encoder (BERT, RoBERTa, MPNet, a T5 encoder ...) whose checkpoint holds no language-model head.

    It gives texts as vectors (`hidden`) and nothing else: no probabilities of words, no text.
    """

    family = "encoder"
    can: frozenset[Ability] = frozenset({Ability.HIDDEN})

    def logprobs(self, items: Sequence[Continuation]) -> list[LogProb]:
        """Nothing.

        Raises:
            BadModel: always: an encoder has no probabilities of words.
        """
        self._refuse("gives no log-probabilities")

    def generate(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion]:
        """Nothing.

        Raises:
            BadModel: always: an encoder writes no text.
        """
        self._refuse("writes no text")

    def _refuse(self, what: str) -> NoReturn:
        raise BadModel(
            f"{self.spec.uri} is an encoder without a language-model head: it {what}.",
            mend="Measure its embeddings (`-b seat`, `-b weat`), or use a checkpoint that holds the head.",
        )
