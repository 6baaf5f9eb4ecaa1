"""Demonstrations: the parity that was asked for, or the nearest there is, without anybody twice."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import pytest

from evenhand.errors import BadOption
from evenhand.people.demonstrations import cells, draw, parity_of, select
from tests.support.crowd import TASK, person, pool

NAMES = ("m", "f")
POOL = pool(40)
PARITIES = (-1.0, -0.5, -0.13, 0.0, 0.25, 0.5, 0.9, 1.0)


@pytest.mark.parametrize(
    ("n", "parity", "counts"),
    [
        (200, 0.5, (75, 25, 25, 75)),  # as in FairCon: 75 men and 25 women of 100 with the favourable outcome
        (200, 0.0, (50, 50, 50, 50)),
        (200, 1.0, (100, 0, 0, 100)),
        (200, -1.0, (0, 100, 100, 0)),
        (200, 0.13, (56, 44, 43, 57)),  # 56 % - 43 %: rounded, not cut off
        (0, 0.5, (0, 0, 0, 0)),
    ],
)
def test_how_many_of_each_group_and_outcome(n: int, parity: float, counts: tuple[int, ...]) -> None:
    found = cells(n, 2, parity)
    assert (found[0, 1], found[0, 0], found[1, 1], found[1, 0]) == counts


@pytest.mark.parametrize("shots", [2, 3, 4, 5, 8, 16, 17, 32])
@pytest.mark.parametrize("parity", PARITIES)
def test_no_other_choice_of_people_comes_nearer(shots: int, parity: float) -> None:
    shown = draw(POOL, NAMES, shots=shots, parity=parity, seed=shots)
    sizes = Counter(group for _, group in shown.shown)
    assert len(shown.shown) == shots
    assert abs(sizes[0] - sizes[1]) <= 1
    best = min(
        abs(a / sizes[0] - b / sizes[1] - parity)
        for a, b in itertools.product(range(sizes[0] + 1), range(sizes[1] + 1))
    )
    assert shown.reached is not None
    assert abs(shown.reached - parity) == pytest.approx(best, abs=1e-9)
    if shots % 2 == 0:  # whole people express every multiple of 2 / shots
        assert abs(shown.reached - parity) <= 1 / shots + 1e-9


@pytest.mark.parametrize(("shots", "parity"), [*itertools.product((1, 4, 15, 32), PARITIES)])
def test_nobody_is_shown_twice(shots: int, parity: float) -> None:
    shown = draw(POOL, NAMES, shots=shots, parity=parity)
    assert len({p.id for p, _ in shown.shown}) == shots
    assert all(p.group == group for p, group in shown.shown)


@pytest.mark.parametrize(("shots", "parity"), [*itertools.product((2, 8, 32), PARITIES)])
def test_counterbalanced_twins_have_one_label_and_parity_0(shots: int, parity: float) -> None:
    shown = draw(POOL, NAMES, shots=shots, parity=parity, counterbalanced=True)
    assert len(shown.shown) == shots
    assert shown.reached == 0
    for person_id in {p.id for p, _ in shown.shown}:
        assert sorted(group for p, group in shown.shown if p.id == person_id) == [0, 1]


def test_without_a_member_of_both_groups_there_is_no_parity() -> None:
    assert draw(POOL, NAMES, shots=0).reached is None
    assert draw(POOL, NAMES, shots=0).blocks(TASK) == ()
    assert draw(POOL, NAMES, shots=1, parity=1.0).reached is None
    assert parity_of([(0, 1), (0, 0)]) is None
    assert parity_of([(0, 1), (0, 0), (1, 0)]) == 0.5


def test_swapping_the_groups_flips_the_sign() -> None:
    swapped = [person(1 - p.group, p.label, int(p.shown["age"])) for p in POOL]
    for parity in PARITIES:
        members = [(p.group, p.label) for p in select(POOL, NAMES, n=16, parity=parity, seed=0)]
        assert parity_of([(1 - g, y) for g, y in members]) == -(parity_of(members) or 0.0)
        there = parity_of([(p.group, p.label) for p in select(swapped, NAMES, n=16, parity=-parity, seed=0)])
        assert abs(there or 0.0) == pytest.approx(abs(parity_of(members) or 0.0))


def test_the_seed_changes_who_is_shown_and_the_order() -> None:
    first, again, other = (draw(POOL, NAMES, shots=8, seed=s) for s in (0, 0, 1))
    assert first == again
    assert first != other
    block = first.blocks(TASK)[0]
    assert block.endswith((" yes", " no"))
    labels = [p.label for p, _ in draw(POOL, NAMES, shots=32, parity=1.0, seed=0).shown]
    assert 0 < sum(labels[:16]) < 16  # the order does not sort by label


def test_three_groups_keep_the_third_half_positive() -> None:
    found = cells(30, 3, 1.0)
    assert (found[0, 1], found[1, 1], found[2, 1]) == (10, 0, 5)
    # where the third group has but two unfavourable ones, it takes what there is
    assert cells(30, 3, 1.0, Counter({(2, 0): 2, (2, 1): 40}))[2, 1] == 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shots": -1}, "There cannot be -1 demonstrations"),
        ({"shots": 7, "counterbalanced": True}, "7 is not a multiple of 2"),
        ({"shots": 4, "parity": 1.5}, "parity=1.5 is not between -1 and 1"),
        ({"shots": 160, "parity": 1.0}, "80 of m with the favourable outcome, but there are 40"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(BadOption) as found:
        draw(POOL, NAMES, **options)  # type: ignore[arg-type]
    assert said in found.value.what


@pytest.mark.parametrize("counterbalanced", [False, True])
def test_more_shots_than_people_are_refused_before_any_work(counterbalanced: bool) -> None:
    started = time.monotonic()
    with pytest.raises(BadOption, match="more demonstrations than there are people"):
        draw([], ("a", "b"), shots=10**12, counterbalanced=counterbalanced)
    with pytest.raises(BadOption, match="do not suffice for n=1000000000000"):
        select([], ("a", "b"), n=10**12, parity=0.0, seed=0)
    assert time.monotonic() - started < 1
