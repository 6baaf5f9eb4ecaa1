"""The capability-matched control: does a treatment do more than an equal loss of capability does by itself?

A model that can no longer use a word looks unbiased. So the treated model is compared with models that lost
as much capability without any signal about the attribute (placebo tuning, weight noise), and only the part of
the effect beyond theirs counts. `evenhand.studies.matching` holds the arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from evenhand import stats
from evenhand.errors import UsageError
from evenhand.metrics import Array, Metric
from evenhand.records import ControlResult, Measurement
from evenhand.studies.capability import CapabilityScale
from evenhand.studies.defaults import BIAS
from evenhand.studies.distance import as_reported, distance
from evenhand.studies.margins import Margins
from evenhand.studies.matching import Family, Target, read_family, summary
from evenhand.studies.pairing import ControlModel, ModelMeasurements, paired_scores, partner
from evenhand.studies.primary import of_measurements

DOSES, SEEDS = 8, 5  # fewer of either make a reduced control

Families = Mapping[str, Sequence[ControlModel]]


def matched_control(
    base: ModelMeasurements,
    treated: ModelMeasurements,
    families: Families,
    *,
    metric: str | Metric | None = None,
    margins: Margins | None = None,
    seed: int = 0,
) -> ControlResult:
    """T = K + S for the bias B by `metric`, its distance from the ideal, with every family of control models.

    T = B(M0) - B(M*) is the whole effect, K the part that each family shows at the treated model's
    capability, S the specific part. The p-value is that of the intersection-union test: S > 0 is claimed
    only when every family shows it, so it is the largest over the families, and None when one of them is
    not matchable or there is none. `delta`, the half-width of "no specific effect", is 10 % of B(M0).

    `metric` is None for the primary one of the first bias benchmark that has one. It may be a metric object
    of the base's own items, for a figure that no benchmark lists; it is then computed on the first bias
    benchmark.

    Raises:
        NotComparable: a model was measured under different protocols or on different items.
        UsageError: no bias benchmark reports `metric`, it has no ideal, or a dose is not above 0.
    """
    margins = margins or Margins()
    metric = metric or of_measurements(base.bias, None)
    source = _source(base, metric)
    chosen = metric if isinstance(metric, Metric) else as_reported(metric, source.metrics[metric])
    bias = BiasScale(source, chosen, margins.draws, seed)
    scale = CapabilityScale(base, margins, seed)
    target = Target(bias.values, scale.of(treated), bias.of(treated), scale.tolerance, len(source.scores))
    read = [
        read_family(target, _family(name, models, bias, scale), margins=margins, seed=seed)
        for name, models in families.items()
    ]
    results = tuple(result for result, _ in read)
    detectable = [value for _, value in read]
    p_values = [result.p_value for result in results]
    after = float(target.capability[0])
    return ControlResult(
        metric=chosen.name,
        reduced=any(_reduced(models) for models in families.values()) or not families,
        delta=margins.equivalence * max(float(np.nan_to_num(target.bias[0])), 0.0),
        total=summary(target.bias - target.treated, target.items),
        capability_before=0.0,
        capability_after=after if np.isfinite(after) else None,
        families=results,
        p_value=max((p for p in p_values if p is not None), default=None) if None not in p_values else None,
        minimum_detectable=_largest(detectable),
    )


def adjusted(results: Sequence[ControlResult]) -> tuple[ControlResult, ...]:
    """The same results with their p-values adjusted by Holm's method, for a claim about several metrics."""
    p_values = stats.holm([result.p_value for result in results])
    return tuple(dataclasses.replace(r, p_value=p) for r, p in zip(results, p_values, strict=True))


class BiasScale:
    """The bias of any model on the base's items, under one set of resamples."""

    def __init__(self, base: Measurement, metric: Metric, draws: int, seed: int) -> None:
        self._base, self._metric = base, metric
        clusters = [s.cluster for s in base.scores]
        self._drawn = stats.Resampling(clusters, len(clusters), draws, seed, point=True)
        figures = stats.replicates(metric, base.scores, weights=self._drawn)
        self._distance = distance(metric, float(figures[0]))
        self.values = self._distance.of(figures)

    def of(self, measured: ModelMeasurements) -> Array:
        """B of a model, shape [1 + draws]: the point value first."""
        _, scores = paired_scores(self._base, partner(self._base, measured.bias))
        return self._distance.of(stats.replicates(self._metric, scores, weights=self._drawn))


def _source(base: ModelMeasurements, metric: str | Metric) -> Measurement:
    found = next(iter(base.bias), None) if isinstance(metric, Metric) else base.reporting(metric)
    if found is None:
        raise UsageError(
            f"No bias benchmark of this run reports {metric if isinstance(metric, str) else metric.name}.",
            mend=f"Add one that does, such as -b {BIAS[0]}.",
        )
    return found


def _family(name: str, models: Sequence[ControlModel], bias: BiasScale, scale: CapabilityScale) -> Family:
    if not models or any(not model.dose > 0 for model in models):
        raise UsageError(
            f"The control family {name!r} holds no model, or one whose dose is not above 0.",
            mend="Give doses above 0; the untreated model is dose 0 by itself.",
        )
    return Family(
        name,
        np.array([m.dose for m in models], dtype=np.float64),
        np.array([m.seed for m in models], dtype=np.int64),
        np.stack([scale.of(m.measured) for m in models]),
        np.stack([bias.of(m.measured) for m in models]),
    )


def _reduced(models: Sequence[ControlModel]) -> bool:
    doses = [m.dose for m in models]
    return len(set(doses)) < DOSES or min((doses.count(d) for d in set(doses)), default=0) < SEEDS


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None
