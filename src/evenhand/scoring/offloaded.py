"""Weights that accelerate keeps outside memory: the module holds them without storage until it runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def is_offloaded(module: nn.Module) -> bool:
    """Whether some parameter of `module` has no storage here."""
    return any(parameter.is_meta for parameter in module.parameters())


def value_of(part: nn.Module, name: str) -> Tensor:
    """The parameter or buffer `name` of `part` itself, read from where it is kept if not in memory."""
    held: Tensor = getattr(part, name)
    if not held.is_meta:
        return held
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
