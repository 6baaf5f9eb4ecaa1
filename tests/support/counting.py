"""What a model runs, counted without hooks, which would switch the fast ways off."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from evenhand.models import OpenModel


@contextmanager
def tokens_by_block(model: OpenModel) -> Iterator[list[int]]:
    """The tokens, padding included, that each block runs inside."""
    tokens = [0] * model.layout.n_blocks

    def count(i: int, hidden: Tensor, *_: object) -> None:
        tokens[i] += hidden.shape[0] * hidden.shape[1]

    with watched([model.layout.module(site) for site in model.layout.blocks()], count):
        yield tokens


@contextmanager
def watched(parts: Sequence[nn.Module], see: Callable[..., None]) -> Iterator[None]:
    """Inside, `see` gets the number of each of `parts` that runs, and what it is given.

    Their classes are changed, not they themselves: a part with a forward of its own runs in whole passes.
    """
    number = {id(part): i for i, part in enumerate(parts)}
    kinds = {type(part): type(part).forward for part in parts}

    def seeing(own: Any) -> Any:
        @functools.wraps(own)
        def forward(part: nn.Module, *args: Any, **more: Any) -> Any:
            if id(part) in number:
                see(number[id(part)], *args)
            return own(part, *args, **more)

        return forward

    for kind, own in kinds.items():
        kind.forward = seeing(own)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for kind, own in kinds.items():
            kind.forward = own  # type: ignore[method-assign]
