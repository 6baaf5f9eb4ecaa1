"""The second moment of a map's inputs in ordinary text, C = E[k kᵀ]: estimated, checked, kept on disk.

With fewer than 10 tokens for each dimension, or where it is asked for, the estimate S is drawn towards a
multiple of the identity, ``(1 - rho) S + rho mu I`` with mu = tr S / d. By default with the rho that is
expected to be nearest to C (Ledoit and Wolf 2004): ``min(1, sum_i ||x_i x_iᵀ - S||² / n² / ||S - mu I||²)``.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evenhand.errors import BadModel, NoSpace
from evenhand.files import write_atomically
from evenhand.folders import cache_folder
from evenhand.mitigations._editing.passes import passing
from evenhand.models import OpenModel
from evenhand.models.projections import Projection
from evenhand.progress import task
from evenhand.records import digest
from evenhand.scoring.tokens import Encoder

ENOUGH = 10  # tokens for each dimension, from which on nothing is shrunk
WORST = 1e14
"""The largest ratio of the largest to the smallest eigenvalue: float64 has 16 digits."""


@dataclass(frozen=True)
class Sums:
    """Of n inputs x [d]: the sum of x xᵀ [d, d], and of ||x||⁴."""

    n: int
    outer: Tensor
    fourth: float


@dataclass(frozen=True)
class Estimate:
    """C [d, d] of `tokens` inputs, drawn towards the identity by `shrunk` (from 0 to 1)."""

    matrix: Tensor
    tokens: int
    shrunk: float


def second_moment(
    model: OpenModel, of: Projection, texts: Sequence[str], rho: float | None = None
) -> Estimate:
    """C of the map's inputs over all tokens of `texts`, from the cache where it was estimated before.

    `rho` is as for `shrunk`. The model must hold the weights that its digest is of.

    Raises:
        BadModel: C is not finite or singular.
    """
    sums = _kept(model, of, texts)
    return checked(shrunk(sums, rho), of.block)


def shrunk(sums: Sums, rho: float | None = None) -> Estimate:
    """S, drawn towards the identity by `rho`; None does so only with fewer than 10 tokens a dimension."""
    d = len(sums.outer)
    mean = sums.outer / sums.n
    if rho == 0 or (rho is None and sums.n >= ENOUGH * d):
        return Estimate(mean, sums.n, 0.0)
    scale = mean.diagonal().mean()
    identity = torch.eye(d, dtype=torch.float64)
    if rho is None:
        rho = _best(sums, mean, scale * identity)
    return Estimate((1 - rho) * mean + rho * scale * identity, sums.n, rho)


def _best(sums: Sums, mean: Tensor, goal: Tensor) -> float:
    scatter = (sums.fourth - sums.n * float((mean**2).sum())) / sums.n**2
    apart = float(((mean - goal) ** 2).sum())
    return min(1.0, scatter / apart) if apart > 0 else 1.0


def checked(found: Estimate, block: int) -> Estimate:
    """`found`, if it can be solved with.

    Raises:
        BadModel: it is not finite or singular.
    """
    mend = (
        "Draw it towards the identity (shrink=.01), give more text (text=FILE, a line a text), or write C=I."
    )
    if not found.matrix.isfinite().all():
        raise BadModel(f"The second moment of the keys of block {block} is not finite.", mend=mend)
    values = torch.linalg.eigvalsh(found.matrix)
    if values[0] <= values[-1] / WORST:
        raise BadModel(
            f"The second moment of the keys of block {block} is singular over {found.tokens} tokens: some "
            "direction of them never occurs in the texts.",
            mend=mend,
        )
    return found


def _kept(model: OpenModel, of: Projection, texts: Sequence[str]) -> Sums:
    read = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    name = digest("second moment", model.spec.digest, of.weight, read)
    place = cache_folder() / "moments" / f"{name}.npz"
    found = _loaded(place, of.shape[1])
    if found is None:
        found = summed(model, of, texts)
        file = io.BytesIO()
        arrays: dict[str, Any] = {"n": found.n, "outer": found.outer.numpy(), "fourth": found.fourth}
        np.savez(file, **arrays)
        with suppress(NoSpace):  # the next fit estimates it again
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, file.getvalue())
    return found


def _loaded(place: Path, width: int) -> Sums | None:
    """What was kept; None where there is nothing, or what is there cannot be used."""
    try:
        with np.load(place, allow_pickle=False) as held:
            found = Sums(int(held["n"]), torch.from_numpy(held["outer"]), float(held["fourth"]))
    except Exception:  # whatever a damaged archive raises
        return None
    return found if found.outer.shape == (width, width) and found.n > 0 else None


@torch.no_grad()
def summed(model: OpenModel, of: Projection, texts: Sequence[str]) -> Sums:
    """The sums over all tokens of `texts` of what the map receives, on the weights as they are."""
    rows = list(dict.fromkeys(Encoder.of(model.module, model.tokenizer).prompts(texts)))
    outer = torch.zeros(of.shape[1], of.shape[1], dtype=torch.float64)
    n, fourth = 0, 0.0
    with task(f"second moment of block {of.block}", len(rows), unit="text") as advance:
        for batch, given, _ in passing(model, of.module, of.block, rows):
            # given: [rows, longest, in]; the real tokens of a row are its last ones
            real = torch.cat([given[i, given.shape[1] - len(row) :] for i, row in enumerate(batch)])
            keys = real.double().cpu()  # [tokens, in]
            outer += keys.T @ keys
            fourth += float(((keys**2).sum(1) ** 2).sum())
            n += len(keys)
            advance(len(batch))
    return Sums(n, outer, fourth)
