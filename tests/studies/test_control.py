"""The matched control on measurements: arithmetic of T, K and S, pairing, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evenhand.errors import NotComparable, UsageError
from evenhand.records import from_json, to_json
from evenhand.studies.control import adjusted, matched_control
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ControlModel, ModelMeasurements
from tests.studies.worlds import LEANS, Made, damage, families, measured

FAST = Margins(draws=300)
BASE = measured(Made())
FAMILIES = families()
GAP = float(np.abs(LEANS).mean())  # normalised AFGB of the base


def test_removal_is_specific_in_every_family() -> None:
    """Half of every lean removed, nothing else touched: T = S = half the gap, K = 0."""
    result = matched_control(BASE, measured(Made(lean=lambda x: x / 2)), FAMILIES, margins=FAST)
    assert result.total.value == pytest.approx(GAP / 2)
    assert result.capability_after == pytest.approx(0.0)
    assert result.delta == pytest.approx(0.1 * GAP)
    for family in result.families:
        assert family.capability_part.value == pytest.approx(0.0, abs=1e-12)
        assert family.specific.value == pytest.approx(GAP / 2)
    assert result.p_value is not None
    assert result.p_value <= 0.05
    assert result.p_value == max(f.p_value or 0 for f in result.families)
    assert result.minimum_detectable is not None
    assert 0 < result.minimum_detectable < GAP / 2
    assert result.reduced


def test_damage_is_not_specific() -> None:
    result = matched_control(BASE, measured(damage(1.5, seed=99)), FAMILIES, margins=FAST)
    assert result.p_value is not None
    assert result.p_value > 0.05
    for family in result.families:
        assert family.dose == pytest.approx(1.5, abs=0.4)
        assert (family.specific.low or 0) < 0 < (family.specific.high or 0)
        total = (family.capability_part.value or 0) + (family.specific.value or 0)
        assert total == pytest.approx(result.total.value)


def test_one_family_that_explains_the_effect_is_enough() -> None:
    """Intersection-union: the third family fades the leans at no loss of capability, as the treated one."""
    treated = measured(Made(lean=lambda x: x / 2))
    same = [
        ControlModel(dose, s, measured(Made(lean=lambda x, d=dose, s=s: x * (1 - d / 4 + 0.01 * s), seed=s)))
        for dose in (1.0, 2.0, 3.0)
        for s in range(3)
    ]
    result = matched_control(BASE, treated, {**FAMILIES, "blind": same}, margins=FAST)
    p_values = {f.family: f.p_value for f in result.families}
    assert p_values["placebo"] is not None
    assert p_values["placebo"] <= 0.05
    assert result.p_value == p_values["blind"]
    assert result.p_value is not None
    assert result.p_value > 0.05


def test_out_of_reach_is_not_matched_and_leaves_no_p_value() -> None:
    wreck = measured(Made(lean=lambda x: 0 * x, forgets=1.0, loss=9.0))
    result = matched_control(BASE, wreck, FAMILIES, margins=FAST)
    assert [f.matched for f in result.families] == [False, False]
    assert result.p_value is None
    assert result.minimum_detectable is None


def test_without_capability_nothing_can_be_matched() -> None:
    base = ModelMeasurements(BASE.bias)
    result = matched_control(
        base, ModelMeasurements(measured(Made(lean=lambda x: x / 2)).bias), FAMILIES, margins=FAST
    )
    assert result.capability_after is None
    assert result.p_value is None


def test_order_of_items_does_not_matter() -> None:
    treated = measured(damage(0.7, seed=3))
    turned = ModelMeasurements(
        tuple(dataclasses.replace(m, scores=m.scores[::-1]) for m in treated.bias),
        tuple(dataclasses.replace(m, scores=m.scores[::-1]) for m in treated.capability),
    )
    assert matched_control(BASE, turned, FAMILIES, margins=FAST) == matched_control(
        BASE, treated, FAMILIES, margins=FAST
    )


def test_result_survives_json() -> None:
    result = matched_control(BASE, measured(damage(1.0, seed=5)), FAMILIES, margins=FAST)
    assert from_json(type(result), to_json(result)) == result


def test_full_size_is_not_reduced() -> None:
    points = families(doses=tuple(0.25 * i for i in range(1, 9)), seeds=5)
    result = matched_control(BASE, measured(damage(1.0, seed=5)), points, margins=Margins(draws=50))
    assert not result.reduced


def test_holm_over_metrics() -> None:
    treated = measured(Made(lean=lambda x: x / 2))
    results = [
        matched_control(BASE, treated, FAMILIES, metric=m, margins=FAST) for m in ("afgb", "afgb_normalised")
    ]
    first, second = (r.p_value or 0 for r in results)
    smaller, larger = sorted((first, second))
    assert sorted(r.p_value or 0 for r in adjusted(results)) == pytest.approx(
        [2 * smaller, max(2 * smaller, larger)]
    )


def test_refusals() -> None:
    treated = measured(Made())
    with pytest.raises(UsageError, match="reports perplexity"):
        matched_control(BASE, treated, FAMILIES, metric="perplexity", margins=FAST)
    with pytest.raises(UsageError, match="not above 0"):
        matched_control(BASE, treated, {"f": [ControlModel(0.0, 0, treated)]}, margins=FAST)
    with pytest.raises(UsageError, match="holds no model"):
        matched_control(BASE, treated, {"f": []}, margins=FAST)
    other = measured(Made(protocol={"dtype": "bfloat16"}))
    with pytest.raises(NotComparable, match=r"protocol\.dtype"):
        matched_control(BASE, other, FAMILIES, margins=FAST)
