"""How often intervals hold the truth, how often tests reject one, and how often a real loss passes.

    python perf/coverage.py [--reps 2000] [--quick] [--families] [--json FILE]

A markdown table: one row a case, the new interval beside the percentile interval of the cluster bootstrap, or
one row a family of cases. Every case has its own seed, so that one row repeats without the others.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand import registry, stats
from evenhand.metrics import Columns
from evenhand.records import Score
from evenhand.stats import gaps, hypothesis, means, paired, permutation, proportions, ratios

Array = NDArray[np.float64]
Rng = np.random.Generator
Ends = tuple[float | None, float | None]
CLUSTERS = (5, 10, 20, 50, 262)
PEOPLE = (50, 100, 1000)
PER_CLUSTER = 8
PERCENTILES = 200  # simulations whose percentile interval is taken as well
CELLS = 60_000_000  # weights drawn for the percentile intervals of one case at most
RESAMPLES = 399


@dataclass(frozen=True)
class Drawn:
    """One simulated data set: the truth, the new interval, and the figure under weights of its units."""

    truth: float
    ends: Ends
    units: int  # what a resample draws
    figure: Callable[[Array], Array]  # weights [B, units] to [B]


@dataclass(frozen=True)
class Case:
    """What is simulated, where, and between which percentages the coverage must lie."""

    family: str
    what: str
    where: str
    draw: Callable[[Rng], Drawn]
    least: float = 93.0
    most: float = 98.0


@dataclass(frozen=True)
class Row:
    """A simulated percentage beside its limits; `before` is that of the percentile interval (or old test)."""

    family: str
    what: str
    where: str
    percent: float
    before: float | None
    least: float
    most: float
    reps: int

    @property
    def slack(self) -> float:
        """Two Monte-Carlo standard errors, in points."""
        edge = self.least if self.percent < self.least else self.most
        share = min(max(edge, 1.0), 99.0) / 100
        return float(200 * np.sqrt(share * (1 - share) / self.reps))

    @property
    def held(self) -> bool:
        """Whether the percentage is within its limits, but for Monte-Carlo error."""
        return self.least - self.slack <= self.percent <= self.most + self.slack


# -- data


def clustered(rng: Rng, k: int, p: float, icc: float = 0.2) -> tuple[Array, ratios.Codes]:
    """Right and wrong answers in `k` clusters whose own rates are beta distributed around `p`."""
    size = (1 - icc) / icc
    rates = rng.beta(p * size, (1 - p) * size, size=k)
    codes = np.repeat(np.arange(k), PER_CLUSTER)
    return (rng.random(len(codes)) < rates[codes]).astype(float), codes


def over_clusters(top: Array, bottom: Array, codes: ratios.Codes) -> tuple[int, Callable[[Array], Array]]:
    a, b = np.bincount(codes, top), np.bincount(codes, bottom)
    return len(a), lambda w: (w @ a) / (w @ b)


def share_case(k: int, p: float) -> Case:
    def draw(rng: Rng) -> Drawn:
        x, codes = clustered(rng, k, p)
        return Drawn(p, proportions.korn_graubard(x, codes), *over_clusters(x, np.ones(len(x)), codes))

    return Case("share", f"p = {p}", f"{k} clusters", draw, most=100.0 if p <= 0.1 and k <= 50 else 98.0)


def independent_case(n: int, p: float) -> Case:
    def draw(rng: Rng) -> Drawn:
        x = (rng.random(n) < p).astype(float)
        return Drawn(p, proportions.korn_graubard(x), n, lambda w: (w @ x) / n)

    return Case(
        "share", f"p = {p}, independent", f"n {n}", draw, most=100.0 if p <= 0.1 and n <= 100 else 98.0
    )


SHAPES: dict[str, tuple[Callable[[Rng, int], Array], float]] = {
    "normal": (lambda rng, k: rng.normal(size=k), 0.0),
    "gaps (AFGB)": (lambda rng, k: rng.beta(1.0, 2.0, size=k), 1 / 3),
    "exponential": (lambda rng, k: rng.exponential(size=k), 1.0),
    "lognormal": (lambda rng, k: rng.lognormal(size=k), float(np.exp(0.5))),
}


def mean_case(k: int, shape: str) -> Case:
    make, truth = SHAPES[shape]

    def draw(rng: Rng) -> Drawn:
        codes = np.repeat(np.arange(k), PER_CLUSTER)
        x = make(rng, k)[codes] + rng.normal(size=len(codes)) * 0.1
        return Drawn(truth, means.mean_ends(x, codes), *over_clusters(x, np.ones(len(x)), codes))

    few = shape in ("lognormal", "exponential") and k < 20
    return Case("mean", shape, f"{k} clusters", draw, least=88.0 if few else 93.0)


def perplexity_case(k: int) -> Case:
    def draw(rng: Rng) -> Drawn:
        tokens = rng.integers(20, 200, size=k).astype(float)
        nll = tokens * rng.lognormal(1.0, 0.4, size=k)
        codes = np.arange(k)
        found = ratios.ratio_of_sums(nll, tokens)
        return Drawn(float(np.exp(1.08)), means.ratio_ends(found), *over_clusters(nll, tokens, codes))

    return Case("perplexity", "log, lognormal texts", f"{k} texts", draw)


def change_case(k: int, flips: float) -> Case:
    def draw(rng: Rng) -> Drawn:
        codes = np.repeat(np.arange(k), PER_CLUSTER)
        before = (rng.random(len(codes)) < 0.7).astype(float)
        flipped = rng.random(len(codes)) < flips
        after = np.where(flipped & (rng.random(len(codes)) < 0.7), 0.0, before)
        d = after - before
        ends = paired.change_ends(before, after, codes)
        return Drawn(-flips * 0.7 * 0.7, ends, *over_clusters(d, np.ones(len(d)), codes))

    return Case("change of a share", f"{100 * flips:g} % flips", f"{k} clusters", draw, most=100.0)


def icat_case(k: int, ss: float) -> Case:
    def draw(rng: Rng) -> Drawn:
        related, codes = clustered(rng, k, 0.85)
        preferred, _ = clustered(rng, k, ss)
        one, two = ratios.mean_of(related, codes), ratios.mean_of(preferred, codes)
        assert one
        assert two
        a, b = (np.bincount(codes, x) / PER_CLUSTER for x in (related, preferred))

        def figure(w: Array) -> Array:
            lms, s = w @ a / k, w @ b / k
            return np.asarray(200 * lms * np.minimum(s, 1 - s))

        return Drawn(200 * 0.85 * min(ss, 1 - ss), gaps.icat_ends(one, two), k, figure)

    # At SS 50 both products must miss at once on one side: more than nominal is no fault.
    return Case("ICAT", f"SS {100 * ss:g}", f"{k} terms", draw, most=100.0 if ss == 0.5 else 98.0)


# -- gaps of groups: `n` people in each


def _people(rng: Rng, rates: Sequence[float], n: int) -> tuple[Array, Array]:
    group = np.repeat(np.arange(len(rates)), n)
    decided = (rng.random(len(group)) < np.array(rates)[group]).astype(float)
    return decided, (group[:, None] == np.arange(len(rates))).astype(float)


def _rates(x: Array, members: Array, w: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((w @ (members * x[:, None])) / (w @ members))


def gap_case(rates: Sequence[float], n: int, *, ratio: bool = False) -> Case:
    truth = min(rates) / max(rates) if ratio else max(rates) - min(rates)

    def draw(rng: Rng) -> Drawn:
        x, members = _people(rng, rates, n)
        found = gaps.group_rates(x, members)
        assert found
        ends = gaps.ratio_ends(found) if ratio else gaps.gap_ends([gaps.between(found)], len(rates))

        def figure(w: Array) -> Array:
            r = _rates(x, members, w)
            with np.errstate(invalid="ignore"):
                return np.asarray(r.min(axis=1) / r.max(axis=1) if ratio else r.max(axis=1) - r.min(axis=1))

        return Drawn(truth, ends, len(x), figure)

    wide = (len(rates) == 2 and min(rates) <= 0.1 and n <= 100) or (len(rates) > 2 and len(set(rates)) > 1)
    name = " / ".join(f"{r:g}" for r in rates)
    return Case(
        "min/max" if ratio else "max-min", f"rates {name}", f"n {n}", draw, most=100.0 if wide else 98.0
    )


def clustered_gap_case(k: int, p: float) -> Case:
    def draw(rng: Rng) -> Drawn:
        parts = [clustered(rng, k, p) for _ in range(2)]
        x = np.concatenate([part[0] for part in parts])
        codes = np.concatenate([parts[0][1], parts[1][1] + k])
        members = (codes[:, None] >= k) == np.array([False, True])
        found = gaps.group_rates(x, members.astype(float), codes)
        assert found
        ends = gaps.gap_ends([gaps.between(found)], 2)
        own = np.bincount(codes, x) / PER_CLUSTER
        both = (np.arange(2 * k)[:, None] >= k) == np.array([False, True])

        def figure(w: Array) -> Array:
            r = _rates(own, both.astype(float), w)
            return np.asarray(np.abs(r[:, 0] - r[:, 1]))

        return Drawn(0.0, ends, 2 * k, figure)

    return Case("max-min", f"rates {p:g} / {p:g}, clustered", f"{k} clusters a group", draw)


def odds_case(true_rates: Sequence[float], false_rates: Sequence[float], n: int, how: gaps.How) -> Case:
    pair = [max(r) - min(r) for r in (true_rates, false_rates)]
    truth = sum(pair) if how == "sum" else max(pair)

    def draw(rng: Rng) -> Drawn:
        stages = [_people(rng, rates, n) for rates in (true_rates, false_rates)]
        found = [gaps.group_rates(*stage) for stage in stages]
        ends = gaps.gap_ends([gaps.between(one) for one in found if one], len(true_rates), how=how)
        size = len(stages[0][0])

        def figure(w: Array) -> Array:
            gap = []
            for (x, members), own in zip(stages, (w[:, :size], w[:, size:]), strict=True):
                r = _rates(x, members, own)
                gap.append(r.max(axis=1) - r.min(axis=1))
            return np.asarray(gap[0] + gap[1] if how == "sum" else np.maximum(*gap))

        return Drawn(truth, ends, 2 * size, figure)

    wide = min(*true_rates, *false_rates) <= 0.1 and n <= 100
    unequal = "equal" if truth == 0 else "unequal"
    return Case(f"DEO {how}", f"{unequal}, TPR {true_rates[0]:g}, FPR {false_rates[0]:g}", f"n {n}", draw,
                most=100.0 if wide or truth else 98.0)  # fmt: skip


def twins_case(n: int, flips: float) -> Case:
    def draw(rng: Rng) -> Drawn:
        first = (rng.random(n) < 0.4).astype(float)
        second = np.where(rng.random(n) < flips, (rng.random(n) < 0.4).astype(float), first)
        both = np.stack([first, second], axis=1)
        found = gaps.within(both)
        assert found
        return Drawn(
            0.0, gaps.gap_ends([found], 2), n, lambda w: np.asarray(np.abs((w @ (first - second)) / n))
        )

    return Case("twins", f"equal, {100 * flips:g} % drawn anew", f"n {n}", draw, most=100.0)


# -- changes of gaps and of ICAT: the same people, or terms, before and after


def _of_metric(
    name: str, tables: Sequence[dict[str, Array]], truth: float, codes: Array | None = None
) -> Drawn:
    """The product's own interval of the change of a metric, and the percentiles that it was before."""
    metric, n = registry.get("metric", name), len(next(iter(tables[0].values())))
    names = [str(i) for i in (range(n) if codes is None else codes)]
    sides = [
        [Score(f"s{i}", names[i], {key: float(x[i]) for key, x in table.items()}) for i in range(n)]
        for table in tables
    ]
    found = stats.paired_change(metric, *sides, B=RESAMPLES)
    columns = [Columns(table, n) for table in tables]
    units, of = np.unique(names, return_inverse=True)

    def figure(w: Array) -> Array:
        own = w[:, of]
        return np.asarray(metric.compute(columns[1], own) - metric.compute(columns[0], own))

    return Drawn(truth, (found.low, found.high), len(units), figure)


