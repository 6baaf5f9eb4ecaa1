"""Capability: what else the model can do, on one scale, and whether it was kept.

Two components: the accuracy on questions (per-item ``correct``) and the sign-reversed log-perplexity of texts
(per-item ``nll`` and ``tokens``). The items are split in two halves by a hash of their ids: one half to match
control models by (D_match), the other to report (D_cap), so that matching never uses the reported figures.
Without control models nothing is matched, and all items are reported.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evenhand import stats
from evenhand.decimals import percent
from evenhand.errors import BadData, UsageError
from evenhand.metrics import Array, Columns, Metric, Sums, columns, mean_metric
from evenhand.metrics.likelihoods import mean_nll, scored
from evenhand.records import CapabilityResult, Check, Estimate, Measurement, Score, Value
from evenhand.stats.paired import loss_bounds
from evenhand.stats.resampling import codes_of
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import ModelMeasurements, paired_scores, partner
from evenhand.studies.reasons import would_decide

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
    share=True,
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
    kind=Sums(lambda table: table["nll"], lambda table: table["tokens"]),
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
    first, last = (stats.estimate(metric, scores, seed=seed, B=margins.draws) for scores in (old, new))
    judged = _answers if metric is ACCURACY else _likelihoods
    loss, margin, kept, said, needed = judged(old, new, margins, seed)
    where = ", the reporting half" if part == "report" else ""
    bound = f"each bound of the loss is one-sided at {percent(1 - margins.alpha)}"
    reading = f"{metric.title} on {loss.n} items{where}; {bound}.{said}"
    return Check(f"{metric.name} ({before.benchmark})", first, last, loss, margin, kept, reading, needed)


# The loss, its margin, kept, what else is to be said, and how many items would decide it.
_Judged = tuple[Estimate, float, bool | None, str, int | None]


def _answers(old: Sequence[Score], new: Sequence[Score], margins: Margins, seed: int) -> _Judged:
    """The loss of right answers, by Tango's bound: resamples of answers that never flip bound nothing."""
    level, margin = 1 - 2 * margins.alpha, margins.accuracy
    codes, _ = codes_of([s.cluster for s in old], len(old))
    before, after = (_right(columns(scores)) if scores else np.zeros(0) for scores in (old, new))
    found = loss_bounds(before, after, codes, alpha=margins.alpha)
    if found is None:
        return Estimate(None, None, None, 0, level=level), margin, None, "", None
    loss = Estimate(found.value, found.low, found.high, found.n, level=level, method="tango")
    kept = {"kept": True, "lost": False, "undecided": None}[found.state(margin)]
    if kept is not None:
        return loss, margin, kept, "", None
    flips, needed = found.lost + found.won, found.items_to_decide(margin, margins.alpha)
    flipped = f"{flips or 'No'} answer{'s' if flips > 1 else ''} changed"
    said = f" {flipped}, and a loss beyond the margin in unseen items is not excluded."
    return loss, margin, kept, said + would_decide(needed), needed


def _likelihoods(old: Sequence[Score], new: Sequence[Score], margins: Margins, seed: int) -> _Judged:
    """The rise of log-perplexity. Likelihoods that are equal to the last digit are those of one model."""
    level, margin = 1 - 2 * margins.alpha, margins.log_perplexity
    loss = stats.paired_change(LOG_PERPLEXITY, old, new, seed=seed, B=margins.draws, level=level)
    if unchanged(LOG_PERPLEXITY, old, new):
        return loss, margin, True, " Every text has exactly the likelihood that it had.", None
    return loss, margin, within(loss, margin), "", None


def unchanged(metric: Metric, old: Sequence[Score], new: Sequence[Score]) -> bool:
    """Whether a figure that is no share of answers is the same for every item, to the last digit.

    Then both are one model on these items, and nothing was lost, whatever an interval says that has no spread
    to be made of. Answers are another matter: most of them stay alike in a model that lost something.
    """
    kind = metric.kind
    if not isinstance(kind, Sums) or kind.share or not old:
        return False
    before, after = columns(old), columns(new)
    sides = [
        (kind.top(table), None if kind.bottom is None else kind.bottom(table)) for table in (before, after)
    ]
    return all(
        one is None or two is None or np.array_equal(one, two, equal_nan=True)
        for one, two in zip(*sides, strict=True)
    )


def negated(estimate: Estimate) -> Estimate:
    """The estimate of minus the quantity: value and ends change sign, the ends change places."""

    def minus(value: Value) -> Value:
        return None if value is None else 0.0 - value

    value, low, high = (minus(one) for one in (estimate.value, estimate.high, estimate.low))
    return dataclasses.replace(estimate, value=value, low=low, high=high, ideal=None)


def kept_within(
    metric: Metric, scores: tuple[Sequence[Score], Sequence[Score]], loss: Estimate, margin: float
) -> bool | None:
    """Whether the `loss` in `metric` from the first to the second `scores` is `within` the margin: also where
    all items are `unchanged`.
    """
    return True if unchanged(metric, *scores) else within(loss, margin)


def within(loss: Estimate, margin: float) -> bool | None:
    """True when the upper bound of `loss` is within `margin`, False when the lower is beyond, else None."""
    if loss.low is None or loss.high is None:
        return None
    return True if loss.high <= margin else False if loss.low > margin else None
