"""What many tests of studies open."""

from __future__ import annotations

import pytest

from evenhand.testing import tiny


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny causal model in a folder, with a window that holds every prompt of the benchmarks."""
    folder = tmp_path_factory.mktemp("model")
    tiny.module("llama", max_position_embeddings=128).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return f"hf:{folder}"
