"""Folders are replaced only where everything in them is ours, and a kill at any instant loses neither."""

from __future__ import annotations

import ast
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evenhand import folders, locks
from evenhand.errors import BadData, NoSpace, UsageError
from evenhand.folders import (
    MARK,
    check_replaceable,
    remove_written,
    replace_folder,
    set_aside,
    settle,
    sole_writer,
)

SOURCE = Path(__file__).parents[1] / "src" / "evenhand"


def write(folder: Path | str, text: str = "1", *, kind: str = "folder") -> None:
    with replace_folder(folder, kind=kind) as new:
        (new / "a").write_text(text)
        (new / "deep").mkdir()
        (new / "deep" / "b").write_text(text)


def tree(folder: Path) -> dict[str, str | None]:
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_text()
        for path in folder.rglob("*")
        if path.name != MARK
    }


def written(text: str = "1") -> dict[str, str | None]:
    return {"t": None, "t/a": text, "t/deep": None, "t/deep/b": text}


def test_what_we_wrote_and_what_is_empty_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    write(tmp_path / "t", "1")
    write(str(tmp_path / "t"), "2")
    assert tree(tmp_path) == written("2")
    (tmp_path / "t" / "a").unlink()  # nothing is lost with what somebody has removed
    write(tmp_path / "t", "3")
    assert tree(tmp_path) == written("3")
    mark = json.loads((tmp_path / "t" / MARK).read_text())
    assert (mark["format"], sorted(mark["files"])) == ("evenhand/folder/1", ["a", "deep/b"])


