"""Capability: what else the model can do, on one scale, and whether it was kept.

Two components: the accuracy on questions (per-item ``correct``) and the sign-reversed log-perplexity of texts
(per-item ``nll`` and ``tokens``). Accuracy is judged over all questions together, where a loss of a point
counts, and on each benchmark alone, where three do. Benchmarks with options are read twice: a model may have
lost half of what it knew and still prefer the right answers. Where the base is right nearly always, its
accuracy can show a loss and not its absence, and the options decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand import stats
from evenhand.decimals import percent
from evenhand.errors import BadData, UsageError
from evenhand.metrics import Array, Columns, Metric, Sums, columns, mean_metric
from evenhand.metrics.likelihoods import mean_nll, scored
from evenhand.records import CapabilityResult, Check, Estimate, Measurement, Score, Value
from evenhand.stats.kinds import Interval
from evenhand.stats.means import Asked, ratio_interval
from evenhand.stats.paired import loss_bounds
from evenhand.stats.ratios import mean_of
from evenhand.stats.resampling import codes_of
from evenhand.studies.chance import said
from evenhand.studies.margins import Margins
from evenhand.studies.options_kl import SHARE, options_kl
from evenhand.studies.pairing import ModelMeasurements, paired_scores, partner
from evenhand.studies.reasons import would_decide

_OPTIONS = "options"
_FAR = 100.0  # nats that stand for an option that lost all of its share


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
        change = stats.replicates(self.metric, scores, weights=self.drawn) - self.values
        return (1.0 if self.metric is ACCURACY else -1.0) * change / self.sd


class CapabilityScale:
    """Capability C of any model relative to `base`: 0 is the base, 1 is one item's SD; higher is better.

    C is the mean over the capability benchmarks of the standardised gains. To match on perplexity alone, give
    measurements of that benchmark alone.
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
        metric, scores = component(measurement), measurement.scores
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
    before: ModelMeasurements, after: ModelMeasurements, *, margins: Margins, seed: int = 0
) -> CapabilityResult:
    """Whether capability stays within its margins, over all questions and on each benchmark.

    `kept` is None when there is no capability benchmark with something to lose, or when no check is certainly
    lost and at least one is undecided. A benchmark of answers on which the base is at chance has nothing to
    lose: it has no check, and is no part of the whole.

    Raises:
        NotComparable: a benchmark is missing on one side or was taken under different protocols.
    """
    pairs = [(m, partner(m, after.capability)) for m in before.capability]
    answers = [pair for pair in pairs if component(pair[0]) is ACCURACY and not at_chance(pair[0])]
    several = len(answers) > 1
    checks = [_pooled(answers, margins)] if several else []
    for old, new in pairs:
        if component(old) is ACCURACY and (old, new) not in answers:
            continue
        limit = margins.accuracy * (margins.each if several else 1.0)
        own = _check(old, new, dataclasses.replace(margins, accuracy=limit), seed)
        options = options_check(old, new, margins=margins, seed=seed)
        checks += [_unsaturated(own, old, options, margins), *([] if options is None else [options])]
    return CapabilityResult(all_kept([check.kept for check in checks]), tuple(checks))


Pair = tuple[Measurement, Measurement]


def _pooled(pairs: Sequence[Pair], margins: Margins) -> Check:
    """The accuracy over the questions of all benchmarks; clusters of unlike benchmarks are unlike."""
    sides: tuple[list[Score], list[Score]] = ([], [])
    for number, pair in enumerate(pairs):
        for side, scores in zip(sides, paired_scores(*pair), strict=True):
            side += [
                # Benchmarks have other columns than one another; right or wrong is what they share.
                Score(s.sample, f"{number}/{s.cluster or s.sample}", {"correct": s.values["correct"]})
                for s in scores
            ]
    old, new = sides
    first, last = (stats.estimate(ACCURACY, scores, B=margins.draws) for scores in (old, new))
    loss, margin, kept, said, needed = _answers(old, new, margins)
    reading = f"{ACCURACY.title} over {len(pairs)} benchmarks, {loss.n} items; {_bound(margins)}.{said}"
    return Check("accuracy (all questions)", first, last, loss, margin, kept, reading, needed)


