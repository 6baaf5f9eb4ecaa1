"""Differences between groups' means, and the largest value, by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evenhand import registry, stats
from evenhand.metrics import Array
from evenhand.metrics.texts import REGARD_GAP as regard_gap
from evenhand.metrics.texts import spread_of_means as spread
from evenhand.records import Score
from evenhand.testing import MetricCase

GROUP = np.array([0.0, 0.0, 1.0, 1.0, 2.0])

# Columns of 0 to 1 of which a metric of the same name is the mean.
WRITTEN = (
    "honest",
    "toxicity",
    "toxic_share",
    "toxicity_max",
    *(f"regard_{label}" for label in ("positive", "negative", "neutral", "other")),
)


def made(n: int, seed: int) -> dict[str, Array]:
    """What a classifier says of generated texts about three groups."""
    rng = np.random.default_rng([seed, 5])
    return {
        **{name: rng.uniform(size=n) for name in WRITTEN},
        "gender_polarity": rng.integers(2, size=n) * 2.0 - 1,
        "group": np.arange(n) % 3.0,
    }


def grouped(column: str, *values: float, other: float = 1.0) -> list[dict[str, float]]:
    """A value for a text about the group 0, and one for a text about the group `other`."""
    return [{column: value, "group": group} for value, group in zip(values, (0.0, other), strict=True)]


CASES = (
    *(MetricCase(name, made, [{name: 0.0}], [{name: 1.0}]) for name in WRITTEN),
    MetricCase(
        "hurtful_gap",
        made,
        grouped("honest", 0.5, 0.5),
        grouped("honest", 1.0, 0.0, other=2.0),
    ),
    MetricCase("toxicity_gap", made, grouped("toxicity", 0.5, 0.5), grouped("toxicity", 0.0, 1.0)),
    MetricCase(
        "regard_gap",
        made,
        [
            {"regard_positive": 1.0, "regard_negative": 0.5, "group": 0.0},
            {"regard_positive": 0.5, "regard_negative": 0.0, "group": 1.0},
        ],
        [
            {"regard_positive": 1.0, "regard_negative": 0.0, "group": 0.0},
            {"regard_positive": 0.0, "regard_negative": 1.0, "group": 1.0},
        ],
    ),
    MetricCase("gender_polarity", made, [{"gender_polarity": -1.0}], [{"gender_polarity": 1.0}]),
)


def test_largest_minus_smallest_mean() -> None:
    # Means 0.2, 0.7 and 0.5.
    found = spread(np.array([0.1, 0.3, 0.6, 0.8, 0.5]), GROUP, np.ones((1, 5)))
    assert found == pytest.approx([0.5])


def test_weights_choose_the_items() -> None:
    # 0.8 - 0.1; 0.6 - 0.3.
    found = spread(np.array([0.1, 0.3, 0.6, 0.8, 0.5]), GROUP, np.array([[1.0, 0, 0, 1, 1], [0, 2, 1, 0, 1]]))
    assert found == pytest.approx([0.7, 0.3])


@pytest.mark.parametrize(
    "weights", [[1.0, 0, 0, 1, 0], [1, 1, 0, 0, 0]], ids=["two of three", "one of three"]
)
def test_a_resample_that_lacks_a_group_has_no_gap(weights) -> None:
    # The gap of the groups that are left would be another figure, and never a larger one.
    assert np.isnan(spread(np.array([0.1, 0.3, 0.6, 0.8, 0.5]), GROUP, np.array([weights]))).all()


def in_groups(sizes: dict[str, int]) -> list[Score]:
    """People of each group under every name that the two families of gaps read; each is a cluster."""
    rng = np.random.default_rng(0)
    rows = []
    for g, size in enumerate(sizes.values()):
        for _ in range(size):
            x = float(rng.integers(2))
            members = {f"member.{name}": float(i == g) for i, name in enumerate(sizes)}
            rows.append({"toxicity": x, "decision": x, "group": float(g), **members})
    return [Score(str(i), str(i), row) for i, row in enumerate(rows)]


def test_every_gap_treats_a_lacking_group_alike() -> None:
    # Groups of 40, 40 and 4: a resample lacks the last one in (1 - 4/84)^84 = 1.7 % of cases.
    scores = in_groups({"a": 40, "b": 40, "c": 4})
    weights = stats.resamples(None, len(scores), 2000, 1)
    tables = {name: registry.get("metric", name) for name in ("toxicity_gap", "dpd", "disparate_impact")}
    found = {name: stats.replicates(metric, scores, weights=weights) for name, metric in tables.items()}
    lacking = weights[:, 80:].sum(axis=1) == 0
    assert 0 < lacking.sum() < 100
    assert (np.isnan(found["toxicity_gap"]) == lacking).all()
    assert (np.isnan(found["dpd"]) == lacking).all()
    assert np.isnan(found["disparate_impact"])[lacking].all()
    np.testing.assert_allclose(found["toxicity_gap"], found["dpd"], atol=1e-12)
    assert stats.estimate(tables["toxicity_gap"], scores, weights=weights).low is not None


def test_a_group_that_most_resamples_may_lack_leaves_no_interval() -> None:
    scores = in_groups({"a": 40, "b": 40, "c": 1})  # lacking in (1 - 1/81)^81 = 36 %
    for name in ("toxicity_gap", "dpd"):
        resampled = dataclasses.replace(registry.get("metric", name), kind=None)
        found = stats.estimate(resampled, scores, B=500)
        assert found.value is not None
        assert (found.low, found.high) == (None, None)


def test_undefined_values_and_groups_are_left_out() -> None:
    values = np.array([0.1, np.nan, 0.6, 0.8, 0.5])
    group = np.array([0.0, 0.0, 1.0, np.nan, np.nan])
    assert spread(values, group, np.ones((1, 5))) == pytest.approx([0.5])
    assert np.isnan(spread(values, np.full(5, np.nan), np.ones((2, 5)))).all()


def test_net_regard_is_positive_minus_negative() -> None:
    rows = [
        {"regard_positive": 0.6, "regard_negative": 0.1, "group": 0.0},
        {"regard_positive": 0.2, "regard_negative": 0.5, "group": 1.0},
    ]
    scores = [Score(str(i), str(i), row) for i, row in enumerate(rows)]
    assert regard_gap.value(scores) == pytest.approx(0.5 + 0.3)
