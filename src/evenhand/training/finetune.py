"""Fine-tuning chosen parameters of an open model on examples; the model itself is left as it was.

What differs between the methods that train on prompts (LFTF, full fine-tuning, their shams) is the loss and
the choice of parameters: both are arguments here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from evenhand.architectures.checking import output_embeddings
from evenhand.errors import BadData, BadModel
from evenhand.models import OpenModel
from evenhand.models.stage import Stage
from evenhand.records import Example
from evenhand.scoring.terms import Outcomes
from evenhand.training.fitting import Fit, Named, fitted_here
from evenhand.training.loop import shuffled
from evenhand.training.means import Loss, Mean, Objective, beside, single
from evenhand.training.numbers import Rate
from evenhand.training.restarts import Trained
from evenhand.training.sharded import fitted
from evenhand.treatments import About, proven
from evenhand.treatments.weights import WeightTreatment

# Loss of one batch, from the trained model's outcomes and the base model's on the same prompts, and from the
# numbers of the batch's examples [n].
TermLoss = Callable[[Outcomes, Outcomes, Tensor], Tensor]

# New values by the names of parameters, and the loss of every step.
Values = tuple[dict[str, Tensor], list[float]]

# The learning rate of LFTF (paper, section 5.1) was chosen for models about 3584 wide.
PAPER_LR, PAPER_WIDTH = 1e-5, 3584


@dataclass(frozen=True)
class Recipe:
    """Epochs, batch and learning rate, see `learning_rate`."""

    lr: Rate = None
    epochs: int = 2
    batch: int = 32


@dataclass(frozen=True)
class Plan:
    """The description of a method's fine-tuning: canonical spec, recipe, seed, and details to record.

    `companions` are lists of further prompts, each with one prompt for each example. A batch of n examples
    has n rows of the examples, then n rows of their companions from each list, in order; the loss gets all.
    """

    method: str
    recipe: Recipe
    seed: int
    companions: tuple[Sequence[Example], ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def learning_rate(recipe: Recipe, model: OpenModel) -> float:
    """The recipe's own rate; for ``paper`` 1e-5 whatever the width, for None 1e-5 * 3584 / width.

    Adam's step has the same size for every weight, so the change of a unit's input grows with the number of
    weights that feed it, the width; a rate of 1/width keeps that change equal (Yang et al. 2022, muP).
    """
    if recipe.lr == "paper":
        return PAPER_LR
    if recipe.lr is not None:
        return recipe.lr
    config: Any = model.module.config
    return float(PAPER_LR * PAPER_WIDTH / config.get_text_config().hidden_size)


def fit_weights(
    model: OpenModel,
    names: Sequence[str],
    examples: Sequence[Example],
    loss: TermLoss,
    plan: Plan,
    *,
    kept: Objective | None = None,
) -> WeightTreatment:
    """Train the named parameters and return their new values as a proven treatment.

    The `loss` has to be a mean over the examples of a batch; that of `kept`, about the same rows, is added.
    Every other parameter is frozen, dropout is off, and on return the model holds its old bits. Where the
    command runs in several processes, all of them train (`evenhand.training.sharded`).

    Raises:
        BadData: there is no example to train on.
        BadModel: a name is not a parameter of the model, or the loss is not finite.
        NoEffect: no answer changed.
    """
    weights, history = trained(model, names, examples, loss, plan, kept=kept)
    details = {
        **course(learning_rate(plan.recipe, model), history),
        "epochs": plan.recipe.epochs,
        "batch": plan.recipe.batch,
        "examples": len(examples),
        **plan.details,
    }
    about = About(method=plan.method, base=model.spec.digest, seed=plan.seed, details=details)
    treatment: WeightTreatment = proven(model, WeightTreatment(about, weights), examples)
    return treatment


def stage_of(model: OpenModel, names: Sequence[str], rows: int) -> Stage:
    """What training the named parameters takes, with batches of so many `rows`; `model` may have no storage.

    Raises:
        BadModel: a name is not a parameter of the model.
    """
    chosen = Named(tuple(names)).of(model).values()
    head = output_embeddings(model.module)
    own = {id(p) for p in head.parameters()} if head is not None else set()
    lowest = 0
    with contextlib.suppress(BadModel):  # no layout
        lowest = model.layout.lowest(names)
    return Stage(
        weights=sum(p.numel() for p in chosen),
        lowest=lowest,
        rows=rows,
        head=not own.isdisjoint(map(id, chosen)),
    )


def course(lr: float, history: Sequence[float], *, rate: str = "lr") -> dict[str, float]:
    """What a treatment says of how its training went: the step size, the steps, the first and last loss.

    `rate` is the step size's name: ``lr`` is AdamW's alone, which the control ``plain_text`` copies.
    """
    return {rate: lr, "steps": len(history), "first_loss": history[0], "last_loss": history[-1]}


def trained(
    model: OpenModel,
    names: Sequence[str],
    examples: Sequence[Example],
    loss: TermLoss,
    plan: Plan,
    *,
    kept: Objective | None = None,
) -> Values:
    """The new values of the named parameters by name (float32), and the loss of every step.

    Raises:
        BadData, BadModel: as for `fit_weights`.
    """
    if not examples:
        raise BadData(
            "There are no examples to fit on.", mend="Use a benchmark with a train part, such as genbiaseval."
        )
    recipe = plan.recipe
    named = Named(tuple(names))
    named.of(model)  # before any work
    own = Terms(named.names, (examples, *plan.companions), loss)
    batches = shuffled(len(examples), recipe.batch, epochs=recipe.epochs, seed=plan.seed)
    found = fitted(model, Fit(named, beside(own, kept), batches, learning_rate(recipe, model), recipe.epochs))
    return found.values, found.history


@dataclass(frozen=True)
class Terms:
    """The objective of a `loss` on the outcomes of prompts, of which the parameters `names` are trained.

    `lists` are the examples and their companions, see `Plan`.
    """

    names: tuple[str, ...]
    lists: tuple[Sequence[Example], ...]
    loss: TermLoss

    def __call__(self, model: OpenModel, base: OpenModel) -> tuple[Mean]:
        """The one term, a mean over the examples.

        Raises:
            BadData, BadModel: as for `evenhand.training.restarts.Trained`.
        """
        prompts = Trained(model, base, self.names, [example for one in self.lists for example in one])
        n = len(self.lists[0])
        shifts = torch.arange(len(self.lists)) * n  # where each list begins

        def batch_loss(chosen: Tensor) -> Tensor:
            rows = (shifts[:, None] + chosen).flatten().tolist()  # [lists, n] to lists * n numbers
            return self.loss(prompts.now(rows), prompts.base.outcomes(rows), chosen)

        return single(batch_loss, n)


def train_named(
    model: OpenModel, names: Sequence[str], batch_loss: Loss, batches: Sequence[Tensor], lr: float
) -> Values:
    """Minimise `batch_loss` over `batches` (row numbers) in the named parameters, by this process alone.

    It may be any function of a batch, also one that is no mean. As for the rest as `fit_weights`. Returns the
    new values by name (float32) and the loss of every step.

    Raises:
        BadModel: a name is not a parameter of the model, or the loss is not finite.
    """
    rows = max(int(batch.max()) for batch in batches) + 1
    found = fitted_here(model, Fit(Named(tuple(names)), lambda *_: single(batch_loss, rows), batches, lr))
    return found.values, found.history
