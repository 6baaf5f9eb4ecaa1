"""Random blocks: a score a block from the seed alone, and never a claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import BadModel
from evenhand.locators.random import Random
from evenhand.opening import open_model
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neo"])
def test_every_block_has_a_score_in_the_order_of_depth(kind: str) -> None:
    model = tiny(kind)
    found = Random().locate(model, examples(), seed=0)
    assert [s.site for s in found.scores] == list(model.layout.blocks())
    assert all(0 <= s.value < 1 for s in found.scores)
    assert len({s.value for s in found.scores}) == model.layout.n_blocks


def test_the_seed_decides_and_nothing_else() -> None:
    def located(seed: int, count: int = 16) -> list[float]:
        found = Random().locate(tiny("llama"), examples()[:count], lambda p: p.sum(), seed=seed)
        return [s.value for s in found.scores]

    assert located(3) == located(3) == located(3, count=1) == located(3, count=0)
    assert located(3) != located(4)


def test_every_block_comes_first_equally_often() -> None:
    """300 seeds, 3 blocks: 100 times each is expected, with a standard deviation of sqrt(300 2/9) = 8.2."""
    model = tiny("llama")
    tops = [Random().locate(model, (), seed=seed).top for seed in range(300)]
    assert set(tops) == set(model.layout.blocks())
    assert all(abs(tops.count(block) - 100) < 4 * 8.2 for block in model.layout.blocks())


def test_chance_claims_nothing() -> None:
    found = Random().locate(tiny("llama"), examples(), seed=0)
    assert (found.specific, found.claims, found.locator) == (False, False, "random")


def test_a_model_without_weights_has_no_blocks(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"context": "The nurse smiled because", "text": " he", "logprob": -1.0}\n')
    with pytest.raises(BadModel, match=r"lacks weights, which this locator needs.*access to its weights"):
        Random().locate(open_model(f"recorded:{file}"), examples(), seed=0)  # type: ignore[arg-type]