def _again(rng: Rng, decided: Array, chance: Array, kept: float) -> Array:
    """Decisions drawn anew at `chance` [n] for a share 1 - `kept` of the people; the rest stay."""
    anew = (rng.random(len(decided)) < chance).astype(float)
    return np.where(rng.random(len(decided)) < kept, decided, anew)


def change_of_gap_case(
    name: str, before: Sequence[float], after: Sequence[float], n: int, kept: float
) -> Case:
    """People of groups with rates `before`, of whom a share 1 - `kept` is decided anew at rates `after`."""
    pooled = [kept * b + (1 - kept) * a for b, a in zip(before, after, strict=True)]

    def of(rates: Sequence[float]) -> float:
        gap = min(rates) / max(rates) if name == "disparate_impact" else max(rates) - min(rates)
        return 2 * gap if name == "deo_sum" else gap

    truth = of(pooled) - of(before)

    def draw(rng: Rng) -> Drawn:
        decided, members = _people(rng, before, n)
        chance = np.repeat(np.array(after), n)
        tables = [
            {"decision": x, "outcome": np.arange(len(x)) % 2.0}
            | {f"member.{g}": column for g, column in enumerate(members.T)}
            for x in (decided, _again(rng, decided, chance, kept))
        ]
        return _of_metric(name, tables, truth)

    shown = " / ".join(f"{b:g} to {p:g}" for b, p in zip(before, pooled, strict=True))
    # Where a gap is at its ideal its own interval ends there, so that a change to or from it is covered more.
    return Case(f"change of {name}", shown, f"n {n}", draw, most=100.0)


