"""One at a time in a folder; a lock leaves nothing behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from evenhand import locks
from evenhand.locks import Lock, alone, attempt


def test_others_wait_and_the_thread_itself_does_not(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with alone(tmp_path):
            order.append("second")

    with alone(tmp_path), alone(tmp_path / "."):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_folder_that_stays_empty_is_removed_again(tmp_path: Path) -> None:
    with alone(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with alone(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").touch()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["a", "a/b", "a/b/file"]
    with alone(tmp_path / "a"):
        pass
    (tmp_path / "empty").mkdir()
    with alone(tmp_path / "empty"):  # it was there before
        pass
    assert (tmp_path / "empty").is_dir()


def test_many_who_make_and_remove_the_same_folder(tmp_path: Path) -> None:
    inside = 0
    worst: list[int] = []

    def work() -> None:
        nonlocal inside
        for _ in range(20):
            with alone(tmp_path / "a"):
                inside += 1
                worst.append(inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(worst), max(worst)) == (80, 1)


def test_without_locks_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    with alone(tmp_path / "a"), (tmp_path / "b").open("w") as file:
        assert attempt(file.fileno()) is Lock.UNKNOWN
        (tmp_path / "a" / "c").touch()
    assert (tmp_path / "a" / "c").exists()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr("fcntl.flock", refused)
    with alone(tmp_path / "a"), (tmp_path / "b").open("w") as file:
        assert attempt(file.fileno()) is Lock.UNKNOWN
