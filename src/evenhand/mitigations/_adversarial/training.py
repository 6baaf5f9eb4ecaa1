"""Adversarial training of decisions: prefixes maximise the distance between twins, the model minimises it.

    min over theta  of  task(theta) + lam * D(theta, phi),     phi = argmax D(theta, phi)

with *both* terms in the model's loss. The public code of FairCon has only the first (lambda appears nowhere),
averages the adversary instead of the model, and never uses the average. Here every model step uses each
person's twins without a prefix and with a drawn prefix: task and D are the means of the two. The task loss is
computed on people with their own attribute, never on their twins: training on twins with the same label would
be another method (counterfactual augmentation). With ``lam = 0`` there is no adversary, and the method is
plain LoRA fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evenhand.errors import BadModel
from evenhand.folders import check_replaceable
from evenhand.mitigations._adversarial.adversary import (
    Adversary,
    PrefixSettings,
    batches,
    embedding_rows,
    one_hot,
    stream,
    writable,
)
from evenhand.mitigations._adversarial.distances import Distance, accuracy
from evenhand.mitigations._adversarial.panel import Panel
from evenhand.models import OpenModel
from evenhand.progress import task
from evenhand.training import checkpoints as disk
from evenhand.training.averaging import Average, Kind
from evenhand.training.lora import Adapter, LoraSettings


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        lam: weight of the distance in the model's loss; 0 is plain fine-tuning.
        distance: see `evenhand.mitigations._adversarial.distances`.
        rounds: how often the adversaries and then the model are trained; the model makes one pass over the
            people in each round.
        attacks: passes over the people of each adversary in each round.
        adversaries: their number; the model's batches use them in rotation.
        batch, lr: people in a step, and the learning rate of the model's AdamW.
        average: of the adapter's weights, over the second half of the rounds.
    """

    lam: float = 1.0
    distance: Distance = "log_odds"
    rounds: int = 10
    attacks: int = 1
    adversaries: int = 2
    batch: int = 16
    lr: float = 5e-4
    average: Kind = "swa"
    prefix: PrefixSettings = field(default_factory=PrefixSettings)
    lora: LoraSettings = field(default_factory=LoraSettings)


