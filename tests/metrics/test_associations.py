"""WEAT's arithmetic: exact cases, an independent reference, and what is undefined."""

from __future__ import annotations

import dataclasses
import math
from itertools import combinations

import numpy as np
import pytest

from evenhand.errors import BadData
from evenhand.metrics import Array, columns
from evenhand.metrics.associations import RAW_ASSOCIATION as raw
from evenhand.metrics.associations import WEAT_EFFECT as effect
from evenhand.metrics.associations import WEAT_MAGNITUDE as magnitude
from evenhand.metrics.associations import associations, by_test, effect_size, permutation_p
from evenhand.records import Score
from evenhand.testing import MetricCase, Swap


def made(n: int, seed: int) -> dict[str, Array]:
    """Associations of two tests with unlike effects, and log-probability bias scores."""
    rng = np.random.default_rng([seed, 3])
    target, test = np.arange(n) % 2.0, np.arange(n) // 2 % 2.0
    return {
        "association": rng.normal(size=n) + target * (1 + test),
        "target": target,
        "test": test,
        "lpbs": rng.normal(0.3, size=n),
    }


EXCHANGE = Swap(negated=("lpbs",), complemented=("target",))
SAME_MEANS = [  # targets with the same mean: d = 0
    {"association": s, "target": t, "test": 0.0} for s in (0.0, 1.0) for t in (0.0, 1.0)
]
FAR_APART = [{"association": s, "target": t, "test": 0.0} for s, t in ((2.0, 1.0), (-2.0, 0.0))]
CASES = (
    MetricCase("weat_effect", made, swap=EXCHANGE, swapped="flips", by_sample=True),
    MetricCase("weat_magnitude", made, SAME_MEANS, swap=EXCHANGE, by_sample=True),
    MetricCase("raw_association", made, SAME_MEANS, FAR_APART, swap=EXCHANGE, by_sample=True),
    MetricCase("lpbs", made, swap=EXCHANGE, swapped="flips"),
    MetricCase("lpbs_magnitude", made, [{"lpbs": 0.0}], swap=EXCHANGE),
)


def test_the_smallest_case_by_hand() -> None:
    # s((1,0)) = 1 - 0 = 1, s((0,1)) = -1; d = (1 - -1) / std(1, -1; ddof 1) = 2 / sqrt 2 = sqrt 2.
    x, y = associations([(1, 0)], [(1, 0)], [(0, 1)]), associations([(0, 1)], [(1, 0)], [(0, 1)])
    assert (x[0], y[0]) == (1, -1)
    assert effect_size(x, y) == pytest.approx(math.sqrt(2), abs=1e-12)
    assert permutation_p(x, y) == 0.5  # of the two partitions, the given one alone reaches its sum


def test_length_does_not_count() -> None:
    long = associations([(3, 0)], [(0.1, 0)], [(0, 7)])
    assert long[0] == pytest.approx(1)
    assert np.isnan(associations([(0, 0)], [(1, 0)], [(0, 1)])[0])


def reference(X, Y, A, B) -> tuple[float, float]:
    """WEAT written out, word by word: d, and the exact p over all partitions."""

    def cos(u, v):
        return sum(a * b for a, b in zip(u, v, strict=True)) / math.sqrt(
            sum(a * a for a in u) * sum(b * b for b in v)
        )

    def s(w):
        return sum(cos(w, a) for a in A) / len(A) - sum(cos(w, b) for b in B) / len(B)

    values = [s(w) for w in (*X, *Y)]
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    d = (sum(values[: len(X)]) / len(X) - sum(values[len(X) :]) / len(Y)) / spread
    bound = sum(values[: len(X)])
    sums = [sum(chosen) for chosen in combinations(values, len(X))]
    return d, sum(total >= bound - 1e-12 for total in sums) / len(sums)


@pytest.mark.parametrize("seed", range(5))
def test_equals_an_independent_reference(seed) -> None:
    X, Y, A, B = (np.random.default_rng([seed, i]).normal(size=(n, 7)) for i, n in enumerate((5, 5, 4, 6)))
    x, y = associations(X, A, B), associations(Y, A, B)
    d, p = reference(X.tolist(), Y.tolist(), A.tolist(), B.tolist())
    assert effect_size(x, y) == pytest.approx(d, abs=1e-9)
    assert permutation_p(x, y) == p
    assert effect_size(y, x) == pytest.approx(-d, abs=1e-9)


