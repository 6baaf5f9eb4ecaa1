"""The public surface: sorted, complete, and cheap to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import evenhand


def test_all_is_sorted_and_every_name_is_there() -> None:
    assert evenhand.__all__ == sorted(evenhand.__all__)
    for name in evenhand.__all__:
        assert getattr(evenhand, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'debias'"):
        evenhand.debias  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "pandas", "plotly", "pydantic"}
    code = f"import evenhand, sys; print(sorted({heavy!r} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
