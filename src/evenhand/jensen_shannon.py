"""The Jensen-Shannon divergence (Lin 1991): 0 for equal distributions, 1 bit or ln 2 nats for disjoint ones.

There are two forms, for what can be told of a distribution differs: a few shares of it, of which the rest is
one more outcome, or the log-probabilities of all its outcomes, row by row and with a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def of_shares(p: Sequence[float], q: Sequence[float]) -> float:
    """In bits, over the named outcomes and everything else together: `p` and `q` are shares of all
    probability, 1 at most in sum.
    """
    pairs = [*zip(p, q, strict=True), (max(0.0, 1 - math.fsum(p)), max(0.0, 1 - math.fsum(q)))]
    parts = (a * math.log2(2 * a / (a + b)) for pair in pairs for a, b in (pair, pair[::-1]) if a > 0)
    return min(1.0, max(0.0, math.fsum(parts) / 2))


def of_logs(log_p: Tensor, log_q: Tensor) -> Tensor:
    """In nats, from log-probabilities [..., V] over all outcomes: [...], differentiable where all are finite.

    0 · log 0 is 0: an outcome without probability (-inf) adds nothing.
    """
    import torch

    middle = torch.logaddexp(log_p, log_q) - math.log(2)  # [..., V]
    parts = (x.exp() * torch.nan_to_num(x - middle, nan=0.0, neginf=0.0) for x in (log_p, log_q))
    first, second = (part.sum(-1) for part in parts)  # [...] each
    return 0.5 * (first + second)
