"""Prompts whose answers a training should leave as they are: hinted ones, beginnings, and ordinary text."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadOption
from evenhand.mitigations._texts import general
from evenhand.records import Example

if TYPE_CHECKING:
    from evenhand.models import Model, OpenModel
    from evenhand.training.means import Objective


def rows(batch: int, weight: float) -> int:
    """How many prompts a step of `batch` reads, with the three kinds of `keeping` where it has a `weight`."""
    return batch * (4 if weight else 1)


def beginning(example: Example, chance: random.Random) -> Example:
    """The example cut after some of its words, at least one: a prompt unrelated to the groups."""
    words = example.context.split(" ")
    cut = " ".join(words[: chance.randrange(1, max(2, len(words)))])
    return dataclasses.replace(example, id=f"{example.id}/beginning", context=cut, keep=True, span=None)


def companions(trained: Sequence[Example], kept: Sequence[Example], seed: int) -> tuple[list[Example], ...]:
    """For each trained prompt one of those to be `kept` (hinted), if there are any, and its own beginning."""
    beginnings = [beginning(example, random.Random(f"{seed} {example.id}")) for example in trained]
    hinted = [kept[i % len(kept)] for i in range(len(trained))] if kept else []
    return (hinted, beginnings) if kept else (beginnings,)


def texts(model: Model, trained: Sequence[Example], seed: int) -> list[Example]:
    """For each trained prompt the beginning of an ordinary sentence that names no group, with its terms."""
    sentences = general(model, len(trained), seed)
    return [
        beginning(
            dataclasses.replace(example, id=f"text/{number}", cluster=f"text/{number}", context=sentence),
            random.Random(f"{seed} {number}"),
        )
        for number, (example, sentence) in enumerate(zip(trained, sentences, strict=True))
    ]


def keeping(
    model: OpenModel, names: Sequence[str], examples: Sequence[Any], weight: float, *, seed: int, rows: int
) -> Objective | None:
    """What keeps the base on all three kinds beside each of so many trained `rows`; None where `weight` is 0.

    `names` are the parameters that are trained.

    Raises:
        BadOption: `weight` is above 0, and the examples are no prompts.
    """
    if not weight:
        return None
    if not all(isinstance(example, Example) for example in examples):
        raise BadOption(
            f"keep={weight:g} holds the base beside prompts, and these examples are texts or pairs.",
            mend="Leave keep out, or train on prompts (-b genbiaseval).",
        )
    from evenhand.training.keeping import Kept

    trained = [example for example in examples if not example.keep]
    kinds = companions(trained, [example for example in examples if example.keep], seed)
    return Kept(tuple(names), (*kinds, texts(model, trained, seed)), weight, rows)
