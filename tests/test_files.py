"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand import files
from evenhand.errors import BadData, NoSpace
from evenhand.files import (
    disk_errors,
    expanded,
    json_object,
    lines,
    parse_json,
    parse_toml,
    read_json_object,
    read_text,
    sweep,
    write_atomically,
)


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


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("deep/file")
    write_atomically(tmp_path / "link", b"1")
    write_atomically(tmp_path / "link", b"2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "deep" / "file").read_bytes() == b"2"


def test_permissions(tmp_path: Path) -> None:
    for mode in (0o644, 0o600):
        write_atomically(tmp_path / "file", b"1", mode=mode)
        assert (tmp_path / "file").stat().st_mode & 0o777 == mode
    write_atomically(tmp_path / "file", b"1")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "folder is a folder, not a file"),
        ("file/below", "cannot be written: (Not a directory|File exists)"),
        ("file/below/deep", "cannot be written: Not a directory"),
        ("x" * 300, "cannot be written: File name too long"),
        ("circle", "leads back to itself"),
        ("pipe", "pipe is a device or a pipe, not a file"),
    ],
)
def test_a_place_that_can_be_no_file(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadData, match=said):
        write_atomically(tmp_path / name, b"1")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["circle", "file", "folder", "pipe"]


def test_a_working_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()
    with pytest.raises(BadData, match="working folder is gone"):
        write_atomically(Path("file"), b"1")
    monkeypatch.chdir(tmp_path)


def test_a_name_of_full_length_can_be_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("x" * 255), b"1")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"1"


def test_only_temporary_files_of_dead_processes_are_swept(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from evenhand.files import temporary\n"
        "with temporary(Path(sys.argv[1])) as (name, file):\n"
        "    print(name.name, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    source = str(Path(__file__).parents[1] / "src")
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    for other in (
        *(".DS_Store", ".evenhand-x", "evenhand-x.tmp", ".result.json.x"),
        *(".evenhand-my_notes.tmp", ".evenhand-abcdefgh.tmp", ".evenhand-0123456789abcdef.tmp"),
    ):
        (tmp_path / other).touch()
    (tmp_path / ".evenhand-folder.tmp").mkdir()
    (tmp_path / ".evenhand-link.tmp").symlink_to("evenhand-x.tmp")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert name in before
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before  # it lives
    process.kill()
    process.communicate()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [one for one in before if one != name]
    sweep(tmp_path / "absent")


def test_the_first_write_sweeps_its_folder(tmp_path: Path) -> None:
    (tmp_path / ".evenhand-0123456789abcdef-abcdefgh.tmp").touch()
    write_atomically(tmp_path / "file", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


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
        ("1" * 5000, "not readable: it has a number of thousands"),
        ("[" * 100_000, "nested too deeply"),
        (r'{"a": ["b \ud800"]}', r"not Unicode text: \\ud800 is half of a surrogate pair"),
    ],
)
def test_a_line_that_is_no_json_object(line: str, why: str) -> None:
    assert json_object('{"a": [1]}') == {"a": [1]}
    with pytest.raises(ValueError, match=f"^{why}"):
        json_object(line)


def test_a_line_ends_at_a_line_feed_alone() -> None:
    inside = "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\rh"
    assert lines(f"{inside}\r\n\n{inside}") == [inside, "", inside]
    assert lines("a\nb\n") == lines("a\nb") == ["a", "b"]
    assert lines("") == []


def test_nothing_splits_at_the_ends_that_python_knows() -> None:
    """`str.splitlines` cuts at eight more signs, which are part of what somebody wrote."""
    source = Path(files.__file__).parent
    found = [
        f"{path.relative_to(source)}:{number}"
        for path in source.rglob("*.py")
        for number, line in enumerate(lines(path.read_text(encoding="utf-8")), start=1)
        if ".splitlines(" in line and "str(error)" not in line  # what a library says, to cut it short
    ]
    assert found == []


def test_old_macintosh_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\rtwo\r")
    with pytest.raises(BadData, match=r"carriage returns alone.*tr '\\r' '\\n' <"):
        read_text(path)
    path.write_bytes(b"one\r")
    assert lines(read_text(path)) == ["one"]


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="the key 'b' stands twice"):
        json_object('{"a": {"b": 1, "c": 2, "b": 1}}')


def test_json_as_bytes_says_where_it_breaks() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    with pytest.raises(ValueError, match=r"^not UTF-8 text \(byte 1 cannot be read\)"):
        parse_json(b'"\xff"')
    with pytest.raises(ValueError, match=r"^not JSON \(.* at line 2, column 1\)"):
        parse_json('{"a":\n}')


def test_half_a_character_is_refused_or_replaced_and_a_whole_pair_kept() -> None:
    whole = r'["\ud83d\ude00", {"\ud800 a": "b \uDC00"}]'
    with pytest.raises(ValueError, match=r"^not Unicode text: \\ud800 is half"):
        parse_json(whole)
    assert parse_json(whole, repair=True) == ["\U0001f600", {"\ufffd a": "b \ufffd"}]
    assert parse_json(r'["\ud83d\ude00", "\\ud800"]') == ["\U0001f600", r"\ud800"]


def test_a_file_with_one_object(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    assert read_json_object(path, mend="") == {"a": 1}
    path.write_text("[1]")
    with pytest.raises(BadData, match=r"a\.json cannot be used: it is not a JSON object\. Mend it\."):
        read_json_object(path, mend="Mend it.")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = ", "not TOML: "),
        ('a = "\\ud800"', "not TOML: "),
        (f"a = {'[' * 100_000}", "nested too deeply"),
        (f"a = {'9' * 5000}", "not readable: it has a number of thousands of digits"),
    ],
)
def test_a_text_that_is_no_toml(text: str, why: str) -> None:
    assert parse_toml("a = 1") == {"a": 1}
    with pytest.raises(ValueError, match=f"^{why}"):
        parse_toml(text)
