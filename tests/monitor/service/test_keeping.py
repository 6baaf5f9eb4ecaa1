"""Results are kept for a moment, and worked out once for all who ask at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from evenhand.monitor.service import keeping
from evenhand.monitor.service.keeping import Kept


def test_a_result_is_kept_until_it_is_old(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    kept, made = Kept(2.0), iter(range(9))
    assert [kept.get("a", lambda: next(made)) for _ in range(2)] == [0, 0]
    assert kept.get("b", lambda: next(made)) == 1
    now[0] += 2
    assert kept.get("a", lambda: next(made)) == 2
    assert [Kept(0).get("a", lambda: next(made)) for _ in range(2)] == [3, 4]


def test_an_error_is_not_kept() -> None:
    kept = Kept(60)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 1) == 1


def test_those_who_ask_at_once_wait_for_one() -> None:
    kept, begun, go, made = Kept(60), threading.Event(), threading.Event(), []

    def work() -> int:
        begun.set()
        go.wait(10)
        made.append(1)
        return len(made)

    threads = [threading.Thread(target=kept.get, args=("a", work)) for _ in range(5)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    go.set()
    for thread in threads:
        thread.join()
    assert made == [1]


@pytest.mark.parametrize(("age", "seen"), [(2.0, "before"), (5.9, "before"), (6.0, "after")])
def test_while_one_works_it_out_again_others_see_the_one_before_unless_that_is_too_old(
    age, seen, monkeypatch
) -> None:
    now, begun, go = [100.0], threading.Event(), threading.Event()
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    kept = Kept(2.0)
    assert kept.get("a", lambda: "before") == "before"
    now[0] += age

    def work() -> str:
        begun.set()
        go.wait(10)
        return "after"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.get, "a", work)
        assert begun.wait(10)
        other = pool.submit(kept.get, "a", lambda: "a second time")
        if seen == "before":
            assert other.result(10) == "before", "it does not wait"
        go.set()
        assert (first.result(10), other.result(10)) == ("after", seen)
    assert kept.get("a", lambda: "again") == "after"


def test_what_was_asked_for_leaves_nothing_to_wait_for() -> None:
    kept = Kept(60)
    for number in range(1000):
        for _ in range(2):
            assert kept.get(number, lambda number=number: number) == number
    assert not kept._working  # one lock for every address that somebody made up would be a leak


def test_what_is_forgotten_is_worked_out_anew_also_where_it_was_begun_before() -> None:
    kept, made = Kept(60), iter(range(9))
    assert kept.get("a", lambda: next(made)) == 0
    kept.forget()
    assert kept.get("a", lambda: next(made)) == 1

    def changed_meanwhile() -> int:
        kept.forget()
        return next(made)

    assert kept.get("b", changed_meanwhile) == 2
    assert kept.get("b", lambda: next(made)) == 3
