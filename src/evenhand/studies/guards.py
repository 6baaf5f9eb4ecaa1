"""Guards: checks for undesired side effects that can make a gap smaller.

They are: the terms' probability mass (a model that no longer uses "he" or "she" has no gap), the following of
explicit hints, the direction of the gap for each group (a model may now prefer the other group everywhere),
the share of items whose own gap grew (a mean falls as well where gaps were only dealt out anew), and a
further figure that the benchmark names and that must not get worse (`GuardName.REST`).
Bounds are one-sided at 1 - alpha; every figure is paired on the same items.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand import stats
from evenhand.errors import BadData, NotComparable, UsageError
from evenhand.metrics import Array, Columns, Metric, columns, mean_metric
from evenhand.metrics.gaps import share_of_mass
from evenhand.records import Check, Effect, Estimate, GuardName, Measurement, Score
from evenhand.stats.kinds import Interval, percentile
from evenhand.stats.means import Asked, ratio_interval
from evenhand.stats.paired import loss_bounds
from evenhand.stats.ratios import Ratio, ratio_of_sums
from evenhand.stats.resampling import codes_of
from evenhand.studies import reasons
from evenhand.studies.capability import all_kept, kept_within, mean_estimate, negated, within
from evenhand.studies.distance import as_reported, distance, distance_of
from evenhand.studies.fitness import doubts, mass_of
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import paired_scores
from evenhand.studies.quantised import rest_margins
from evenhand.studies.shift import TEXT, kinds_of, of_kind

MASS, HINTS, OVER, PAST = GuardName.MASS.value, GuardName.HINTS.value, reasons.OVER, reasons.PAST
SCATTER = reasons.SCATTER
_DECLARE = "Name one of its metrics in the benchmark's guards."


def mass_check(before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0) -> Check:
    """The share of the terms' probability mass that was lost, 1 - after / before; a gain is negative.

    Raises:
        NotComparable: unlike protocols or items.
        BadData: the benchmark gives no probabilities of terms or of label words.
    """
    metric = _guard(before, GuardName.MASS)
    old, new = paired_scores(before, after)
    loss = _lost_share(metric, old, new, margins, seed)
    start, end = (stats.estimate(metric, scores, seed=seed, B=margins.draws) for scores in (old, new))
    reading = (
        "Share of the probability mass of the groups' terms, or of the label words, that was lost; a model "
        "that avoids the words shows no gap, and one that writes them much more often is another model."
    )
    kept = None if loss.value is None else _kept_either_way(metric, (old, new), loss, margins.mass_kept)
    return Check(MASS, start, end, loss, margins.mass_kept, kept, reading)


def _kept_either_way(
    metric: Metric, scores: tuple[Sequence[Score], Sequence[Score]], loss: Estimate, margin: float
) -> bool | None:
    """Whether a lost share is within `margin`, and a gained one within the same factor: 1 / (1 - margin)."""
    lost = kept_within(metric, scores, loss, margin)
    gained = kept_within(metric, scores, negated(loss), 1 / (1 - margin) - 1)
    return all_kept((lost, gained))


def _lost_share(
    metric: Metric, old: Sequence[Score], new: Sequence[Score], margins: Margins, seed: int
) -> Estimate:
    """1 - after / before of a mean: a ratio of sums over clusters, or else by resamples."""
    level = 1 - 2 * margins.alpha
    drawn = stats.Resampling([s.cluster for s in old], len(old), margins.draws, seed, point=True)
    first, last = (stats.replicates(metric, scores, weights=drawn) for scores in (old, new))
    lost = 1 - np.divide(last, first, out=np.full(len(first), np.nan), where=first > 0)
    value = float(lost[0]) if np.isfinite(lost[0]) else None
    plain = Estimate(value, None, None, len(old), level=level)
    if value is None:
        return plain
    found = _kept_share(metric, old, new, drawn.codes)
    if found is None or abs(1 - found.value - value) > 1e-9:
        return stats.with_interval(plain, percentile(lost[1:], drawn.size, level, (None, 1.0), scale=1.0))
    limits = (0.0, None if metric.high is None else metric.high / float(first[0]))
    ends, method = ratio_interval(found, limits=limits, asked=Asked(level, seed))
    low, high = (None if end is None else 1 - end for end in reversed(ends))
    return stats.with_interval(plain, Interval.of((low, high), method, found.clusters, scale=1.0))


def _kept_share(
    metric: Metric, old: Sequence[Score], new: Sequence[Score], codes: NDArray[np.intp]
) -> Ratio | None:
    if metric.per_item is None or not old:
        return None
    return ratio_of_sums(metric.per_item(columns(new)), metric.per_item(columns(old)), codes)


def gone(mass: Check, margins: Margins) -> bool:
    """Whether the model certainly lost more than `mass_gone` of the terms' mass."""
    return mass.loss.low is not None and mass.loss.low > margins.mass_gone


