"""How many tokens a model can read, where its positions do not start at 0."""

from __future__ import annotations

from typing import Any

from evenhand.scoring.tokens import context_window

# Their position table keeps the places up to the padding token's id for padding.
_OFFSET = frozenset(
    ("camembert", "data2vec-text", "esm", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm",
     "xlm-roberta", "xlm-roberta-xl", "xmod")
)  # fmt: skip


def window(config: Any) -> int | None:
    """The most tokens that a text, marks included, may have; None where nothing limits it.

    As `context_window`, less the positions that RoBERTa and its kin (512 of 514) cannot give to a token.
    Relative positions (T5, DeBERTa) limit nothing by themselves; T5 states no number, DeBERTa states one.
    """
    size = context_window(config)
    if size is None or getattr(config, "model_type", "") not in _OFFSET:
        return size
    padding = getattr(config, "pad_token_id", None)
    return size - (1 if padding is None else int(padding)) - 1
