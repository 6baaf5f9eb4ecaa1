"""Which beginnings run once: those that save more than their passes cost, whatever the order of rows."""

from __future__ import annotations

import random

import pytest

from evenhand.scoring.packing import pack
from evenhand.scoring.plan import Row
from evenhand.scoring.sharing import Group, Sharing, find_groups, sharing_on

FREE = Sharing(shortest=1, forward=0, gain=0.0, room=10**6)


def rows_of(*texts: tuple[int, ...]) -> list[Row]:
    return [Row(ids, ((len(ids) - 1, 0),), i) for i, ids in enumerate(texts)]


def shots(seed: int, length: int, questions: int, *, own: int = 20) -> list[tuple[int, ...]]:
    draw = random.Random(seed)
    beginning = tuple(draw.randrange(1000) for _ in range(length))
    return [(*beginning, 5000 + q, *(draw.randrange(1000) for _ in range(own))) for q in range(questions)]


def cost(groups: list[Group], rows: list[Row], sharing: Sharing) -> int:
    """What the choice comes to in tokens, counted from the packed rows themselves."""
    grouped = {row.slot for group in groups for row in group.rows}
    total = sum(len(row.ids) for row in rows if row.slot not in grouped)
    for group in groups:
        pieces = pack(group.rows, group.start, sharing.packed(group.start))
        total += group.start + sum(len(piece.ids) for piece in pieces)
        total += sharing.forward * (1 + len(pieces))
    return total


def test_demonstrations_are_one_group():
    rows = rows_of(*shots(0, 500, 30))
    (group,) = find_groups(rows, Sharing())
    assert group.start == 500
    assert group.beginning == rows[0].ids[:500]
    assert {row.slot for row in group.rows} == set(range(30))
    assert group.positions == []


def test_short_prompts_with_three_words_in_common_are_left_alone():
    assert find_groups(rows_of(*shots(0, 3, 2000, own=5)), Sharing()) == []


def test_two_questions_do_not_pay_for_the_passes():
    """Whole: 2 x 121. Shared: 100 + 42 + two passes of 64."""
    assert find_groups(rows_of(*shots(0, 100, 2)), Sharing()) == []
    assert find_groups(rows_of(*shots(0, 100, 2)), Sharing(forward=0)) == [], "less than the test costs"
    assert len(find_groups(rows_of(*shots(0, 100, 9)), Sharing())) == 1


def test_a_small_group_in_a_large_workload_is_not_worth_it():
    loose = [tuple(random.Random(i).randrange(1000) for _ in range(100)) for i in range(200)]
    assert find_groups(rows_of(*shots(0, 100, 9), *loose), Sharing()) == []


def test_a_header_in_common_does_not_hide_the_demonstrations():
    """Two sets of examples behind one instruction of 40 tokens: two groups, not one."""
    header = tuple(range(9000, 9040))
    rows = rows_of(*(header + text for seed in (1, 2) for text in shots(seed, 300, 20)))
    groups = find_groups(rows, Sharing())
    assert sorted(group.start for group in groups) == [340, 340]
    assert all(len(group.rows) == 20 for group in groups)


def test_branches_inside_a_group_stay_in_it():
    """Each person's prompt is asked for four answers: a packed row holds it once, no group needed."""
    rows = rows_of(*((*text, label, 7) for text in shots(0, 400, 25) for label in range(4)))
    (group,) = find_groups(rows, Sharing())
    assert group.start == 400
    assert len(group.rows) == 100
    pieces = pack(group.rows, 400, 10**6)
    assert sum(len(piece.ids) for piece in pieces) == 25 * (1 + 20) + 100 * 2


def test_positions_wanted_in_the_beginning():
    first, second = Row((1, 2, 3, 4), ((1, 3), (2, 4), (3, 9)), 0), Row((1, 2, 3, 5), ((0, 2), (3, 1)), 3)
    assert Group((first, second), 3).positions == [0, 1, 2]


def random_texts(seed: int) -> list[tuple[int, ...]]:
    """A random tree: short runs of a text seen before, then a branch of its own."""
    draw = random.Random(seed)
    texts = [tuple(draw.randrange(50) for _ in range(20))]
    for i in range(40):
        known = draw.choice(texts)
        texts.append((*known[: draw.randrange(len(known))], 100 + i, *(draw.randrange(50) for _ in range(9))))
    return texts


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("sharing", [FREE, Sharing(shortest=4, forward=5, gain=0.0, room=25)])
def test_groups_are_disjoint_alike_cheaper_and_independent_of_order(seed, sharing):
    rows = rows_of(*random_texts(seed))
    groups = find_groups(rows, sharing)
    members = [row.slot for group in groups for row in group.rows]
    assert len(members) == len(set(members))
    for group in groups:
        assert group.start >= sharing.shortest
        assert len({row.ids[: group.start] for row in group.rows}) == 1
        assert len({row.ids[: group.start + 1] for row in group.rows}) > 1, "the whole of what is shared"
    whole = sum(len(row.ids) for row in rows)
    assert cost(groups, rows, sharing) <= whole
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert find_groups(shuffled, sharing) == groups


def test_one_group_is_beaten_by_no_cut_of_it():
    """Free passes and room for all: a tree costs its distinct beginnings, which no choice undercuts."""
    rows = rows_of(*((0, *text) for text in random_texts(0)))
    distinct = {row.ids[:n] for row in rows for n in range(1, len(row.ids) + 1)}
    assert cost(find_groups(rows, FREE), rows, FREE) == len(distinct)


def test_nothing_and_one_row():
    assert find_groups([], Sharing()) == []
    assert find_groups(rows_of((1, 2, 3)), FREE) == []


def test_packed_rows_grow_with_the_beginning():
    assert (Sharing().packed(100), Sharing().packed(1500)) == (256, 500)


def test_an_accelerator_shares_where_passes_are_fewer():
    """A hundred questions of 20 after 60: 2100 tokens in 9 passes, or in 3 that count for 1024 each."""
    rows = rows_of(*shots(0, 60, 100))
    assert sharing_on("cpu") == Sharing()
    assert len(find_groups(rows, sharing_on("cpu"))) == 1
    (group,) = find_groups(rows, sharing_on("cuda"))
    assert len(pack(group.rows, group.start, sharing_on("cuda").packed(60))) == 3
    assert find_groups(rows[:60], sharing_on("cpu"))
    assert find_groups(rows[:60], sharing_on("cuda")) == [], "60 x 81 = 4860 hardly pays 60 + 1260 + 3 passes"
