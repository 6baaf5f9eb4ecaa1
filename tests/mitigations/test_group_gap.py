"""Fairness in the loss on label words: the gap falls, lam = 0 is plain fine-tuning, refusals."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from evenhand.errors import BadData, BadOption
from evenhand.mitigations.group_gap import GroupGap
from evenhand.models import OpenModel
from evenhand.records import PersonExample
from evenhand.scoring.terms import outcomes
from evenhand.testing.examples import people
from evenhand.testing.tiny import model as tiny
from evenhand.training.fair_losses import stratified
from evenhand.treatments.weights import WeightTreatment


def _everyone() -> list[PersonExample]:
    return [dataclasses.replace(p, label=1 if p.group else p.label) for p in people()]


def _fit(model: OpenModel, method: GroupGap, seed: int = 0) -> WeightTreatment:
    made = method.fit(model, _everyone(), sites=None, seed=seed)
    assert isinstance(made, WeightTreatment)
    return made


def _errors(model: OpenModel) -> tuple[float, float]:
    """Mean expected error of each group of the train part, from the weights' own outcomes."""
    from evenhand.training.fair_losses import label_errors

    train = [p for p in _everyone() if p.part == "train"]
    with torch.no_grad():
        log_p = outcomes(model, [p.twin(p.group) for p in train]).log_p.log_softmax(-1)
    errors = label_errors(log_p, torch.tensor([p.label for p in train]))
    group = torch.tensor([p.group for p in train])
    return errors[group == 0].mean().item(), errors[group == 1].mean().item()


def test_the_gap_falls_beside_plain_fine_tuning() -> None:
    gaps = {}
    for lam in (0.0, 20.0):
        model = tiny("llama")
        with _fit(model, GroupGap(lam=lam, lr=3e-4, epochs=8, batch=6)).applied(model):
            a, b = _errors(model)
        gaps[lam] = abs(a - b)
    assert gaps[20.0] < 0.6 * gaps[0.0]


def test_lam_zero_is_plain_fine_tuning_bit_for_bit() -> None:
    model, reference = tiny("gpt2"), tiny("gpt2")
    treatment = _fit(model, GroupGap(lam=0.0, lr=1e-3, epochs=1, batch=6), seed=3)
    train = [p for p in _everyone() if p.part == "train"]
    optimiser = torch.optim.AdamW(reference.module.parameters(), lr=1e-3, weight_decay=0.0, fused=True)

    for rows in stratified([p.group for p in train], 6, epochs=1, seed=3):
        chosen = [train[i] for i in rows.tolist()]
        log_p = outcomes(reference, [p.twin(p.group) for p in chosen]).log_p
        loss = -log_p[torch.arange(len(chosen)), torch.tensor([p.label for p in chosen])].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    parameters = dict(reference.module.named_parameters())
    assert all(torch.equal(value, parameters[name]) for name, value in treatment.weights.items())


def test_blocks_can_be_named() -> None:
    model = tiny("llama")
    treatment = _fit(model, GroupGap(blocks="1", lr=1e-3, epochs=1, batch=6))
    assert set(treatment.weights) == set(model.layout.parameters("block.1"))
    with pytest.raises(BadOption, match="blocks=9"):
        _fit(model, GroupGap(blocks="9"))


def test_the_details_tell_steps_and_held_out_people() -> None:
    details = _fit(tiny("llama"), GroupGap(lr=1e-3, epochs=2, batch=6)).about.details
    assert (details["people"], details["steps"], details["batches_without_gap"]) == (12, 4, 0)
    assert details["held_out"] == 4
    assert details["after"] is None  # four people hold no one of each group and outcome


def test_bad_input() -> None:
    model = tiny("llama")
    with pytest.raises(BadData, match="None of the 4 people is of the train part"):
        GroupGap().fit(model, [p for p in people() if p.part == "dev"], sites=None, seed=0)
    with pytest.raises(BadData, match="All people to train on are of the group 'male'"):
        GroupGap().fit(model, [p for p in people() if p.group == 0], sites=None, seed=0)
    with pytest.raises(BadOption, match="lam=-1"):
        _fit(model, GroupGap(lam=-1.0))
    with pytest.raises(BadOption, match="cannot hold all 2 groups"):
        _fit(model, GroupGap(batch=1))
