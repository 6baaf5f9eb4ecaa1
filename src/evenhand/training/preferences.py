"""Losses on pairs of answers: prefer one to the other, or give both the same log-probability.

DPO (Rafailov et al. 2023, eq. 7)

    -ln sigma(beta [(ln pi(y_a) - ln pi0(y_a)) - (ln pi(y_s) - ln pi0(y_s))])

with y_a preferred to y_s, pi the trained model and pi0 the base. It is one-sided: its gradient never
vanishes, so that it over-corrects when run long. `balanced` has its minimum where both are equally likely.
All arguments are [N] in nats; the results are means over the N pairs, scalars.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def dpo(chosen: Tensor, rejected: Tensor, base_chosen: Tensor, base_rejected: Tensor, beta: float) -> Tensor:
    """``-ln sigma(beta * margin)``; ln 2 where the model is the base."""
    margin = (chosen - base_chosen.detach()) - (rejected - base_rejected.detach())
    return -functional.logsigmoid(beta * margin).mean()


def balanced(chosen: Tensor, rejected: Tensor) -> Tensor:
    """``(chosen - rejected)^2``; 0 where both are as likely."""
    return (chosen - rejected).square().mean()
