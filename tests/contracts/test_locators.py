"""What every locator owes: one score a block, repeatable, honest about what it looks at, right on the lab."""

from __future__ import annotations

from functools import cache
from typing import cast

import pytest

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.locators import Locator
from evenhand.models import OpenModel
from evenhand.opening import open_model
from evenhand.records import Attribution, Example
from tests.support.examples import examples
from tests.support.tiny import model as tiny

NAMES = registry.names("locator")


def _make(name: str) -> Locator:
    return cast(Locator, registry.create("locator", name))


@cache
def _opened(uri: str) -> OpenModel:
    return cast(OpenModel, open_model(uri))


def _located(name: str, uri: str) -> Attribution:
    benchmark = cast(Benchmark, registry.create("benchmark", "genbiaseval"))
    probes: list[Example] = list(benchmark.examples())[::3]
    return _make(name).locate(_opened(uri), probes, None, seed=0)


@pytest.mark.parametrize("name", NAMES)
def test_one_finite_score_for_every_block_in_the_order_of_depth(name: str) -> None:
    model = tiny("gpt2")
    found = _make(name).locate(model, examples(), None, seed=0)
    assert [s.site for s in found.scores] == list(model.layout.blocks())
    assert all(s.value == s.value for s in found.scores)
    assert sorted(found.ranking()) == sorted(model.layout.blocks())


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_answer_and_leaves_the_model_alone(name: str) -> None:
    model = tiny("llama")
    before = model.spec.digest
    first, second = (_make(name).locate(model, examples(), None, seed=3) for _ in range(2))
    assert first == second
    model.refresh()
    assert model.spec.digest == before


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_prompts_does_not_matter(name: str) -> None:
    model = tiny("llama")
    first = _make(name).locate(model, examples(), None, seed=0)
    second = _make(name).locate(model, examples()[::-1], None, seed=0)
    assert [s.value for s in second.scores] == pytest.approx([s.value for s in first.scores], rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_locator_that_does_not_look_at_the_attribute_claims_nothing(name: str) -> None:
    found = _make(name).locate(tiny("llama"), examples(), None, seed=0)
    assert found.specific is _make(name).specific
    assert found.reading
    if not found.specific:
        assert not found.claims


@pytest.mark.parametrize("name", [n for n in NAMES if _make(n).specific])
def test_specific_locators_rank_the_planted_block_first(name: str) -> None:
    found = _located(name, "lab:causal?block=2")
    assert found.top == "block.2"
    assert found.claims


@pytest.mark.slow
@pytest.mark.parametrize("block", [0, 1, 3])
@pytest.mark.parametrize("name", [n for n in NAMES if _make(n).specific])
def test_specific_locators_rank_every_planted_block_first(name: str, block: int) -> None:
    assert _located(name, f"lab:causal?block={block}").top == f"block.{block}"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_claimed_on_the_unbiased_control(name: str) -> None:
    assert not _located(name, "lab:causal?planted=none").claims