def change_of_twins_case(n: int, flips: float, left: float) -> Case:
    """Twins of whom a share `flips` loses as a woman; after it only `left` of them does."""

    def draw(rng: Rng) -> Drawn:
        first = (rng.random(n) < 0.5).astype(float)
        hit, healed = rng.random(n) < flips, rng.random(n) >= left
        second = np.where(hit, 0.0, first)
        mended = np.where(hit & ~healed, 0.0, first)
        tables = [{"decision.0": first, "decision.1": other} for other in (second, mended)]
        return _of_metric("counterfactual_dpd", tables, 0.5 * flips * (left - 1))

    return Case("change of twins", f"{50 * flips:g} to {50 * flips * left:g} %", f"n {n}", draw, most=100.0)


# -- what must hardly ever happen


@dataclass(frozen=True)
class Event:
    """Something that a draw tells to have happened, now and before, and how often (percent) it may."""

    family: str
    what: str
    where: str
    happened: Callable[[Rng], tuple[bool, bool | None]]
    most: float
    least: float = 0.0


def kept_event(n: int, margin: float, flips: float, per_cluster: int = 1, icc: float = 0.0) -> Event:
    """Capability called kept although the true loss is `margin`; before: a percentile bootstrap."""

    def happened(rng: Rng) -> tuple[bool, bool | None]:
        k = n // per_cluster
        codes = np.repeat(np.arange(k), per_cluster)
        # With probability icc an item shares the fate of its cluster, else it has its own.
        fate = np.where(rng.random(len(codes)) < icc, rng.random(k)[codes], rng.random(len(codes)))
        lost, won = fate < flips / 2 + margin / 2, fate > 1 - (flips / 2 - margin / 2)
        before, after = 1.0 - won, 1.0 - lost
        found = paired.loss_bounds(before, after, codes)
        assert found
        d = np.bincount(codes, before - after)
        high = np.quantile(_weights(rng, k) @ d / len(codes), 0.95)
        return found.state(margin) == "kept", bool(high < margin)

    where = f"n {n}" + (f", {n // per_cluster} clusters" if per_cluster > 1 else "")
    what = f"loss {100 * margin:g}, flips {100 * flips:g} %" + (f", icc {icc:g}" if icc else "")
    return Event("capability kept", what, where, happened, most=5.0)


