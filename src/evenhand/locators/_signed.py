"""The signed gap of single prompts, and how much of it a change of the model's inside brings back.

With P_g the probability of group g, a prompt's gap is the vector ``y = P - mean_g P`` [k]: for two groups it
is ``(P_1 - P_2) / 2`` and its negative. Over prompts, d being how far each prompt's gap moves under a change
that takes the subject away, and r how far it moves back under a restoration,

    share = sum_p r_p . d_p / sum_p d_p . d_p

is the regression coefficient of r on d: 1 where all of it comes back, 0 where none does. A mean of signed
gaps would cancel: prompts whose stereotypes differ move to opposite sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def signed_gap(probabilities: Tensor) -> Tensor:
    """Each group's probability minus the groups' mean, [N, k] to [N, k], float64."""
    wide = probabilities.double()
    return wide - wide.mean(dim=1, keepdim=True)


def along(moved: Tensor, reference: Tensor) -> Tensor:
    """``moved . reference`` of every prompt: two [N, k] to [N]."""
    return (moved * reference).sum(dim=1)
