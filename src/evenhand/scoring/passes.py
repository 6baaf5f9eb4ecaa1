"""Forward passes that repeat while only upper blocks change: what the blocks below handed on is kept.

A study measures one treated model and many control models on the same prompts, and most of them change one
block. The engine's plan depends on the prompts only, so their passes have the same inputs: from the third
model on, such a pass begins at the lowest changed block, with the very bits that the blocks below would give.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from evenhand.architectures.checking import output_embeddings
from evenhand.scoring.blocks import Blocks, Handed, altered, below, given_below, seen_by
from evenhand.scoring.forward import device_of
from evenhand.scoring.kept import bits, built, counted, kept_of, table

DISK = 4 * 2**30
"""Bytes of kept states beyond which no further pass is kept; those above `kept.MEMORY` lie in files."""


@dataclass
class Passes:
    """The passes of models that agree below a block, by a digest of their inputs.

    A pass is kept when it runs for the second time: a model that is measured once costs no memory.
    """

    seen: set[bytes] = field(default_factory=set)
    handed: dict[bytes, Handed] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """The size of all kept states."""
        return sum(one.state.nbytes for one in self.handed.values())

    def keep(self, key: bytes, handed: Handed, taken: int) -> None:
        """Keep what the last of the lower blocks handed on, `taken` bytes being in use."""
        if taken + handed.state.nbytes > DISK:
            return
        flat = table((handed.state[..., 0].numel(), handed.state.shape[-1]), handed.state, taken)
        flat.copy_(handed.state.reshape(flat.shape))
        self.handed[key] = Handed(flat.view(handed.state.shape), handed.size)


@contextmanager
def passes_kept(module: nn.Module, blocks: Blocks, depth: int) -> Iterator[None]:
    """Inside, passes that ran before with the same weights below block `depth` begin there.

    Passes with gradients, with a cache, with dropout, in another precision, of which more than logits are
    asked, or with something set on the lower part of the model run whole, and so do all passes once a lower
    weight was changed. A write through ``.data``, and a change beside the weights (see `kept.built`), is only
    noticed between two treatments.
    """
    if depth == 0:
        yield
        return
    lower = below(module, blocks, depth)
    key, begun = ("passes", depth, bits(lower), built(module)), counted(lower)
    kept = kept_of(module)
    passes: Passes = kept.states.find(key) or Passes()
    kept.states.put(key, passes)
    real, own = module.forward, vars(module).get("forward")

    @functools.wraps(real)
    def forward(*args: Any, **kwargs: Any) -> Any:
        changed = counted(below(module, blocks, depth)) != begun
        whole = changed or _disturbed(module, blocks, depth) or _more_asked(module, kwargs)
        name = None if whole else _digest(args, kwargs)
        with ExitStack() as stack:
            if name in passes.handed:
                found = passes.handed[name]
                device = device_of(module)
                stack.enter_context(given_below(blocks, depth, Handed(found.state.to(device), found.size)))
                return real(*args, **kwargs)
            if name is None or name not in passes.seen:
                if name is not None:
                    passes.seen.add(name)
                return real(*args, **kwargs)
            seen = stack.enter_context(seen_by(Blocks(blocks.blocks[:depth])))
            answer = real(*args, **kwargs)
        passes.keep(name, seen[-1][1], kept.taken())
        return answer

    module.forward = forward
    try:
        yield
    finally:
        del module.forward
        if own is not None:
            module.forward = own


def _disturbed(module: nn.Module, blocks: Blocks, depth: int) -> bool:
    """Whether the pass must run whole: gradients, autocast, values in place of blocks, and in the lower part
    dropout, hooks or a forward of its own.
    """
    if torch.is_grad_enabled() or any("forward" in vars(block) for block in blocks.blocks):
        return True
    upper = [output_embeddings(module), *blocks.blocks[depth:]]
    apart = {id(part) for top in upper if top is not None for part in top.modules()}
    drops = any(part.training for part in module.modules() if id(part) not in apart)
    return drops or torch.is_autocast_enabled(device_of(module).type) or altered(module, apart)


def _more_asked(module: nn.Module, kwargs: Mapping[str, Any]) -> bool:
    """Whether hidden states, attentions or the like are asked for, by arguments or by the configuration."""
    asked = {**getattr(getattr(module, "config", None), "__dict__", {}), **kwargs}
    return any(name.lstrip("_").startswith("output_") and value is True for name, value in asked.items())


def _digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes | None:
    """A digest of the inputs of a pass; None where a cache takes part, as it does unless it is refused."""
    if kwargs.get("past_key_values") is not None or kwargs.get("use_cache") is not False:
        return None
    sha = hashlib.sha256()
    _add(sha, [list(args), dict(kwargs)])
    return sha.digest()


def _add(sha: Any, value: Any) -> None:
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        sha.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        sha.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    elif isinstance(value, Mapping):
        for name in sorted(value):
            sha.update(f"{name}=".encode())
            _add(sha, value[name])
    elif isinstance(value, (list, tuple)):
        for part in value:
            _add(sha, part)
    else:
        sha.update(repr(value).encode())
