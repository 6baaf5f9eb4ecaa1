"""Which parameters carry a change of a model: those that its control models are to be damaged in.

Storing a checkpoint in another precision changes every parameter, and a little noise may be added to all of
them. Control models that were spread as widely would be other damage than the one that was done, and the
treated model would choose its own controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

CARRIED = 0.9
"""The share of the change that the chosen parameters carry."""
ROUNDING, LEAST = 2.0**-7, 2.0**-24
"""Twice the largest relative error of rounding to bfloat16, and the smallest number of float16."""
SMALL = 0.01
"""A parameter whose weights are smaller than so much of the model's counts by the model's scale."""
_SLICE = 2**22  # weights that are looked at together, so that a large vocabulary's are not copied whole


def carriers(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> frozenset[str]:
    """The fewest parameters that carry `CARRIED` of the change from `before` to `after`, by name.

    `after` holds some or all of the parameters of `before`, in the same shapes. A weight counts by the square
    of its change relative to the root mean square of its parameter (to the median of these over all, where
    that is next to zero), and by 1 at most and where it is not finite. Weights that moved by no more than
    rounding does (`ROUNDING` of themselves, or `LEAST`) count where they carry the larger half of the change.
    Empty where nothing changed, or by too little to be counted.
    """
    scales = {name: _scale(before[name]) for name in after}
    usual = float(np.median(list(scales.values()))) if scales else 0.0
    parts = {
        name: _change(before[name], value, scales[name] if scales[name] > SMALL * usual else usual)
        for name, value in after.items()
    }
    moved, rounded = (sum(part[kind] for part in parts.values()) for kind in (0, 1))
    chosen = {name: part[0] + (part[1] if rounded > moved else 0.0) for name, part in parts.items()}
    chosen = {name: weight for name, weight in chosen.items() if weight > 0}
    left = (1 - CARRIED) * sum(chosen.values())
    kept = set(chosen)
    for name in sorted(chosen, key=lambda name: (chosen[name], name)):  # the smallest are left out first
        left -= chosen[name]
        if left < 0:
            break
        kept.remove(name)
    return frozenset(kept)


def _scale(value: Tensor) -> float:
    """The root mean square of the finite weights; 0 of none."""
    squares = 0.0
    for part in _slices(value):
        squares += float(part.double().nan_to_num(0.0, 0.0, 0.0).square().sum())
    return float(np.sqrt(squares / max(1, value.numel())))


def _change(old: Tensor, new: Tensor, scale: float) -> tuple[float, float]:
    """What the weights count for that moved by more than rounding does, and those that did not."""
    moved = rounded = 0.0
    for mine, yours in zip(_slices(old), _slices(new), strict=True):
        start = mine.double()
        change = (yours.to(mine).double() - start).abs()  # in the precision and place of the base
        change[(yours.to(mine) == mine)] = 0.0  # infinity less infinity is no change
        counted = (change / max(scale, 1e-300)).square().clamp_max(1.0).nan_to_num(1.0)
        far = ~(change <= (ROUNDING * start.abs()).clamp_min(LEAST))
        moved += float(counted[far].sum())
        rounded += float(counted[~far].sum())
    return moved, rounded


def _slices(value: Tensor) -> Iterator[Tensor]:
    flat = value.detach().flatten()
    for start in range(0, len(flat), _SLICE):
        yield flat[start : start + _SLICE]
