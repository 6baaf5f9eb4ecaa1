"""Places for results are looked at before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evenhand.errors import BadData, NoSpace
from evenhand.outputs import (
    UNSEALED,
    check_ours,
    check_output_file,
    check_output_folder,
    check_treatment_folder,
    sealed,
)

SIGN = b"by evenhand"
CHECKS = {
    "file": lambda path: check_output_file(path, SIGN),
    "folder": check_output_folder,
    "treatment": check_treatment_folder,
}
each = pytest.mark.parametrize("kind", CHECKS)


@each
def test_a_good_place_is_left_as_it_is(kind: str, tmp_path: Path) -> None:
    (
        tmp_path / ".evenhand-0123456789abcdef-abcdefgh.tmp"
    ).touch()  # of a process that was killed while it looked
    CHECKS[kind](tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@each
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("file/a", "lies below .*file, which is a file"),
        ("file/a/b", "lies below .*file, which is a file"),
        ("x" * 300, r"xxx\.\.\. is too long: it has 300 bytes"),
        ("a/" + "x" * 300, "xxx... is too long: it has 300 bytes"),
        ("x" * 300 + "/a", "is too long"),
        ("/".join(["x" * 200] * 30), "is too long a path"),
    ],
)
def test_a_place_that_cannot_be(kind: str, name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadData, match=said):
        CHECKS[kind](tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_wrong_kind_of_thing_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("by evenhand")
    with pytest.raises(BadData, match=r"is a folder, not a file\."):
        check_output_file(tmp_path, SIGN)
    for check in (check_output_folder, check_treatment_folder):
        with pytest.raises(BadData, match=r"is a file, not a folder\."):
            check(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadData, match="is a device or a pipe"):
        check_output_file(tmp_path / "pipe", SIGN)


def test_a_name_must_leave_room_for_the_working_folder(tmp_path: Path) -> None:
    check_output_folder(tmp_path / ("x" * 250))
    with pytest.raises(BadData, match="Use at most 245"):
        check_treatment_folder(tmp_path / ("x" * 250))


def test_only_our_own_file_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    check_ours(path, SIGN)
    whole = sealed(b"x" * 50_000 + SIGN + UNSEALED.encode() + b"\n")
    for content, ours in ((b"", True), (whole, True), (b" ", False), (b"mine", False)):
        path.write_bytes(content)
        if ours:
            check_output_file(path, SIGN)
        else:
            with pytest.raises(BadData, match=r"report\.html is not replaced: .* evenhand did not write it"):
                check_output_file(path, SIGN)
        assert path.read_bytes() == content


@pytest.mark.parametrize("changed", [b"%s!", b"!%s", b"%s".replace(b"%s", b"%.300s")])
def test_a_file_that_was_changed_since_is_not_replaced(changed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    whole = sealed(b"x" * 400 + SIGN + UNSEALED.encode() + b" between " + UNSEALED.encode())
    path.write_bytes(whole)
    check_output_file(path, SIGN)
    for content in (changed % whole + SIGN, whole.replace(b"between", b"becween"), SIGN):
        path.write_bytes(content)
        with pytest.raises(BadData, match="it was changed since evenhand wrote it, or an earlier version"):
            check_output_file(path, SIGN)
        assert path.read_bytes() == content


@each
@pytest.mark.parametrize("number", [13, 28, 30, 122])
def test_no_room_or_no_right(kind: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(NoSpace, match=f"a cannot be written: {os.strerror(number)}"):
        CHECKS[kind](tmp_path / "a")
