"""Kept answers: private, whole, and what they were."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from evenhand.models import shelf
from evenhand.records import Undefined

ANSWER = {"model": "m", "choices": [{"text": "é\u2028 one", "n": 1.5}], "usage": None}
KEY, OTHER = "ab" * 32, "ac" * 32


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def file_of(cache: Path) -> Path:
    (found,) = cache.rglob("*.json")
    return found


@pytest.mark.parametrize("answer", [ANSWER, Undefined("content_filter")])
def test_what_was_kept_comes_back(cache, answer):
    assert shelf.read(KEY) is None
    shelf.write(KEY, answer)
    assert shelf.read(KEY) == answer
    assert shelf.read(OTHER) is None


def test_files_and_folders_are_the_users_alone_also_where_they_were_not(cache):
    (cache / "endpoint").mkdir(parents=True)
    (cache / "endpoint").chmod(0o755)
    before = os.umask(0)
    try:
        shelf.write(KEY, ANSWER)
    finally:
        os.umask(before)
    path = file_of(cache)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [f.stat().st_mode & 0o777 for f in (path.parent, path.parent.parent)] == [0o700, 0o700]


def test_a_changed_file_is_damaged(cache):
    shelf.write(KEY, ANSWER)
    path = file_of(cache)
    path.write_text(path.read_text().replace("one", "two"))
    assert shelf.read(KEY) is None


def test_a_reason_that_was_put_in_later_is_damage(cache):
    shelf.write(KEY, ANSWER)
    path = file_of(cache)
    path.write_text(json.dumps({**json.loads(path.read_text()), "evenhand_undefined": "content_filter"}))
    assert shelf.read(KEY) is None


def test_a_file_under_another_name_is_damaged(cache):
    shelf.write(KEY, ANSWER)
    path = file_of(cache)
    moved = cache / "endpoint" / OTHER[:2] / f"{OTHER}.json"
    moved.parent.mkdir()
    path.rename(moved)
    assert shelf.read(OTHER) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"choices": []}', "[" * 100_000, "\xff"])
def test_what_is_no_kept_answer_is_none(cache, text):
    shelf.write(KEY, ANSWER)
    file_of(cache).write_text(text, encoding="latin-1")
    assert shelf.read(KEY) is None


def test_a_server_cannot_pass_off_an_answer_as_none(cache):
    shelf.write(KEY, {**ANSWER, "evenhand_undefined": "x", "evenhand_checksum": "y"})
    assert shelf.read(KEY) == ANSWER
