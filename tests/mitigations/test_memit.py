"""MEMIT: values at a block's output, spread over several maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evenhand.errors import BadOption
from evenhand.hooks import restore
from evenhand.mitigations._editing import stacks
from evenhand.mitigations._editing.moments import second_moment
from evenhand.mitigations._editing.passes import at_tokens
from evenhand.mitigations._editing.stacks import averaged
from evenhand.mitigations._editing.subjects import drawn, neutral_texts, prefixes, requests
from evenhand.mitigations._editing.values import Values
from evenhand.mitigations.memit import Memit
from evenhand.models.projections import output_projection
from evenhand.testing.cases import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny

CASE = MitigationCase(
    "memit", "memit:steps=4,contexts=1,weight=1", lab="memit:edits=40,blocks=1,contexts=2,value_lr=.1"
)


@pytest.mark.parametrize(
    ("kind", "blocks"), [("llama", "1"), ("llama", "0+1"), ("gpt2", "0+1"), ("bloom", "1")]
)
def test_one_prompt_and_a_weight_near_0_gets_its_value_exactly(kind: str, blocks: str) -> None:
    """The highest block's output at the subject moves by just the addition, also in equal shares over two."""
    model, one = tiny(kind), examples()[:1]
    whole = model.layout.module("block.1")
    _, before = at_tokens(model, whole, 1, one)
    made = Memit(steps=8, contexts=0, blocks=blocks, weight=1e-6, shrink=0.01).fit(
        model, one, sites=None, seed=0
    )
    with made.applied(model):
        _, after = at_tokens(model, whole, 1, one)
    assert (after - before).norm().item() == pytest.approx(made.about.details["length"], rel=1e-2)
    maps = {output_projection(model, f"block.{block}", "mlp").weight for block in blocks.split("+")}
    assert made.touches == maps


def test_the_spread_weights_are_those_of_plain_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """W <- W + R K' (lambda C + K K')^-1; R is half of z - h in the lower block, and what is left above."""
    model, weight = tiny("llama"), 2.0
    of = [output_projection(model, f"block.{i}", "mlp") for i in (0, 1)]
    whole, texts = model.layout.module("block.1"), neutral_texts(model, "", examples())
    asked = requests(drawn(examples(), 3, 0), prefixes(texts, 2, 0))
    bare = [request.example for request in asked]
    delta = np.random.default_rng(0).standard_normal((3, 32))
    given = Values(torch.from_numpy(delta), (1.0,) * 3, (0.5,) * 3)
    monkeypatch.setattr(stacks, "values", lambda *_, **__: given)
    z = at_tokens(model, whole, 1, bare)[1].numpy() + delta  # [3, width]
    moments = [second_moment(model, one, texts, 0.01).matrix.numpy() for one in of]
    method = Memit(steps=4, contexts=2, blocks="0+1", edits=3, shrink=0.01, weight=weight)
    made = method.fit(model, examples(), sites=None, seed=0).weights  # type: ignore[attr-defined]
    with restore(one.parameter for one in of):
        for one, c, left in zip(of, moments, (2, 1), strict=True):
            k = averaged(model, one, asked)[1].numpy().T  # [inner, 3], read again below an edited block
            r = (z - at_tokens(model, whole, 1, bare)[1].numpy()).T / left  # [width, 3]
            w = one.parameter.detach().double().numpy()
            w = w + r @ k.T @ np.linalg.inv(weight * c + k @ k.T)
            assert made[one.weight].double().numpy() == pytest.approx(w, rel=1e-3, abs=1e-4)
            one.put(torch.from_numpy(w))


def test_a_large_weight_lets_little_through() -> None:
    model, one = tiny("llama"), examples()[:1]
    whole = model.layout.module("block.1")
    _, before = at_tokens(model, whole, 1, one)
    made = Memit(steps=8, contexts=0, blocks="1", weight=15000.0).fit(model, one, sites=None, seed=0)
    with made.applied(model):
        _, after = at_tokens(model, whole, 1, one)
    # q = kᵀ C⁻¹ k / lambda is about 48 / 15000 for an ordinary key.
    assert (after - before).norm().item() < 0.1 * made.about.details["length"]


def test_the_blocks_are_the_papers_share_of_depth_below_the_located_one() -> None:
    deep = tiny("llama", num_hidden_layers=28)
    made = Memit(steps=2, contexts=0, edits=2, C="I").fit(deep, examples(), sites=None, seed=0)
    assert made.about.details["blocks"] == [f"block.{i}" for i in range(4, 9)]


def test_the_weight_is_a_number_from_0() -> None:
    with pytest.raises(BadOption, match="weight=-1"):
        Memit(weight=-1.0)
