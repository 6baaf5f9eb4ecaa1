"""Folders made once: damage is noticed, half-made work is never seen, a race has one winner."""

import errno
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from evenhand.errors import NoSpace
from evenhand.folders import NOTE
from evenhand.lab import cache


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "thing"


def lying(place):
    """All that lies in the cache."""
    return sorted(p.name for p in place.parent.glob("*"))


class Maker:
    """Writes one file and counts."""

    def __init__(self):
        self.calls = 0

    def __call__(self, folder):
        self.calls += 1
        (folder / "weights").write_bytes(b"\x01\x02")


def test_it_is_made_once(place):
    make = Maker()
    assert cache.kept("thing", make) == cache.kept("thing", make) == place
    assert make.calls == 1
    assert (place / "weights").read_bytes() == b"\x01\x02"
    assert lying(place) == ["thing"]


@pytest.mark.parametrize("damage", ["changed", "lost", "added", "unsigned"])
def test_damage_is_noticed_said_and_mended(place, damage):
    make = Maker()
    cache.kept("thing", make)
    if damage == "changed":
        (place / "weights").write_bytes(b"\x01\x03")
    elif damage == "lost":
        (place / "weights").unlink()
    elif damage == "added":
        (place / "more").touch()
    else:
        (place / cache.SUMS).unlink()
    with pytest.warns(UserWarning, match="damaged"):
        cache.kept("thing", make)
    assert make.calls == 2
    assert cache.intact(place)
    assert lying(place) == ["thing", "thing.damaged"]  # the change may be somebody's work
    found = sorted(p.name for p in (place.parent / "thing.damaged").iterdir() if p.name[0] != ".")
    assert found == {"lost": [cache.SUMS], "added": [cache.SUMS, "more", "weights"],
                     "unsigned": ["weights"], "changed": [cache.SUMS, "weights"]}[damage]  # fmt: skip


def test_an_interrupted_making_leaves_nothing(place):
    def fails(folder):
        (folder / "weights").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.kept("thing", fails)
    assert lying(place) == []


def test_what_a_killed_making_left_is_swept(place):
    make = Maker()
    cache.kept("thing", make)
    left = place.parent / ".thing.evenhand"
    (left / "old").mkdir(parents=True)  # killed when the new folder was already in its place
    (left / NOTE).touch()
    cache.kept("thing", make)
    assert lying(place) == ["thing"]
    assert make.calls == 1


def test_the_second_of_two_waits_and_takes_the_result_of_the_first(place):
    started, make = threading.Event(), Maker()

    def slow(folder):
        started.set()
        assert not waiting.done()
        time.sleep(0.2)  # the second process asks in this time
        make(folder)

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(lambda: (started.wait(10), cache.kept("thing", make)))
        assert cache.kept("thing", slow) == place
        assert waiting.result(10) == (True, place)
    assert make.calls == 1
    assert lying(place) == ["thing"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_cannot_be_written_is_said(place, number):
    def fails(folder):
        raise OSError(number, "no")

    with pytest.raises(NoSpace, match="EVENHAND_CACHE"):
        cache.kept("thing", fails)


def test_other_errors_are_not_hidden(place):
    def fails(folder):
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        cache.kept("thing", fails)


def test_the_home_folder_where_nothing_is_named(monkeypatch):
    from evenhand import folders

    monkeypatch.delenv("EVENHAND_CACHE")
    assert folders.cache_folder() == folders.Path.home() / ".cache" / "evenhand"
