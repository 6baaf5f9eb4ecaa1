"""Numbers are added kind by kind, and only the newest names are remembered."""

from __future__ import annotations

import pytest

from evenhand.monitor import users
from evenhand.monitor.buffering import Counts
from evenhand.monitor.erasing import Gone
from evenhand.monitor.ingest import Outcome
from evenhand.monitor.retention import Run
from evenhand.monitor.service.keeping import Kept
from evenhand.monitor.service.limits import Buckets
from evenhand.monitor.tally import Newest
from evenhand.monitor.users import Throttle, TooMany


@pytest.mark.parametrize("kind", [Outcome, Gone, Run, Counts])
def test_tallies_are_added_kind_by_kind(kind: type) -> None:
    names = list(vars(kind()))
    ones = kind(**{name: at for at, name in enumerate(names, start=1)})
    assert vars(ones + ones) == {name: 2 * at for at, name in enumerate(names, start=1)}
    assert ones + kind() == ones
    assert type(ones + ones) is kind


def test_only_the_newest_are_kept() -> None:
    held: Newest[str, int] = Newest(2)
    for name in "abac":
        held.keep(name, 1)
    assert list(held) == ["a", "c"]  # a was kept again after b


def test_nobody_fills_the_memory_with_names(monkeypatch) -> None:
    throttle = Throttle(tries=1)
    monkeypatch.setattr(throttle, "_failures", Newest(3))
    for name in "abcd":
        throttle.failed(name)
    with pytest.raises(TooMany):
        throttle.check("d")
    throttle.check("a")  # forgotten
    assert users._REMEMBERED == 10_000
    buckets = Buckets(1.0, 1)
    monkeypatch.setattr(buckets, "_left", Newest(1))
    buckets.take("a")
    with pytest.raises(TooMany):
        buckets.take("a")
    buckets.take("b")
    buckets.take("a")
    kept = Kept(60.0)
    for name in range(500):
        kept.get(name, lambda: 1)
    assert len(kept._held) == 100
