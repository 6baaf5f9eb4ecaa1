"""A numeric test of padding on the workload itself, in addition to the list of architectures.

Left padding with wrong positions gives results that are wrong by several nats on several architectures.
So the first mixed batch of a workload is compared with the same rows run one by one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from evenhand.scoring.forward import Padding, SelectedHead, run_rows
from evenhand.scoring.plan import Row

Path = Literal["left", "right", "equal"]
LIMITS: Mapping[torch.dtype, float] = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 2e-2}
"""Largest accepted disagreement as a share of the spread of the log-probabilities, by dtype of the weights.

Narrow formats differ by rounding between any two batches; a wrong mask or position shows as a disagreement
of the order of the spread itself.
"""
_NARROW_LIMIT = 1e-1  # bfloat16 and anything narrower
_ROWS = 4
_POSITIONS = 4
_log = logging.getLogger("evenhand.scoring")


@dataclass(frozen=True, slots=True)
class Settled:
    """The chosen path, the reason in a sentence, and the accepted disagreement (None for ``equal``)."""

    path: Path
    why: str
    error: float | None


def limit(module: nn.Module) -> float:
    """The largest disagreement accepted for this module's weights, as a share of the spread."""
    return LIMITS.get(next(module.parameters()).dtype, _NARROW_LIMIT)


def choose(rows: Sequence[Row]) -> list[Row]:
    """A few rows of different lengths, with the shortest and the longest; `rows` are sorted by length."""
    return spread_out(list({len(row.ids): row for row in rows}.values()), _ROWS)


def spread_out(rows: Sequence[Row], most: int) -> list[Row]:
    """At most `most` of `rows` (2 or more), evenly spread, with the first and the last."""
    last = len(rows) - 1
    return [rows[i] for i in sorted({round(i * last / (most - 1)) for i in range(most)})]


def disagreement(module: nn.Module, head: SelectedHead, rows: Sequence[Row], padding: Padding) -> float:
    """The largest difference of any log-probability, padded against one by one, in units of their spread.

    NaN where the padded batch gives NaN. `head` must be entered and gradients off.
    """
    ids = [row.ids for row in rows]
    positions = [row.positions[-_POSITIONS:] for row in rows]
    together = run_rows(module, head, ids, positions, padding=padding).log_softmax(-1)
    singly = [  # on the right: nothing to pad, and the model counts the positions itself
        run_rows(module, head, [i], [p], padding="right").log_softmax(-1)
        for i, p in zip(ids, positions, strict=True)
    ]
    error = apart(together, torch.cat(singly))
    return math.inf if error is None else error


def apart(together: Tensor, alone: Tensor) -> float | None:
    """The largest difference of log-probabilities, both [n, vocabulary], in units of the spread of `alone`.

    NaN where only `together` has NaN; None where `alone` has no finite number, because such weights cannot
    test anything.
    """
    finite = alone.isfinite()
    if not finite.any():
        return None
    spread = alone[finite].std().clamp_min(1e-3)
    return float((together - alone)[finite].abs().max() / spread)


def settle(module: nn.Module, head: SelectedHead, rows: Sequence[Row], start: Path) -> Settled:
    """Try paths from `start` downwards (left, right, equal lengths) until one passes on `rows`."""
    bound = limit(module)
    why = "batches of equal length were asked for"
    sides: tuple[Padding, ...] = ("left", "right")
    for padding in sides[sides.index(start) :] if start != "equal" else ():
        error = disagreement(module, head, rows, padding)
        measured = (
            f"{padding} padding differs from single rows by {error:.1e} of the spread, limit {bound:.0e}"
        )
        if error <= bound:  # False for NaN, too
            return Settled(padding, measured, error)
        why = measured
        _log.warning("%s: not used", measured)
    return Settled("equal", why, None)
