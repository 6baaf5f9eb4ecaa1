"""The regression behind stereotype_slope, factual_slope and slope_intercept."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand import stats
from evenhand.metrics import Array
from evenhand.metrics.slopes import FACTUAL_SLOPE as factual
from evenhand.metrics.slopes import SLOPE_INTERCEPT as intercept
from evenhand.metrics.slopes import STEREOTYPE_SLOPE as stereotypical
from evenhand.metrics.slopes import regress
from evenhand.records import Score
from evenhand.testing import MetricCase
from tests.support.columns import PRONOUNS, pronouns

METRICS = (stereotypical, factual, intercept)


def made(n: int, seed: int) -> dict[str, Array]:
    """Pronouns after professions with the two scores of how male each is, -1 to 1."""
    rng = np.random.default_rng([seed, 8])
    leaning = {name: rng.uniform(-1, 1, size=n) for name in ("stereotypical", "factual")}
    return pronouns(n, seed) | leaning


CASES = tuple(
    MetricCase(name, made, swap=PRONOUNS, swapped="flips")
    for name in ("stereotype_slope", "factual_slope", "slope_intercept")
)


def scores(y: np.ndarray, x: np.ndarray, z: np.ndarray) -> list[Score]:
    return [
        Score(str(i), f"c{i}", {"p.he": 0.5 + a / 2, "p.she": 0.5 - a / 2, "stereotypical": b, "factual": c})
        for i, (a, b, c) in enumerate(zip(y.tolist(), x.tolist(), z.tolist(), strict=True))
    ]


def test_four_points_by_hand() -> None:
    # y = 0.3 x - 0.2 z + 0.1 exactly, so least squares returns it.
    x, z = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    items = scores(0.3 * x - 0.2 * z + 0.1, x, z)
    assert [metric.value(items) for metric in METRICS] == pytest.approx([0.3, -0.2, 0.1])


def test_agrees_with_ordinary_least_squares_under_every_weighting() -> None:
    rng = np.random.default_rng(0)
    x, z = 5 + rng.normal(size=60), 0.01 * rng.normal(size=60)  # badly scaled on purpose
    y = 0.2 * x + rng.normal(size=60)
    weights = stats.resamples(None, 60, 20, 1)
    got = regress(y, x, z, weights)
    for row, w in zip(got, weights, strict=True):
        root = np.sqrt(w)[:, None]
        expected = np.linalg.lstsq(root * np.stack([x, z, np.ones(60)], axis=1), root[:, 0] * y, rcond=None)[
            0
        ]
        np.testing.assert_allclose(row, expected, rtol=1e-9)


def test_undefined_items_are_left_out() -> None:
    rng = np.random.default_rng(1)
    x, z, y = rng.uniform(-1, 1, size=(3, 20))
    clean = regress(y[:18], x[:18], z[:18], np.ones((1, 18)))
    x[18], y[19] = np.nan, np.nan
    np.testing.assert_allclose(regress(y, x, z, np.ones((1, 20))), clean)


@pytest.mark.parametrize("kind", ["constant", "collinear", "two items", "none"])
def test_unidentified_slopes_are_undefined(kind: str) -> None:
    x = np.array([0.1, 0.4, -0.3, 0.7])
    z = {"constant": np.full(4, 0.1), "collinear": 2 * x - 0.1}.get(kind, np.array([0.2, -0.5, 0.1, 0.3]))
    y = np.array([0.1, 0.2, 0.3, 0.5])
    if kind == "two items":
        y[2:] = np.nan
    if kind == "none":
        y[:] = np.nan
    assert [metric.value(scores(y, x, z)) for metric in METRICS] == [None, None, None]
    if kind == "constant":
        assert np.isnan(regress(y, z, x, np.ones((1, 4)))).all()


def test_rounding_noise_is_not_taken_for_spread() -> None:
    rng = np.random.default_rng(2)
    y, x = rng.uniform(-1, 1, size=(2, 12))
    almost_constant = np.where(np.arange(12) % 2, 0.1, 0.3 - 0.2)  # 0.1 and 0.09999999999999998
    assert np.isnan(regress(y, x, almost_constant, np.ones((1, 12)))).all()
    for n in range(4, 200):  # some of these determinants round to a little above zero
        v, w = rng.uniform(-1, 1, size=(2, n))
        assert np.isnan(regress(w, v, 2 * v - 0.1, np.ones((1, n)))).all()


def test_a_resample_that_loses_the_spread_is_undefined_alone() -> None:
    x, z = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    weights = np.array([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    got = regress(0.3 * x, x, z, weights)
    np.testing.assert_allclose(got[0], [0.3, 0.0, 0.0], atol=1e-15)
    assert np.isnan(got[1:]).all()


def test_three_groups_have_no_slope() -> None:
    items = [
        Score(str(i), "c", {"p.a": v, "p.b": 0.1, "p.c": 0.2, "stereotypical": v * v, "factual": v})
        for i, v in enumerate((0.1, 0.2, 0.4, 0.5))
    ]
    assert [metric.value(items) for metric in METRICS] == [None, None, None]
