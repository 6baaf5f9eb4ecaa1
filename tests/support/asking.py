"""Short ways to put many requests of one kind to a model."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from evenhand.models import Model
from evenhand.records import Embedding, Generation, Sampling, Unanchored

if TYPE_CHECKING:
    from evenhand.scoring.runners import Weights


def weights(module: Any, tokenizer: Any, *, batch_tokens: int = 2048) -> Weights:
    """A module and its tokenizer as a runner takes them."""
    model: Any = SimpleNamespace(module=module, tokenizer=tokenizer, batch_tokens=batch_tokens)
    given: Weights = model
    return given


def generated(model: Model, prompts: Sequence[str], sampling: Sampling, *, chat: bool = False) -> list[Any]:
    """The text after each prompt, or with `chat` the answer to it."""
    return model.answer([Generation(prompt, sampling, chat) for prompt in prompts])


def vectors(model: Model, texts: Sequence[str]) -> Any:
    """The vector of each text, [N, d]."""
    found: list[Any] = list(model.answer([Embedding(text) for text in texts]))
    return np.array([one.values for one in found])


def unanchored(model: Model, texts: Sequence[str]) -> list[Any]:
    """log P of each text, its start token in view of its first token alone."""
    return list(model.answer([Unanchored(text) for text in texts]))
