"""The bench's arithmetic: ratios of rounds, sweeps, the flag of an unsteady machine. No clock is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from perf.bench.harness import (
    CHUNK,
    CHUNKS,
    SIDES,
    Case,
    Found,
    Peer,
    apart,
    is_steady,
    matrix_rate,
    measured,
    share_of_ceiling,
    timed,
)


def metered(costs: dict[str, Sequence[float]]) -> tuple[Callable[..., Any], list[str]]:
    """A meter that reads the next cost of the way that ran, and the order in which ways ran."""
    left: dict[str, Iterator[float]] = {name: iter(of) for name, of in costs.items()}
    ran: list[str] = []

    def meter(way: Callable[[], Sequence[float]]) -> tuple[float, Sequence[float]]:
        before = len(ran)
        numbers = way()
        return next(left[ran[before]]), numbers

    def way(name: str, *numbers: float) -> Callable[..., Sequence[float]]:
        def run(size: int = 0) -> Sequence[float]:
            ran.append(f"{name} {size}" if size else name)
            return numbers

        return run

    meter.way = way  # type: ignore[attr-defined]
    return meter, ran


def measure(meter: Any, peer: Peer, **more: Any) -> Found:
    rates = more.pop("rates", [1.0, 1.0])
    given = {"tolerance": 0.1, **more}
    case = Case("case", "a case", meter.way("ours", 1.0, 2.0), (peer,), **given)
    return measured(case, rounds=3, meter=meter, rate=iter(rates).__next__)


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_medians() -> None:
    # The warm-up of each, then rounds of 6/2 = 3, 8/1 = 8, 20/4 = 5: median 5; medians alone give 8/2 = 4.
    meter, ran = metered({"ours": [9, 2, 1, 4], "theirs": [9, 6, 8, 20]})
    found = measure(meter, Peer("theirs", meter.way("theirs", 1.0, 2.05)))  # type: ignore[attr-defined]
    (ratio,) = found.ratios
    assert (ratio.median, ratio.low, ratio.high) == (5, 3, 8)
    assert (found.cost, ratio.cost) == (2, 8)
    assert ratio.difference == pytest.approx(0.05)
    assert found.equal
    assert ran == ["ours", "theirs", "theirs", "ours", "theirs", "ours", "theirs", "ours"]  # interleaved


def test_a_peer_runs_at_the_best_of_its_batch_sizes() -> None:
    meter, ran = metered(
        {"ours": [1, 1, 1, 1], "theirs 8": [30], "theirs 32": [10, 10, 12, 14], "theirs 128": [20]}
    )
    peer = Peer("theirs", meter.way("theirs", 1.0, 2.0), (8, 32, 128))  # type: ignore[attr-defined]
    (ratio,) = measure(meter, peer).ratios
    assert (ratio.batch, dict(ratio.sweep)) == (32, {8: 30, 32: 10, 128: 20})
    assert ratio.median == 12
    assert ran[1:5] == ["theirs 8", "theirs 8", "theirs 32", "theirs 128"]  # the first warms up, uncounted


def test_a_peer_that_answers_a_part_counts_as_much_more() -> None:
    meter, _ = metered({"ours": [2, 2, 2, 2], "theirs": [3, 3, 3, 3]})
    peer = Peer("theirs", meter.way("theirs", 1.0), share=0.25)  # type: ignore[attr-defined]
    (ratio,) = measure(meter, peer).ratios
    assert ratio.median == 6  # 3 / 0.25 = 12 against 2


def test_a_difference_beyond_the_tolerance_is_not_equal() -> None:
    meter, _ = metered({"ours": [1] * 4, "theirs": [1] * 4})
    assert not measure(meter, Peer("theirs", meter.way("theirs", 1.0, 2.11))).equal  # type: ignore[attr-defined]


def test_what_is_not_compared_has_no_difference() -> None:
    meter, _ = metered({"ours": [1] * 4, "theirs": [1] * 4})
    found = measure(meter, Peer("theirs", meter.way("theirs", 9.0), compared=False))  # type: ignore[attr-defined]
    assert found.ratios[0].difference is None
    assert found.equal


@pytest.mark.parametrize(("theirs", "share"), [([], 0.5), ([1.0], 1.0), ([1.0, 2.0, 3.0], 0.5)])
def test_missing_or_further_numbers_are_an_error(theirs: list[float], share: float) -> None:
    peer = Peer("theirs", lambda _: theirs, share=share)
    with pytest.raises(ValueError, match=f"theirs gives {len(theirs)} numbers, ours 2"):
        apart(theirs, [1.0, 2.0], peer)


def test_nan_is_an_infinite_difference() -> None:
    assert apart([1.0, math.nan], [1.0, 2.0], Peer("theirs", lambda _: ())) == math.inf


def test_the_share_of_the_ceiling() -> None:
    # 600 products at the mean of 100 and 200 a second take 4 s; ours took 8 s.
    assert share_of_ceiling(600, 8.0, 100, 200) == 0.5
    assert share_of_ceiling(None, 8.0, 100, 200) is None


@pytest.mark.parametrize(("before", "after", "steady"), [(100, 85, True), (85, 100, True), (100, 84, False)])
def test_a_rate_that_changed_by_more_than_15_percent_is_unsteady(
    before: float, after: float, steady: bool
) -> None:
    assert is_steady(before, after) is steady


def test_the_rate_is_asked_before_and_after_where_there_is_a_ceiling() -> None:
    meter, _ = metered({"ours": [9, 2, 2, 2], "theirs": [1] * 4})
    peer = Peer("theirs", meter.way("theirs", 1.0, 2.0))  # type: ignore[attr-defined]
    found = measure(meter, peer, products=30, rates=[10.0, 20.0])
    assert found.share == 1.0  # 30 products at 15 a second take 2 s, as ours does
    assert not found.steady


def test_the_rate_of_a_product_is_that_of_the_fastest_measurement() -> None:
    # Each measurement reads the clock twice: 1 s for one product each time, and 0.5 s the third time.
    times = iter([0, 1, 10, 11, 20, 20.5, 30, 31, 40, 41])
    assert matrix_rate(lambda: next(times), "cpu") == math.prod(SIDES) / 0.5
    assert next(times, None) is None
    assert (CHUNKS, CHUNK) == (5, 0.1)


def test_seconds_are_read_around_the_way() -> None:
    times = iter([3.0, 5.5])
    assert timed(lambda: next(times), "cpu")(lambda: [7.0]) == (2.5, [7.0])