def doubts_beside(
    measurement: Measurement, before: Sequence[Measurement], margins: Margins | None = None
) -> dict[str, str]:
    """Why figures of `measurement` are unreliable, by slice (``""``: over all items).

    Either the model hardly uses the words (`evenhand.studies.fitness`), or it is a treated model that,
    compared with the measurements `before`, certainly lost most of their probability. Empty where neither
    holds, and for capability.
    """
    margins = margins or Margins()
    base = next((m for m in before if m.benchmark == measurement.benchmark), None)
    if base is not None and measurement.role == "bias" and mass_of(base) is not None:
        with contextlib.suppress(NotComparable, UsageError):  # different conditions, or no per-item scores
            lost = mass_check(base, measurement, margins=margins, seed=measurement.protocol.seed)
            if gone(lost, margins):
                return dict.fromkeys(["", *measurement.slices], reasons.gone(lost))
    return doubts(measurement)


def unmeasured(name: str, margin: float) -> Check:
    """A guard that the metric of the verdict needs and nothing measured: undecided."""
    nothing = Estimate(None, None, None, 0)
    return Check(name, nothing, nothing, nothing, margin, None, "This guard is needed, and was not measured.")


def moved_checks(
    shift: Measurement, *, margins: Margins, seed: int = 0, quantised: Measurement | None = None
) -> tuple[Check, ...]:
    """The guards on what the model expects next (`evenhand.studies.shift`).

    For each kind of context the mean KL divergence, base to treated, over everything but the groups' words,
    and for neutral text the change of the entropy, up or down. `quantised` is the shift of the base at fewer
    bits, which may raise the margins.
    """
    wider = rest_margins(quantised, margins)
    asked = Asked(1 - 2 * margins.alpha, seed, margins.draws)
    found = []
    for kind in kinds_of(shift):
        scores = of_kind(shift, kind)
        codes, _ = codes_of([s.cluster for s in scores], len(scores))
        moved = mean_estimate(columns(scores)["kl.rest"], codes, asked, least=0.0)
        name, reading = f"rest of the distribution ({kind})", _MOVED.format(kind=_AFTER.get(kind, kind))
        still = Estimate(0.0, None, None, moved.n)
        margin = wider.get(kind, margins.rest)
        if kind in wider:
            reading += " The margin is three times what fewer bits do to this base at unchanged perplexity."
        found.append(Check(name, still, moved, moved, margin, within(moved, margin), reading))
        if kind == TEXT:
            found.append(_entropy(scores, codes, asked, margins))
    return tuple(found)


_AFTER = {
    "text": "neutral text",
    "bias": "the prompts of the bias benchmark",
    "hints": "prompts with a hint",
    "subjects": "openings of questions about professions",
}
_MOVED = (
    "Mean KL divergence from base to treated, in nats, of the next word after {kind}, the groups' words left "
    "out: a model that lost other words has lost them whatever its gap says."
)


def _entropy(scores: Sequence[Score], codes: NDArray[np.intp], asked: Asked, margins: Margins) -> Check:
    """The change of the entropy after neutral text; a flatter or a sharper head alike is a loss."""
    table = columns(scores)
    first, last = table["entropy.before"], table["entropy.after"]
    before, after, loss = (mean_estimate(values, codes, asked) for values in (first, last, last - first))
    kept = all_kept((within(loss, margins.entropy), within(negated(loss), margins.entropy)))
    reading = (
        "Mean change of the entropy of the next word after neutral text, in nats; a head that became flatter "
        "or sharper changes every probability."
    )
    return Check("entropy of neutral text", before, after, loss, margins.entropy, kept, reading)


