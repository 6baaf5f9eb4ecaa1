"""What gaps would be under equal rates, for metrics on scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from evenhand import registry
from evenhand.metrics import Metric
from evenhand.records import Score
from evenhand.stats.equal_rates import by_name, under_equal_rates

DPD, DEO, RATIO, FLIPS = (
    registry.get("metric", name) for name in ("dpd", "deo_sum", "disparate_impact", "counterfactual_dpd")
)


def scores(groups: Sequence[tuple[int, int, int]], cluster: int = 1) -> list[Score]:
    """For each group: how many are favoured of how many, and of how many of these deserve it (the first)."""
    found = []
    for g, (favoured, n, deserve) in enumerate(groups):
        for i in range(n):
            values = {f"member.{h}": float(h == g) for h in range(len(groups))}
            values |= {"decision": float(i < favoured), "outcome": float(i < deserve)}
            found.append(Score(f"{g}/{i}", f"{g}/{i // cluster}", values))
    return found


def of(metric: Metric, made: list[Score]) -> tuple[float | None, float]:
    found = under_equal_rates([metric], made)[metric.name]
    return found.expected, found.p


def test_the_smallest_gap_by_hand() -> None:
    """Two groups of two, one of each favoured: of 6 ways to favour 2 of 4, 4 give gap 0, 2 give gap 1.

    So the mean under equal rates is 1/3, and every draw is at least the gap of 0 that was seen.
    """
    expected, p = of(DPD, scores([(1, 2, 1), (1, 2, 1)]))
    assert expected == pytest.approx(1 / 3, abs=0.02)
    assert p == 1.0


def test_a_gap_that_equal_rates_would_not_give() -> None:
    """30 of 50 and 10 of 50. Under equal rates of .4 the difference has the SD sqrt(2 x .24 / 50) = .098, and
    its mean size is .8 of that, .078; the permutation is without replacement, a factor sqrt(100 / 99).
    """
    expected, p = of(DPD, scores([(30, 50, 25), (10, 50, 25)]))
    assert expected == pytest.approx(0.0794 * np.sqrt(100 / 99) * 0.98, abs=0.006)
    assert p <= 0.001


def test_a_ratio_is_below_one_by_chance() -> None:
    expected, p = of(RATIO, scores([(20, 50, 25), (20, 50, 25)]))
    assert expected is not None
    assert 0.7 < expected < 0.95
    assert p == 1.0
    assert of(RATIO, scores([(40, 50, 25), (5, 50, 25)]))[1] <= 0.001


def test_odds_are_drawn_among_those_of_one_outcome() -> None:
    """All who deserve it are favoured and nobody else, in groups that deserve it unequally: no gap is due."""
    made = scores([(40, 50, 40), (10, 50, 10)])
    assert of(DEO, made) == (0.0, 1.0)
    assert of(DPD, made)[1] <= 0.001


def test_twins_and_other_figures_have_no_such_draw() -> None:
    made = scores([(1, 2, 1), (1, 2, 1)])
    accuracy = registry.get("metric", "decision_accuracy")
    assert under_equal_rates([accuracy], made) == {}
    twins = [Score(s.sample, s.cluster, {**s.values, "decision.0": 1.0, "decision.1": 0.0}) for s in made]
    assert under_equal_rates([FLIPS], twins) == {}
    assert under_equal_rates([DPD], []) == {}


def test_clusters_change_sides_as_a_whole() -> None:
    """Ten people to a cluster who are all treated alike: 5 clusters a side, of which 4 and 1 are favoured.

    As 100 people the gap of .6 is certain; as 10 clusters it is not: Welch's t is 2.45 with 8 degrees of
    freedom (means .8 and .2, SD .447 each: .6 / sqrt(2 x .2 / 5) = 2.12), p about .07.
    """
    alone, together = (scores([(40, 50, 0), (10, 50, 0)], cluster) for cluster in (1, 10))
    assert of(DPD, alone)[1] <= 0.001
    expected, p = of(DPD, together)
    assert expected is None
    assert 0.04 < p < 0.3
    three = scores([(40, 50, 0), (10, 50, 0), (20, 50, 0)], 10)
    assert under_equal_rates([DPD], three) == {}


def test_programs_get_names() -> None:
    found = under_equal_rates([DPD], scores([(1, 2, 1), (1, 2, 1)]))
    assert by_name(found) == {"dpd": {"expected": found["dpd"].expected, "p": 1.0}}
