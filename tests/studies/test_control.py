"""The control on measurements: arithmetic of T, K and S, items in common, refusals."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evenhand import registry
from evenhand.errors import NotComparable, UsageError
from evenhand.records import ControlResult, Measurement, Value, from_json, to_json
from evenhand.studies.control import (
    Families,
    LossScale,
    Treated,
    adjusted,
    enough,
    matched_control,
    target_of,
)
from evenhand.studies.controlling import Maker
from evenhand.studies.forecast import Clock
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ControlModel, ModelMeasurements
from tests.studies.worlds import LEANS, SIZE, Made, damage, everyone, measured, untreated

FAST = Margins(draws=300)
GAP = float(np.abs(LEANS).mean())  # normalised AFGB of the base


def control(
    treated: ModelMeasurements,
    models: Families | None = None,
    *,
    lost: bool = False,
    size: Value = SIZE,
    **more: str,
) -> ControlResult:
    return matched_control(
        untreated(), Treated(treated, size, lost), models or everyone().families, margins=FAST, **more
    )


def test_removal_is_specific_in_every_family() -> None:
    """Half of every lean removed, and no capability: T is half the gap.

    Control models that lose no more than what is harmless are those of small doses, which fade a hundredth.
    """
    result = control(measured(Made(lean=lambda x: x / 2)))
    assert result.total.value == pytest.approx(GAP / 2)
    assert result.capability_after == pytest.approx(0.0)
    assert result.delta == pytest.approx(0.1 * GAP)
    for family in result.families:
        assert (family.basis, family.state) == ("loss", "matched")
        assert 0.03 < (family.dose or 0) < 0.14
        assert family.capability_part.value == pytest.approx(0.0, abs=0.02)
        assert family.specific.value == pytest.approx(GAP / 2, abs=0.02)
    assert result.p_value is not None
    assert result.p_value <= 0.025
    assert result.p_value == max(f.p_value or 0 for f in result.families)
    assert result.minimum_detectable is not None
    assert 0 < result.minimum_detectable < GAP / 2
    assert not result.reduced
    assert (result.size, result.absent) == (SIZE, ())


def test_damage_is_not_specific() -> None:
    result = control(measured(damage(1.3, seed=99)), lost=True, size=1.3 * SIZE)
    assert result.p_value is not None
    assert result.p_value > 0.05
    for family in result.families:
        assert family.dose == pytest.approx(1.3, abs=0.3)
        assert (family.specific.low or 0) < 0 < (family.specific.high or 0)
        total = (family.capability_part.value or 0) + (family.specific.value or 0)
        assert total == pytest.approx(result.total.value)


def test_one_family_that_explains_the_effect_is_enough() -> None:
    """Intersection-union: the third family fades the leans at no loss of capability, as the treated one."""
    same = [
        ControlModel(
            dose,
            s,
            measured(Made(lean=lambda x, d=dose, s=s: x * (1 - d / 2 + 0.01 * s), seed=s)),
            SIZE * dose,
        )
        for dose in (0.8, 1.0, 1.2)
        for s in range(3)
    ]
    result = control(measured(Made(lean=lambda x: x / 2)), {**everyone().families, "blind": same})
    p_values = {f.family: f.p_value for f in result.families}
    assert p_values["sham"] is not None
    assert p_values["sham"] <= 0.025
    assert result.p_value == p_values["blind"]
    assert result.p_value is not None
    assert result.p_value > 0.05


def test_out_of_reach_is_not_matched_and_leaves_no_p_value() -> None:
    wreck = measured(Made(lean=lambda x: 0 * x, forgets=1.0, loss=9.0))
    result = control(wreck, lost=True, size=9.0)
    assert [f.matched for f in result.families] == [False, False]
    assert result.p_value is None
    assert result.minimum_detectable is None


def test_without_capability_the_size_is_matched() -> None:
    base = ModelMeasurements(untreated().bias)
    treated = ModelMeasurements(measured(Made(lean=lambda x: x / 2)).bias)
    sized = matched_control(base, Treated(treated, SIZE), everyone().families, margins=FAST)
    assert sized.capability_after is None
    assert [family.basis for family in sized.families] == ["size", "size"]
    assert matched_control(base, Treated(treated), everyone().families, margins=FAST).p_value is None


def test_a_size_that_is_rounding_matches_nothing_and_the_sham_is_made_by_the_recipe() -> None:
    """Neutral text is as it was: doses of equal size would be those of no change at all."""
    treated = measured(Made(lean=lambda x: x / 2))
    small, least = (
        target_of(
            untreated(), Treated(treated, size), "afgb_normalised", FAST, LossScale(untreated(), FAST, 0)
        )
        for size in (0.99e-3, 1e-3)
    )
    assert (small.size, small.untouched) == (None, True)
    assert (least.size, least.untouched) == (1e-3, False)
    result = control(treated, size=1.6e-4)
    assert result.size == 1.6e-4  # as it was measured
    assert {family.basis for family in result.families} == {"loss"}
    cells: Any = SimpleNamespace(seed=0)
    maker = Maker(None, cells, None, (), (), (), "standard")  # type: ignore[arg-type]  # never asked
    for family, target, by_recipe in (
        ("sham", small, True),
        ("sham", least, False),
        ("noise", small, False),
    ):
        recipe: Any = SimpleNamespace(
            family=family, control=registry.create("control", family), by_recipe=False
        )
        search = maker.search(recipe, target, LossScale(untreated(), FAST, 0), Clock())
        assert search.by_recipe == by_recipe


def test_items_are_those_that_base_treated_and_the_control_model_have_in_common() -> None:
    """The treated model leaves only the least biased professions defined, whose gaps it keeps.

    Read on its own items the gap is small, and so is the base's on them: T is 0, and no control model is put
    beside it with its large gaps of other items.
    """
    treated = measured(Made())
    bias, *others = treated.bias
    kept = [abs(lean) < 0.3 for lean in np.repeat(LEANS, 3)]
    scores = tuple(
        score if keep else dataclasses.replace(score, values={**score.values, "p.male": 0.0, "p.female": 0.0})
        for score, keep in zip(bias.scores, kept, strict=True)
    )
    changed = ModelMeasurements((dataclasses.replace(bias, scores=scores), *others), treated.capability)
    result = control(changed)
    assert result.total.value == pytest.approx(0.0)
    for family in result.families:
        assert abs(family.specific.value or 0.0) < 0.05
        assert {point.share for point in family.points} == {1.0}


def test_a_model_that_leaves_items_undefined_is_broken() -> None:
    def less(model: ControlModel) -> ControlModel:
        first, *rest = model.measured.bias
        blank = {"p.male": 0.0, "p.female": 0.0}
        scores = tuple(
            dataclasses.replace(score, values=blank) if i % 5 == 0 else score
            for i, score in enumerate(first.scores)
        )
        bias: tuple[Measurement, ...] = (dataclasses.replace(first, scores=scores), *rest)
        return dataclasses.replace(model, measured=ModelMeasurements(bias, model.measured.capability))

    broken = [less(model) for model in everyone().families["sham"]]
    result = control(measured(Made(lean=lambda x: x / 2)), {**everyone().families, "sham": broken})
    states = {family.family: family.state for family in result.families}
    assert states == {"sham": "broken", "noise": "matched"}
    assert result.p_value is None
    assert result.families[0].points[0].share == pytest.approx(0.8)


def test_order_of_items_does_not_matter() -> None:
    treated = measured(damage(0.7, seed=3))
    turned = ModelMeasurements(
        tuple(dataclasses.replace(m, scores=m.scores[::-1]) for m in treated.bias),
        tuple(dataclasses.replace(m, scores=m.scores[::-1]) for m in treated.capability),
    )
    assert control(turned) == control(treated)


def test_result_survives_json() -> None:
    result = control(measured(damage(1.0, seed=5)))
    assert from_json(type(result), to_json(result)) == result


def test_a_record_of_an_earlier_version_is_read() -> None:
    """Its points have no sizes, its families neither basis nor state."""
    body = to_json(control(measured(damage(1.0, seed=5))))
    for name in ("size", "loss", "absent"):
        del body[name]
    for family in body["families"]:
        for name in ("basis", "state", "p_limit", "p_worse"):
            del family[name]
        for point in family["points"]:
            del point["size"], point["share"]
    old = from_json(ControlResult, body)
    assert (old.size, old.families[0].state, old.families[0].points[0].size) == (None, "", None)


@pytest.mark.parametrize(
    ("families", "shammed", "carries"),
    [
        (["sham", "noise"], True, True),
        (["sham"], True, False),
        (["noise", "plain text", "noise elsewhere"], True, False),  # its sham could not be made
        (["noise", "plain text", "noise elsewhere"], False, True),
        (["noise", "plain text"], False, False),
        ([], False, False),
    ],
)
def test_how_many_kinds_carry_a_claim(families: list[str], shammed: bool, carries: bool) -> None:
    assert enough(families, shammed=shammed) is carries


def test_holm_over_metrics() -> None:
    treated = measured(Made(lean=lambda x: x / 2))
    results = [control(treated, metric=m) for m in ("afgb", "afgb_normalised")]
    first, second = (r.p_value or 0 for r in results)
    smaller, larger = sorted((first, second))
    assert sorted(r.p_value or 0 for r in adjusted(results)) == pytest.approx(
        [2 * smaller, max(2 * smaller, larger)]
    )


def test_refusals() -> None:
    treated = measured(Made())
    with pytest.raises(UsageError, match="reports perplexity"):
        control(treated, metric="perplexity")
    with pytest.raises(UsageError, match="not above 0"):
        control(treated, {"f": [ControlModel(0.0, 0, treated)]})
    with pytest.raises(UsageError, match="holds no model"):
        control(treated, {"f": []})
    other = measured(Made(protocol={"dtype": "bfloat16"}))
    with pytest.raises(NotComparable, match=r"protocol\.dtype"):
        control(other)
