"""What many tests of studies open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evenhand.benchmarks.genbiaseval import GenBiasEval
from evenhand.testing import tiny


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny causal model in a folder, with a window that holds every prompt of the benchmarks."""
    folder = tmp_path_factory.mktemp("model")
    tiny.module("llama", max_position_embeddings=128).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return f"hf:{folder}"


def train_on_few() -> None:
    """Leave every 20th training example: each of the nine fits takes 1 step, not 4 of 256 examples each."""
    whole = GenBiasEval.examples
    GenBiasEval.examples = lambda self: whole(self)[::20]  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def few_examples() -> Iterator[None]:
    """Fits take a few training examples only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GenBiasEval, "examples", GenBiasEval.examples)  # puts it back
        train_on_few()
        yield