def test_event(k: int, shape: str, alternative: permutation.Alternative) -> Event:
    make, truth = SHAPES[shape]

    def happened(rng: Rng) -> tuple[bool, bool | None]:
        d = make(rng, k) - truth
        new = hypothesis.mean_test(d, alternative=alternative, asked=means.Asked(draws=999))
        old = permutation.paired_permutation(d, draws=999, alternative=alternative)
        return bool(new is not None and new <= 0.05), bool(old is not None and old <= 0.05)

    # Skewed differences, as lognormal data's intervals, fall short below 20 clusters and are marked.
    skewed = {"exponential": 9.0 if k < 20 else 6.0, "lognormal": 14.0 if k < 20 else 10.0}
    least = 4.0 if k >= 20 and shape == "normal" else 0.0
    where, what = f"{k} clusters", f"{shape}, {alternative}"
    return Event("mean test", what, where, happened, most=skewed.get(shape, 6.0), least=least)


def groups_event(sizes: tuple[int, int], spreads: tuple[float, float]) -> Event:
    def happened(rng: Rng) -> tuple[bool, bool | None]:
        x = np.concatenate([rng.normal(size=n) * s for n, s in zip(sizes, spreads, strict=True)])
        first = np.arange(len(x)) < sizes[0]
        p = hypothesis.two_groups(x, first, asked=means.Asked(draws=499))
        return bool(p is not None and p <= 0.05), None

    what = f"spreads {spreads[0]:g} and {spreads[1]:g}"
    return Event("two groups", what, f"{sizes[0]} and {sizes[1]}", happened, most=6.0)


