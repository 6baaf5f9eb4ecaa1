"""R-ROME: its one averaged key, where ROME has two."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evenhand.mitigations._editing import stacks
from evenhand.mitigations._editing.moments import second_moment
from evenhand.mitigations._editing.stacks import averaged
from evenhand.mitigations._editing.subjects import drawn, neutral_texts, prefixes, requests
from evenhand.mitigations._editing.values import Values
from evenhand.mitigations.r_rome import RRome
from evenhand.mitigations.rome import Rome
from evenhand.models.projections import output_projection
from evenhand.testing.cases import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny

CASE = MitigationCase(
    "r_rome",
    "r_rome:steps=4,contexts=1",
    lab="r_rome:edits=40,blocks=1,contexts=2,value_lr=.1",
    no_lab_sham="single ones differ by .02: tests/mitigations/test_edit_shams.py has pairs of opposite signs",
)


def test_the_edited_weight_is_that_of_plain_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """W <- W + (v - W k^) (C^-1 k^)' / (k^' C^-1 k^) with one key k^; v = W0 k + delta of the bare prompt."""
    model = tiny("llama")
    of, texts = output_projection(model, "block.1", "mlp"), neutral_texts(model, "", examples())
    asked = requests(drawn(examples(), 3, 0), prefixes(texts, 2, 0))
    k, k_mean = (keys.numpy() for keys in averaged(model, of, asked))  # [3, inner]
    delta = np.random.default_rng(0).standard_normal((3, 32))
    given = Values(torch.from_numpy(delta), (1.0,) * 3, (0.5,) * 3)
    monkeypatch.setattr(stacks, "values", lambda *_, **__: given)
    c = second_moment(model, of, texts, 0.01).matrix.numpy()
    w0 = of.parameter.detach().double().numpy()
    w = w0.copy()
    for i in range(3):
        u = np.linalg.inv(c) @ k_mean[i]
        w += np.outer(w0 @ k[i] + delta[i] - w @ k_mean[i], u) / (k_mean[i] @ u)
    method = RRome(steps=4, contexts=2, blocks="1", edits=3, shrink=0.01)
    made = method.fit(model, examples(), sites=None, seed=0).weights[of.weight]  # type: ignore[attr-defined]
    assert made.double().numpy() == pytest.approx(w, rel=1e-4, abs=1e-4 * np.abs(w).max())


def test_the_averaged_key_gets_the_value_exactly_and_with_romes_two_keys_it_does_not() -> None:
    model, one = tiny("llama"), examples()[:1]
    of = output_projection(model, "block.1", "mlp")
    texts = prefixes(neutral_texts(model, "", one), 3, 0)
    bare, mean = averaged(model, of, requests(one, texts))
    found = {}
    for kind in (Rome, RRome):
        made = kind(steps=8, contexts=3, blocks="1").fit(model, one, sites=None, seed=0)
        change = made.weights[of.weight].double() - of.exact()  # type: ignore[attr-defined]
        wanted = bare[0] @ of.exact().T  # v* is W k + delta, k the bare prompt's
        found[kind] = (
            (mean[0] @ (of.exact() + change).T - wanted).norm().item(),
            (bare[0] @ change.T).norm().item(),
            made.about.details["length"],
        )
    at_mean, _, length = found[RRome]
    assert at_mean == pytest.approx(length, rel=1e-3)
    at_mean, at_bare, length = found[Rome]
    assert at_bare == pytest.approx(length, rel=1e-3)
    assert abs(at_mean - length) > 0.01 * length
    assert not torch.allclose(bare, mean, rtol=0.05)
