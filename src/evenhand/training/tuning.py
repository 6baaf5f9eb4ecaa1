"""Tuning on rows of text: which parameters (all, norms, upper blocks, an adapter), and when to stop.

What methods share that model text: the choice of parameters by one option, a pass over shuffled batches, and
the treatment that results, with the adapter itself where one was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from evenhand.errors import BadData, BadModel, BadOption
from evenhand.models import Model, OpenModel
from evenhand.models.stage import Stage
from evenhand.records import Ability
from evenhand.training.finetune import Recipe, course, learning_rate, stage_of
from evenhand.training.loop import Schedule, minimise, shuffled
from evenhand.training.lora import Adapter, LoraSettings, LoraTreatment, adapted, stage_of_adapter
from evenhand.training.numbers import Rate
from evenhand.training.parameters import every_parameter, only_these_train, parameter_names, require_open
from evenhand.treatments import About, Treatment, proven
from evenhand.treatments.weights import WeightTreatment

LORA = "lora"
Loss = Callable[[Tensor], Tensor]


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

    `dev` gives the loss on held-out rows after each epoch, a number: training stops once it no longer falls,
    and the weights with the lowest are kept.
    """

    train: str = "all"
    epochs: int = 2
    batch: int = 32
    lr: Rate = None
    seed: int = 0
    dev: Callable[[], float] | None = None


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
        found = stage_of_adapter(model, LoraSettings().rank)
    else:
        found = stage_of(model, parts(model, train), rows)
    return replace(found, rows=rows, every=every)


def tune(model: OpenModel, rows: int, loss: Loss, plan: Course) -> Tuned:
    """Minimise `loss` (of row numbers, int64 [n]) over so many `rows`; the model keeps its own weights.

    Raises:
        BadData: there is no row.
        BadModel, BadOption: `train` does not suit the model, or the loss is not finite.
        MissingExtra: an adapter is asked for, and peft is not installed.
    """
    if not rows:
        raise BadData("There is no text to train on.", mend="Use data with texts that this method can use.")
    lr = learning_rate(Recipe(plan.lr), model)
    with (
        _chosen(model, plan) as (parameters, adapter),
        torch.enable_grad(),
        only_these_train(model.module, parameters.values()),
    ):
        best = _Best(parameters, adapter, plan.dev)
        batches = shuffled(rows, plan.batch, epochs=plan.epochs, seed=plan.seed)
        history = minimise(
            loss,
            list(parameters.values()),
            best.between(batches, len(batches) // plan.epochs),
            Schedule(lr),
            steps=len(batches) + 1,  # one more look after the last step
            label="fine-tuning",
        )
        return best.tuned(model, history, lr)


class _Best:
    """The values to keep: the newest, or those with the lowest loss on held-out rows."""

    def __init__(
        self, parameters: dict[str, nn.Parameter], adapter: Adapter | None, dev: Callable[[], float] | None
    ) -> None:
        self._parameters = parameters
        self._adapter = adapter
        self._dev = dev
        self._losses: list[float] = []
        self._values: dict[str, Tensor] | None = None
        self._kept: int | None = None

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
        self._losses.append(self._dev())
        if self._losses[-1] > min(self._losses):
            return True
        self._kept = len(self._losses)
        self._values = {name: p.detach().clone() for name, p in self._parameters.items()}
        return False

    @torch.no_grad()
    def tuned(self, model: OpenModel, history: list[float], lr: float) -> Tuned:
        """What is kept; the parameters hold it afterwards."""
        for name, value in (self._values or {}).items():
            self._parameters[name].copy_(value)
        total = sum(p.numel() for p in model.module.parameters())
        share = sum(p.numel() for p in self._parameters.values()) / total
        if self._adapter is None:
            weights = {name: p.detach().float().cpu().clone() for name, p in self._parameters.items()}
            return Tuned(weights, history, lr, self._losses, self._kept, share=share)
        adapter = self._adapter
        return Tuned(
            adapter.merged(),
            history,
            lr,
            self._losses,
            self._kept,
            adapter.values(),
            adapter.config,
            share=share,
        )


@contextmanager
def _chosen(model: OpenModel, plan: Course) -> Iterator[tuple[dict[str, nn.Parameter], Adapter | None]]:
    """The parameters to train by their names, and the adapter that they are of."""
    with ExitStack() as stack:
        if plan.train == LORA:
            adapter = stack.enter_context(adapted(model, LoraSettings(dropout=0.0), seed=plan.seed))
            yield dict(adapter.parameters), adapter
        else:
            every = dict(model.module.named_parameters())
            yield {name: every[name] for name in parts(model, plan.train)}, None
