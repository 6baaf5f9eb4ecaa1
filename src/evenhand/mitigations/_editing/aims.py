"""What an edit aims at: shares of the groups after a prompt, and the loss towards them, a value a row.

    balanced   -(1/k) sum_g ln P_g, for every group alike (ours)
    anti       -ln P_g for the group that the model finds least likely (Qin et al. 2025, table 3)

The published edits of table 3 aim at one group, and 943 of them turn the bias round (AFGB from .26 to over
.9). `symmetric_kl` (Xu et al. 2025, BiasEdit) is the divergence of the groups' shares s from the wanted w,
``sum_g (s_g - w_g) (ln s_g - ln w_g)``, both ways: it asks for no mass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from evenhand.scoring.terms import Outcomes

Target = Literal["balanced", "anti"]


@dataclass(frozen=True)
class Aim:
    """The `wanted` shares [n, k] of n requests, and which of the two losses leads there."""

    wanted: Tensor
    symmetric: bool = False

    @classmethod
    def of(cls, target: Target, base: Tensor, *, symmetric: bool = False) -> Aim:
        """The aim of requests with the log-probabilities `base` [n, k] of their groups."""
        base = base.detach()
        if target == "balanced":
            wanted = torch.full_like(base, 1 / base.shape[1])
        else:
            wanted = torch.nn.functional.one_hot(base.argmin(1), base.shape[1]).to(base)
        return cls(wanted, symmetric)

    @property
    def floor(self) -> float:
        """The least loss that can be, in nats."""
        return 0.0 if self.symmetric else float(torch.special.entr(self.wanted).sum(1).mean())

    def some(self, chosen: Tensor) -> Aim:
        """The aim of the requests of the numbers `chosen` [m], which may repeat."""
        return replace(self, wanted=self.wanted[chosen])

    def rows(self, now: Outcomes) -> Tensor:
        """The loss of each row [n] of the outcomes `now`; `some` says which request each row is of."""
        if self.symmetric:
            log_shares = now.log_p.log_softmax(1)
            apart = log_shares - self.wanted.clamp_min(1e-6).log()
            return ((log_shares.exp() - self.wanted) * apart).sum(1)
        return -(self.wanted * now.log_p).sum(1)
