"""Other values in the place of a module's parameters for the time of a forward pass, with gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import stateless


@contextmanager
def swapped(module: nn.Module, values: Mapping[str, Tensor]) -> Iterator[None]:
    """The parameters of `module` named in `values` have those values; gradients go through them."""
    with stateless._reparametrize_module(module, dict(values)):
        yield


@contextmanager
def noise(module: nn.Module, dose: float, chance: torch.Generator) -> Iterator[None]:
    """Each parameter of `module` plus normal noise of `dose` times its root mean square."""
    values = {
        name: p + dose * p.detach().square().mean().sqrt() * torch.randn(p.shape, generator=chance)
        for name, p in module.named_parameters()
    }
    with swapped(module, values):
        yield
