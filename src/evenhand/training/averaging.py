"""Averages of weights over the steps of training, and the model with averaged weights.

The gradient after a drawn prefix is noisy, so the weights of the last step depend on chance; their average
over many steps does so less (Izmailov et al. 2018, stochastic weight averaging; Karras et al. 2023 for the
exponential one). `evaluated` puts the average into the model: for every evaluation during training, and for
the weights that are kept at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from evenhand.hooks import restore

Kind = Literal["swa", "ema", "none"]


class Average:
    """A running average of `parameters`.

    ``swa``: the mean of all values given to `update`, each counting equally. ``ema``: the weight of value n
    is `decay` times that of value n + 1, and all weights sum to 1, so that the first value gets no extra one.
    ``none``: the newest value. Before the first `update` there is no average, and `evaluated` does nothing.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], kind: Kind = "swa", decay: float = 0.95) -> None:
        self.kind = kind
        self.decay = decay
        self._parameters = list(parameters)
        self._mean: list[Tensor] = []
        self._weight = 0.0

    @torch.no_grad()
    def update(self) -> None:
        """Add the current parameters to the average."""
        if self.kind == "none":
            return
        kept = self._weight * (self.decay if self.kind == "ema" else 1.0)
        self._weight = kept + 1.0
        now = [parameter.detach().float() for parameter in self._parameters]
        if not self._mean:
            self._mean = [value.clone() for value in now]
            return
        for mean, value in zip(self._mean, now, strict=True):
            mean.lerp_(value, 1.0 / self._weight)

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """Replace the parameters by the average; their own bits are restored at the end."""
        if not self._mean:
            yield
            return
        with restore(self._parameters):
            self._write(self._mean)
            yield

    def distance(self) -> float | None:
        """|average - newest| / |newest| over all parameters together; None without an average."""
        if not self._mean:
            return None
        apart = sum(
            float((m - p.detach()).square().sum()) for m, p in zip(self._mean, self._parameters, strict=True)
        )
        size = sum(float(p.detach().square().sum()) for p in self._parameters)
        return float((apart / size) ** 0.5) if size else None

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs, as named tensors."""
        return {"weight": torch.tensor(self._weight, dtype=torch.float64)} | {
            f"mean.{i}": value.clone() for i, value in enumerate(self._mean)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a `state`."""
        self._weight = float(state["weight"])
        self._mean = [state[f"mean.{i}"].clone() for i in range(len(state) - 1)]

    @torch.no_grad()
    def _write(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.copy_(value)
