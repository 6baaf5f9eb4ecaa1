"""Plans: what runs, what is read, and that nothing runs twice."""

from __future__ import annotations

import random
from contextlib import contextmanager

from evenhand.scoring import plan
from evenhand.scoring.plan import make_plan
from evenhand.scoring.tokens import Encoded


def test_terms_of_one_prompt_share_one_row_and_one_position():
    plan = make_plan([Encoded((5, 6, 7), 2), Encoded((5, 6, 8), 2)])
    (row,) = plan.rows
    assert row.ids == (5, 6)
    assert row.wanted == ((1, 7), (1, 8))
    assert plan.slots == ((0,), (1,))
    assert plan.asked == 4


def test_a_row_that_begins_another_is_served_by_it():
    # (1,2) begins (1,2,3), which begins (1,2,3,4); (1,9) begins nothing.
    requests = [
        Encoded((1, 2, 9), 2),
        Encoded((1, 2, 3, 4), 1),
        Encoded((1, 2, 3, 4, 5), 4),
        Encoded((1, 9, 9), 2),
    ]
    plan = make_plan(requests)
    assert [row.ids for row in plan.rows] == [(1, 2, 3, 4), (1, 9)]
    assert plan.rows[0].wanted == ((0, 2), (1, 3), (1, 9), (2, 4), (3, 5))
    assert plan.served == 2
    assert plan.slots == ((2,), (0, 1, 3), (4,), (5,))
    assert plan.asked == 2 + 3 + 4 + 2


def test_duplicates_are_read_once():
    plan = make_plan([Encoded((1, 2), 1)] * 3)
    assert (plan.size, plan.duplicates, plan.asked) == (1, 2, 3)
    assert plan.slots == ((0,), (0,), (0,))


def test_the_order_of_requests_changes_the_slots_only():
    draw = random.Random(0)
    requests = [Encoded(tuple(draw.randrange(3) for _ in range(draw.randint(2, 7))), 1) for _ in range(60)]
    shuffled = draw.sample(requests, len(requests))
    first, second = make_plan(requests), make_plan(shuffled)
    assert first.rows == second.rows
    assert first.digest() == second.digest()
    place = dict(zip(requests, first.slots, strict=True))
    assert [place[request] for request in shuffled] == list(second.slots)


def test_every_pair_is_read_from_a_row_that_begins_with_its_own_tokens():
    draw = random.Random(1)
    requests = [Encoded(tuple(draw.randrange(2) for _ in range(draw.randint(2, 9))), 1) for _ in range(80)]
    plan = make_plan(requests)
    answers = [(row.ids[: position + 1], target) for row in plan.rows for position, target in row.wanted]
    assert len(answers) == plan.size
    for request, slots in zip(requests, plan.slots, strict=True):
        wanted = [(request.ids[:i], request.ids[i]) for i in range(request.start, len(request.ids))]
        assert [answers[slot] for slot in slots] == wanted


def test_rows_run_from_long_to_short():
    plan = make_plan([Encoded((1, 2), 1), Encoded((3, 4, 5, 6), 1), Encoded((7, 8, 9), 1)])
    assert [len(row.ids) for row in plan.rows] == [3, 2, 1]


def test_another_target_is_another_digest():
    assert make_plan([Encoded((1, 2), 1)]).digest() != make_plan([Encoded((1, 3), 1)]).digest()


def test_nothing_asked_is_an_empty_plan():
    plan = make_plan([])
    assert (plan.rows, plan.slots, plan.size) == ((), (), 0)


def test_planning_counts_its_rows(monkeypatch):
    done = []

    @contextmanager
    def counting(label, total=None, *, unit, late):
        assert late
        done.append((label, total))
        yield done.append

    monkeypatch.setattr(plan, "task", counting)
    # The row (1, 2, 3) serves its beginning (1, 2); (7,) has nothing in common with it: two rows.
    requests = [Encoded((1, 2, 3, 4), 3), Encoded((1, 2, 5), 2), Encoded((7, 8), 1)]
    made = plan.make_plan(requests)
    assert [row.ids for row in made.rows] == [(1, 2, 3), (7,)]
    assert done == [("planning", 2), 1, 1]
