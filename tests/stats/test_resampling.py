"""Bootstrap weights: what they count, and their blocks."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand import stats
from evenhand.errors import BadData, UsageError
from evenhand.stats import resampling


def test_resamples_count_clusters_as_often_as_there_are() -> None:
    clusters = ["b", "a", "b", "c", "a"]
    weights = stats.resamples(clusters, 5, 200, 3)
    assert weights.shape == (200, 5)
    assert weights.dtype == np.float64
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])  # both of cluster b
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])  # both of cluster a
    np.testing.assert_array_equal(weights[:, 0] + weights[:, 1] + weights[:, 3], np.full(200, 3.0))


def test_resamples_are_multinomial() -> None:
    # One of 4 items in 4 draws: mean 1, variance 4 · 1/4 · 3/4 = 0.75, covariance -4/16 = -0.25.
    weights = stats.resamples(None, 4, 40_000, 0)
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.02)
    expected = np.full((4, 4), -0.25) + np.eye(4)
    np.testing.assert_allclose(np.cov(weights.T), expected, atol=0.03)


def test_resamples_repeat_under_one_seed_only() -> None:
    first, again, other = (stats.resamples(["a", "b", "c"] * 4, 12, 50, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_resamples_follow_their_items_when_these_are_reordered() -> None:
    clusters = np.array(list("cabbacad"))
    order = np.array([5, 2, 7, 0, 1, 6, 3, 4])
    straight = stats.resamples(clusters.tolist(), 8, 30, 1)
    np.testing.assert_array_equal(straight[:, order], stats.resamples(clusters[order].tolist(), 8, 30, 1))


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_blocks_of_odd_sizes_go_on_where_the_last_one_stopped(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    names = [f"c{i % 13}" for i in range(31)]
    whole = stats.resamples(names, 31, 101, 5)
    drawn = stats.Resampling(names, 31, 101, 5)
    monkeypatch.setattr(resampling, "CELLS", 31 * rows)
    parts = list(drawn.blocks(widest=31))
    assert max(len(part) for part in parts) == rows
    np.testing.assert_array_equal(np.concatenate([part.counts[:, drawn.codes] for part in parts]), whole)


def test_clusters_are_numbered_in_the_order_of_their_names() -> None:
    names = ["b", "ab", "é", "a", "b", "Z"]
    codes, size = resampling.codes_of(names, 6)
    assert (codes.tolist(), size) == (np.unique(names, return_inverse=True)[1].tolist(), 5)


@pytest.mark.parametrize("clusters", [["a"], ["a", "b", "c"]])
def test_resamples_refuse_a_wrong_number_of_names(clusters: list[str]) -> None:
    with pytest.raises(BadData, match="one name for each item"):
        stats.resamples(clusters, 2, 10, 0)


def test_resamples_refuse_no_resample() -> None:
    with pytest.raises(UsageError, match="too few"):
        stats.resamples(None, 3, 0, 0)


def test_resamples_of_no_item_are_empty() -> None:
    assert stats.resamples(None, 0, 5, 0).shape == (5, 0)


@pytest.mark.parametrize(
    "codes",
    [
        [],
        [3],
        [2, 0, 2, 5, 0],  # dense: 5 < 4 * 5, counted
        [20, 1, 1],  # 20 >= 4 * 3: sorted
        [-1, 4, -1, 2, 2],  # below 0: sorted
        *np.random.default_rng(0).integers(90, size=(3, 30)).tolist(),
    ],
)
def test_codes_are_renumbered_in_their_order(codes) -> None:
    array = np.array(codes, dtype=np.intp)
    names, places = resampling.renumbered(array)
    assert names.tolist() == resampling.held(array).tolist() == sorted(set(codes))
    assert names[places].tolist() == codes


def test_dense_codes_are_neither_sorted_nor_hashed(monkeypatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("np.unique on dense codes")

    monkeypatch.setattr(np, "unique", never)
    codes = np.arange(1000)[::-1]
    assert resampling.held(codes).tolist() == list(range(1000))
    assert resampling.renumbered(codes)[1].tolist() == codes.tolist()


def test_clusters_of_one_item_are_numbered_as_any_others() -> None:
    # In the order of the names a < b < c.
    assert resampling.codes_of(["c", "a", "b"], 3)[0].tolist() == [2, 0, 1]
    assert resampling.codes_of(["c", "a", "b", "a"], 4)[0].tolist() == [2, 0, 1, 0]
