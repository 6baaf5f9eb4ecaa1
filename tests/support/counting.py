"""What a model runs, counted without hooks, which would switch the fast ways off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from evenhand.models import OpenModel


@contextmanager
def tokens_by_block(model: OpenModel) -> Iterator[list[int]]:
    """The tokens, padding included, that each block runs inside."""
    tokens = [0] * model.layout.n_blocks
    blocks = [model.layout.module(site) for site in model.layout.blocks()]
    for i, block in enumerate(blocks):

        def counting(hidden: Tensor, *args: Any, i: int = i, own: Any = block.forward, **more: Any) -> Any:
            tokens[i] += hidden.shape[0] * hidden.shape[1]
            return own(hidden, *args, **more)

        block.forward = counting  # type: ignore[method-assign]
    try:
        yield tokens
    finally:
        for block in blocks:
            del block.forward
