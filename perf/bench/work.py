"""The multiply-adds that a workload cannot avoid: products of distinct tokens and of wanted predictions.

Two sequences that begin alike need the common beginning once, so the tokens of a causal model are the nodes
of the sequences' prefix tree. Attention's own products and everything elementwise are left out: the share
of the ceiling is therefore a little low, and the lower the longer the texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

from torch import nn

from evenhand.scoring.tokens import Encoder

Span = tuple[tuple[int, ...], int]
"""Token ids, and the number of the first one that is predicted from the ones before it."""


def nodes(sequences: Iterable[Span]) -> tuple[int, int]:
    """How many distinct prefixes there are, and at how many of them something is predicted.

    The last token of a sequence is read by nothing and is not counted.
    """
    tokens = predictions = 0
    before: tuple[int, ...] = ()
    for ids, start in sorted(set(sequences)):
        read = ids[:-1]
        common = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(before, read, strict=False))))
        tokens += len(read) - common
        predictions += max(0, len(read) - max(common, start - 1))
        before = read
    return tokens, predictions


def of_block(block: nn.Module) -> int:
    """Multiply-adds a token of one block: the numbers in its matrices."""
    return sum(p.numel() for p in block.parameters() if p.dim() == 2)


def of_blocks(model: Any) -> int:
    """Multiply-adds a token of all blocks of an open model."""
    return sum(of_block(model.module.get_submodule(name)) for name in block_names(model))


def block_names(model: Any) -> list[str]:
    """The names of the modules that are the model's blocks, from the first to the last."""
    inner = next(module for module in model.module.modules() if isinstance(module, nn.ModuleList))
    name = next(name for name, module in model.module.named_modules() if module is inner)
    return [f"{name}.{number}" for number in range(len(inner))]


def of_head(model: Any) -> int:
    """Multiply-adds of one prediction over the vocabulary."""
    weight = model.module.get_output_embeddings().weight
    return int(weight.numel())


def of_scoring(model: Any, sequences: Sequence[Span]) -> float:
    """Multiply-adds of scoring sequences with a causal model."""
    tokens, predictions = nodes(sequences)
    return float(tokens * of_blocks(model) + predictions * of_head(model))


def spans(model: Any, items: Sequence[Any]) -> list[Span]:
    """The token ids of continuations, and where the predicted part of each begins."""
    encoder = Encoder.of(model.module, model.tokenizer)
    return [(tuple(found.ids), found.start) for found in encoder.encode(items)]
