"""`EncoderModel`: a text encoder without a language-model head, such as a sentence embedder."""

from __future__ import annotations

from evenhand.models.opened import Opened
from evenhand.records import Ability


class EncoderModel(Opened):
    """An encoder (BERT, RoBERTa, MPNet, a T5 encoder ...) whose checkpoint holds no language-model head.

    It gives texts as vectors (`Embedding`) and nothing else: no probabilities of words, no text.
    """

    family = "encoder"
    can: frozenset[Ability] = frozenset({Ability.HIDDEN})
    instead = "Measure its embeddings (`-b seat`, `-b weat`), or use a checkpoint with the head."
