"""Packed rows: every token of a tree once, each seeing its own text only."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from evenhand.scoring.packing import common, pack, portions
from evenhand.scoring.plan import Row, make_plan
from evenhand.scoring.tokens import Encoded

ROWS = (  # in common: 1 2 | then 3 is shared by the first two
    Row((1, 2, 3, 4), ((1, 3), (3, 9)), 0),
    Row((1, 2, 3, 5, 6), ((1, 3), (4, 8)), 2),
    Row((1, 2, 7), ((0, 2), (2, 8)), 4),
)


def random_rows(seed: int, n: int = 40) -> list[Row]:
    draw = random.Random(seed)
    texts = [
        Encoded((0, 0, *(draw.randrange(3) for _ in range(draw.randint(2, 8)))), draw.randint(1, 3))
        for _ in range(n)
    ]
    return sorted(make_plan(texts).rows, key=lambda row: row.ids)


def ancestors(packed, token: int) -> list[int]:
    return [j for j in range(token + 1) if token < packed.end[j]]


def test_a_tree_by_hand():
    """1 2 run as the beginning; 3 branches into 4 and 5 6, and 7 stands alone: five tokens, not 2 + 3 + 1."""
    (packed,) = pack(ROWS, 2, 100)
    assert packed.ids == (3, 4, 5, 6, 7)
    assert packed.depth == (2, 3, 3, 4, 2)
    assert packed.end == (4, 2, 4, 4, 5)
    assert packed.wanted == ((1, 9, 1), (3, 8, 3), (4, 8, 5)), "positions 0 and 1 belong to the beginning"
    assert packed.places == [1, 3, 4]
    assert [ancestors(packed, i) for i in range(5)] == [[0], [0, 1], [0, 2], [0, 2, 3], [4]]


def test_a_row_without_a_beginning():
    (packed,) = pack(ROWS, 0, 100)
    assert packed.ids == (1, 2, 3, 4, 5, 6, 7)
    assert packed.wanted == ((0, 2, 4), (1, 3, 0), (1, 3, 2), (3, 9, 1), (5, 8, 3), (6, 8, 5))


def test_small_rooms_cut_between_rows_and_repeat_what_they_cut():
    """Room for 3 tokens: 3 4 | 3 5 6 | 7; the second tree has to hold its own 3."""
    assert [packed.ids for packed in pack(ROWS, 2, 3)] == [(3, 4), (3, 5, 6), (7,)]
    assert [packed.ids for packed in pack(ROWS, 2, 1)] == [(3, 4), (3, 5, 6), (7,)]
    assert [packed.ids for packed in pack(ROWS, 2, 4)] == [(3, 4, 5, 6), (7,)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("room", [1, 7, 30, 1000])
def test_every_token_sees_exactly_its_own_text(seed, room):
    rows = random_rows(seed)
    pieces = pack(rows, 2, room)
    assert [row for piece in pieces for row in piece.rows] == rows
    found = {}
    for piece in pieces:
        assert len(piece.ids) <= room or len(piece.rows) == 1
        for place, target, slot in piece.wanted:
            seen = ancestors(piece, place)
            assert [piece.depth[j] for j in seen] == list(range(2, 2 + len(seen)))
            found[slot] = (tuple(piece.ids[j] for j in seen), target)
    for row in rows:
        for k, (position, target) in enumerate(row.wanted):
            if position < 2:
                assert row.slot + k not in found
            else:
                assert found[row.slot + k] == (row.ids[2 : position + 1], target)


@pytest.mark.parametrize("seed", range(5))
def test_one_packed_row_holds_each_beginning_of_a_text_once(seed):
    rows = random_rows(seed)
    (packed,) = pack(rows, 2, 10**6)
    distinct = {row.ids[:n] for row in rows for n in range(3, len(row.ids) + 1)}
    assert len(packed.ids) == len(distinct)


@pytest.mark.parametrize("room", [1, 5, 40])
def test_estimated_sizes_are_the_real_ones(room):
    rows = random_rows(3)
    overlaps = [0, *(common(a.ids, b.ids) for a, b in pairwise(rows))]
    sizes = [run[0] for run in portions([len(row.ids) for row in rows], overlaps, 2, room)]
    assert sizes == [len(piece.ids) for piece in pack(rows, 2, room)]


def test_common_beginnings_against_counting():
    draw = random.Random(0)
    for _ in range(300):
        first, second = (tuple(draw.randrange(2) for _ in range(draw.randint(0, 9))) for _ in range(2))
        counted = next(
            (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
            min(len(first), len(second)),
        )
        assert common(first, second) == counted


def test_nothing_to_pack():
    assert pack([], 3, 10) == []
