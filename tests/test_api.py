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


def test_dir_lists_the_surface_alone() -> None:
    assert [name for name in dir(evenhand) if not name.startswith("__")] == evenhand.__all__
    assert {"__all__", "__doc__", "__version__"} <= set(dir(evenhand))
    assert {"compare", "gate", "plan", "measure", "locate", "mitigate", "verify", "report"} <= set(
        dir(evenhand)
    )


def test_verbs_take_texts_and_keywords() -> None:
    one = evenhand.measure("lab:causal", "facts", limit=12, seed=3)
    two = evenhand.measure("lab:causal", ["facts"], evenhand.RunOptions(limit=12, seed=3))
    assert one == two
    assert (one[0].n, one[0].protocol.seed, one[0].protocol.limited) == (12, 3, True)
    several = evenhand.measure("lab:causal", "facts,perplexity:text=lab", limit=5)
    assert [m.benchmark for m in several] == ["facts", "perplexity:text=lab"]
    assert evenhand.locate("lab:causal", "ablation", seed=1).top == "block.2"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'debias'"):
        evenhand.debias  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "pandas", "pydantic"}
    code = f"import evenhand, sys; print(sorted({heavy!r} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
