"""Capability: what else the model can do, on one scale, and whether it was kept.

Two components: the accuracy on questions (per-item ``correct``) and the sign-reversed log-perplexity of texts
(per-item ``nll`` and ``tokens``). The items are split in two halves by a hash of their ids: one half to match
control models by (D_match), the other to report (D_cap), so that matching never uses the reported figures.
Without control models nothing is matched, and all items are reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evenhand import stats
from evenhand.decimals import fixed, percent
from evenhand.errors import BadData, UsageError
from evenhand.metrics import Array, Columns, Metric, columns, mean_metric
from evenhand.metrics.likelihoods import mean_nll, scored
from evenhand.records import CapabilityResult, Check, Estimate, Measurement, Score, Value
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ModelMeasurements, paired_scores, partner

Half = Literal["match", "report", "all"]


def _right(table: Columns) -> Array:
    right: Array = np.nan_to_num(table["correct"], nan=0.0)
    return right


def _log_perplexity(table: Columns, weights: Array) -> Array:
    return mean_nll(table["nll"], table["tokens"], weights)


def _scored(table: Columns) -> NDArray[np.bool_]:
    return scored(table["nll"], table["tokens"])


ACCURACY = mean_metric(
    "accuracy",
    "Accuracy, with undecided answers counted as wrong",
    per_item=_right,
    unit="share of items",
    ideal=1.0,
    low=0.0,
    high=1.0,
    source="the usual definition",
    reading="A tie counts as wrong; otherwise a model that no longer decides would lose no accuracy.",
    needs=("correct",),
)
LOG_PERPLEXITY = Metric(
    "log_perplexity",
    "Log-perplexity per token",
    unit="nats per token",
    ideal=0.0,
    low=0.0,
    high=None,
    source="Σ NLL / Σ scored tokens",
    reading="Lower is better; comparable between models with one tokenizer on the same texts.",
    needs=("nll", "tokens"),
    compute=_log_perplexity,
    items=_scored,
)


def component(measurement: Measurement) -> Metric:
    """The capability metric (of the two) that a measurement gives.

    Raises:
        UsageError: it gives neither; the benchmark measures no capability.
    """
    values = measurement.scores[0].values if measurement.scores else {}
    for metric in (ACCURACY, LOG_PERPLEXITY):
        if all(name in values for name in metric.needs):
            return metric
    raise UsageError(
        f"{measurement.benchmark} gives neither answers to questions nor likelihoods of texts.",
        mend="Name capability benchmarks such as facts or perplexity.",
    )


def half(scores: Sequence[Score], part: Half) -> list[Score]:
    """The items of one half, in order: each sample's half is the parity of the SHA-256 of its id."""
    if part == "all":
        return list(scores)
    wanted = 0 if part == "match" else 1
    return [s for s in scores if hashlib.sha256(s.sample.encode()).digest()[0] % 2 == wanted]


def item_sd(metric: Metric, scores: Sequence[Score]) -> float:
    """The standard deviation of single items, the unit in which capability is counted.

    The item's SD, not the standard error of the mean, is the unit, so that a benchmark with more items does
    not count for more. For accuracy it is the SD of a Bernoulli variable with rate
    ``(right + 1) / (n + 2)``, so that a base without any error still has a unit; for log-perplexity it is the
    SD of the texts' mean negative log-likelihoods, weighted by their tokens.

    Raises:
        BadData: there are too few items to estimate it.
    """
    table = columns(scores)
    if metric is ACCURACY:
        rate = (_right(table).sum() + 1) / (table.n + 2)
        return float(np.sqrt(rate * (1 - rate)))
    used = _scored(table) & np.isfinite(table["nll"]) if scores else np.zeros(0, dtype=bool)
    if used.sum() > 1:
        means, tokens = table["nll"][used] / table["tokens"][used], table["tokens"][used]
        centre = np.average(means, weights=tokens)
        sd = float(np.sqrt(np.average((means - centre) ** 2, weights=tokens)))
        if sd > 0:
            return sd
    raise BadData(
        "There are too few capability texts to estimate their spread.", mend="Use a text of more sentences."
    )


@dataclass(frozen=True)
class _Part:
    base: Measurement
    metric: Metric
    drawn: stats.Resampling
    values: Array
    sd: float

    def gain(self, measured: ModelMeasurements) -> Array:
        """Capability above the base in SD units, shape [R]."""
        _, scores = paired_scores(self.base, partner(self.base, measured.capability))
        change = stats.replicates(self.metric, half(scores, "match"), weights=self.drawn) - self.values
        return (1.0 if self.metric is ACCURACY else -1.0) * change / self.sd


