"""Tuning on rows of text: which parameters (all, norms, upper blocks, an adapter), and when to stop.

What methods share that model text: the choice of parameters by one option, a pass over shuffled batches, and
the treatment that results, with the adapter itself where one was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from evenhand.errors import BadData, BadModel, BadOption
from evenhand.models import Model, OpenModel
from evenhand.models.stage import Stage
from evenhand.records import Ability
from evenhand.training.finetune import Recipe, course, learning_rate, stage_of
from evenhand.training.fitting import Fit, Named, Parameters
from evenhand.training.loop import shuffled
from evenhand.training.lora import LoraSettings, LoraTreatment, adapted, stage_of_adapter
from evenhand.training.means import Objective
from evenhand.training.numbers import Rate
from evenhand.training.parameters import every_parameter, parameter_names, require_open
from evenhand.training.sharded import fitted
from evenhand.treatments import About, Treatment, proven
from evenhand.treatments.weights import WeightTreatment

LORA = "lora"
SETTINGS = LoraSettings(dropout=0.0)


def parts(model: OpenModel, train: str) -> tuple[str, ...]:
    """The names of the parameters that ``train`` names: ``all``, ``norms`` or ``top:N`` (the last N blocks).

    Raises:
        BadOption: it is none of these, or there are fewer blocks than N.
        BadModel: the model has no norms, or its blocks cannot be found.
    """
    if train == "all":
        return every_parameter(model)
    if train == "norms":
        norms = [name for name, part in model.module.named_modules() if "norm" in type(part).__name__.lower()]
        named = dict(model.module.named_parameters())
        found = tuple(name for name in named if name.rpartition(".")[0] in norms)
        if not found:
            raise BadModel(
                f"{model.spec.uri} has no norms with weights to train.", mend="Write train=all or train=lora."
            )
        return found
    number = check_train(train)
    assert number is not None  # neither all, norms nor lora
    blocks = model.layout.blocks()
    if number > len(blocks):
        raise BadOption(
            f"train={train}: the model has {len(blocks)} blocks.", mend=f"Write top:1 to top:{len(blocks)}."
        )
    return parameter_names(model, blocks[len(blocks) - number :])


def reached(model: OpenModel, train: str) -> tuple[str, ...]:
    """The names of the parameters below which training with ``train`` changes nothing.

    An adapter has parameters of its own and may stand anywhere, so all are named.

    Raises:
        BadModel, BadOption: as for `parts`.
    """
    return parts(model, "all" if train == LORA else train)


def check_train(train: str) -> int | None:
    """N of ``top:N``, None for ``all``, ``norms`` and ``lora``.

    Raises:
        BadOption: it is none of these.
    """
    if train in ("all", "norms", LORA):
        return None
    kind, _, number = train.partition(":")
    if kind != "top" or not number.isdecimal() or int(number) < 1:
        raise BadOption(
            f"train={train} is not valid.", mend="Write all, norms, lora, or top:N such as top:2."
        )
    return int(number)


def check_chosen(train: str, model: Model | None, needs: frozenset[Ability]) -> None:
    """Refuse a `train` that is not valid, or that names what `model` does not have; an adapter suits all.

    Raises:
        BadModel, BadOption: as for `parts`, or the model lacks one of `needs`.
    """
    check_train(train)
    if model is not None and train != LORA:
        parts(require_open(model, needs), train)


@dataclass(frozen=True)
class Course:
    """How to tune: the parameters (`train`), epochs, batch, learning rate (None: scaled), and the seed.

    `dev` gives the loss on held-out rows of the model that is trained, after each epoch: training stops once
    it no longer falls, and the weights with the lowest are kept.
    """

    train: str = "all"
    epochs: int = 2
    batch: int = 32
    lr: Rate = None
    seed: int = 0
    dev: Callable[[OpenModel], float] | None = None


@dataclass
class Tuned:
    """New values of the parameters by name, float32, and how the training went; `kept` is the epoch (from 1)
    whose weights they are. With an adapter, its own weights and settings as well.
    """

    weights: dict[str, Tensor]
    history: list[float]
    lr: float
    dev: list[float] = field(default_factory=list)
    kept: int | None = None
    adapter: dict[str, Tensor] = field(default_factory=dict)
    config: Any = None
    share: float = 1.0

    def treatment(self, about: About) -> WeightTreatment:
        """The treatment of these values."""
        if self.config is None:
            return WeightTreatment(about, self.weights)
        return LoraTreatment(about, self.weights, self.adapter, self.config)

    def proven(
        self, base: Model, spec: str, plan: Course, examples: Sequence[Any], more: Mapping[str, Any]
    ) -> Treatment:
        """The treatment of these values, proven on `examples`; `more` is what the method says of the fit.

        Raises:
            NoEffect: no answer changed.
        """
        about = About(spec, base.spec.digest, plan.seed, {**self.details(plan), **more})
        treatment: Treatment = proven(base, self.treatment(about), examples)
        return treatment

    def details(self, plan: Course) -> dict[str, Any]:
        """What the treatment says of its training, JSON values."""
        stopping = {"dev_loss": self.dev, "kept_epoch": self.kept} if self.dev else {}
        return {
            **course(self.lr, self.history),
            "epochs": plan.epochs,
            "batch": plan.batch,
            "train": plan.train,
            "trained_share": self.share,
            **stopping,
        }


def stage_by(model: OpenModel, train: str, rows: int, *, every: bool = True) -> Stage:
    """What `tune` takes with batches of so many texts; `model` may be unread.

    `every` says whether each of their tokens counts, and not one a text.

    Raises:
        BadModel, BadOption: as for `parts`, or no projection for an adapter.
    """
    if train == LORA:
        found = stage_of_adapter(model, SETTINGS.rank)
    else:
        found = stage_of(model, parts(model, train), rows)
    return replace(found, rows=rows, every=every)


def tune(model: OpenModel, rows: int, objective: Objective, plan: Course) -> Tuned:
    """Minimise `objective` over so many `rows`; the model keeps its own weights.

    Where the command runs in several processes, all of them train (`evenhand.training.sharded`).

    Raises:
        BadData: there is no row.
        BadModel, BadOption: `train` does not suit the model, or the loss is not finite.
        MissingExtra: an adapter is asked for, and peft is not installed.
    """
    if not rows:
        raise BadData("There is no text to train on.", mend="Use data with texts that this method can use.")
    lr = learning_rate(Recipe(plan.lr), model)
    batches = shuffled(rows, plan.batch, epochs=plan.epochs, seed=plan.seed)
    lora = plan.train == LORA
    chosen = Adapted(plan.seed) if lora else Named(parts(model, plan.train))
    found = fitted(model, Fit(chosen, objective, batches, lr, plan.epochs, plan.dev))
    values = {name: value.cpu() for name, value in found.values.items()}
    total = sum(p.numel() for p in model.module.parameters())
    own = sum(value.numel() for value in values.values())
    tuned = Tuned(values, found.history, lr, found.dev, found.kept, share=own / total)
    if not lora:
        return tuned
    with adapted(model, SETTINGS, seed=plan.seed) as adapter:
        adapter.write(values)
        return replace(
            tuned,
            weights=adapter.merged(),
            adapter=values,
            config=adapter.config,
            share=own / (total + own),
        )


@dataclass(frozen=True)
class Adapted:
    """A new adapter's parameters, as `evenhand.training.fitting.Fit.chosen`; its start is drawn by `seed`."""

    seed: int

    @contextmanager
    def __call__(self, model: OpenModel) -> Iterator[Parameters]:
        """Those of an adapter that is in `model` meanwhile.

        Raises:
            MissingExtra, BadModel: as for `evenhand.training.lora.adapted`.
        """
        with adapted(model, SETTINGS, seed=self.seed) as adapter:
            yield adapter.parameters
