"""Which parameters carry a change of a model: those that its control models are to be damaged in.

Storing a checkpoint in another precision changes every parameter, and a little noise may be added to all of
them. Control models that were spread as widely would be other damage than the one that was done, and the
treated model would choose its own controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

CARRIED = 0.9
"""The share of the change that the chosen parameters carry."""
ROUNDING = 2.0**-8
"""Twice the largest relative error of rounding to bfloat16, the coarsest format of 16 bits."""


def carriers(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> frozenset[str]:
    """The fewest parameters that carry `CARRIED` of the change from `before` to `after`, by name.

    `after` holds some or all of the parameters of `before`, in the same shapes. A parameter none of whose
    weights moved by more than `ROUNDING` of itself was rounded, and counts where nothing else changed. Each
    weight counts by the square of its change relative to the root mean square of its parameter, at most 1, so
    that neither a few large weights nor a parameter that was zero outweigh all others. Empty where nothing
    changed.
    """
    moved: dict[str, float] = {}
    rounded: dict[str, float] = {}
    for name, value in after.items():
        old = before[name].detach().float()
        change = (value.detach().to(old) - old).abs()
        if not bool(change.any()):
            continue
        scale = old.square().mean().sqrt().clamp_min(1e-12)
        weight = float((change / scale).square().clamp_max(1.0).sum())
        kind = moved if bool((change > ROUNDING * old.abs()).any()) else rounded
        kind[name] = weight
    chosen = moved or rounded
    left = (1 - CARRIED) * sum(chosen.values())
    kept = set(chosen)
    for name in sorted(chosen, key=lambda name: (chosen[name], name)):  # the smallest are left out first
        left -= chosen[name]
        if left < 0:
            break
        kept.remove(name)
    return frozenset(kept)
