"""For every test: benchmark data from beside the clone, unless ``EVENHAND_DATA`` names another folder,
and one cache of lab models for the whole clone, so that each is trained once."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenhand import sources

DATA = Path(__file__).parents[2] / "shared" / "data"


# Set before anything asks for it; `make demo` uses the same folder.
os.environ.setdefault("EVENHAND_CACHE", str(Path(__file__).parents[1] / ".cache" / "evenhand"))


def pytest_configure() -> None:
    """Thousands of tests are collected, and looked through again at every hundredth thing that is made."""
    gc.set_threshold(100_000, 50, 1000)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: no collection of garbage has to look through it."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _benchmark_data() -> Iterator[None]:
    """Tests read data where it lies and skip where it is absent; none of them pulls anything."""
    with pytest.MonkeyPatch.context() as patch:
        if sources.VARIABLE not in os.environ and DATA.is_dir():
            patch.setenv(sources.VARIABLE, str(DATA))
        yield