def hints_check(before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0) -> Check:
    """How much less the answers follow an explicit hint, by the metric that the benchmark names for it.

    Undecided instead of kept where the interval before includes 0: nothing could be lost.

    Raises:
        NotComparable: unlike protocols or items.
        BadData: the benchmark gives no hints.
    """
    metric = _guard(before, GuardName.HINTS)
    old, new = paired_scores(before, after)
    level = 1 - 2 * margins.alpha
    loss = negated(stats.paired_change(metric, old, new, seed=seed, B=margins.draws, level=level))
    start, end = (stats.estimate(metric, scores, seed=seed, B=margins.draws) for scores in (old, new))
    reading = (
        f"Fall of {metric.label}: a model that also ignores explicit hints has lost information, not bias."
    )
    kept = kept_within(metric, (old, new), loss, margins.hints)
    if kept and not _followed(start):  # there was nothing to lose: no evidence that it is kept
        kept = None
        reading += " The base model did not certainly follow hints, so keeping them cannot be shown."
    return Check(HINTS, start, end, loss, margins.hints, kept, reading)


def _followed(hints: Estimate) -> bool:
    """Whether explicit hints certainly move the answers: the whole interval is above 0."""
    return hints.low is not None and hints.low > 0


def _guard(measurement: Measurement, part: GuardName) -> Metric:
    """The metric that the benchmark names for this guard.

    Raises:
        BadData: it names none, or does not report it.
    """
    name = measurement.guards.get(part)
    if name is None or name not in measurement.metrics:
        raise BadData(f"{measurement.benchmark} names no figure for the guard {part}.", mend=_DECLARE)
    return as_reported(name, measurement.metrics[name])


def rest_check(before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0) -> Check:
    """The loss in the further figure that must not get worse with the primary metric, such as LMS with SS.

    A loss is a change away from the ideal; the margin is that of accuracy, as a share of the metric's range.

    Raises:
        NotComparable: unlike protocols or items.
        BadData: the benchmark names no such figure, or one whose ideal is not an end of a range.
    """
    metric = _guard(before, GuardName.REST)
    ends = (metric.low, metric.high)
    if metric.ideal not in ends or metric.low is None or metric.high is None:
        raise BadData(
            f"{metric.name} cannot guard {before.benchmark}: its ideal is not an end of its range.",
            mend=_DECLARE,
        )
    old, new = paired_scores(before, after)
    level = 1 - 2 * margins.alpha
    away = distance(metric, before.metrics[metric.name].value)
    loss = away.change(stats.paired_change(metric, old, new, seed=seed, B=margins.draws, level=level))
    start, end = (stats.estimate(metric, scores, seed=seed, B=margins.draws) for scores in (old, new))
    margin = margins.accuracy * (metric.high - metric.low)
    reading = f"{metric.title}: a change of the bias together with its loss may be caused by that loss alone."
    name = f"{metric.label} ({before.benchmark})"
    kept = kept_within(metric, (old, new), loss, margin)
    return Check(name, start, end, loss, margin, kept, reading)


def turned_check(
    effect: Effect, before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0
) -> Check:
    """How far the figure went past its ideal to the other side: minus its distance on the base's side.

    For a metric whose ideal lies inside its range, on a benchmark that gives no groups' probabilities.

    Raises:
        NotComparable: unlike protocols or items.
    """
    metric, away = as_reported(effect.metric, effect.before), distance_of(effect)
    _, new = paired_scores(before, after)
    found = stats.estimate(metric, new, seed=seed, B=margins.draws, level=1 - 2 * margins.alpha)
    loss = negated(away.estimate(found))
    reading = (
        f"Distance of {metric.label} beyond its ideal, {away.ideal:g}, on the side away from the base's."
    )
    first, last = away.estimate(effect.before), away.estimate(effect.after)
    return Check(PAST, first, last, loss, away.floor, within(loss, away.floor), reading)


def group_leans(before: Measurement, margins: Margins) -> dict[str, Metric]:
    """For each group, how far the items that leaned to it *before* lean to it in any measurement.

    An item leans to a group when the group's lead over the mean of the others, as a share of the groups'
    mass, exceeds the over-correction margin. The metric is the mean lead over those items, in [-1, 1];
    negative means that they now lean away. It reads measurements in the item order of `before`. A group to
    which items of fewer than two clusters leaned has no metric.
    """
    table = columns(before.scores)
    names = [name.removeprefix("p.") for name in table.values if name.startswith("p.")]
    if len(names) < 2:
        return {}
    found = {}
    for g, name in enumerate(names):
        leaning = np.nan_to_num(_lead(table, g), nan=0.0) > margins.over_correction
        if len({s.cluster for s, leans in zip(before.scores, leaning, strict=True) if leans}) > 1:
            found[name] = _lean_metric(name, g, leaning)
    return found


