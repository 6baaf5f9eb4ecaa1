"""MEMIT: values at a block's output, spread over several maps."""

from __future__ import annotations

import pytest

from evenhand.errors import BadOption
from evenhand.mitigations._editing.maps import down_map
from evenhand.mitigations._editing.passes import at_subjects
from evenhand.mitigations.memit import Memit
from evenhand.testing.cases import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny

CASE = MitigationCase(
    "memit", "memit:steps=4,contexts=1,weight=1", lab="memit:edits=40,blocks=1,contexts=2", widens=True
)


@pytest.mark.parametrize(
    ("kind", "blocks"), [("llama", "1"), ("llama", "0+1"), ("gpt2", "0+1"), ("bloom", "1")]
)
def test_one_prompt_and_a_weight_near_0_gets_its_value_exactly(kind: str, blocks: str) -> None:
    """The highest block's output at the subject moves by just the addition, also in equal shares over two."""
    model, one = tiny(kind), examples()[:1]
    whole = model.layout.module("block.1")
    _, before = at_subjects(model, whole, 1, one)
    made = Memit(steps=8, contexts=0, blocks=blocks, weight=1e-6, shrink=0.01).fit(
        model, one, sites=None, seed=0
    )
    with made.applied(model):
        _, after = at_subjects(model, whole, 1, one)
    assert (after - before).norm().item() == pytest.approx(made.about.details["length"], rel=1e-2)
    maps = {down_map(model, int(block)).name for block in blocks.split("+")}
    assert made.touches == maps


def test_a_large_weight_lets_little_through() -> None:
    model, one = tiny("llama"), examples()[:1]
    whole = model.layout.module("block.1")
    _, before = at_subjects(model, whole, 1, one)
    made = Memit(steps=8, contexts=0, blocks="1", weight=15000.0).fit(model, one, sites=None, seed=0)
    with made.applied(model):
        _, after = at_subjects(model, whole, 1, one)
    # q = kᵀ C⁻¹ k / lambda is about 48 / 15000 for an ordinary key.
    assert (after - before).norm().item() < 0.1 * made.about.details["length"]


def test_the_blocks_are_the_papers_share_of_depth_below_the_located_one() -> None:
    deep = tiny("llama", num_hidden_layers=28)
    made = Memit(steps=2, contexts=0, edits=2, C="I").fit(deep, examples(), sites=None, seed=0)
    assert made.about.details["blocks"] == [f"block.{i}" for i in range(4, 9)]


def test_the_weight_is_a_number_from_0() -> None:
    with pytest.raises(BadOption, match="weight=-1"):
        Memit(weight=-1.0)
