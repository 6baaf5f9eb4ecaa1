"""Each kind of figure gets its own interval, and none of them has zero width."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from evenhand import registry, stats
from evenhand.records import Estimate, Score
from evenhand.stats import gaps
from evenhand.stats.kinds import Interval, percentile
from evenhand.stats.proportions import clopper_pearson

Numbers = NDArray[np.int64]


def people(decided: Numbers, outcome: Numbers, group: Numbers, per_cluster: int = 1) -> list[Score]:
    """People of as many groups as `group` has numbers, in clusters of `per_cluster`."""
    members = {f"member.{g}": group == g for g in np.unique(group)}
    table = {"decision": decided, "outcome": outcome, **members}
    return [
        Score(f"s{i:03}", f"c{i // per_cluster:03}", {name: float(x[i]) for name, x in table.items()})
        for i in range(len(decided))
    ]


def estimate(name: str, scores: list[Score], level: float = 0.95) -> Estimate:
    return stats.estimate(registry.get("metric", name), scores, B=100, level=level)


def ends(found: Estimate) -> tuple[float, float]:
    assert found.low is not None and found.high is not None  # noqa: PT018
    return found.low, found.high


def test_a_share_that_was_never_seen_has_clopper_and_pearsons_interval() -> None:
    """0 of 6: 0 to 1 - .025^(1/6) = 45.9 %; in percent where the figure is in percent."""
    scores = [Score(f"s{i}", f"c{i}", {"correct": 0.0, "preferred": 0.0}) for i in range(6)]
    found, most = estimate("accuracy", scores), 1 - 0.025 ** (1 / 6)
    assert (found.value, found.method) == (0.0, "korn-graubard")
    assert ends(found) == pytest.approx((0.0, most))
    assert ends(estimate("stereotype_preference", scores)) == pytest.approx((0.0, 100 * most))


def test_independent_answers_count_in_full_and_a_level_is_a_level() -> None:
    scores = [Score(f"s{i:02}", f"c{i:02}", {"correct": float(i < 30)}) for i in range(50)]
    for level in (0.9, 0.95):
        found = estimate("accuracy", scores, level)
        assert ends(found) == pytest.approx(clopper_pearson(30, 50, level))


def test_a_mean_over_terms_weighs_its_terms() -> None:
    """One term of nine items at 1 and nine terms of one item at 0: SS is 10, not 50."""
    rows = [("t0", 1.0, 0.0)] * 9 + [(f"t{i}", 0.0, float(i)) for i in range(1, 10)]
    scores = [
        Score(f"s{i}", term, {"preferred": x, "related": 1.0, "term": number})
        for i, (term, x, number) in enumerate(rows)
    ]
    found = estimate("ss", scores)
    assert found.value == pytest.approx(10.0)
    low, high = ends(found)
    # One of ten clusters holds the rarer answer: not narrower than one item of ten.
    assert low <= 0.253
    assert 44.5 <= high < 50
    assert found.method == "korn-graubard"
    assert estimate("icat", scores).method == "t"


def test_equal_rates_are_within_the_interval_of_a_gap() -> None:
    """Two groups with 20 of 40 each: no resample is without a gap, but the interval begins at 0."""
    group, decided = np.repeat([0, 1], 40), np.tile([0, 1], 40)
    scores = people(decided, np.repeat([0, 1, 0, 1], 20), group)
    rates = gaps.Rates(np.array([0.5, 0.5]), np.array([40.0, 40.0]))
    found = estimate("dpd", scores)
    assert (found.value, found.low, found.method) == (0.0, 0.0, "newcombe")
    assert ends(found) == pytest.approx(gaps.gap_ends([gaps.between(rates)], 2))
    ratio = estimate("disparate_impact", scores)
    assert (ratio.value, ratio.method, ratio.high) == (1.0, "mover", 1.0)
    assert ends(ratio) == pytest.approx(gaps.ratio_ends(rates))


def test_sums_means_and_maxima_of_two_gaps() -> None:
    rng = np.random.default_rng(0)
    group, outcome = rng.integers(3, size=240), rng.integers(2, size=240)
    scores = people(rng.integers(2, size=240), outcome, group)
    names = ("deo_sum", "deo_mean", "deo_max", "equal_opportunity")
    found = {name: estimate(name, scores) for name in names}
    assert [one.method for one in found.values()] == ["mover", "mover", "newcombe", "newcombe"]
    assert ends(found["deo_mean"]) == pytest.approx(tuple(end / 2 for end in ends(found["deo_sum"])))
    positive = [s for s, y in zip(scores, outcome, strict=True) if y]
    assert ends(found["equal_opportunity"]) == pytest.approx(ends(estimate("dpd", positive)))
    assert ends(found["deo_max"])[1] >= ends(found["equal_opportunity"])[1]
    assert ends(found["deo_max"])[1] < ends(found["deo_sum"])[1]


def test_an_undecided_person_is_in_no_rate() -> None:
    group, decided = np.repeat([0, 1], 20), np.tile([0, 1], 20)
    scores = people(decided, 1 - decided, group)
    half = [
        Score(s.sample, s.cluster, {**s.values, "decision": None}) if i % 4 == 0 else s
        for i, s in enumerate(scores)
    ]
    kept = [s for s in half if s.values["decision"] is not None]
    for name in ("dpd", "error_gap", "deo_sum"):
        assert ends(estimate(name, half)) == pytest.approx(ends(estimate(name, kept)))
    nowhere = [Score(s.sample, s.cluster, {**s.values, "member.1": None}) for s in scores[:4]]
    assert ends(estimate("dpd", [*scores[4:], *nowhere])) == pytest.approx(ends(estimate("dpd", scores[4:])))


def test_shared_clusters_widen_a_gap() -> None:
    """Each decision four times over: four times the people, and as many clusters as before."""
    group, decided = np.repeat([0, 1], 80), np.repeat(np.random.default_rng(1).integers(2, size=40), 4)

    def width(scores: list[Score]) -> float:
        low, high = ends(estimate("dpd", scores))
        return high - low

    alone = width(people(decided[::4], decided[::4], group[::4]))
    shared, apart = (width(people(decided, decided, group, size)) for size in (4, 1))
    assert shared >= alone > 1.3 * apart


def test_twins_have_tangos_interval() -> None:
    rows = [(1.0, 0.0)] * 6 + [(0.0, 1.0)] * 2 + [(1.0, 1.0)] * 42
    scores = [
        Score(f"s{i:02}", f"c{i:02}", {"decision.a": a, "decision.b": b, "outcome": float(i % 2)})
        for i, (a, b) in enumerate(rows)
    ]
    found = estimate("counterfactual_dpd", scores)
    limits = gaps.within(np.array(rows))
    assert limits is not None
    assert (found.value, found.method) == (pytest.approx(4 / 50), "tango")
    assert ends(found) == pytest.approx(gaps.gap_ends([limits], 2))
    both = [gaps.within(np.array(rows)[y::2]) for y in (1, 0)]
    summed = estimate("counterfactual_deo_sum", scores)
    assert summed.method == "mover"
    assert ends(summed) == pytest.approx(gaps.gap_ends([one for one in both if one is not None], 2))


def test_a_gap_of_values_beyond_0_and_1_is_scaled_to_them() -> None:
    """Regard lies in -1 to 1: a gap of 2 is one group always at 1, the other at -1."""
    scores = [
        Score(
            f"s{i}", f"c{i}", {"regard_positive": i % 2.0, "regard_negative": 1 - i % 2.0, "group": i % 2.0}
        )
        for i in range(40)
    ]
    found = estimate("regard_gap", scores)
    rates = gaps.Rates(np.array([0.0, 1.0]), np.array([20.0, 20.0]))
    low, high = gaps.gap_ends([gaps.between(rates)], 2)
    assert found.value == 2.0
    assert ends(found) == pytest.approx((2 * (low or 0), 2 * (high or 0)))


def test_a_perplexity_has_the_ends_of_its_logarithm() -> None:
    nll = np.random.default_rng(2).uniform(1, 3, 80)
    scores = [Score(f"s{i:02}", f"c{i:02}", {"nll": v, "tokens": 1.0}) for i, v in enumerate(nll)]
    found = estimate("perplexity", scores)
    half = scipy_stats.t.ppf(0.975, 79) * nll.std(ddof=1) / np.sqrt(80)
    assert ends(found) == pytest.approx((np.exp(nll.mean() - half), np.exp(nll.mean() + half)))
    assert found.method == "t"


def test_percentiles_are_widened_by_t_from_their_middle_and_stay_in_range() -> None:
    values = np.linspace(0.0, 1.0, 1001) ** 2  # percentiles .025^2 and .975^2, the median .25
    wider = scipy_stats.t.ppf(0.975, 9) / scipy_stats.norm.ppf(0.975) * np.sqrt(10 / 9)
    found = percentile(values, 10, 0.95)
    assert (found.low, found.high) == pytest.approx(
        (0.25 - wider * (0.25 - 0.025**2), 0.25 + wider * (0.975**2 - 0.25))
    )
    assert (found.method, found.few) == ("percentile", True)
    bounded = percentile(values, 10, 0.95, (0.0, 1.0))
    assert (bounded.low, bounded.high) == (0.0, 1.0)
    assert percentile(values, 20, 0.95).few is False
    assert percentile(values, 1, 0.95) == Interval()


def test_what_has_no_width_is_no_interval() -> None:
    assert percentile(np.full(100, 0.3), 50, 0.95) == Interval()
    rounding = 1e-17 * np.arange(100)
    assert percentile(rounding, 50, 0.95, scale=0.5) == Interval()
    assert percentile(rounding, 50, 0.95) != Interval()  # figures may be as small as that
    assert Interval.of((0.5, None), "t", 9) == Interval.of((0.5, 0.5), "t", 9) == Interval()
