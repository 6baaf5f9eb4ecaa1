"""The control: does a treatment do more than an equally large change without a signal does by itself?

A model that can no longer use a word looks unbiased. So the treated model is compared with models that were
changed as much, or lost as much capability, without any signal about the attribute's direction; only the part
of the effect beyond theirs counts. `evenhand.studies.matching` holds the arithmetic.

Items are intersected over base, treated and that one control model: an item that is undefined in one of the
three counts for none. What a control model's bias is on these items is then put beside the treated model's on
them, so that control models with different undefined items stay comparable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evenhand import stats
from evenhand.errors import UsageError
from evenhand.metrics import Array, Columns, Metric, columns
from evenhand.records import ControlResult, Estimate, Measurement, Score, Value
from evenhand.stats.estimating import table_for
from evenhand.studies.capability import CapabilityScale, negated
from evenhand.studies.defaults import BIAS
from evenhand.studies.distance import Distance, as_reported, distance
from evenhand.studies.margins import Margins
from evenhand.studies.matching import ROUNDING, Family, Target, detectable, read_family
from evenhand.studies.pairing import ControlModel, ModelMeasurements, paired_scores, partner
from evenhand.studies.parts import countable
from evenhand.studies.primary import of_measurements

SHAM = "sham"  # the family of the treatment's own method without its signal
KINDS, KINDS_WITHOUT_SHAM = 2, 3  # families that must be matched, with a sham among them and without one

Families = Mapping[str, Sequence[ControlModel]]


@dataclass(frozen=True)
class Treated:
    """The treated model: its measurements, the size of its change, and whether capability is certainly lost.

    `shammed` says whether its method has a sham: else more kinds of control are needed. `absent` are the
    sentences about families of which no model could be made. `losses` is what reads losses beside its base,
    where that was made already.
    """

    measured: ModelMeasurements
    size: Value = None
    lost: bool = False
    shammed: bool = True
    absent: tuple[str, ...] = ()
    losses: LossScale | None = None


def matched_control(
    base: ModelMeasurements,
    treated: Treated,
    families: Families,
    *,
    metric: str | Metric | None = None,
    margins: Margins | None = None,
    seed: int = 0,
) -> ControlResult:
    """T = K + S for the bias B by `metric`, its distance from the ideal, with every family of control models.

    T = B(M0) - B(M*) is the whole effect, K the part that each family shows when it changes the model as
    much, S the specific part. The p-value is that of the intersection-union test: S > 0 is claimed only when
    every family shows it, so it is the largest over the families, and None when one of them cannot be
    matched, or there is none.

    `metric` is None for the primary one of the first bias benchmark that has one. It may be a metric object
    of the base's own items, for a figure that no benchmark lists; it is then computed on the first bias
    benchmark.

    Raises:
        NotComparable: a model was measured under different protocols or on different items.
        UsageError: no bias benchmark reports `metric`, it has no ideal, or a dose is not above 0.
    """
    margins = margins or Margins()
    losses = treated.losses or LossScale(base, margins, seed)
    scale, target, loss = _beside(base, treated, metric, margins, losses)
    readings = [_family(name, models, scale, losses) for name, models in families.items()]
    results = tuple(read_family(target, family) for family in readings)
    p_values = [result.p_value for result in results]
    smallest = [detectable(target, family) for family in readings]
    return ControlResult(
        metric=scale.metric.name,
        reduced=not enough([one.family for one in countable(results)], shammed=treated.shammed),
        delta=target.delta,
        total=scale.total(margins, seed),
        capability_before=0.0,
        capability_after=None if loss.value is None else -loss.value,
        families=results,
        p_value=max((p for p in p_values if p is not None), default=None) if None not in p_values else None,
        minimum_detectable=_largest(smallest),
        size=treated.size,
        loss=loss,
        absent=treated.absent,
    )


def target_of(
    base: ModelMeasurements, treated: Treated, metric: str | Metric, margins: Margins, losses: LossScale
) -> Target:
    """The treated model as what the models of a family are matched to.

    Raises:
        NotComparable, UsageError: as for `matched_control`.
    """
    return _beside(base, treated, metric, margins, losses)[1]


def _beside(
    base: ModelMeasurements,
    treated: Treated,
    metric: str | Metric | None,
    margins: Margins,
    losses: LossScale,
) -> tuple[BiasScale, Target, Estimate]:
    """What reads the bias of control models, the treated model beside which they are read, and its loss."""
    metric = metric or of_measurements(base.bias, None)
    source = _source(base, metric)
    chosen = metric if isinstance(metric, Metric) else as_reported(metric, source.metrics[metric])
    scale = BiasScale(source, chosen, treated.measured)
    loss = losses.estimate(treated.measured)
    untouched = treated.size is not None and treated.size < ROUNDING
    target = Target(
        before=_number(scale.before),
        after=_number(scale.after),
        loss=loss.value,
        loss_upper=loss.high,
        lost=treated.lost,
        size=None if untouched else treated.size,
        delta=max(margins.equivalence * max(scale.before or 0.0, 0.0), scale.distance.step),
        items=scale.items,
        untouched=untouched,
    )
    return scale, target, loss


def enough(families: Sequence[str], *, shammed: bool) -> bool:
    """Whether these families can carry a claim: two with the sham, or three where the method has none."""
    if shammed:
        return SHAM in families and len(families) >= KINDS
    return len(families) >= KINDS_WITHOUT_SHAM


def adjusted(results: Sequence[ControlResult]) -> tuple[ControlResult, ...]:
    """The same results with their p-values adjusted by Holm's method, for a claim about several metrics."""
    p_values = stats.holm([result.p_value for result in results])
    return tuple(dataclasses.replace(r, p_value=p) for r, p in zip(results, p_values, strict=True))


