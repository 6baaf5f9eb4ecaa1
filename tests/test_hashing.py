"""Hashes against known values."""

from __future__ import annotations

import hashlib
from pathlib import Path

from evenhand.hashing import draw_keys, file_sha256, shuffle_key


def test_the_order_depends_on_the_seed_and_the_text_alone() -> None:
    assert shuffle_key(1, "a") == hashlib.sha256(b"1:a").hexdigest()
    assert shuffle_key(1, "a") != shuffle_key(2, "a")
    orders = {tuple(sorted("abcdef", key=lambda text: shuffle_key(seed, text))) for seed in range(20)}
    assert len(orders) > 15


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_draws_depend_on_the_text_and_its_turn_alone() -> None:
    a, b, again = draw_keys(0, ["a", "b", "a"])
    assert len({a, b, again}) == 3
    assert draw_keys(0, ["b", "a", "a"]) == [b, a, again]
    assert draw_keys(1, ["a"]) != [a]
