"""R-ROME: its one averaged key, where ROME has two."""

from __future__ import annotations

import pytest
import torch

from evenhand.mitigations._editing.maps import down_map
from evenhand.mitigations._editing.stacks import averaged
from evenhand.mitigations._editing.subjects import neutral_texts, prefixes, requests
from evenhand.mitigations.r_rome import RRome
from evenhand.mitigations.rome import Rome
from evenhand.testing.cases import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny

CASE = MitigationCase(
    "r_rome", "r_rome:steps=4,contexts=1", lab="r_rome:edits=40,blocks=1,contexts=2", widens=True
)


def test_the_averaged_key_gets_the_value_exactly_and_with_romes_two_keys_it_does_not() -> None:
    model, one = tiny("llama"), examples()[:1]
    of = down_map(model, 1)
    texts = prefixes(neutral_texts(model, "", one), 3, 0)
    bare, mean = averaged(model, of, requests(one, texts))
    found = {}
    for kind in (Rome, RRome):
        made = kind(steps=8, contexts=3, blocks="1").fit(model, one, sites=None, seed=0)
        change = made.weights[of.name].double() - of.weight()  # type: ignore[attr-defined]
        wanted = bare[0] @ of.weight().T  # v* is W k + delta, k the bare prompt's
        found[kind] = (
            (mean[0] @ (of.weight() + change).T - wanted).norm().item(),
            (bare[0] @ change.T).norm().item(),
            made.about.details["length"],
        )
    at_mean, _, length = found[RRome]
    assert at_mean == pytest.approx(length, rel=1e-3)
    at_mean, at_bare, length = found[Rome]
    assert at_bare == pytest.approx(length, rel=1e-3)
    assert abs(at_mean - length) > 0.01 * length
    assert not torch.allclose(bare, mean, rtol=0.05)
