"""The sizes of a model that the memory of its passes follows from, read off its module without storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from evenhand.architectures import row_of, window
from evenhand.architectures.checking import output_embeddings
from evenhand.architectures.reading import text_config
from evenhand.errors import BadModel
from evenhand.models.layout import Layout
from evenhand.scoring.sharing import sharing_on

WHOLE_ROWS = 64  # tokens of a row that is no packed tree: more than most prompts of the benchmarks here have


def layout_of(module: nn.Module) -> Layout | None:
    """The sites of `module`; None for an architecture without a row."""
    try:
        return Layout(module)
    except BadModel:
        return None


@dataclass(frozen=True, slots=True)
class Shape:
    """Bytes of a number, widths, heads, blocks, and the rows of a batch.

    `products` counts the blocks' matrices of different shapes, `packed` says whether rows are packed trees,
    `length` is the number of tokens of one, `keys` the width of a block's keys, and `wide_head` the size of
    the head's float32 copy.
    """

    element: int
    width: int
    inner: int
    products: int
    vocabulary: int
    heads: int
    keys: int
    blocks: int
    packed: bool
    length: int
    eager: bool
    decoder: bool
    wide_head: int

    @classmethod
    def of(cls, module: nn.Module, batch_tokens: int, device: str) -> Shape:
        """That of a module, with batches of so many tokens on such a device."""
        config: Any = text_config(getattr(module, "config", None))
        element = next(p.element_size() for p in module.parameters() if p.is_floating_point())
        head = output_embeddings(module)
        weight = getattr(head, "weight", None)
        table = weight.numel() if isinstance(weight, torch.Tensor) else 0
        vocabulary = int(getattr(config, "vocab_size", 0) or 0) if head is not None else 0
        heads = int(getattr(config, "num_attention_heads", None) or 1)
        shared = int(getattr(config, "num_key_value_heads", None) or heads)
        return cls(
            element=element,
            width=_width(module, config),
            inner=_widest(module, config),
            products=len({p.shape for p in _matrices(module)}),
            vocabulary=vocabulary,
            heads=heads,
            keys=_width(module, config) * shared // heads,
            blocks=_depth(module, config),
            packed=_packs(config),
            length=_length(config, batch_tokens, device),
            eager=getattr(module.config, "_attn_implementation", None) == "eager",
            decoder=bool(getattr(module.config, "is_encoder_decoder", False)),
            wide_head=4 * table if element < 4 else 0,
        )


def _width(module: nn.Module, config: Any) -> int:
    found = getattr(config, "hidden_size", None)
    if isinstance(found, int):
        return found
    embeddings: Any = module.get_input_embeddings()  # type: ignore[operator]
    return int(embeddings.weight.shape[-1])


def _widest(module: nn.Module, config: Any) -> int:
    """The widest tensor between the layers of a block, numbers a token: the larger side of a matrix.

    A token goes through several experts of a mixture, whose matrices are one tensor of three dimensions.
    """
    experts = int(getattr(config, "num_experts_per_tok", None) or 1)
    sides = [max(p.shape[-2:]) * (experts if p.dim() > 2 else 1) for p in _matrices(module)]
    return max(sides, default=_width(module, config))


def _matrices(module: nn.Module) -> list[nn.Parameter]:
    """The matrices of the layers of blocks; embeddings and the head are none of them."""
    apart = {id(p) for part in module.modules() if isinstance(part, nn.Embedding) for p in part.parameters()}
    head = output_embeddings(module)
    apart |= {id(p) for p in head.parameters()} if head is not None else set()
    return [p for p in module.parameters() if p.dim() > 1 and id(p) not in apart]


def _depth(module: nn.Module, config: Any) -> int:
    layout = layout_of(module)
    return layout.n_blocks if layout is not None else int(getattr(config, "num_hidden_layers", None) or 1)


def _packs(config: Any) -> bool:
    row = row_of(getattr(config, "model_type", ""))
    return bool(row.shares or row.places)


def _length(config: Any, batch_tokens: int, device: str) -> int:
    """The tokens of a row: a packed tree's where the architecture allows it, else those of a text."""
    length = sharing_on(device).room if _packs(config) else WHOLE_ROWS
    return min(length, batch_tokens, window(config) or length)
