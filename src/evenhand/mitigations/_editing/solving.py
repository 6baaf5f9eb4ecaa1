"""The algebra of edits: how a linear memory W [out, in] is changed so that keys get new values, float64.

C [in, in] is the second moment E[k kᵀ] of keys in ordinary text: a change that is small in its metric moves
few other answers. None stands for the identity.

    ROME    W' = W + (v - W k) (C⁻¹ k̄)ᵀ / ((C⁻¹ k̄)·k)      k of the bare prompt, k̄ averaged over contexts
    R-ROME  the same with k = k̄
    MEMIT   W' = W + R Kᵀ (lambda C + K Kᵀ)⁻¹

ROME's two keys make W' k = v, but its denominator may be anything, also nearly 0: then the change is huge and
the model is destroyed by one edit. With one key it is k̄ᵀ C⁻¹ k̄ > 0 (Gupta et al. 2024).
"""

from __future__ import annotations

import torch
from torch import Tensor

from evenhand.errors import BadModel


class Moment:
    """C, or the identity (None), with its factor for solving."""

    def __init__(self, matrix: Tensor | None) -> None:
        self.matrix = matrix
        self._factor = None if matrix is None else torch.linalg.cholesky(matrix)

    def solve(self, keys: Tensor) -> Tensor:
        """C⁻¹ of `keys` [in] or [in, n]."""
        if self._factor is None:
            return keys
        columns = keys if keys.dim() == 2 else keys[:, None]
        return torch.cholesky_solve(columns, self._factor).view_as(keys)

    def scaled(self, weight: float, width: int) -> Tensor:
        """``weight * C``, [width, width]."""
        if self.matrix is None:
            return weight * torch.eye(width, dtype=torch.float64)
        return weight * self.matrix


def rank_one(weight: Tensor, value: Tensor, key: Tensor, averaged: Tensor, moment: Moment) -> Tensor:
    """The weight [out, in] with W' `key` = `value`, changed in the direction C⁻¹ `averaged` alone.

    Raises:
        BadModel: the two keys are orthogonal in C⁻¹, or a number is not finite.
    """
    direction = moment.solve(averaged)  # [in]
    changed = weight + torch.outer(value - weight @ key, direction) / (direction @ key)
    if not changed.isfinite().all():
        raise BadModel(
            "An edit is not finite: the key of the prompt and the averaged one have nothing in common.",
            mend="Use r_rome, whose one key cannot do so, or contexts=0.",
        )
    return changed


def spread(weight: Tensor, keys: Tensor, wanted: Tensor, moment: Moment, amount: float) -> Tensor:
    """MEMIT's weight: `keys` [in, n] get about `wanted` [out, n] more; `amount` is lambda, the weight of C.

    Raises:
        BadModel: the system has no solution.
    """
    width = len(keys)
    try:
        if amount and keys.shape[1] < width:  # the same by Woodbury: n equations in place of `width`
            small = moment.solve(keys) / amount  # [in, n]
            left = torch.eye(keys.shape[1], dtype=torch.float64) + keys.T @ small
            solved: Tensor = torch.linalg.solve(left, small.T)  # Kᵀ (lambda C + K Kᵀ)⁻¹, [n, in]
        else:
            solved = torch.linalg.solve(moment.scaled(amount, width) + keys @ keys.T, keys).T
    except RuntimeError:  # torch's own error of a singular matrix is one
        raise BadModel(
            "The edits cannot be solved for: the keys do not fill the space, and nothing holds the rest.",
            mend="Write weight above 0.",
        ) from None
    return weight + wanted @ solved