def _foreign(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def _deep(folder: Path) -> None:
    (folder / "deep" / ".hidden").write_text("mine")


def _empty(folder: Path) -> None:
    (folder / "mine").mkdir()


def _link(folder: Path) -> None:
    (folder / "a").rename(folder.parent / "a")
    (folder / "a").symlink_to(folder.parent / "a")


def _changed(folder: Path) -> None:
    (folder / "a").write_text("corrected by hand")


def _unmarked(folder: Path) -> None:
    (folder / MARK).unlink()


def _broken(folder: Path) -> None:
    (folder / MARK).write_text("{")


def _of_old(folder: Path) -> None:
    (folder / MARK).write_text('{"format": "something else", "files": {}}')


@pytest.mark.parametrize(
    ("touch", "said"),
    [
        (_foreign, "holds notes.txt, which evenhand did not write"),
        (_deep, r"holds deep/\.hidden, which evenhand did not write"),
        (_empty, "holds mine, which evenhand did not write"),
        (_link, "holds a, which evenhand did not write"),
        (_changed, "its file a was changed since evenhand wrote it"),
        (
            _unmarked,
            r"has no readable \.evenhand\.json: evenhand did not write it.* \(it holds a; deep\)",
        ),
        (_broken, "evenhand did not write it"),
        (_of_old, "evenhand did not write it"),
    ],
)
def test_what_is_not_ours_is_refused_and_stays(
    touch: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    write(tmp_path / "t")
    touch(tmp_path / "t")
    before = tree(tmp_path)
    with pytest.raises(BadData, match=said):
        check_replaceable(tmp_path / "t")
    with pytest.raises(BadData, match=said):
        write(tmp_path / "t", "2")
    assert tree(tmp_path) == before


def test_what_comes_in_while_we_write_is_not_lost(tmp_path: Path) -> None:
    write(tmp_path / "t")
    replacing = replace_folder(tmp_path / "t")
    (replacing.__enter__() / "a").write_text("2")
    _foreign(tmp_path / "t")
    with pytest.raises(BadData, match=r"holds notes\.txt"):
        replacing.__exit__(None, None, None)
    assert tree(tmp_path) == {**written("1"), "t/notes.txt": "mine"}


def test_behind_a_link_the_real_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("t")
    write(tmp_path / "link", "1")  # nothing was there yet
    write(tmp_path / "link", "2")
    assert (tmp_path / "link").is_symlink()
    assert tree(tmp_path / "t") == {"a": "2", "deep": None, "deep/b": "2"}
    _foreign(tmp_path / "t")
    with pytest.raises(BadData, match=r"holds notes\.txt"):
        write(tmp_path / "link", "3")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(BadData, match="leads back to itself"):
        write(tmp_path / "circle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "link", "t"]


@pytest.mark.parametrize("name", [".", "..", "/", "~", "link"])
def test_where_somebody_works_nothing_is_replaced(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "above" / "here", tmp_path / "home"
    here.mkdir(parents=True)
    home.mkdir()
    (here / "link").symlink_to(here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(UsageError, match=r"which evenhand does not replace .*such as"):
        write(os.path.expanduser(name))  # noqa: PTH111
    assert here.is_dir()
    assert [path.name for path in here.iterdir()] == ["link"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("mine")
    with pytest.raises(BadData, match="t is a file, not a folder"):
        write(tmp_path / "t")
    (tmp_path / ".u.evenhand").mkdir()
    (tmp_path / ".u.evenhand" / "x").write_text("mine")
    (tmp_path / ".v.evenhand").write_text("mine")
    for name in ("u", "v"):
        with pytest.raises(BadData, match=rf"\.{name}\.evenhand is in the way"):
            write(tmp_path / name)
    assert tree(tmp_path) == {
        "t": "mine", ".u.evenhand": None, ".u.evenhand/x": "mine", ".v.evenhand": "mine"
    }  # fmt: skip


def test_a_full_disk_leaves_the_old_folder(tmp_path: Path) -> None:
    from safetensors import SafetensorError

    write(tmp_path / "t")
    for error in (
        OSError(28, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ):
        with (
            pytest.raises(NoSpace, match="t cannot be written: No space left"),
            replace_folder(tmp_path / "t"),
        ):
            raise error
    with pytest.raises(SafetensorError), replace_folder(tmp_path / "t"):
        raise SafetensorError("Error while serializing: something else")
    assert tree(tmp_path) == written("1")


def _kill_everywhere(place: Path, old: bool) -> None:
    """Kill a write before each change of the disk in turn, until one ends: old or new stands, whole."""
    whole = [{"a": text, "deep": None, "deep/b": text} for text in ("1", "2")]
    for number in itertools.count():
        folder = place / f"{number}" / "t"
        if old:
            write(folder, "1")
        child = os.fork()
        if child == 0:
            _kill_at(number)
            write(folder, "2")
            os._exit(0)
        killed = os.waitpid(child, 0)[1] != 0
        settle(folder)  # a reader
        assert all(path.name == "t" for path in folder.parent.glob("*")), number
        stands = tree(folder) if folder.exists() else None
        assert stands in (whole if old else [None, whole[1]]), number
        write(folder, "2")
        assert tree(folder.parent) == written("2"), number
        if not killed:
            assert number > (15 if old else 10)  # makes, writes, marks, moves, deletes
            return


def _kill_at(number: int) -> None:
    """Let this process die before it changes the disk for the time `number`, from 0."""
    steps = itertools.count()

    def wrapped(real: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **options: object) -> object:
            if next(steps) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return step

    for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync"):
        setattr(os, name, wrapped(getattr(os, name)))


@pytest.mark.parametrize("old", [True, False])
def test_a_kill_at_every_change_of_the_disk(old: bool, tmp_path: Path) -> None:
    """In a process without threads, which may be forked."""
    process = multiprocessing.get_context("spawn").Process(target=_kill_everywhere, args=(tmp_path, old))
    process.start()
    process.join(120)
    assert process.exitcode == 0


def test_a_folder_that_somebody_made_after_a_kill_is_kept_beside_the_old_one(tmp_path: Path) -> None:
    write(tmp_path / "t", "1")
    shop = tmp_path / ".t.evenhand"
    shop.mkdir()
    (shop / folders.NOTE).write_text("")
    (shop / "new").mkdir()
    (tmp_path / "t").rename(shop / "old")  # killed here
    (tmp_path / "t").mkdir()
    _foreign(tmp_path / "t")
    with sole_writer(tmp_path / "t"):
        pass
    assert tree(tmp_path) == {
        "t": None,
        "t/notes.txt": "mine",
        **{name.replace("t", "t.old", 1): text for name, text in written("1").items()},
    }


def test_without_locks_a_reader_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    with sole_writer(tmp_path / "t"):
        (tmp_path / ".t.evenhand" / "new").mkdir()
        settle(tmp_path / "t")
        assert (tmp_path / ".t.evenhand" / "new").is_dir()


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    def read() -> None:
        settle(tmp_path / "t")
        settle(tmp_path / "u")

    write(tmp_path / "t", "1")
    with sole_writer(tmp_path / "t"), sole_writer(tmp_path / "u"):
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(10)
        assert not reader.is_alive()


def _writes(folder: Path, text: str, times: int) -> None:
    for _ in range(times):
        write(folder, text)


@pytest.mark.parametrize("times", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_two_processes_with_one_folder_both_finish(times: int, tmp_path: Path) -> None:
    """800 writes are as many as once gave 7 errors."""
    racers = [
        multiprocessing.get_context("spawn").Process(target=_writes, args=(tmp_path / "t", text, times))
        for text in "12"
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(300)
    assert [racer.exitcode for racer in racers] == [0, 0]
    assert tree(tmp_path) in (written("1"), written("2"))


def test_the_second_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with sole_writer(tmp_path / "t"):
            order.append("second")

    with sole_writer(tmp_path / "t"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        write(tmp_path / "t")  # the thread that is the writer does not wait for itself
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert tree(tmp_path) == written("1")


def test_only_checkpoints_that_nobody_touched_are_removed(tmp_path: Path) -> None:
    place = tmp_path / "t.unfinished"
    for name, kind in (("one", "checkpoint"), ("two", "checkpoint"), ("three", "treatment")):
        write(place / name, kind=kind)
    _foreign(place / "two")
    remove_written(place, kind="checkpoint")
    assert sorted(path.name for path in place.iterdir()) == ["three", "two"]
    (place / "two" / "notes.txt").unlink()
    (place / "three").rename(tmp_path / "three")
    remove_written(place, kind="checkpoint")
    assert [path.name for path in tmp_path.iterdir()] == ["three"]
    (tmp_path / "link").symlink_to(tmp_path / "three")
    remove_written(tmp_path / "link", kind="folder")
    remove_written(tmp_path / "absent", kind="folder")
    assert (tmp_path / "three" / "a").exists()


def test_what_is_set_aside_takes_no_place_that_is_taken(tmp_path: Path) -> None:
    for text in "abc":
        (tmp_path / "x").write_text(text)
        set_aside(tmp_path / "x", tmp_path / "x.aside")
    assert tree(tmp_path) == {"x.aside": "a", "x.aside-2": "b", "x.aside-3": "c"}


REMOVERS = {"rmtree", "rmdir", "removedirs", "move", "unlink"}
RENAMERS = {"rename", "renames", "replace"}
ALLOWED = {
    "folders.py": REMOVERS | RENAMERS,
    "locks.py": {"rmdir"},  # of folders that it made itself, and only if they are empty
    "files.py": {"replace", "unlink"},  # of a file by its temporary one; of temporary ones
    "sources/pulling.py": {"replace", "unlink"},  # of a part that was fetched
    "frames/spilling.py": {"rmtree"},  # of folders with this program's mark that no process has locked
    "scoring/kept.py": {"unlink"},  # of a temporary file that it has just made and mapped
    "monitor/export.py": {"rename", "rmtree"},  # of a folder that it has just made, to a name that is free
    "monitor/store/backup.py": {"rename", "unlink"},  # of a copy that it has just made, as above
    "monitor/store/opening.py": {"unlink"},  # of a draft whose link stays
    "studies/store.py": {"unlink"},  # of items whose name and content both are ours
}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_nothing_else_replaces_or_removes(path: Path) -> None:
    """Calls by name, so that ``shutil.rmtree``, ``os.rename`` and ``Path.rename`` are all met."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in {"shutil", "os"}:
            found |= {alias.name for alias in node.names} & (REMOVERS | RENAMERS)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found |= {node.func.attr} & (REMOVERS | RENAMERS) if _of_a_place(node) else set()
    assert found - ALLOWED.get(str(path.relative_to(SOURCE)), set()) == set()


def _of_a_place(call: ast.Call) -> bool:
    """Not a text's replace, which takes two texts, a record's, which takes keywords, or a frame's rename.

    That of pandas takes keywords, that of Ibis a mapping that is written out, which no path's rename takes.
    """
    assert isinstance(call.func, ast.Attribute)
    module = isinstance(call.func.value, ast.Name) and call.func.value.id in {"os", "shutil"}
    mapping = bool(call.args) and isinstance(call.args[0], ast.Dict | ast.DictComp)
    return module or (len(call.args) < 2 and not call.keywords and not mapping)


def test_a_rename_of_columns_is_told_from_that_of_a_file() -> None:
    texts = {
        "table.rename({'a': 'b'})": False,
        "table.rename({new: old for new, old in pairs})": False,
        "path.rename(target)": True,
        "path.rename(names['a'])": True,
        "os.rename({'a': 'b'}, 'c')": True,
    }
    for text, place in texts.items():
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        assert _of_a_place(call) is place, text


def test_a_working_folder_says_what_it_is(tmp_path: Path) -> None:
    with sole_writer(tmp_path / "t"):
        assert (
            "run it again, and it completes or restores"
            in (tmp_path / ".t.evenhand" / folders.NOTE).read_text()
        )
    assert list(tmp_path.iterdir()) == []


def test_nothing_heavy_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, evenhand.outputs; print('torch' in sys.modules)"],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
    )  # fmt: skip
    assert done.stdout == "False\n"
