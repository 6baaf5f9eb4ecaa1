"""Benchmark data for tests: read where it lies, the test skipped where it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand import sources


def data_file(name: str) -> Path:
    """The data file `name` of the table; skips the test where it is on no folder of this machine."""
    if sources.find(sources.entry(name)) is None:
        pytest.skip(f"the data file {name} is not on this machine")
    return sources.path(name)
