"""The part of a fall that lies beyond each family of control models, and how much of it a claim needs."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.records import ControlResult, FamilyResult, Value

MOST = 0.5  # of a fall with a cost, the share that has to lie beyond every family (docs/adr/0048, 0052)


def beyond(family: FamilyResult, least: float) -> bool:
    """Whether a fall beyond one family is shown: its part beyond that is `least` or more, with a p-value
    within its limit.
    """
    part = family.specific.value
    return part is not None and part >= least and passes(family.p_value, family.p_limit)


def beyond_in(control: ControlResult, family: FamilyResult) -> bool:
    """The same of the fall that was judged beside this control, and one of its families."""
    return control.total.value is not None and beyond(family, needed(control))


def needed(control: ControlResult) -> float:
    """How much of the fall that was judged has to lie beyond each family of the control."""
    if control.least is not None:
        return control.least
    return least(control.delta, control.total.value or 0.0, clean=False)


def least(delta: float, total: float, *, clean: bool) -> float:
    """How much of a fall of `total` has to lie beyond a family: what is relevant; and the larger part, unless
    the change is `clean`, with all that was measured beside the bias certainly kept (docs/adr/0052).
    """
    return delta if clean else max(delta, MOST * total)


def countable(found: Sequence[FamilyResult]) -> list[FamilyResult]:
    """The families that a claim has to pass: all but those that cannot reach half of the treated size."""
    return [family for family in found if family.state != "inert"]


def showing_all_but(least: float, found: Sequence[FamilyResult]) -> list[FamilyResult]:
    """The families beyond which less than `least` of a fall is left."""
    return [one for one in found if one.specific.value is not None and one.specific.value < least]


def showing_most(control: ControlResult) -> list[FamilyResult]:
    """The families that show so much of the fall that what is left beyond them cannot be claimed."""
    return showing_all_but(needed(control), control.families)


def passes(p_value: Value, limit: Value) -> bool:
    """Whether a p-value is within the level of its look; not where either is undefined."""
    return p_value is not None and limit is not None and p_value <= limit
