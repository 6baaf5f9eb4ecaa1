"""A rule applied to a model's decisions on prompts: the person's group, and the favourable label word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from evenhand.errors import BadData, BadModel
from evenhand.postprocessing.group_cue import GroupCue
from evenhand.postprocessing.rules import Array, Rule, Thresholds, uniform_draw
from evenhand.records import (
    PersonExample,
    from_json,
    to_json,
)

Answers = Literal["decided", "expected"]


@dataclass(frozen=True)
class PromptRule:
    """A rule with what is needed to apply it to prompts.

    Attributes:
        rule: the rule on scores.
        labels: the label words, the favourable one last.
        cue: recognises the group of a prompt.
        answers: the favourable word's share of the label words is ``decided`` (all or nothing, as the rule
            decides on this person) or ``expected`` (the probability of favour, or the calibrated one).
    """

    rule: Rule
    labels: tuple[str, ...]
    cue: GroupCue
    answers: Answers

    def shares(self, prompts: Sequence[str], scores: Array) -> Array:
        """The favourable word's share after each prompt, [n], from the model's own share `scores` [n].

        Raises:
            BadData: the group of a prompt cannot be recognised.
        """
        told = [self.cue.read(prompt) for prompt in prompts]
        expected = self.rule.expected(scores, [group for group, _ in told])
        if self.answers == "expected" or not isinstance(self.rule, Thresholds):
            return expected
        # The neutral prompt is the person's name, so that counterfactual twins share one random draw.
        drawn = np.array([uniform_draw(self.rule.seed, person) for _, person in told])
        return (drawn < expected).astype(float)

    def extra(self) -> Mapping[str, Any]:
        """The further JSON values that are stored with the rule in its file."""
        return {"labels": list(self.labels), "tell": to_json(self.cue), "answers": self.answers}


def from_extra(rule: Rule, extra: Mapping[str, Any]) -> PromptRule:
    """The inverse of `PromptRule.extra`.

    Raises:
        KeyError, ValueError, TypeError: the values have another shape.
    """
    if extra["answers"] not in ("decided", "expected"):
        raise ValueError(f"answers is {extra['answers']!r}")
    labels, cue = from_json(tuple[str, ...], extra["labels"]), from_json(GroupCue, extra["tell"])
    return PromptRule(rule, labels, cue, extra["answers"])


def label_shares(table: Array, prompts: Sequence[str]) -> tuple[Array, Array]:
    """From log-probabilities [n, L]: that of all label words together [n], and each one's share [n, L].

    Raises:
        BadModel: after a prompt, all label words have probability 0.
    """
    top = table.max(axis=1)
    silent = [prompt for prompt, value in zip(prompts, top, strict=True) if not np.isfinite(value)]
    if silent:
        raise BadModel(
            f"After the prompt that ends in {silent[0][-60:]!r} no label word has any probability.",
            mend="Use label words that the model can generate, or another model.",
        )
    shares = np.exp(table - top[:, None])
    total = shares.sum(axis=1)
    return top + np.log(total), shares / total[:, None]


def held_out(people: Sequence[PersonExample]) -> list[PersonExample]:
    """The people of the dev part; rules are fitted on them only.

    Raises:
        BadData: there are none, their groups or label words differ, or the attribute has one value.
    """
    dev = [person for person in people if person.part == "dev"]
    if not dev:
        raise BadData(
            f"None of the {len(people)} people is held out (part dev), and a rule must not be fitted on "
            "people on whom the model was trained.",
            mend="Give people with part='dev', such as those of the decisions benchmark.",
        )
    first = dev[0]
    if any((person.groups, person.labels) != (first.groups, first.labels) for person in dev):
        raise BadData("The people have different groups or label words.", mend="Use one task for all.")
    if len(first.groups) < 2 or len(first.labels) < 2:
        raise BadData(
            f"The attribute has the values {first.groups}, and the label words are {first.labels}.",
            mend="Name an attribute with at least two values, and one label word for each outcome.",
        )
    counts = {name: sum(person.group == g for person in dev) for g, name in enumerate(first.groups)}
    if 0 in counts.values():
        told = ", ".join(f"{name} {n}" for name, n in counts.items())
        raise BadData(f"A group has nobody among the held-out people ({told}).", mend="Hold out more people.")
    return dev


def favourable(people: Sequence[PersonExample]) -> list[int]:
    """1 for people whose true outcome is the favourable one, the last label word; else 0."""
    return [int(person.label == len(person.labels) - 1) for person in people]


def own_groups(people: Sequence[PersonExample]) -> list[str]:
    """Each person's own group, by name."""
    return [person.groups[person.group] for person in people]
