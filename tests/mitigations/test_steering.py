"""Steering: the coefficient that held-out prompts choose, what adding does, and the sham of equal length."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch

from evenhand.errors import BadOption, NoEffect
from evenhand.mitigations.mean_difference import MeanDifference
from evenhand.mitigations.steering import ADD, Steering
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples, pairs
from evenhand.testing.tiny import model as tiny
from evenhand.treatments.projection import ProjectionTreatment

CASE = MitigationCase("steering")


def _fit(given: Any = None, sham: int | None = None, **options: Any) -> ProjectionTreatment:
    method: Any = Steering(**options)
    method = method if sham is None else method.sham(seed=sham)
    return cast(ProjectionTreatment, method.fit(tiny("llama"), given or examples(), sites=None, seed=0))


def test_an_affine_map_of_strength_1_is_the_mean_difference() -> None:
    one = _fit(blocks="1", coefficient=1.0).maps["block.1"]
    other: Any = MeanDifference(blocks="1").fit(tiny("llama"), examples(), sites=None, seed=0)
    for name in ("left", "right", "centre", "shift"):
        torch.testing.assert_close(getattr(one, name), getattr(other.maps["block.1"], name))
    half = _fit(blocks="1", coefficient=0.5).maps["block.1"]
    torch.testing.assert_close(half.left, 0.5 * one.left)


def test_adding_shifts_every_state_by_the_coefficient_times_the_difference() -> None:
    treatment = _fit(blocks="1", how="add", coefficient=-2.0)
    one, (site,) = treatment.maps["block.1"], treatment.about.details["sites"]
    assert len(one.right) == 0
    assert float(one.shift.norm()) == pytest.approx(2 * site["length"])
    states = torch.randn(3, 32)
    torch.testing.assert_close(one(states) - states, one.shift.float().expand(3, 32), atol=1e-4, rtol=1e-4)


def test_the_coefficient_is_chosen_on_prompts_of_the_train_part() -> None:
    (site,) = _fit(blocks="1").about.details["sites"]
    assert site["coefficient"] in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
    assert site["chosen_on"] == "fitted prompts"  # four subjects: none is held out
    (site,) = _fit(pairs()).about.details["sites"]
    assert (site["coefficient"], site["chosen_on"]) == (1.0, "default")


def test_a_shift_that_does_not_help_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shift makes a gap of 0.5 smaller than 0.5; where all make it 0.25, the smallest is taken."""
    gaps = iter([0.5] * len(ADD) + [0.5])
    monkeypatch.setattr("evenhand.mitigations._erasing.rows.mean_gap", lambda *_: next(gaps))
    with pytest.raises(NoEffect, match="No shift of all states"):
        _fit(blocks="1", how="add")
    gaps = iter([0.25] * len(ADD) + [0.5])
    (site,) = _fit(blocks="1", how="add").about.details["sites"]
    assert abs(site["coefficient"]) == min(map(abs, ADD)) == 0.125


def test_a_sham_has_the_same_length_and_coefficient_in_another_direction() -> None:
    real, sham = (_fit(blocks="1", how="add", coefficient=1.0, sham=seed) for seed in (None, 3))
    one, other = (np.asarray(t.maps["block.1"].shift) for t in (real, sham))
    assert np.linalg.norm(other) == pytest.approx(np.linalg.norm(one))
    assert abs(one @ other) < 0.95 * (one @ one)


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(BadOption, match="chooses its coefficient on prompts"):
        _fit(pairs(), how="add")
    with pytest.raises(BadOption, match="coefficient=0"):
        Steering(coefficient=0)
