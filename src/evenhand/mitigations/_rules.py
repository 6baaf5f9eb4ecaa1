"""Common parts of the mitigations that fit a rule on scores: held-out people, their scores, the treatment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evenhand.errors import BadModel
from evenhand.mitigations._shams import dealt
from evenhand.postprocessing.group_cue import GroupCue, learn
from evenhand.postprocessing.prompts import Answers, PromptRule, favourable, held_out, own_groups
from evenhand.postprocessing.rules import Array, Rule
from evenhand.postprocessing.thresholds import people_of
from evenhand.records import Ability, PersonExample
from evenhand.treatments.rule import favourable_scores

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class HeldOut:
    """Held-out people with the model's scores: `scores` [n], true outcomes `labels` and group names [n].

    `cue` recognises the group of a prompt.
    """

    people: Sequence[PersonExample]
    scores: Array
    labels: list[int]
    groups: list[str]
    cue: GroupCue


def check(model: Model | None, people: Sequence[PersonExample]) -> GroupCue:
    """Refuse people on whom no rule can be fitted, and a model (None: not open yet) without scores.

    Returns what recognises the group of a prompt.

    Raises:
        BadModel: the model gives no log-probabilities.
        BadData: no people are held out, a group has only one true outcome, or the groups cannot be
            distinguished.
    """
    if model is not None and Ability.LOGPROBS not in model.can:
        raise BadModel(
            f"{model.spec.uri} gives no log-probabilities, which a rule on scores needs.",
            mend="Use a model or an endpoint that gives log-probabilities of given words.",
        )
    dev = held_out(people)
    people_of(np.full(len(dev), 0.5), favourable(dev), own_groups(dev))
    return learn(dev)


def scored(model: Model, people: Sequence[PersonExample]) -> HeldOut:
    """The held-out ones of `people` with the model's scores; the model is only asked after all other checks.

    Raises:
        BadModel, BadData: as for `check`.
    """
    cue, dev = check(model, people), held_out(people)
    return HeldOut(dev, favourable_scores(model, dev), favourable(dev), own_groups(dev), cue)


def mixed(found: HeldOut, seed: int) -> HeldOut:
    """The same people, their groups dealt out among them at random, each group with both true outcomes."""
    cells = {(group, outcome) for group in found.groups for outcome in (0, 1)}
    groups = dealt(found.groups, seed, lambda dealt: {*zip(dealt, found.labels, strict=True)} == cells)
    return dataclasses.replace(found, groups=groups)


def rates(
    decisions: Array, labels: Sequence[int], groups: Sequence[str]
) -> Mapping[str, Mapping[str, float | int | None]]:
    """For each group, the rates of the decisions (0 to 1: expected ones) [n] on the held-out people.

    `n`, `base_rate`, `selection_rate`, `true_positive_rate`, `false_positive_rate`, `precision` (None where
    nobody is favoured) and `accuracy`.
    """
    of_group, outcomes = np.array(list(groups)), np.array(labels)
    told: dict[str, dict[str, float | int | None]] = {}
    for name in sorted(set(groups)):
        chosen, true = decisions[of_group == name], outcomes[of_group == name]
        favoured = float(chosen.sum())
        told[name] = {
            "n": len(chosen),
            "base_rate": float(true.mean()),
            "selection_rate": favoured / len(chosen),
            "true_positive_rate": float(chosen[true == 1].mean()),
            "false_positive_rate": float(chosen[true == 0].mean()),
            "precision": float(chosen[true == 1].sum()) / favoured if favoured > 0 else None,
            "accuracy": float(np.where(true == 1, chosen, 1 - chosen).mean()),
        }
    return told


def treated(
    model: Model, rule: Rule, found: HeldOut, answers: Answers, about: tuple[str, int, Mapping[str, Any]]
) -> Treatment:
    """The rule as a treatment with a checked effect; `about` is the method's spec, its seed and its details.

    Raises:
        NoEffect: the rule leaves every answer as it was.
    """
    from evenhand.treatments import About, proven
    from evenhand.treatments.rule import RuleTreatment

    method, seed, details = about
    ruled = PromptRule(rule, found.people[0].labels, found.cue, answers)
    treatment = RuleTreatment(About(method, model.spec.digest, seed, details), ruled)
    proved: Treatment = proven(model, treatment, found.people)
    return proved
