"""Fine-tuning chosen parameters of an open model on examples; the model itself is left as it was.

What differs between the methods that train (LFTF, full fine-tuning, their shams) is the loss and the
choice of parameters: both are arguments here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from evenhand.architectures.checking import output_embeddings
from evenhand.errors import BadData, BadModel
from evenhand.models import OpenModel
from evenhand.models.stage import Stage
from evenhand.records import Example
from evenhand.scoring.terms import Outcomes, Prompts
from evenhand.training.loop import Schedule, minimise, shuffled
from evenhand.training.numbers import Rate
from evenhand.training.parameters import only_these_train
from evenhand.training.restarts import Base, run_above
from evenhand.treatments import About, proven
from evenhand.treatments.weights import WeightTreatment

# Loss of one batch, from the trained model's outcomes and the base model's on the same prompts, and from the
# numbers of the batch's examples [n].
TermLoss = Callable[[Outcomes, Outcomes, Tensor], Tensor]

# New values by the names of parameters, and the loss of every step.
Values = tuple[dict[str, Tensor], list[float]]
Train = Callable[[OpenModel, Sequence[str], Sequence[Example], TermLoss, "Plan"], Values]

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
    train: Train | None = None,
) -> WeightTreatment:
    """Train the named parameters and return their new values as a proven treatment.

    `train` is how, by default `trained`. Every other parameter is frozen, dropout is off, and on return the
    model holds its old bits.

    Raises:
        BadData: there is no example to train on.
        BadModel: a name is not a parameter of the model, or the loss is not finite.
        NoEffect: no answer changed.
    """
    weights, history = (train or trained)(model, names, examples, loss, plan)
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
    parameters = _named(model.module, names)
    head = output_embeddings(model.module)
    own = {id(p) for p in head.parameters()} if head is not None else set()
    lowest = 0
    with contextlib.suppress(BadModel):  # no layout
        lowest = model.layout.lowest(names)
    chosen = parameters.values()
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
    model: OpenModel, names: Sequence[str], examples: Sequence[Example], loss: TermLoss, plan: Plan
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
    every = [*examples, *(example for companions in plan.companions for example in companions)]
    # Where the examples and each list of companions begin in `every`, [1 + lists].
    shifts = torch.arange(1 + len(plan.companions)) * len(examples)
    _named(model.module, names)  # before any work
    prompts = Prompts(model, every)
    prompts.check_partition()
    run = run_above(model, names, prompts)
    base = Base(model, names, prompts, run)

    def batch_loss(chosen: Tensor) -> Tensor:
        rows = (shifts[:, None] + chosen).flatten().tolist()  # [1 + lists, n] to (1 + lists) * n numbers
        return loss(prompts.outcomes(rows, run), base.outcomes(rows), chosen)

    batches = shuffled(len(examples), recipe.batch, epochs=recipe.epochs, seed=plan.seed)
    return train_named(model, names, batch_loss, batches, learning_rate(recipe, model))


def train_named(
    model: OpenModel,
    names: Sequence[str],
    batch_loss: Callable[[Tensor], Tensor],
    batches: Sequence[Tensor],
    lr: float,
) -> tuple[dict[str, Tensor], list[float]]:
    """Minimise `batch_loss` over `batches` (row numbers) in the named parameters; the model keeps its own.

    Every other parameter is frozen, dropout is off. Returns the new values by name (float32) and the loss of
    every step.

    Raises:
        BadModel: a name is not a parameter of the model, or the loss is not finite.
    """
    parameters = _named(model.module, names)
    with torch.enable_grad(), only_these_train(model.module, parameters.values()):
        history = minimise(
            batch_loss,
            list(parameters.values()),
            batches,
            Schedule(lr),
            steps=len(batches),
            label="fine-tuning",
        )
        trained = {name: p.detach().float().clone() for name, p in parameters.items()}
    return trained, history


def _named(module: nn.Module, names: Sequence[str]) -> dict[str, nn.Parameter]:
    every = dict(module.named_parameters())
    missing = [name for name in names if name not in every]
    if missing or not names:
        raise BadModel(
            f"The model has no parameter named {missing[0]!r}." if missing else "No parameter was chosen.",
            mend="Choose blocks that exist (see `evenhand locate`).",
        )
    return {name: every[name] for name in names}