@dataclass
class Trained:
    """The course of a fit. `snapshots[r]` are the adapter's weights as evaluated after round r.

    `history[r]` are that round's figures, `prompts[r]` the ids of each adversary's likeliest prefix,
    `apart[r]` the distance of the average from the newest weights (None where there was no average).
    """

    snapshots: list[dict[str, Tensor]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    prompts: list[list[list[int]]] = field(default_factory=list)
    apart: list[float | None] = field(default_factory=list)


class Trainer:
    """One fit of a model with an `adapter` on the `train` people. `dev` people are only evaluated."""

    def __init__(
        self,
        model: OpenModel,
        adapter: Adapter,
        panels: tuple[Panel, Panel | None],
        settings: Settings,
        seed: int,
    ) -> None:
        self.panel, self.dev = panels
        self.settings = settings
        self._seed = seed
        self._adapter = adapter
        self._vocabulary = embedding_rows(model.module)
        parameters = list(adapter.parameters.values())
        self._device = parameters[0].device
        self._optimiser = torch.optim.AdamW(parameters, lr=settings.lr)
        self.average = Average(parameters, settings.average)
        count = settings.adversaries if settings.lam else 0
        allowed = writable(model.tokenizer, self._vocabulary).to(self._device) if count else torch.zeros(0)
        self.adversaries = [Adversary(allowed, settings.prefix, seed=_child(seed, i)) for i in range(count)]
        self.trained = Trained()
        self._signs: Tensor | None = None

    def draw_signs(self, seed: int) -> None:
        """From now on the model draws the twins of a person together or apart, at random for each person."""
        self._signs = 2.0 * torch.randint(2, (len(self.panel),), generator=stream(seed, "signs")) - 1.0

    def run(self, folder: Path | None = None) -> Trained:
        """Run all rounds except those that a checkpoint in `folder` already holds.

        Raises:
            BadModel: the loss is not a finite number.
            BadData: the checkpoint is damaged, or its folder holds something else.
        """
        if folder is not None:
            check_replaceable(folder)  # before the first round, not after it
            self._restore(disk.read(folder))
        with task("adversarial training", self.settings.rounds, unit="round") as advance:
            advance(len(self.trained.history))
            for number in range(len(self.trained.history), self.settings.rounds):
                found = {"round": number, **self._attack(number), **self._learn(number)}
                self._look(found)
                if folder is not None:
                    disk.write(folder, self._checkpoint())
                advance(1)
        return self.trained

    def hard(self, ids: Sequence[int]) -> Tensor:
        """A prefix of given ids as one-hot rows, the form that panels need."""
        return one_hot(ids, self._vocabulary, self._device)

    def apart(self, panel: Panel, ids: Sequence[int] | None) -> float:
        """The mean distance between the twins of a panel, behind the prefix of `ids` if given."""
        whole = self.settings.distance == "vocabulary"
        answers = panel.everyone(None if ids is None else self.hard(ids), vocabulary=whole)
        return float(answers.apart(self.settings.distance))

    def _attack(self, number: int) -> dict[str, Any]:
        """Train every adversary; returns its mean distance over the last pass of this round."""
        values = []
        for i, adversary in enumerate(self.adversaries):
            order = stream(self._seed, "attack", number, i)
            steps = adversary.step(self._distance, self._passes(order), stream(self._seed, "draw", number, i))
            last = steps[-math.ceil(len(self.panel) / self.settings.batch) :]
            values.append(sum(last) / len(last))
        return {"attacked": values}

    def _passes(self, order: torch.Generator) -> Iterator[list[int]]:
        for _ in range(self.settings.attacks):
            yield from batches(len(self.panel), self.settings.batch, order)

    def _distance(self, prefix: Tensor, chosen: Sequence[int]) -> Tensor:
        whole = self.settings.distance == "vocabulary"
        return self.panel.answers(chosen, prefix, vocabulary=whole).apart(self.settings.distance)

    def _learn(self, number: int) -> dict[str, float]:
        """Train the model for one pass over the people. Returns the means of its loss and its two terms."""
        sums: list[tuple[float, float, float]] = []
        order, draws = stream(self._seed, "people", number), stream(self._seed, "prefix", number)
        for step, chosen in enumerate(batches(len(self.panel), self.settings.batch, order)):
            dropout = stream(self._seed, "dropout", number, step).initial_seed()
            with torch.enable_grad(), self._adapter.training(dropout):
                loss, of_task, of_distance = self._loss(chosen, step, draws)
                if not bool(torch.isfinite(loss)):
                    raise BadModel(
                        f"The training loss became {loss.item()} in round {number + 1}.",
                        mend="Lower the learning rate (lr=...) or lam.",
                    )
                self._optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            if number >= self.settings.rounds // 2:
                self.average.update()
            sums.append((loss.item(), of_task, of_distance))
        means = [sum(column) / len(sums) for column in zip(*sums, strict=True)]
        return dict(zip(("loss", "task", "distance"), means, strict=True))

    def _loss(self, chosen: list[int], step: int, draws: torch.Generator) -> tuple[Tensor, float, float]:
        settings = self.settings
        whole = settings.distance == "vocabulary" and settings.lam > 0
        plain = self.panel.answers(chosen, vocabulary=whole)
        if not settings.lam:
            loss = plain.task()
            return loss, loss.item(), 0.0
        with torch.no_grad():
            prefix = self.adversaries[step % len(self.adversaries)].draw(draws)
        behind = self.panel.answers(chosen, prefix, vocabulary=whole)
        of_task = (plain.task() + behind.task()) / 2
        signs = None if self._signs is None else self._signs[chosen]
        apart = (plain.apart(settings.distance, signs) + behind.apart(settings.distance, signs)) / 2
        return of_task + settings.lam * apart, of_task.item(), apart.item()

    def _look(self, found: dict[str, Any]) -> None:
        """Evaluate the current weights (the average where there is one) on the held-out people."""
        prompts = [adversary.ids() for adversary in self.adversaries]
        with self.average.evaluated():
            self.trained.snapshots.append(self._adapter.values())
            if self.dev is not None:
                answers = self.dev.everyone()
                found["dev_accuracy"] = accuracy(answers.log_p, answers.groups, answers.labels)
                found["dev_task"] = float(answers.task())
                found["dev_distances"] = [self.apart(self.dev, ids) for ids in (None, *prompts)]
        self.trained.history.append(found)
        self.trained.prompts.append(prompts)
        self.trained.apart.append(self.average.distance())

    def _checkpoint(self) -> disk.Checkpoint:
        state = self._optimiser.state_dict()["state"]
        tensors = {
            **disk.under("adapter", self._adapter.values()),
            **disk.under("average", self.average.state()),
        }
        for i, inner in state.items():
            tensors |= disk.under(f"adam/{i}", inner)
        for i, adversary in enumerate(self.adversaries):
            tensors |= disk.under(f"adversary/{i}", adversary.state())
        for i, snapshot in enumerate(self.trained.snapshots):
            tensors |= disk.under(f"snapshot/{i}", snapshot)
        done = self.trained
        return disk.Checkpoint(
            tensors, {"history": done.history, "prompts": done.prompts, "apart": done.apart}
        )

    def _restore(self, checkpoint: disk.Checkpoint | None) -> None:
        if checkpoint is None:
            return
        tensors, rest = checkpoint.tensors, checkpoint.rest
        self._adapter.write(disk.below("adapter", tensors))
        self.average.restore(disk.below("average", tensors))
        inner = {i: disk.below(f"adam/{i}", tensors) for i in range(len(self._adapter.parameters))}
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": inner, "param_groups": groups})
        for i, adversary in enumerate(self.adversaries):
            adversary.restore(disk.below(f"adversary/{i}", tensors))
        snapshots = [disk.below(f"snapshot/{i}", tensors) for i in range(len(rest["history"]))]
        self.trained = Trained(snapshots, list(rest["history"]), list(rest["prompts"]), list(rest["apart"]))


def _child(seed: int, number: int) -> int:
    """The seed of adversary `number` of a fit: fits with different seeds share none."""
    return int(stream(seed, "child", number).initial_seed() % 2**31)


def summary(history: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The history transposed: one list over the rounds for each figure."""
    return {key: [entry.get(key) for entry in history] for key in (history[-1] if history else {})}