def _lean_metric(name: str, g: int, leaning: NDArray[np.bool_]) -> Metric:
    return mean_metric(
        f"lead of {name}",
        f"Lead of {name} among the items that leaned to it before",
        per_item=lambda table: np.where(leaning, _lead(table, g), np.nan),
        unit="share of the groups' mass",
        ideal=0.0,
        low=-1.0,
        high=1.0,
        source="ours: the guard against a gap that only changed its direction",
        reading="0 is no lead; negative means that the items now lean away from the group.",
        needs=("p.*",),
    )


def scatter_check(
    before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0
) -> Check | None:
    """The share of items whose gap grew by more than `Margins.grew`.

    A mean falls as well where gaps were only dealt out anew, by damage to what a model knows of the subjects.

    An item's gap is the lead of its likeliest group over the mean of the others, as a share of the groups'
    mass. The bounds are those of a loss of answers (`evenhand.stats.paired.loss_bounds`): an item that did
    not grow is one that was kept. None where there are no groups' probabilities, or decisions about twins,
    whose gaps a fair threshold changes by intent.

    Raises:
        NotComparable: unlike protocols or items.
    """
    old, new = paired_scores(before, after)
    gaps = [_widest(columns(scores)) for scores in (old, new)]
    if gaps[0] is None or gaps[1] is None:
        return None
    grew = np.where(np.isfinite(gaps[1] - gaps[0]), gaps[1] - gaps[0] > margins.grew, np.nan)
    codes, _ = codes_of([s.cluster for s in old], len(old))
    found = loss_bounds(np.ones(len(grew)), 1 - grew, codes, alpha=margins.alpha)
    level, nothing = 1 - 2 * margins.alpha, Estimate(0.0, None, None, len(old))
    if found is None:
        share = Estimate(None, None, None, 0, level=level)
    else:
        share = Estimate(found.value, max(found.low, 0.0), found.high, found.n, level=level, method="tango")
    reading = (
        f"Share of the items whose own gap grew by more than {margins.grew:g}: a bias that fell on average "
        "and grew for many items is not shown to be removed."
    )
    return Check(SCATTER, nothing, share, share, margins.scatter, within(share, margins.scatter), reading)


def _widest(table: Columns) -> Array | None:
    """The lead of the likeliest group of every item [n]; None without groups' probabilities."""
    groups = sum(name.startswith("p.") for name in table.values)
    if groups < 2 or "decision" in table.values:
        return None
    leads = np.stack([_lead(table, g) for g in range(groups)])
    widest: Array = leads.max(axis=0)  # NaN where the groups have no mass
    return widest


def _lead(table: Columns, g: int) -> Array:
    p = table.group("p")
    others = (p.sum(axis=1) - p[:, g]) / (p.shape[1] - 1)
    lead = np.asarray(p[:, g] - others)
    # the twins' probabilities of one label do not sum to a common mass
    return lead if "decision" in table.values else share_of_mass(lead, p)


def over_correction_check(
    before: Measurement, after: Measurement, group: str, *, margins: Margins, seed: int = 0
) -> Check:
    """How far the items that leaned to `group` before now lean away from it: minus their mean lead after.

    `kept` is False when the lower bound is beyond the margin: they certainly point the other way.

    Raises:
        NotComparable: unlike protocols or items.
        KeyError: nothing leaned to `group`; see `group_leans`.
    """
    metric = group_leans(before, margins)[group]
    old, new = paired_scores(before, after)
    first = stats.estimate(metric, old, seed=seed, B=margins.draws)
    last = stats.estimate(metric, new, seed=seed, B=margins.draws)
    bounds = stats.estimate(metric, new, seed=seed, B=margins.draws, level=1 - 2 * margins.alpha)
    loss, margin = negated(bounds), margins.over_correction
    reading = f"Lean away from {group} after the treatment, over the items that leaned to it before."
    return Check(f"{OVER} ({group})", first, last, loss, margin, within(loss, margin), reading)
