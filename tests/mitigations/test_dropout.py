"""Dropout: the published rates where they belong, inserted or refused elsewhere, all as before afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evenhand.errors import BadModel, BadOption
from evenhand.mitigations.dropout import Dropout
from evenhand.models import OpenModel
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples, texts
from evenhand.testing.tiny import model as tiny
from evenhand.training.dropping import Rates, dropping, has_dropout, rates_of
from tests.support.families import masked, seq2seq

CASE = MitigationCase("dropout", no_lab="it has no aim for the groups; its page has the figures")


def _logits(model: OpenModel) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.module(torch.tensor([[5, 6, 7, 8]])).logits
    return found


def test_the_rates_of_each_architecture() -> None:
    assert rates_of(masked("bert")) == rates_of(masked("roberta")) == Rates(0.20, 0.15)
    assert rates_of(masked("albert")) == Rates(0.05, 0.05)
    assert rates_of(tiny("gpt2")) == rates_of(tiny("llama")) == Rates(0.15, 0.15)
    assert rates_of(tiny("gpt2"), hidden=0.3) == Rates(0.3, 0.15)


def test_each_rate_is_put_where_it_belongs() -> None:
    model = masked("bert")
    with dropping(model, Rates(0.2, 0.1), seed=0):
        of = {n: p.p for n, p in model.module.named_modules() if isinstance(p, nn.Dropout)}
    attention = {name for name, p in of.items() if p == 0.1}
    assert attention == {f"bert.encoder.layer.{i}.attention.self.dropout" for i in range(2)}
    assert {p for name, p in of.items() if name not in attention} == {0.2}


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom", "gemma"])
def test_it_drops_inside_and_all_is_as_before_outside(kind: str) -> None:
    model = tiny(kind)
    before = _logits(model)
    drawn = []
    for seed in (0, 0, 1):
        state = torch.random.get_rng_state()
        with dropping(model, Rates(0.15, 0.15), seed=seed):
            drawn.append(_logits(model))
        assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], before)
    assert torch.equal(_logits(model), before)
    assert not any(part.training for part in model.module.modules())
    with dropping(model, Rates(0.0, 0.0), seed=0):
        assert torch.allclose(_logits(model), before, atol=1e-5)


def test_where_there_is_none_it_is_inserted_or_refused() -> None:
    assert has_dropout(tiny("gpt2"))
    assert not has_dropout(tiny("llama"))
    made = Dropout().fit(tiny("llama"), texts(), sites=None, seed=0)
    assert made.about.details["inserted"] is True
    assert Dropout().fit(tiny("gpt2"), texts(), sites=None, seed=0).about.details["inserted"] is False
    with pytest.raises(BadModel, match=r"llama.*no dropout.*insert=true"):
        Dropout(insert=False).check(tiny("llama"), ())
    Dropout(insert=False).check(tiny("gpt2"), ())


def test_other_families_have_dropout() -> None:
    for model in (masked(), seq2seq()):
        assert has_dropout(model)
        made = Dropout(insert=False).fit(model, examples(), sites=None, seed=0)
        assert made.about.proof["max_logprob_change"] > 0


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(BadOption, match="hidden=1"):
        Dropout(hidden=1.0)