class CapabilityScale:
    """Capability C of any model relative to `base`: 0 is the base, 1 is one item's SD; higher is better.

    C is the mean over the capability benchmarks of the standardised gains, on D_match. To match on
    perplexity alone, give measurements of that benchmark alone.
    """

    def __init__(self, base: ModelMeasurements, margins: Margins, seed: int) -> None:
        self._size = margins.draws + 1
        self._parts = [self._part(m, margins.draws, seed) for m in base.capability]
        limits = {ACCURACY.name: margins.accuracy, LOG_PERPLEXITY.name: margins.log_perplexity}
        shares = [limits[part.metric.name] / part.sd for part in self._parts]
        #: The harmless loss of every component together, in units of C.
        self.tolerance = float(np.mean(shares)) if shares else 0.0

    @staticmethod
    def _part(measurement: Measurement, draws: int, seed: int) -> _Part:
        metric, scores = component(measurement), half(measurement.scores, "match")
        if not scores:
            raise BadData(f"{measurement.benchmark} has too few items to split.", mend="Raise --limit.")
        drawn = stats.Resampling([s.cluster for s in scores], len(scores), draws, seed, point=True)
        values = stats.replicates(metric, scores, weights=drawn)
        return _Part(measurement, metric, drawn, values, item_sd(metric, scores))

    def of(self, measured: ModelMeasurements) -> Array:
        """C of a model, shape [1 + draws]: the point value, then one value per resample of the items.

        All NaN when there is no capability benchmark at all.

        Raises:
            NotComparable: a benchmark is missing or was taken under different protocols.
        """
        if not self._parts:
            return np.full(self._size, np.nan)
        return np.asarray(np.mean([part.gain(measured) for part in self._parts], axis=0))


def capability_checks(
    before: ModelMeasurements,
    after: ModelMeasurements,
    *,
    margins: Margins,
    seed: int = 0,
    part: Half = "report",
) -> CapabilityResult:
    """Whether each capability benchmark stays within its margin, on the items of D_cap, or on all.

    `kept` is None when there is no capability benchmark, or when none is certainly lost and at least one is
    undecided.

    Raises:
        NotComparable: a benchmark is missing on one side or was taken under different protocols.
    """
    checks = tuple(
        _check(m, partner(m, after.capability), margins=margins, seed=seed, part=part)
        for m in before.capability
    )
    states = [check.kept for check in checks]
    kept = None if not states else False if False in states else None if None in states else True
    return CapabilityResult(kept, checks)


def _check(before: Measurement, after: Measurement, *, margins: Margins, seed: int, part: Half) -> Check:
    metric = component(before)
    old, new = (half(scores, part) for scores in paired_scores(before, after))
    level = 1 - 2 * margins.alpha
    change = stats.paired_change(metric, old, new, seed=seed, B=margins.draws, level=level)
    first, last = (stats.estimate(metric, scores, seed=seed, B=margins.draws) for scores in (old, new))
    is_accuracy = metric is ACCURACY
    loss = negated(change) if is_accuracy else change
    margin = margins.accuracy if is_accuracy else margins.log_perplexity
    name = f"{metric.name} ({before.benchmark})"
    return Check(name, first, last, loss, margin, within(loss, margin), _reading(metric, loss, level, part))


def _reading(metric: Metric, loss: Estimate, level: float, part: Half) -> str:
    half = ", the reporting half" if part == "report" else ""
    bound = f"each bound of the loss is one-sided at {percent((1 + level) / 2)}"
    text = f"{metric.title} on {loss.n} items{half}; {bound}."
    if metric is ACCURACY and loss.n and loss.low == loss.high == 0:
        # Resamples of unchanged items have no spread; the rule of three bounds the unseen change.
        most = fixed(300 / loss.n, 1)
        text += f" No answer changed; a change in up to {most} % of unseen items cannot be excluded."
    return text


def negated(estimate: Estimate) -> Estimate:
    """The estimate of minus the quantity: value and ends change sign, the ends change places."""

    def minus(value: Value) -> Value:
        return None if value is None else 0.0 - value

    return Estimate(
        minus(estimate.value),
        minus(estimate.high),
        minus(estimate.low),
        estimate.n,
        None,
        estimate.undefined,
        estimate.level,
    )


def within(loss: Estimate, margin: float) -> bool | None:
    """True when the upper bound of `loss` is within `margin`, False when the lower is beyond, else None."""
    if loss.low is None or loss.high is None:
        return None
    return True if loss.high <= margin else False if loss.low > margin else None