def equal_rates_event(n: int, p: float) -> Event:
    def happened(rng: Rng) -> tuple[bool, bool | None]:
        won = rng.binomial(n, p, size=(1, 2)).astype(float)
        found = gaps.equal_rates(
            [(won, np.full((1, 2), float(n)))],
            lambda rates: np.asarray(np.abs(rates[0][:, 0] - rates[0][:, 1])),
            draws=499,
            seed=int(rng.integers(2**31)),
        )
        return bool(found is not None and found.p <= 0.05), None

    return Event("equal rates", f"rates {p:g} / {p:g}", f"n {n}", happened, most=6.0)


# -- all of it


def cases() -> Iterator[Case]:
    for k in CLUSTERS:
        yield from (share_case(k, p) for p in (0.02, 0.1, 0.5))
    for n in PEOPLE:
        yield from (independent_case(n, p) for p in (0.05, 0.5))
    for k in CLUSTERS:
        yield from (mean_case(k, shape) for shape in SHAPES)
    yield from (perplexity_case(k) for k in CLUSTERS)
    for k in (20, 50, 262):
        yield from (change_case(k, flips) for flips in (0.02, 0.1))
    for k in CLUSTERS[1:]:
        yield from (icat_case(k, ss) for ss in (0.5, 0.7))
    for n in PEOPLE:
        for ratio in (False, True):
            yield gap_case((0.1, 0.1), n, ratio=ratio)
            yield gap_case((0.5, 0.5), n, ratio=ratio)
            yield gap_case((0.3, 0.5), n, ratio=ratio)
            yield gap_case((0.3,) * 4, n, ratio=ratio)
            yield gap_case((0.3, 0.4, 0.5, 0.6), n, ratio=ratio)
        for how in ("sum", "max"):
            yield odds_case((0.7, 0.7), (0.3, 0.3), n, how)
            yield odds_case((0.7, 0.5), (0.3, 0.2), n, how)
        yield twins_case(n, 0.2)
        for name in ("dpd", "disparate_impact", "deo_sum"):
            yield change_of_gap_case(name, (0.5, 0.5), (0.5, 0.5), n, 0.7)
            yield change_of_gap_case(name, (0.7, 0.3), (0.5, 0.5), n, 0.5)
            yield change_of_gap_case(name, (0.7, 0.3), (0.5, 0.5), n, 0.0)
        yield change_of_gap_case("dpd", (0.7, 0.5, 0.3), (0.5, 0.5, 0.5), n, 0.5)
        yield change_of_twins_case(n, 0.3, 0.3)
    yield from (clustered_gap_case(k, 0.3) for k in (10, 20, 50))


def events() -> Iterator[Event]:
    for n in (74, 161, 524, 2000):
        yield from (
            kept_event(n, margin, flips) for margin, flips in ((0.01, 0.01), (0.01, 0.05), (0.03, 0.05))
        )
    for icc in (0.3, 1.0):
        yield kept_event(524, 0.01, 0.02, 2, icc)
        yield kept_event(2096, 0.01, 0.02, 8, icc)
    for k in CLUSTERS[:-1]:
        yield test_event(k, "normal", "two-sided")
        yield test_event(k, "exponential", "less")
        yield test_event(k, "lognormal", "two-sided")
    yield groups_event((20, 20), (1, 1))
    yield groups_event((10, 40), (3, 1))
    yield groups_event((40, 10), (3, 1))
    yield from (equal_rates_event(n, 0.3) for n in PEOPLE)


