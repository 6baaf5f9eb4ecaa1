"""Rules for prompts: what is stored with one comes back, and which people it can be fitted on."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.errors import BadData
from evenhand.postprocessing.group_cue import learn
from evenhand.postprocessing.prompts import PromptRule, favourable, from_extra, held_out, own_groups
from evenhand.postprocessing.rules import Cut, Mixture, Thresholds
from tests.support.unfair import deciding

PEOPLE = deciding(200, part="dev")
RULE = Thresholds(
    ("female", "male"),
    (Mixture((Cut(1.0, 0.2),)), Mixture((Cut(1.0, 0.8),))),
    "demographic_parity",
    "accuracy",
)


def test_what_travels_with_a_rule_comes_back() -> None:
    ruled = PromptRule(RULE, PEOPLE[0].labels, learn(PEOPLE), "decided")
    assert from_extra(RULE, ruled.extra()) == ruled
    with pytest.raises(ValueError, match="answers is 'maybe'"):
        from_extra(RULE, {**ruled.extra(), "answers": "maybe"})


def test_only_held_out_people_are_taken() -> None:
    train = [dataclasses.replace(p, part="train") for p in PEOPLE[:50]]
    assert held_out([*train, *PEOPLE[50:]]) == PEOPLE[50:]
    with pytest.raises(BadData, match="None of the 50 people is held out"):
        held_out(train)


def test_held_out_people_must_fit_together() -> None:
    alone = [dataclasses.replace(p, contexts=p.contexts[:1], groups=("male",), group=0) for p in PEOPLE]
    with pytest.raises(BadData, match=r"attribute has the values \('male',\)"):
        held_out(alone)
    with pytest.raises(BadData, match=r"nobody among the held-out people .*male 0"):
        held_out([p for p in PEOPLE if p.group == 1])
    with pytest.raises(BadData, match="different groups or label words"):
        held_out([*PEOPLE, dataclasses.replace(PEOPLE[0], labels=(" b", " a"))])


def test_outcomes_and_groups_of_people() -> None:
    assert favourable(PEOPLE[:20]) == [p.label for p in PEOPLE[:20]]
    assert own_groups(PEOPLE[:20]) == [p.groups[p.group] for p in PEOPLE[:20]]
