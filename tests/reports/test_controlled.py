"""The control models as the report reads them, with records of this version and of older ones."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.records import ControlPoint, ControlResult, Estimate, FamilyResult, Verification
from evenhand.reports import controlled
from tests.support import records_factory as make

NOTHING = Estimate(None, None, None, 0)


def family(**changes: object) -> FamilyResult:
    """Read at dose 1 by size: two models near it, one too strong, one that is broken."""
    points = (
        ControlPoint(0.8, 0, -0.01, 0.50, 0.10, 1.0),
        ControlPoint(1.2, 1, -0.02, 0.48, 0.14, 1.0),
        ControlPoint(2.5, 2, -0.30, 0.40, 0.40, 1.0),
        ControlPoint(1.1, 3, -0.90, 0.10, 0.12, 0.5),
    )
    specific = Estimate(0.40, 0.30, 0.50, 27)
    plain = FamilyResult(
        "sham", points, True, 1.0, NOTHING, specific, 0.001, False,
        basis="size", state="matched", p_limit=0.025,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def result(*families: FamilyResult) -> ControlResult:
    """The treated model at size 0.12 and loss 0.05; T = 0.43, so that its bias is 0.533 - 0.43."""
    return dataclasses.replace(
        make.control(reduced=False),
        families=families or (family(),),
        total=Estimate(0.43, 0.40, 0.46, 27),
        size=0.12,
        loss=Estimate(0.05, 0.01, 0.09, 30),
    )


def record(control: ControlResult | None) -> Verification:
    return dataclasses.replace(make.verification(), control=control)


def test_the_treated_model_stands_where_it_is_judged() -> None:
    found = result()
    seen = controlled.scene(record(found), found)
    base = 4.8 / 9  # the mean of |1 - 2 share| over the factory's nine shares
    assert seen.base == pytest.approx(base)
    ends = (seen.treated.low, seen.treated.value, seen.treated.high)
    assert ends == pytest.approx((base - 0.46, base - 0.43, base - 0.40))
    assert (seen.place("size").value, seen.place("loss")) == (0.12, found.loss)


def test_the_prediction_is_the_part_beyond_above_the_treated_model() -> None:
    found = result()
    seen = controlled.scene(record(found), found)
    ahead = controlled.predicted(found.families[0], seen)
    treated = 4.8 / 9 - 0.43
    assert (ahead.low, ahead.value, ahead.high) == pytest.approx(
        (treated + 0.3, treated + 0.4, treated + 0.5)
    )


def test_models_are_used_apart_or_broken() -> None:
    """Within a factor 2 of dose 1: 0.8, 1.2 and 1.1, of which the last has half of its items."""
    states = [controlled.state_of(p, family()) for p in family().points]
    assert states == ["used", "used", "apart", "broken"]
    assert [row[-1] for row in controlled.points(family()).rows] == states
    by_recipe = family(basis="recipe")
    assert controlled.state_of(by_recipe.points[2], by_recipe) == "used"


def test_a_loss_is_a_fall_of_capability_and_zero_has_no_sign() -> None:
    assert controlled.loss_of(ControlPoint(1.0, 0, -0.2, 0.4)) == 0.2
    assert str(controlled.loss_of(ControlPoint(1.0, 0, 0.0, 0.4))) == "0.0"
    assert controlled.loss_of(ControlPoint(1.0, 0, None, 0.4)) is None


def test_old_records_are_drawn_with_what_they_have() -> None:
    """No sizes, no loss of the treated model, no basis: capability alone, and every model counts."""
    old = make.control()
    seen = controlled.scene(record(old), old)
    assert seen.loss.value == pytest.approx(0.1)  # capability after was -0.1
    assert seen.size is None
    assert controlled.axes_of(old.families[0], seen) == ("loss",)
    assert controlled.read_by(old.families[0]) == "loss"
    assert {controlled.state_of(p, old.families[0]) for p in old.families[0].points} == {"used"}


def test_without_the_effect_there_is_no_treated_model() -> None:
    found = result()
    seen = controlled.scene(dataclasses.replace(record(found), effects=()), found)
    assert (seen.base, seen.treated.value) == (None, None)
    assert controlled.predicted(found.families[0], seen).value is None
