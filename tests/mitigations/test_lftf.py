"""LFTF on tiny models: only what was chosen changes, and each loss goes where its arithmetic says."""

from __future__ import annotations

import math
from typing import cast

import pytest
import torch

from evenhand.errors import BadModel, BadOption
from evenhand.mitigations.lftf import Lftf
from evenhand.records import Attribution, SiteScore
from evenhand.scoring.terms import outcomes
from evenhand.treatments import WeightTreatment
from tests.support.examples import examples
from tests.support.tiny import PROMISED
from tests.support.tiny import model as tiny

LOCATION = Attribution(
    "test", False, (SiteScore("block.0", 0.1), SiteScore("block.1", 0.9), SiteScore("block.2", 0.5)), ""
)
LONG = {"blocks": "2", "epochs": 150, "batch": 16, "lr": 2e-2}


def _fit(method: Lftf, kind: str = "llama", **changes: float) -> WeightTreatment:
    return cast(WeightTreatment, method.fit(tiny(kind, **changes), examples(), sites=LOCATION, seed=0))


def _after(method: Lftf) -> torch.Tensor:
    """P(he), P(she) after treatment, [16, 2]. With less gain no hidden state could favour a word enough."""
    model = tiny("llama", gain=20.0)
    with torch.no_grad(), _fit(method, gain=20.0).applied(model):
        return outcomes(model, examples()).log_p.exp()


@pytest.mark.parametrize("kind", PROMISED)
def test_only_the_located_block_changes(kind: str) -> None:
    names = set(_fit(Lftf(), kind).weights)
    assert names == set(tiny(kind).layout.parameters("block.1"))


def test_top_blocks_and_named_blocks() -> None:
    layout = tiny("llama").layout
    assert (
        set(_fit(Lftf(top=2)).weights)
        == {**layout.parameters("block.1"), **layout.parameters("block.2")}.keys()
    )
    assert set(_fit(Lftf(blocks="0")).weights) == set(layout.parameters("block.0"))


def test_halves_of_a_block_share_nothing_and_make_the_whole() -> None:
    attention, mlp = (set(_fit(Lftf(modules=m)).weights) for m in ("attention", "mlp"))  # type: ignore[arg-type]
    assert attention & mlp == set()
    assert attention | mlp == set(_fit(Lftf()).weights)


def test_nll_gives_both_terms_the_same_and_nearly_everything() -> None:
    # The floor is ln 2 = 0.693; a state 32 wide cannot point at two random words and at no third.
    method = Lftf(**LONG)  # type: ignore[arg-type]
    details = _fit(method, gain=20.0).about.details
    assert details["first_loss"] > 5
    assert math.log(2) < details["last_loss"] < 1
    after = _after(method)
    assert after.sum(1).min() > 0.75
    assert (after[:, 0] - after[:, 1]).abs().max() < 0.1


def test_one_term_alone_takes_everything() -> None:
    assert _after(Lftf(terms="female", **LONG))[:, 1].min() > 0.9  # type: ignore[arg-type]


def test_printed_drives_both_words_out() -> None:
    assert _after(Lftf(loss="printed", **LONG)).sum(1).max() < 1e-3  # type: ignore[arg-type]


def test_mass_preserving_keeps_the_mass_and_closes_the_gap() -> None:
    # Where the words have no mass there is nothing to preserve, so the base is first taught to say "she".
    model = tiny("llama", gain=20.0)
    with _fit(Lftf(terms="female", **LONG), gain=20.0).applied(model):  # type: ignore[arg-type]
        model.refresh()
        with torch.no_grad():
            before = outcomes(model, examples()).log_p.exp()
        treatment = Lftf(loss="mass_preserving", **LONG).fit(model, examples(), sites=LOCATION, seed=0)  # type: ignore[arg-type]
        with torch.no_grad(), treatment.applied(model):
            after = outcomes(model, examples()).log_p.exp()
    assert (before[:, 1] - before[:, 0]).min() > 0.8
    assert (after[:, 0] - after[:, 1]).abs().max() < 0.15
    assert after.sum(1) == pytest.approx(before.sum(1), abs=0.2)  # the same limit as above


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(BadOption, match=r"blocks=7.*from 0 to 2"):
        _fit(Lftf(blocks="7"))
    with pytest.raises(BadOption, match=r"top=9.*from 1 to 3"):
        _fit(Lftf(top=9))
    with pytest.raises(BadOption, match="no group 'they'"):
        _fit(Lftf(terms="they"))
    with pytest.raises(BadOption, match="terms=male has no meaning with loss=printed"):
        _fit(Lftf(loss="printed", terms="male"))
    with pytest.raises(BadModel, match="No block was located"):
        Lftf().fit(tiny("llama"), examples(), sites=None, seed=0)
