"""Prompts that begin with another prompt: each counts as if it ran alone, recomputed without our code."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from evenhand.locators._probing import batches
from evenhand.locators.ablation import Ablation
from evenhand.locators.gradient import Gradient
from evenhand.records import Example
from evenhand.testing import tiny

TEXTS = ("The nurse smiled", "The nurse smiled because", "The doctor paused and")


def probes(texts: tuple[str, ...] = TEXTS) -> list[Example]:
    return [Example(text, text, text, ("he", "she"), ((" he",), (" she",))) for text in texts]


class Alone:
    """One text at a time through a llama: the last position's states of every block, and the gap."""

    def __init__(self, model: Any) -> None:
        self.model, self.blocks = model, list(model.module.model.layers)
        self.terms = [model.tokenizer(term).input_ids[0] for term in (" he", " she")]

    def run(self, text: str, replaced: int = -1, by: torch.Tensor | None = None) -> tuple[Any, list[Any]]:
        """The normalised gap, and what goes into and comes out of each block; one block adds `by`."""
        states: list[Any] = []

        def hook(number: int, module: Any, given: Any, output: Any) -> Any:
            whole = isinstance(output, tuple)
            state = output[0] if whole else output
            if number == replaced:
                state = torch.cat([state[:, :-1], (given[0][:, -1:] + by)], dim=1)
            states.append((given[0], state))
            return (state, *output[1:]) if whole else state

        hooks = [
            block.register_forward_hook(lambda *found, i=i: hook(i, *found))
            for i, block in enumerate(self.blocks)
        ]
        logits = self.model.module(torch.tensor([self.model.tokenizer(text).input_ids])).logits[0, -1]
        for handle in hooks:
            handle.remove()
        first, second = logits.softmax(-1)[self.terms]
        return (first - second).abs() / (first + second), states

    def means(self) -> list[torch.Tensor]:
        with torch.no_grad():
            every = [self.run(text)[1] for text in TEXTS]
        return [
            torch.stack([(out - given)[0, -1] for given, out in (states[i] for states in every)]).mean(0)
            for i in range(len(self.blocks))
        ]


def test_ablation_of_prompts_that_begin_with_another() -> None:
    model = tiny.model("llama")
    alone = Alone(model)
    means = alone.means()
    with torch.no_grad():
        base = sum(float(alone.run(text)[0]) for text in TEXTS) / len(TEXTS)
        left = [
            sum(float(alone.run(t, i, mean)[0]) for t in TEXTS) / len(TEXTS) for i, mean in enumerate(means)
        ]
    found = Ablation().locate(model, probes(), seed=0)
    assert [s.value for s in found.scores] == pytest.approx([base - value for value in left], abs=1e-4)


def test_gradient_of_prompts_that_begin_with_another() -> None:
    model = tiny.model("llama")
    alone = Alone(model)
    means = alone.means()
    expected = [0.0] * len(means)
    for text in TEXTS:
        gap, states = alone.run(text)
        gradients = torch.autograd.grad(gap, [out for _, out in states])
        for i, (given, out) in enumerate(states):
            own = (out - given)[0, -1].detach() - means[i]
            expected[i] += float((gradients[i][0, -1] * own).sum()) / len(TEXTS)
    found = Gradient().locate(model, probes(), seed=0)
    assert [s.value for s in found.scores] == pytest.approx(expected, abs=1e-4)


def test_such_prompts_are_in_different_batches() -> None:
    texts = ("A b c", "A b", "A", "B", "A b d", "A bc")
    found = [[probe.context for probe in batch] for batch in batches(probes(texts))]
    assert found == [["A", "B"], ["A b"], ["A bc", "A b c", "A b d"]]  # the shortest first
