"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from evenhand.errors import BadData, NoSpace
from evenhand.files import disk_errors, expanded, json_object, read_text, replace_folder, write_atomically


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "result.json"
    write_atomically(target, b"old")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert [p.name for p in target.parent.iterdir()] == ["result.json"]


def test_the_old_file_is_never_written_into(tmp_path: Path) -> None:
    """Whoever reads the old file while the new one is written reads the old one to its end."""
    target, kept = tmp_path / "result.json", tmp_path / "kept.json"
    write_atomically(target, b"old")
    os.link(target, kept)  # a second name of the same bytes on disk
    with target.open("rb") as reader:
        write_atomically(target, b"new")
        assert reader.read() == b"old"
    assert (target.read_bytes(), kept.read_bytes()) == (b"new", b"old")


def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "result.json"
    write_atomically(target, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NoSpace, match=r"result\.json cannot be written: No space left.*--out"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "treated"
    with replace_folder(folder) as temporary:
        (temporary / "a").write_text("1")
    with replace_folder(folder) as temporary:
        (temporary / "b").write_text("2")
    assert [p.name for p in folder.iterdir()] == ["b"]


def test_an_error_inside_keeps_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "treated"
    with replace_folder(folder) as temporary:
        (temporary / "a").write_text("1")
    with pytest.raises(FileNotFoundError), replace_folder(folder) as temporary:
        (temporary / "absent").read_text()
    assert [p.name for p in folder.iterdir()] == ["a"]
    assert [p.name for p in tmp_path.iterdir()] == ["treated"]


def test_other_os_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk_errors(tmp_path):
        (tmp_path / "absent").read_bytes()


def test_text_is_read_whole_or_refused_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufefffrüh\n".encode())
    assert read_text(path) == "früh\n"
    for data, said in ((b" \n", "is empty"), ("früh".encode("latin-1"), "byte 2 cannot be read")):
        path.write_bytes(data)
        with pytest.raises(BadData, match=said):
            read_text(path)
    with pytest.raises(BadData, match=r"cannot be read: No such file.* Name another\."):
        read_text(tmp_path / "b.txt", mend="Name another.")


def test_a_tilde_is_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").write_text("words")
    assert read_text(Path("~/a.txt")) == "words"
    assert expanded(Path("~nobody-of-this-name/a.txt")) == Path("~nobody-of-this-name/a.txt")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"a": 1', r"not JSON \(Expecting ',' delimiter at column 8\)"),
        ("[1]", "not a JSON object"),
        ("1" * 5000, "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_line_that_is_no_json_object(line: str, why: str) -> None:
    assert json_object('{"a": [1]}') == {"a": [1]}
    with pytest.raises(ValueError, match=f"^{why}"):
        json_object(line)
