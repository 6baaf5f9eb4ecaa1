"""What ``--on`` may name."""

from __future__ import annotations

import pytest

from evenhand.errors import BadOption
from evenhand.sizes import in_bytes
from evenhand.workers import Place, parse


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ray", Place("local")),
        ("ray://auto", Place("auto")),
        ("ray://head:10001", Place("ray://head:10001")),
        ("ray?cpus=4&gpus=1&memory=2.5GB", Place("local", 4, 1.0, 2_500_000_000)),
        ("ray://[::1]:10001?gpus=.5", Place("ray://[::1]:10001", gpus=0.5)),
        ("ray?gpus=0", Place("local", gpus=0.0)),
        ("ray?", Place("local")),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert parse(text) == place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no place"),
        ("Ray", "names no place"),
        ("ray://head", "names no place"),  # without a port
        ("ray://:10001", "names no place"),
        ("ray://head:99999999", "names no place"),
        ("spark", "names no place"),
        ("ray?cpus", "cannot be read"),
        ("ray?cpus=0", "no number of processors"),
        ("ray?cpus=1.5", "no number of processors"),
        ("ray?gpus=one", "no number of graphics cards"),
        ("ray?memory=20", "is no size"),
        ("ray?memory=0GB", "is no size"),
        ("ray?cores=2", "cores cannot be asked"),
    ],
)
def test_what_names_no_place(text: str, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        parse(text)


def test_sizes() -> None:
    assert [in_bytes(text) for text in ("500MB", "2GB", "1.5TB")] == [5 * 10**8, 2 * 10**9, 15 * 10**11]
    assert [in_bytes(text) for text in ("", "2", "2gb", "-1GB", "0GB", "1.GB", "2 GB")] == [None] * 7
