"""The control models of a run as a reader sees them: where each stands, and which of them are read.

The one place that reads records of control models for a report: those of older versions are shown with what
they have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evenhand import decimals
from evenhand.records import ControlPoint, ControlResult, Estimate, FamilyResult, Value, Verification
from evenhand.reports.leading import about
from evenhand.reports.tables import Table
from evenhand.studies.distance import Distance, distance_of
from evenhand.studies.matching import WHOLE, WINDOW

Against = Literal["loss", "size"]
State = Literal["used", "apart", "broken"]
AXES: tuple[Against, ...] = ("loss", "size")
_NOTHING = Estimate(None, None, None, 0)


@dataclass(frozen=True, slots=True)
class Scene:
    """What every panel shows beside a family's models; all biases are distances from the ideal.

    Attributes:
        name: what the bias is called on the axis.
        base: the base's bias.
        treated: the treated model's bias as it is judged, with its 95 % interval.
        loss: its loss of capability, between one-sided 95 % bounds.
        size: the size of its change.
        delta: the smallest relevant effect.
    """

    name: str
    base: Value
    treated: Estimate
    loss: Estimate
    size: Value
    delta: float

    def place(self, by: Against) -> Estimate:
        """Where the treated model stands on an axis."""
        return self.loss if by == "loss" else Estimate(self.size, None, None, 0)


def scene(record: Verification, result: ControlResult) -> Scene:
    """The scene of a control; what old records lack is None, or comes from what they have."""
    effect = about(record)
    away = Distance(0.0) if effect is None else distance_of(effect)
    base, total = None if effect is None else away.value(effect.before.value), result.total
    ends = (total.value, total.high, total.low)
    value, low, high = (None if base is None or end is None else base - end for end in ends)
    after = result.capability_after
    loss = result.loss or (_NOTHING if after is None else Estimate(-after, None, None, 0))
    name = result.metric if away.plain else f"distance of {result.metric} from {away.ideal:g}"
    return Scene(name, base, Estimate(value, low, high, total.n), loss, result.size, result.delta)


def loss_of(point: ControlPoint) -> Value:
    """How much capability a control model lost, in SD; the base is at 0."""
    return None if point.capability is None else 0.0 - point.capability


def state_of(point: ControlPoint, family: FamilyResult) -> State:
    """Whether a model is ``broken``, or too far from the dose at which the family is read (``apart``)."""
    if point.bias is None or (point.share is not None and point.share < WHOLE):
        return "broken"
    if family.dose is None or family.basis in ("", "recipe"):
        return "used"
    return "used" if family.dose / WINDOW <= point.dose <= family.dose * WINDOW else "apart"


def axes_of(family: FamilyResult, seen: Scene) -> tuple[Against, ...]:
    """The panels of a family: those for which its models have a place."""
    places = {by: [at(point, by) for point in family.points] for by in AXES}
    known: list[Against] = []
    if any(x is not None for x in places["loss"]):
        known.append("loss")
    if seen.size is not None and any(x is not None for x in places["size"]):
        known.append("size")
    return tuple(known)


def at(point: ControlPoint, by: Against) -> Value:
    """Where a control model stands on an axis."""
    return loss_of(point) if by == "loss" else point.size


def read_by(family: FamilyResult) -> Against:
    """The axis on which a family was read; old records were matched on capability."""
    return "size" if family.basis in ("size", "recipe") else "loss"


def predicted(family: FamilyResult, seen: Scene) -> Estimate:
    """What a family predicts for one more model, with its 95 % interval: S above the treated model's bias."""
    part, value = family.specific, seen.treated.value
    middle, low, high = (
        None if value is None or x is None else value + x for x in (part.value, part.low, part.high)
    )
    return Estimate(middle, low, high, part.n)


def points(family: FamilyResult) -> Table:
    """Every model of a family: dose and seed, loss of capability, size of its change, bias, and its state."""
    rows = tuple(
        (
            decimals.number(p.dose),
            str(p.seed),
            decimals.number(loss_of(p)),
            decimals.number(p.size),
            decimals.number(p.bias),
            state_of(p, family),
        )
        for p in family.points
    )
    head = ("dose", "seed", "loss of capability", "size", "bias", "state")
    return Table(f"The models of {family.family}", head, rows)
