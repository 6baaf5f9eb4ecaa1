"""How many requests are under way: halved once for all that were rejected together, and grown by answers."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from evenhand.models import pace as module
from evenhand.models.pace import Pace, Place


def entered(pace: Pace, number: int, stack: ExitStack) -> list[Place]:
    return [stack.enter_context(pace.place()) for _ in range(number)]


def test_a_burst_of_rejections_halves_the_width_once():
    pace = Pace(8)
    with ExitStack() as stack:
        places = entered(pace, 8, stack)
        for place in places:
            place.rejected()
        assert pace.width == 4
    with ExitStack() as stack:
        for place in entered(pace, 4, stack):
            place.rejected()
        assert pace.width == 2


def test_the_width_is_at_least_one_and_no_more_than_were_under_way():
    pace = Pace(100)
    with pace.place() as place:  # one of a hundred that may be
        place.rejected()
    assert pace.width == 1
    with pace.place() as place:
        place.rejected()
    assert pace.width == 1


def test_answers_widen_it_again_up_to_the_most():
    pace = Pace(3)
    with ExitStack() as stack:
        entered(pace, 3, stack)[0].rejected()
    assert pace.width == 1
    widths = []
    for _ in range(8):
        with pace.place() as place:
            place.answered()
        widths.append(pace.width)
    assert widths == [2, 2, 3, 3, 3, 3, 3, 3]


def test_whether_others_were_answered_since():
    pace = Pace(2)
    with ExitStack() as stack:
        one, other = entered(pace, 2, stack)
        assert not one.rejected()
        other.answered()
        assert one.rejected()
        one.again()
        assert not one.rejected()


def test_too_many_under_way_give_up_their_places_before_they_are_sent_again():
    pace, most, now, lock = Pace(16), [0], [0], threading.Lock()
    everybody = threading.Barrier(16)

    def ask(_: int) -> bool:
        with pace.place() as place:
            everybody.wait(timeout=30)
            place.rejected()
            everybody.wait(timeout=30)
            place.again()
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.01)
            with lock:
                now[0] -= 1
            return place.waited

    with ThreadPoolExecutor(16) as pool:
        waited = list(pool.map(ask, range(16)))
    assert most[0] == pace.width == 8
    assert sum(waited) >= 8


@pytest.mark.parametrize(("files", "width"), [(1024, 308), (150, 16), (64, 1)])
def test_no_more_than_the_system_opens_files_for(files, width, monkeypatch):
    resource = pytest.importorskip("resource", reason="only Unix limits the number of open files")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert Pace(1000).width == width
    assert Pace(5).width == min(5, width)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert module._openable() >= 1000