class BiasScale:
    """The bias of base, treated model and control models on common items.

    Attributes:
        metric: the figure.
        distance: what turns it into the bias B.
        items: the number of items that are defined in the base and in the treated model.
    """

    def __init__(self, base: Measurement, metric: Metric, treated: ModelMeasurements | None = None) -> None:
        self._base, self.metric = base, metric
        self._old = table_for(metric, columns(base.scores))
        self._known: NDArray[np.bool_] = metric.items(self._old)
        self.distance: Distance = (
            distance(metric, base.metrics[metric.name].value)
            if (metric.name in base.metrics)
            else distance(metric, metric.value(base.scores))
        )
        self._new = self._old
        self._pair: tuple[Sequence[Score], Sequence[Score]] = (base.scores, base.scores)
        if treated is not None:
            self._pair = paired_scores(base, partner(base, treated.bias))
            self._new = table_for(metric, columns(self._pair[1]))
        self._both = self._known & metric.items(self._new)
        self.items = int(self._both.sum())

    @cached_property
    def before(self) -> Value:
        """B(M0) on the items that are defined in both."""
        return self._bias(self._old, self._both)

    @cached_property
    def after(self) -> Value:
        """B(M*) on these items."""
        return self._bias(self._new, self._both)

    def total(self, margins: Margins, seed: int) -> Estimate:
        """T = B(M0) - B(M*) with its paired interval; without one for a figure that no benchmark lists."""
        if self.metric.name not in self._base.metrics:
            value = None if self.before is None or self.after is None else self.before - self.after
            return Estimate(value, None, None, self.items)
        change = stats.paired_change(self.metric, *self._pair, seed=seed, B=margins.draws)
        return negated(self.distance.change(change))

    def of(self, measured: ModelMeasurements) -> tuple[Value, float]:
        """B of a control model, and the share of the base's items on which it is defined.

        B is B(M*) plus how far the control model lies above the treated one on the items of all three.
        """
        _, scores = paired_scores(self._base, partner(self._base, measured.bias))
        table = table_for(self.metric, columns(scores))
        own = self._known & self.metric.items(table)
        share = float(own.sum() / max(1, self._known.sum()))
        common = self._both & own
        bias, treated = self._bias(table, common), self._bias(self._new, common)
        if bias is None or treated is None or self.after is None:
            return None, share
        return self.after + bias - treated, share

    def _bias(self, table: Columns, keep: NDArray[np.bool_]) -> Value:
        if not keep.any():
            return None
        # Weights, not fewer rows: a metric may be about certain items of the base by their place.
        value = float(self.metric.compute(table, keep[None].astype(np.float64))[0])
        return self.distance.value(value if np.isfinite(value) else None)


class LossScale:
    """The loss of capability L of any model: how far C (`CapabilityScale`) lies below the base's 0."""

    def __init__(self, base: ModelMeasurements, margins: Margins, seed: int) -> None:
        self._drawn = CapabilityScale(base, margins, seed)
        self._plain = CapabilityScale(base, dataclasses.replace(margins, draws=1), seed)
        self._level = 1 - 2 * margins.alpha

    def estimate(self, measured: ModelMeasurements) -> Estimate:
        """L of the treated model, between its one-sided bounds; where nothing varies, the harmless loss."""
        values = -self._drawn.of(measured)
        if not np.isfinite(values[0]):
            return Estimate(None, None, None, 0, level=self._level)
        low, high = stats.interval(values[1:], self._level)
        value = float(values[0])
        # Answers that never flip bound nothing: what is not seen may still be a harmless loss.
        high = max(value if high is None else high, self._drawn.tolerance)
        return Estimate(value, value if low is None else low, high, len(values), level=self._level)

    def of(self, measured: ModelMeasurements) -> float:
        """L of a control model; NaN without capability benchmarks."""
        return -float(self._plain.of(measured)[0])


def _source(base: ModelMeasurements, metric: str | Metric) -> Measurement:
    found = next(iter(base.bias), None) if isinstance(metric, Metric) else base.reporting(metric)
    if found is None:
        raise UsageError(
            f"No bias benchmark of this run reports {metric if isinstance(metric, str) else metric.name}.",
            mend=f"Add one that does, such as -b {BIAS[0]}.",
        )
    return found


def _family(name: str, models: Sequence[ControlModel], bias: BiasScale, losses: LossScale) -> Family:
    if not models or any(not model.dose > 0 for model in models):
        raise UsageError(
            f"The control family {name!r} holds no model, or one whose dose is not above 0.",
            mend="Give doses above 0; the untreated model is dose 0 by itself.",
        )
    # In one order whatever the order of making, so that a run judged again has the same last digits.
    models = sorted(models, key=lambda model: (model.dose, model.seed))
    read = [bias.of(model.measured) for model in models]
    return Family(
        name,
        np.array([m.dose for m in models], dtype=np.float64),
        np.array([m.seed for m in models], dtype=np.int64),
        np.array([losses.of(m.measured) for m in models]),
        _array([m.size for m in models]),
        _array([b for b, _ in read]),
        np.array([share for _, share in read]),
        all(model.by_recipe for model in models),
    )


def _array(values: Sequence[Value]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _number(value: Value) -> float:
    return np.nan if value is None else value


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None