def test_what_is_undefined_is_none() -> None:
    assert effect_size([0.3, 0.3], [0.3, 0.3]) is None
    assert effect_size([0.1 + 0.2], [0.3]) is None, "a difference of rounding is no spread"
    assert effect_size([], [0.3, 0.1]) is None
    assert permutation_p([], [0.1]) is None
    with pytest.raises(BadData, match="undefined"):
        permutation_p([math.nan], [0.1])


def test_equal_associations_have_p_one() -> None:
    assert permutation_p([0.1 + 0.2], [0.3]) == 1  # sums that differ by rounding count as equal


def test_a_large_test_draws_at_random_and_repeats() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.3, 1, 30), rng.normal(0, 1, 30)  # C(60, 30) = 1.2e17 partitions
    p = permutation_p(x, y, seed=1, draws=4999)
    assert p == permutation_p(x, y, seed=1, draws=4999)
    assert len({permutation_p(x, y, seed=seed, draws=4999) for seed in range(1, 6)}) > 1
    # The normal approximation of the sum over a random half: standard deviation sqrt(n/2 · s²).
    s = np.concatenate([x, y])
    z = (x.sum() - s.sum() / 2) / math.sqrt(30 / 2 * s.var(ddof=1))
    assert p == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)), abs=0.02)


def test_a_p_value_is_never_zero() -> None:
    assert permutation_p(np.ones(20), np.zeros(20), draws=99) == 1 / 100


def test_targets_of_unlike_size() -> None:
    # x = {3}, y = {1, 2}: of the three choices of one, only 3 reaches 3.
    assert permutation_p([3.0], [1.0, 2.0]) == pytest.approx(1 / 3)
    assert effect_size([3.0], [1.0, 2.0]) == pytest.approx(1.5)  # (3 - 1.5) / std(3, 1, 2) = 1.5 / 1


def row(i: int, s: float | None, target: float, test: float) -> Score:
    return Score(str(i), str(i), {"association": s, "target": target, "test": test})


def test_metrics_average_the_tests_and_slices_give_each() -> None:
    # Test 0: x = {1}, y = {-1}: d = sqrt 2. Test 1: x = {0}, y = {2}: d = -sqrt 2.
    rows = [row(0, 1.0, 1, 0), row(1, -1.0, 0, 0), row(2, 0.0, 1, 1), row(3, 2.0, 0, 1)]
    assert effect.value(rows) == pytest.approx(0, abs=1e-12)
    assert magnitude.value(rows) == pytest.approx(math.sqrt(2))
    assert effect.value(rows[2:]) == pytest.approx(-math.sqrt(2))


def test_undefined_items_are_left_out_and_a_test_without_spread_undoes_the_mean() -> None:
    rows = [row(0, 1.0, 1, 0), row(1, -1.0, 0, 0), row(2, None, 1, 0)]
    assert effect.value(rows) == pytest.approx(math.sqrt(2))
    assert effect.value([*rows, row(3, 0.5, 1, 1), row(4, 0.5, 0, 1)]) is None
    found = by_test(columns([*rows, row(3, 0.5, 1, 1), row(4, 0.5, 0, 1)]), np.ones((1, 5)))
    assert found[0, 0] == pytest.approx(math.sqrt(2))
    assert np.isnan(found[0, 1])


def test_the_raw_association_is_what_d_divides_by_the_spread() -> None:
    """Test 0: means 1 and 0, gap 1; test 1: means 0 and 3, gap -3. The mean of the sizes is 2."""
    rows = [(s, t, 0.0) for s, t in ((2.0, 1.0), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0))]
    rows += [(s, t, 1.0) for s, t in ((0.0, 1.0), (2.0, 0.0), (4.0, 0.0))]
    scores = [
        Score(f"s{i}", f"s{i}", dict(zip(("association", "target", "test"), row, strict=True)))
        for i, row in enumerate(rows)
    ]
    assert raw.value(scores) == pytest.approx(2.0)
    wider = [
        dataclasses.replace(s, values={**s.values, "association": 3 * (s.values["association"] or 0.0)})
        for s in scores
    ]
    assert raw.value(wider) == pytest.approx(6.0)
    assert magnitude.value(wider) == pytest.approx(magnitude.value(scores) or 0.0), "d has no unit"
