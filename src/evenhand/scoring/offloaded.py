"""Weights that are not whole in this process's memory: accelerate keeps them elsewhere, and the module holds
them without storage until it runs; or each process of a run holds a part (`torch.distributed.tensor`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def is_offloaded(module: nn.Module) -> bool:
    """Whether some parameter of `module` has no storage here."""
    return any(parameter.is_meta for parameter in module.parameters())


def in_parts(module: nn.Module) -> bool:
    """Whether this process holds only its part of some parameter of `module`."""
    return any(hasattr(parameter, "full_tensor") for parameter in module.parameters())


def held_here(tensor: Tensor) -> Tensor:
    """The part of `tensor` that this process holds; all of it where it is not in parts."""
    parted: Any = tensor
    return parted.to_local() if hasattr(tensor, "full_tensor") else tensor


def value_of(part: nn.Module, name: str) -> Tensor:
    """The parameter or buffer `name` of `part` itself, read from where it is kept if not in memory.

    One in parts is put together, for which all processes have to ask at the same time.
    """
    held: Any = getattr(part, name)
    if hasattr(held, "full_tensor"):
        whole: Tensor = held.full_tensor()
        return whole
    if not held.is_meta:
        value: Tensor = held
        return value
    hook: Any = getattr(part, "_hf_hook", None)
    kept: Tensor = hook.weights_map[name]
    return kept.to(held.dtype)


def input_device(module: nn.Module) -> torch.device:
    """Where a pass through `module` takes its inputs: where its first parameter is, or is computed with."""
    first = next(module.parameters()).device
    if first.type != "meta":
        return first
    part: Any = next(
        part for part in module.modules() if next(part.parameters(recurse=False), None) is not None
    )
    return torch.device(part._hf_hook.execution_device)
