"""One fit of chosen parameters of a model to an objective, whatever the method; the model keeps its own.

`evenhand.training.sharded` carries it out by all processes of a run, where there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.models import OpenModel
from evenhand.training.loop import Schedule, minimise
from evenhand.training.means import Loss, Objective, whole
from evenhand.training.parameters import only_these_train

Parameters = Mapping[str, nn.Parameter]


@dataclass(frozen=True)
class Fit:
    """What is trained, towards what, on which batches of row numbers, and at which rate.

    `chosen` gives a model's parameters to train by their names while it is entered; what it puts into the
    module for that it takes out again. `dev` gives the loss on held-out rows after each of so many `epochs`:
    training stops once it rises, and the values with the lowest are kept.
    """

    chosen: Callable[[OpenModel], AbstractContextManager[Parameters]]
    objective: Objective
    batches: Sequence[Tensor]
    lr: float
    epochs: int = 1
    dev: Callable[[OpenModel], float] | None = None


@dataclass(frozen=True)
class Fitted:
    """The new values by name (float32), the loss of every step, and the held-out losses.

    `kept` is the epoch (from 1) whose values they are, None without held-out rows.
    """

    values: dict[str, Tensor]
    history: list[float]
    dev: list[float] = field(default_factory=list)
    kept: int | None = None


@dataclass(frozen=True)
class Named:
    """The parameters of these names, as `Fit.chosen`."""

    names: tuple[str, ...]

    @contextmanager
    def __call__(self, model: OpenModel) -> Iterator[Parameters]:
        """As `of`."""
        yield self.of(model)

    def of(self, model: OpenModel) -> Parameters:
        """Those of `model`.

        Raises:
            BadModel: it has no parameter of a name, or there is no name.
        """
        every = dict(model.module.named_parameters())
        missing = [name for name in self.names if name not in every]
        if missing or not self.names:
            raise BadModel(
                f"The model has no parameter named {missing[0]!r}."
                if missing
                else "No parameter was chosen.",
                mend="Choose blocks that exist (see `evenhand locate`).",
            )
        return {name: every[name] for name in self.names}


def fitted_here(model: OpenModel, fit: Fit) -> Fitted:
    """Carry out `fit` in this process.

    Raises:
        BadData, BadModel: as for the parts of `fit`, or the loss is not finite.
    """
    loss = whole(fit.objective(model, model))  # reads the base, so before anything is put into the model
    with fit.chosen(model) as parameters:
        return descended(model, parameters, loss, fit)


def descended(model: OpenModel, parameters: Parameters, loss: Loss, fit: Fit) -> Fitted:
    """Minimise `loss` (of row numbers, int64 [n]) in `parameters`; all others are frozen, dropout is off.

    On return the parameters have their old bits.

    Raises:
        BadModel: the loss is not finite.
    """
    best = _Best(model, parameters, fit.dev)
    with torch.enable_grad(), only_these_train(model.module, parameters.values()):
        history = minimise(
            loss,
            list(parameters.values()),
            best.between(fit.batches, len(fit.batches) // fit.epochs),
            Schedule(fit.lr),
            steps=len(fit.batches) + (fit.dev is not None),  # one more look after the last step
            label="fine-tuning",
        )
        return Fitted(best.values(), history, best.losses, best.kept)


class _Best:
    """The values to keep: the newest, or those with the lowest loss on held-out rows."""

    def __init__(
        self, model: OpenModel, parameters: Parameters, dev: Callable[[OpenModel], float] | None
    ) -> None:
        self._model = model
        self._parameters = parameters
        self._dev = dev
        self._values: dict[str, Tensor] | None = None
        self.losses: list[float] = []
        self.kept: int | None = None

    def between(self, batches: Sequence[Tensor], an_epoch: int) -> Iterator[Tensor]:
        """The batches; after each epoch of so many the held-out loss is read, and a rise ends them."""
        for i, batch in enumerate(batches):
            if i and i % an_epoch == 0 and self._risen():
                return
            yield batch
        self._risen()

    @torch.no_grad()
    def _risen(self) -> bool:
        if self._dev is None:
            return False
        self.losses.append(self._dev(self._model))
        if self.losses[-1] > min(self.losses):
            return True
        self.kept = len(self.losses)
        self._values = self._now()
        return False

    def _now(self) -> dict[str, Tensor]:
        return {name: p.detach().float().clone() for name, p in self._parameters.items()}

    def values(self) -> dict[str, Tensor]:
        """What is kept."""
        return self._now() if self._values is None else self._values