def _check(before: Measurement, after: Measurement, margins: Margins, seed: int) -> Check:
    metric = component(before)
    old, new = paired_scores(before, after)
    first, last = (stats.estimate(metric, scores, seed=seed, B=margins.draws) for scores in (old, new))
    found = _answers(old, new, margins) if metric is ACCURACY else _likelihoods(old, new, margins, seed)
    loss, margin, kept, said, needed = found
    reading = f"{metric.title} on {loss.n} items; {_bound(margins)}.{said}"
    return Check(f"{metric.name} ({before.benchmark})", first, last, loss, margin, kept, reading, needed)


def _bound(margins: Margins) -> str:
    return f"each bound of the loss is one-sided at {percent(1 - margins.alpha)}"


def options_check(
    before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0
) -> Check | None:
    """The mean KL divergence, base to treated, over the options of each question; None where it has none."""
    old, new = paired_scores(before, after)
    if not old or f"{SHARE}0" not in old[0].values:
        return None
    moved = np.array([np.nan if kl is None else kl for kl in options_kl(old, new)])
    codes, _ = codes_of([s.cluster for s in old], len(old))
    asked = Asked(1 - 2 * margins.alpha, seed, margins.draws)
    found = mean_estimate(np.where(np.isinf(moved), _FAR, moved), codes, asked, least=0.0)
    reading = (
        "Mean KL divergence from base to treated over the options of each question, in nats: what was known "
        "may fade before the right answer changes."
    )
    still, name = Estimate(0.0, None, None, len(old)), f"{_OPTIONS} ({before.benchmark})"
    return Check(name, still, found, found, margins.options, within(found, margins.options), reading)


def says_which_way(check: Check) -> bool:
    """Whether a check that is not kept shows a loss; a divergence shows a change, for the worse or not."""
    return not check.name.startswith(f"{_OPTIONS} (")


def _unsaturated(check: Check, before: Measurement, options: Check | None, margins: Margins) -> Check:
    """The check of a benchmark; where the base is nearly always right, kept only if its options are."""
    right = check.before.value
    if component(before) is not ACCURACY or right is None or right <= margins.saturated or not check.kept:
        return check
    kept = True if options is not None and options.kept else None
    said = (
        f" The base is right on {percent(right)} of them: a benchmark that can show a loss, not its absence"
        f"{', which the options show' if kept else ''}."
    )
    return dataclasses.replace(check, kept=kept, reading=check.reading + said)


def at_chance(measurement: Measurement) -> bool:
    """Whether the accuracy of the base cannot be told from a guess."""
    return bool(said(measurement.benchmark, measurement.metrics, measurement.scores))


# The loss, its margin, kept, what else is to be said, and how many items would decide it.
_Judged = tuple[Estimate, float, bool | None, str, int | None]


def _answers(old: Sequence[Score], new: Sequence[Score], margins: Margins) -> _Judged:
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


def mean_estimate(values: Array, codes: NDArray[np.intp], asked: Asked, *, least: Value = None) -> Estimate:
    """The mean of `values` [n] (NaN left out) with its interval over clusters `codes` [n].

    `least` is what a mean cannot be below. Where every value is 0 nothing moved at all: both are one model,
    and the interval is 0 to 0.
    """
    found = mean_of(values, codes)
    if found is None:
        return Estimate(None, None, None, 0, level=asked.level)
    plain = Estimate(found.value, None, None, int(np.isfinite(values).sum()), level=asked.level)
    if not np.any(values):
        return dataclasses.replace(plain, low=0.0, high=0.0)
    ends, method = ratio_interval(found, limits=(least, None), asked=asked)
    return stats.with_interval(plain, Interval.of(ends, method, found.clusters))


def all_kept(states: Sequence[bool | None]) -> bool | None:
    """False where one check is lost, else None where one is undecided or there is none, else True."""
    return False if False in states else None if None in states or not states else True


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
