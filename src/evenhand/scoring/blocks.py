"""Forward passes through a part of a model's blocks: those below are given, not run.

The model's own forward still makes masks, positions and rotary tables; only the blocks are replaced. So this
works for every architecture whose blocks hand on one hidden state, and `evenhand.scoring.restarting` tests it
on the model at hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from evenhand.scoring.forward import SelectedHead, hooks_of

_GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")


@dataclass(frozen=True)
class Blocks:
    """A model's blocks in order of depth. `last_mlp` is the last one's MLP, where that is one module with one
    input, None otherwise.
    """

    blocks: tuple[nn.Module, ...]
    last_mlp: nn.Module | None = None

    def __len__(self) -> int:
        return len(self.blocks)


@dataclass(frozen=True, slots=True)
class Handed:
    """What a block hands on: its state [rows, tokens, width], in a tuple of `size` values or alone (0)."""

    state: Tensor
    size: int = 0

    @classmethod
    def of(cls, output: Any) -> Handed:
        """The parts of what a block's forward returned."""
        return cls(output[0], len(output)) if isinstance(output, tuple) else cls(output)

    def whole(self) -> Any:
        """As the block's forward returns it; values beside the hidden state are None."""
        return (self.state, *[None] * (self.size - 1)) if self.size else self.state


class _Stopped(Exception):
    """Ends a forward pass of which nothing more is needed."""


def hooked(module: nn.Module, apart: Collection[int] = ()) -> bool:
    """Whether hooks are set on any part of `module`, or on all modules: these expect whole passes.

    Parts with an id in `apart` do not count.
    """
    parts = (part for part in module.modules() if id(part) not in apart)
    return any(map(hooks_of, parts)) or any(getattr(torch_module, name) for name in _GLOBAL_HOOKS)


def altered(module: nn.Module, apart: Collection[int] = ()) -> bool:
    """Whether `module` is `hooked` or a part of it was given a forward of its own: nothing is kept then.

    The whole `module` may have one, and so may parts that accelerate or transformers gave one, which only
    moves tensors between devices or processes.
    """
    parts = (p for p in module.modules() if p is not module and id(p) not in apart)
    own = ("forward" in vars(part) and not _only_moves(part) for part in parts)
    return any(own) or hooked(module, apart)


def _only_moves(part: nn.Module) -> bool:
    return hasattr(part, "_hf_hook") or any(hasattr(p, "full_tensor") for p in part.parameters(recurse=False))


def below(module: nn.Module, blocks: Blocks, depth: int) -> list[nn.Parameter]:
    """The parameters of `module` but those of the blocks from `depth` on."""
    above = {id(p) for block in blocks.blocks[depth:] for p in block.parameters()}
    return [p for p in module.parameters() if id(p) not in above]


@contextmanager
def given_below(blocks: Blocks, depth: int, handed: Handed) -> Iterator[None]:
    """Inside, the blocks 0 to `depth` - 1 do not run: each returns `handed` whatever it is given."""
    replaced = [(block, vars(block).get("forward")) for block in blocks.blocks[:depth]]
    whole = handed.whole()
    for block, _ in replaced:
        block.forward = lambda *_, **__: whole
    try:
        yield
    finally:
        for block, own in replaced:
            del block.forward
            if own is not None:
                block.forward = own


@contextmanager
def caught_after(block: nn.Module) -> Iterator[list[Handed]]:
    """Inside, a forward pass ends when `block` has run; the list then holds what it handed on."""
    found: list[Handed] = []

    def stop(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
        found.append(Handed.of(output))
        raise _Stopped

    handle = block.register_forward_hook(stop)
    try:
        yield found
    except _Stopped:
        pass
    finally:
        handle.remove()


@contextmanager
def seen_by(blocks: Blocks) -> Iterator[list[tuple[Tensor, Handed]]]:
    """Inside, a forward pass appends what each block received and what it handed on, in order of depth."""
    found: list[tuple[Tensor, Handed]] = []

    def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        handed = Handed.of(output)
        before = found[-1][1].state if found else (args[0] if args else kwargs["hidden_states"])
        found.append((before, handed))

    handles = [block.register_forward_hook(keep, with_kwargs=True) for block in blocks.blocks]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def last_mlp_at_the_head(blocks: Blocks, head: SelectedHead) -> Iterator[None]:
    """Inside, the last block's MLP runs only at the positions that `head` selected: nothing else is read.

    At all other positions it gives 0, so the last hidden states there are wrong.
    """
    if blocks.last_mlp is None:
        yield
        return
    shapes: list[torch.Size] = []

    def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        shapes.clear()
        chosen = head.selected
        plain = len(args) == 1 and isinstance(args[0], Tensor) and args[0].dim() == 3
        if chosen is None or not plain or 2 * len(chosen[0]) > args[0].shape[0] * args[0].shape[1]:
            return None
        shapes.append(args[0].shape)
        return (args[0][chosen].unsqueeze(0),)

    def after(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        if not shapes or head.selected is None:
            return None
        handed = Handed.of(output)
        places = handed.state.new_zeros(*shapes[0][:2], handed.state.shape[-1])
        state = places.index_put(head.selected, handed.state[0])
        return (state, *output[1:]) if handed.size else state

    handles = [
        blocks.last_mlp.register_forward_pre_hook(before),
        blocks.last_mlp.register_forward_hook(after),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def distinct(rows: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The rows that are no prefix of another, sorted."""
    ordered = sorted(set(rows))
    return [
        row
        for row, after in zip(ordered, [*ordered[1:], ()], strict=True)
        if after[: len(row)] != row or not row
    ]
