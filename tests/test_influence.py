"""Block influence: hand-worked turns, masks, aggregations, and the stability figures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import kendalltau

from evenhand.errors import BadData, UsageError
from evenhand.influence import aggregate, batch_rows, cosine_distance, robustness

QUARTER = 1 - 1 / np.sqrt(2)  # (1,0) to (1,1) turns by 45 degrees
BEFORE = np.array([[[1.0, 0.0], [0.0, 2.0]]], dtype=np.float32)
AFTER = np.array([[[1.0, 1.0], [0.0, 5.0]]], dtype=np.float32)


def test_the_worked_example() -> None:
    # (1,0) -> (1,1): 1 - 1/sqrt 2 = 0.29289; (0,2) -> (0,5) only grows: 0.
    assert aggregate(batch_rows(BEFORE, AFTER), "row_sum") == pytest.approx(0.29289, abs=1e-5)
    assert aggregate(batch_rows(BEFORE, AFTER), "row_mean") == pytest.approx(QUARTER / 2)


def test_identity_turns_nothing_and_negation_turns_fully() -> None:
    states = np.random.default_rng(0).normal(size=(3, 5, 16)).astype(np.float32)
    assert aggregate(batch_rows(states, states)) == 0.0
    assert aggregate(batch_rows(states, 7 * states)) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(np.concatenate(batch_rows(states, -states)), 2.0)


def test_turn_is_one_minus_the_cosine_in_float64() -> None:
    rng = np.random.default_rng(1)
    u, v = rng.normal(size=(2, 4, 6, 32)).astype(np.float32)
    a, b = u.astype(np.float64), v.astype(np.float64)
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    got = cosine_distance(u, v)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, 1 - cosine, rtol=1e-12)


def test_small_turns_keep_their_digits() -> None:
    # cos of 1e-7 rad is 1 - 5e-15: the plain formula in float64 has lost most digits there.
    angle = 1e-7
    got = cosine_distance([[1.0, 0.0]], [[np.cos(angle), np.sin(angle)]])
    np.testing.assert_allclose(got, angle**2 / 2, rtol=1e-6)


def test_a_vector_without_direction_is_undefined() -> None:
    np.testing.assert_array_equal(
        cosine_distance([[0.0, 0.0], [1.0, np.nan]], [[1.0, 0.0], [1.0, 0.0]]), [np.nan] * 2
    )
    assert aggregate([[np.nan, 0.5], [np.nan]], "row_sum") == 0.5
    assert aggregate([[np.nan]]) is None
    assert aggregate([]) is None


def test_turn_refuses_unlike_shapes() -> None:
    with pytest.raises(BadData, match="differ"):
        cosine_distance(np.ones((1, 2)), np.ones((1, 3)))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("drop_first", [False, True])
def test_padding_changes_nothing(side: str, drop_first: bool) -> None:
    rng = np.random.default_rng(2)
    before, after = rng.normal(size=(2, 2, 3, 8))
    padding = rng.normal(size=(2, 2, 4, 8))
    parts = [
        (padding[i], states) if side == "left" else (states, padding[i])
        for i, states in enumerate((before, after))
    ]
    padded = [np.concatenate(pair, axis=1) for pair in parts]
    mask = np.concatenate([np.zeros((2, 4)), np.ones((2, 3))][:: 1 if side == "left" else -1], axis=1)
    plain = batch_rows(before, after, drop_first=drop_first)
    masked = batch_rows(*padded, mask, drop_first=drop_first)
    for one, other in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(one, other)
    with_padding = batch_rows(*padded, mask, include_padding=True, drop_first=drop_first)
    assert [len(rows) for rows in with_padding] == [len(rows) + 4 for rows in plain]
    total = aggregate(with_padding)
    assert total is not None
    assert total == pytest.approx((aggregate(plain) or 0) + cosine_distance(padding[0], padding[1]).sum())


def test_drop_first_leaves_out_the_first_real_row() -> None:
    # Rows turn by 45, 0 and 180 degrees; the mask says where each sample starts.
    before = np.array([[[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]] * 2)
    after = np.array([[[1.0, 1.0], [0.0, 5.0], [-1.0, -1.0]]] * 2)
    got = batch_rows(before, after, [[1, 1, 1], [0, 1, 1]], drop_first=True)
    np.testing.assert_allclose(got[0], [0.0, 2.0])
    np.testing.assert_allclose(got[1], [2.0])


def test_batch_rows_refuses_a_mask_of_another_shape() -> None:
    with pytest.raises(BadData, match="mask"):
        batch_rows(BEFORE, AFTER, np.ones((1, 3)))
    with pytest.raises(BadData, match="samples, length, d"):
        batch_rows(BEFORE[0], AFTER[0])


def test_the_three_aggregations() -> None:
    samples = [[0.2], [0.4, 0.6, 0.8]]
    assert aggregate(samples, "row_sum") == pytest.approx(2.0)
    assert aggregate(samples, "row_mean") == pytest.approx(0.5)  # 2.0 / 4
    assert aggregate(samples, "sample_mean") == pytest.approx(0.4)  # (0.2 + 0.6) / 2
    with pytest.raises(UsageError, match="row_sum, sample_mean or row_mean"):
        aggregate(samples, "sum")  # type: ignore[arg-type]


def test_streaming_in_batches_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.normal(size=(2, 6, 4, 8))
    whole = batch_rows(before, after)
    pieces = [row for i in (0, 2, 4) for row in batch_rows(before[i : i + 2], after[i : i + 2])]
    assert aggregate(whole) == aggregate(pieces)


def test_published_sums_need_every_row() -> None:
    # LFTF reports 2878 for one block on 943 samples. One row a sample reaches at most 2 · 943 = 1886 ...
    one_row_each = [[2.0]] * 943
    assert (aggregate(one_row_each, "row_sum") or 0) < 2878
    # ... while 0.35 a row, 9 rows a sample, is 2970.
    assert aggregate([[0.35] * 9] * 943, "row_sum") == pytest.approx(2970.45)


def test_robustness_by_hand() -> None:
    # Blocks over three runs: (1,2,3), (4,4,4), (0,0,6): variances 1, 0, 12 with ddof 1.
    # Runs 1 and 2 rank alike (tau 1); against run 3 (3,4,6) of (1,4,0): pairs +, -, -: tau -1/3; twice.
    # Top blocks: 1, 1, 2: one of three pairs agrees.
    got = robustness([[1.0, 4.0, 0.0], [2.0, 4.0, 0.0], [3.0, 4.0, 6.0]])
    assert got.variance == (1.0, 0.0, 12.0)
    assert got.mean_variance == pytest.approx(13 / 3)
    assert got.mean_tau == pytest.approx((1 - 1 / 3 - 1 / 3) / 3)
    assert got.top1_agreement == pytest.approx(1 / 3)
    assert (got.runs, got.ddof) == (3, 1)


def test_ddof_is_the_divisor() -> None:
    assert robustness([[0.0], [2.0]], ddof=1).variance == (2.0,)
    assert robustness([[0.0], [2.0]], ddof=0).variance == (1.0,)


def test_scale_changes_the_variance_but_not_the_ranking() -> None:
    scores = np.random.default_rng(4).normal(size=(5, 12))
    one, other = robustness(scores), robustness(100 * scores)
    assert other.mean_variance == pytest.approx(1e4 * (one.mean_variance or 0))
    assert (other.mean_tau, other.top1_agreement) == (one.mean_tau, one.top1_agreement)
    taus = [kendalltau(a, b).statistic for a, b in itertools.combinations(scores, 2)]
    assert one.mean_tau == pytest.approx(np.mean(taus))


def test_one_run_shows_no_stability() -> None:
    got = robustness([[1.0, 2.0]])
    assert (got.variance, got.mean_variance, got.mean_tau, got.top1_agreement) == (
        (None, None),
        None,
        None,
        None,
    )


def test_an_undefined_block_is_left_undefined() -> None:
    got = robustness([[np.nan, 1.0, 0.0], [5.0, 6.0, 1.0], [3.0, 5.0, 1.5]])
    # Block 1 (1, 6, 5): mean 4, squares 14. Block 2 (0, 1, 1.5): mean 5/6, squares 7/6.
    assert got.variance == (None, pytest.approx(7.0), pytest.approx(7 / 12))
    assert got.mean_variance == pytest.approx((7 + 7 / 12) / 2)
    assert got.top1_agreement == 1.0  # the run with a gap takes no part


def test_robustness_refuses_a_single_list() -> None:
    with pytest.raises(BadData, match="one row for each run"):
        robustness([1.0, 2.0])
