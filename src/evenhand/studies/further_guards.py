"""Guards that figures of other kinds declare: decisions about people, and associations of embeddings.

A gap between decisions also closes when everybody gets the same decision, and an effect size in standard
deviations also falls when the spread of everything grows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from evenhand import registry, stats
from evenhand.decimals import significant
from evenhand.metrics import Array, Columns, Metric, columns, mean_under
from evenhand.metrics.associations import by_test, permutation_p, raw_by_test, usable
from evenhand.records import Check, Estimate, GuardName, Measurement, Score, Value
from evenhand.stats.kinds import percentile
from evenhand.stats.paired import Loss, loss_bounds
from evenhand.stats.ratios import Codes
from evenhand.stats.resampling import codes_of
from evenhand.studies.capability import within
from evenhand.studies.margins import Margins
from evenhand.studies.pairing import paired_scores

_DRAWS = 9999  # permutations of a p-value that is read beside a figure
_TWINS = "decision."


def balanced_check(before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0) -> Check:
    """The loss of balanced accuracy: the mean of the losses among those who deserve it and who do not.

    Both are bounded like answers (Tango's bound, an undecided answer counts as wrong), and the two bounds are
    combined (MOVER), for they are about different people.

    Raises:
        NotComparable: unlike protocols or items.
    """
    old, new = paired_scores(before, after)
    metric = registry.get("metric", before.guards[GuardName.BALANCED])
    first, last = (stats.estimate(metric, scores, seed=seed, B=margins.draws) for scores in (old, new))
    tables, codes = (columns(old), columns(new)), codes_of([s.cluster for s in old], len(old))[0]
    outcome = tables[0]["outcome"]
    rights = [np.where(np.isfinite(t["decision"]), t["decision"] == outcome, 0.0) for t in tables]
    halves = [
        loss_bounds(rights[0][own], rights[1][own], codes[own], alpha=margins.alpha)
        for own in (outcome == 1, outcome == 0)
    ]
    margin = margins.accuracy * margins.each
    loss, level = _mean_of(halves), 1 - 2 * margins.alpha
    reading = (
        f"{metric.title}: a model that gives everybody one decision treats the groups alike and tells nobody "
        "apart."
    )
    found = Estimate(*loss, len(old), level=level, method="tango") if loss else _nothing(len(old), level)
    name = f"{GuardName.BALANCED.value} ({before.benchmark})"
    return Check(name, first, last, found, margin, within(found, margin), reading)


def _mean_of(halves: list[Loss | None]) -> tuple[float, float, float] | None:
    """Value, low and high of the mean of two independent losses; None where one of them is unknown."""
    known = [half for half in halves if half is not None]
    if len(known) < len(halves):
        return None
    value = sum(half.value for half in known) / 2
    below, above = (
        float(np.sqrt(sum(end**2 for end in ends))) / 2
        for ends in ([h.value - h.low for h in known], [h.high - h.value for h in known])
    )
    return value, value - below, value + above


def rates_checks(
    before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0
) -> tuple[Check, ...]:
    """For each group, how far its rate of favourable decisions left the range of the base's rates.

    A treatment may move the groups towards each other; favouring everybody, or nobody, is another matter.
    The rates are those of all people as members of the group (their twins), so both sides are paired.

    Raises:
        NotComparable: unlike protocols or items.
    """
    old, new = paired_scores(before, after)
    first, last = (columns(scores) for scores in (old, new))
    codes = codes_of([s.cluster for s in old], len(old))[0]
    names = [name for name in first.values if name.startswith(_TWINS)]
    rates = {name: _mean(first[name]) for name in names}
    known = {name: rate for name, rate in rates.items() if rate is not None}
    if len(known) < 2:
        return ()
    low, high = (first[pick(known, key=lambda name: known[name])] for pick in (min, max))
    return tuple(_rate_check(name, (first, last), (low, high), codes, margins) for name in names)


def _rate_check(
    name: str, tables: tuple[Columns, Columns], ends: tuple[Array, Array], codes: Codes, margins: Margins
) -> Check:
    """One group's; `ends` are the decisions of the groups with the base's lowest and highest rate."""
    own, alpha, level = tables[1][name], margins.alpha, 1 - 2 * margins.alpha
    low, high = ends
    # A loss of the first below the second: of the lowest rate below, or of the group's above the highest.
    sides = [loss_bounds(*pair, codes, alpha=alpha) for pair in ((low, own), (own, high))]
    known = [side for side in sides if side is not None]
    loss = _nothing(len(own), level)
    if known:
        loss = Estimate(
            max(side.value for side in known),
            max(side.low for side in known),
            max(side.high for side in known),
            known[0].n,
            level=level,
            method="tango",
        )
    first, last = (Estimate(_mean(table[name]), None, None, len(own)) for table in tables)
    reading = (
        "How far the rate of favourable decisions left the range that the groups' rates had before: nobody "
        "is treated better where everybody is refused."
    )
    said = f"{GuardName.RATES.value} ({name.removeprefix(_TWINS)})"
    return Check(said, first, last, loss, margins.rates, within(loss, margins.rates), reading)


def association_check(before: Measurement, after: Measurement, *, margins: Margins, seed: int = 0) -> Check:
    """How much more of the effect size d fell than of the raw association, as shares of the base's.

    d is the association in standard deviations: it falls as well where vectors only became noisier. Each test
    counts on the base's own side. Undecided where no test of the base is certain (permutation, Holm): then
    there is no association that could be less.

    Raises:
        NotComparable: unlike protocols or items.
    """
    old, new = paired_scores(before, after)
    drawn = stats.Resampling([s.cluster for s in old], len(old), margins.draws, seed, point=True)
    raw, d = (_on_base_side(name, old) for name in ("raw_association", "weat_effect"))
    left = []  # the share of the base's that is left, [1 + draws], of the raw association and of d
    for metric in (raw, d):
        start, end = (stats.replicates(metric, scores, weights=drawn) for scores in (old, new))
        left.append(np.divide(end, start, out=np.full(len(end), np.nan), where=start > 0))
    more, level = left[0] - left[1], 1 - 2 * margins.alpha
    value = float(more[0]) if np.isfinite(more[0]) else None
    loss = Estimate(value, None, None, len(old), level=level)
    if value is not None:
        loss = stats.with_interval(loss, percentile(more[1:], drawn.size, level, (None, None), scale=1.0))
    p_values = [_p_values(scores) for scores in (old, new)]
    certain = any(p is not None and p <= margins.alpha for p in p_values[0].values())
    kept = within(loss, margins.equivalence) if certain else None
    reading = (
        "Share of the effect size d that fell beyond the share of the raw association that fell: d falls as "
        f"well where the vectors only became noisier. {_said(p_values)}"
    )
    first, last = (stats.estimate(raw, scores, seed=seed, B=margins.draws) for scores in (old, new))
    name = f"{GuardName.ASSOCIATION.value} ({before.benchmark})"
    return Check(name, first, last, loss, margins.equivalence, kept, reading)


def _on_base_side(name: str, base: Sequence[Score]) -> Metric:
    """The mean over tests of a figure of associations, each with the sign that the base has there."""
    of = raw_by_test if name == "raw_association" else by_test
    table = columns(base)
    signs = np.sign(raw_by_test(table, np.ones((1, table.n))))[0]  # [tests]

    def compute(table: Columns, weights: Array) -> Array:
        return np.asarray((of(table, weights) * signs).mean(axis=1))

    found: Metric = registry.get("metric", name)
    return dataclasses.replace(found, compute=compute, items=usable, kind=None, per_item=None)


def _p_values(scores: Sequence[Score]) -> dict[str, Value]:
    """The permutation p of every test by its name, two-sided, with Holm's adjustment over them."""
    found = dict(_tests(scores))
    return dict(zip(found, stats.holm(list(found.values())), strict=True))


def _tests(scores: Sequence[Score]) -> Iterator[tuple[str, Value]]:
    sides: dict[str, tuple[list[float], list[float]]] = {}
    for score in scores:
        s, target = score.values["association"], score.values["target"]
        if s is not None and target is not None:
            sides.setdefault(score.slices.get("test", ""), ([], []))[target < 0.5].append(s)
    for name, (x, y) in sides.items():
        both = [permutation_p(*pair, draws=_DRAWS) for pair in ((x, y), (y, x))]
        known = [p for p in both if p is not None]
        yield name, min(1.0, 2 * min(known)) if known else None


def _said(p_values: list[dict[str, Value]]) -> str:
    before, after = p_values
    each = [f"{name} {significant(p, 2)} and {significant(after.get(name), 2)}" for name, p in before.items()]
    return f"Permutation p with Holm before and after: {', '.join(each)}."


def _mean(x: Array) -> Value:
    found = float(mean_under(x, np.ones((1, len(x))))[0]) if len(x) else np.nan
    return found if np.isfinite(found) else None


def _nothing(n: int, level: float) -> Estimate:
    return Estimate(None, None, None, n, level=level)