def _weights(rng: Rng, units: int) -> Array:
    picks = rng.integers(units, size=(RESAMPLES, units)) + np.arange(RESAMPLES)[:, None] * units
    return np.bincount(picks.ravel(), minlength=RESAMPLES * units).reshape(RESAMPLES, units).astype(float)


def _holds(ends: Ends, truth: float) -> bool:
    low, high = ends
    slack = 1e-12  # an end that is the truth itself, but for rounding
    return low is not None and high is not None and low - slack <= truth <= high + slack


def covered(case: Case, reps: int) -> Row:
    rng = np.random.default_rng(zlib.crc32(repr((case.family, case.what, case.where)).encode()))
    now, before, compared = 0, 0, reps
    for rep in range(reps):
        drawn = case.draw(rng)
        compared = min(reps, PERCENTILES, max(50, CELLS // (RESAMPLES * drawn.units)))
        now += _holds(drawn.ends, drawn.truth)
        if rep < compared:
            values = drawn.figure(_weights(rng, drawn.units))
            ends = np.nanquantile(values, [0.025, 0.975]) if np.isfinite(values).any() else (None, None)
            truth = drawn.truth
            before += _holds((ends[0], ends[1]), truth)
    return Row(case.family, case.what, case.where, 100 * now / reps, 100 * before / compared,
               case.least, case.most, reps)  # fmt: skip


def counted(event: Event, reps: int) -> Row:
    rng = np.random.default_rng(zlib.crc32(repr((event.family, event.what, event.where)).encode()))
    found = [event.happened(rng) for _ in range(reps)]
    now, old = (100 * float(np.mean([bool(pair[i]) for pair in found])) for i in (0, 1))
    before = None if found[0][1] is None else old
    return Row(event.family, event.what, event.where, now, before, event.least, event.most, reps)


def table(rows: Sequence[Row]) -> str:
    lines = ["| | case | where | now | before | asked for | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        before = "" if row.before is None else f"{row.before:.1f}"
        lines.append(
            f"| {row.family} | {row.what} | {row.where} | {row.percent:.1f} | {before} | "
            f"{row.least:g} to {row.most:g} | {'' if row.held else '**out**'} |"
        )
    return "\n".join(lines)


def by_family(rows: Sequence[Row]) -> str:
    """A row a family: its cases, the lowest and the highest percentage now and before, and the cases out."""
    lines = ["| | cases | now | before | asked for | out |", "|---|---|---|---|---|---|"]
    for family in dict.fromkeys(row.family for row in rows):
        own = [row for row in rows if row.family == family]
        now = [row.percent for row in own]
        before = [row.before for row in own if row.before is not None]
        was = f"{min(before):.1f} to {max(before):.1f}" if before else ""
        asked = f"{min(row.least for row in own):g} to {max(row.most for row in own):g}"
        out = "; ".join(f"{row.what}, {row.where}: {row.percent:.1f}" for row in own if not row.held)
        lines.append(
            f"| {family} | {len(own)} | {min(now):.1f} to {max(now):.1f} | {was} | {asked} | {out} |"
        )
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--reps", type=int, default=2000, help="simulations a case")
    arguments.add_argument("--quick", action="store_true", help="300 simulations a case")
    arguments.add_argument("--only", default="", help="families whose name holds this")
    arguments.add_argument(
        "--families", action="store_true", help="print a row a family, and not a row a case"
    )
    arguments.add_argument("--json", type=Path, help="where the rows are written as JSON")
    given = arguments.parse_args()
    reps = min(given.reps, 300) if given.quick else given.reps
    rows: list[Row] = []
    rows += [covered(one, reps) for one in cases() if given.only in one.family]
    rows += [counted(one, reps) for one in events() if given.only in one.family]
    print(by_family(rows) if given.families else table(rows))
    if given.json:
        content = [{**asdict(row), "held": row.held} for row in rows]
        given.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row.held for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
