"""LFTF on tiny models: only what was chosen changes, and each loss goes where its arithmetic says."""

from __future__ import annotations

import dataclasses
import math
from typing import cast

import pytest
import torch

from evenhand import registry
from evenhand.errors import BadModel, BadOption, NoEffect
from evenhand.mitigations.lftf import Lftf
from evenhand.records import Attribution, Example, SiteScore
from evenhand.scoring.terms import Outcomes, outcomes
from evenhand.testing.examples import PROFESSIONS, examples
from evenhand.testing.mitigations import last_block
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny
from evenhand.training.objectives import kl
from evenhand.treatments.weights import WeightTreatment

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


def _outcomes(*rows: tuple[float, float, float]) -> Outcomes:
    """P(he), P(she) and the rest, a row a prompt."""
    table = torch.tensor(rows, dtype=torch.float64).log()
    return Outcomes(table[:, :2], table[:, 2:])


def _preserving(now: Outcomes, base: Outcomes, kinds: int, weight: float) -> torch.Tensor:
    rows = torch.arange(len(now.log_p) // (1 + kinds))
    return Lftf(loss="mass_preserving", keep=weight)._loss((), kinds, None)(now, base, rows)


def test_the_loss_with_companions_by_hand() -> None:
    # The trained prompt: base (.6, .2 | .2), q = (.4, .4 | .2), P = (.2, .4 | .4): .4 ln 2 - .2 ln 2.
    # A hinted prompt, kept at (1/2, 1/4 | 1/4), now (1/4, 1/2 | 1/4): 1/2 ln 2 - 1/4 ln 2 = 1/4 ln 2.
    # A beginning, kept at (1/2, 0 | 1/2), now (1/4, 1/4 | 1/2): 1/2 ln 2.
    base = _outcomes((0.6, 0.2, 0.2), (0.5, 0.25, 0.25), (0.5, 0.0, 0.5))
    now = _outcomes((0.2, 0.4, 0.4), (0.25, 0.5, 0.25), (0.25, 0.25, 0.5))
    ln2 = math.log(2)
    assert _preserving(now, base, 2, 1.0).item() == pytest.approx((0.2 + 0.25 + 0.5) * ln2)
    assert _preserving(now, base, 2, 3.0).item() == pytest.approx((0.2 + 3 * 0.75) * ln2)
    first = Outcomes(now.log_p[:2], now.log_rest[:2]), Outcomes(base.log_p[:2], base.log_rest[:2])
    assert _preserving(*first, 1, 1.0).item() == pytest.approx((0.2 + 0.25) * ln2)
    alone = Outcomes(now.log_p[:1], now.log_rest[:1]), Outcomes(base.log_p[:1], base.log_rest[:1])
    assert _preserving(*alone, 0, 1.0).item() == pytest.approx(0.2 * ln2)


def test_companions_stand_behind_the_prompts_kind_by_kind() -> None:
    # Two prompts and one kind: rows 0 and 1 are trained, 2 and 3 are kept; each part is a mean over its rows.
    base = _outcomes((0.4, 0.4, 0.2), (0.6, 0.2, 0.2), (0.5, 0.25, 0.25), (0.3, 0.3, 0.4))
    now = _outcomes((0.4, 0.4, 0.2), (0.2, 0.4, 0.4), (0.25, 0.5, 0.25), (0.3, 0.3, 0.4))
    assert _preserving(now, base, 1, 1.0).item() == pytest.approx((0.2 / 2 + 0.25 / 2) * math.log(2))


GROUPS = ("male", "female")
HINTED = tuple(
    Example(
        f"{p}/{own}", p, f"The {p} took {own} coat and", ("male", "female"), ((" he",), (" she",)), keep=True
    )
    for p in PROFESSIONS
    for own in ("his", "her")
)


def _distance_on_hinted(keep: float) -> float:
    """KL(base || treated) in nats, a mean over the hinted prompts, after the same fit."""
    model = tiny("llama")
    method = Lftf(loss="mass_preserving", blocks="1", epochs=20, batch=16, lr=1e-2, keep=keep)
    treatment = method.fit(model, [*examples(), *HINTED], sites=None, seed=0)

    def whole() -> torch.Tensor:
        found = outcomes(model, HINTED)
        return torch.cat([found.log_p, found.log_rest], dim=1)

    with torch.no_grad():
        base = whole()
        with treatment.applied(model):
            return kl(base, whole()).item()


def test_companions_hold_the_model_where_it_was() -> None:
    # Measured here: 0.0767 nats without them, 0.0039 with them, a twentieth.
    free, held = _distance_on_hinted(0.0), _distance_on_hinted(1.0)
    assert free > 0.03
    assert held < free / 8


def test_a_beginning_belongs_to_each_prompt_and_a_hinted_prompt_where_there_are_any() -> None:
    method = Lftf(loss="mass_preserving", blocks="1", epochs=1)

    def kept(*given: Example) -> list[int]:
        made = method.fit(tiny("llama"), given, sites=None, seed=0)
        return cast(list[int], made.about.details["kept"])

    assert kept(*examples(), *HINTED) == [16, 16]
    assert kept(*examples()) == [16]


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(BadOption, match=r"blocks=7.*from 0 to 2"):
        _fit(Lftf(blocks="7"))
    with pytest.raises(BadOption, match=r"top=9.*from 1 to 3"):
        _fit(Lftf(top=9))
    with pytest.raises(BadOption, match="no group 'they'"):
        _fit(Lftf(terms="they"))
    with pytest.raises(BadOption, match="terms=male cannot be used with loss=printed"):
        _fit(Lftf(loss="printed", terms="male"))
    with pytest.raises(BadModel, match="No block was located"):
        Lftf().fit(tiny("llama"), examples(), sites=None, seed=0)


def test_no_training_is_no_effect() -> None:
    with pytest.raises(NoEffect):
        registry.create("mitigation", "lftf:lr=0").fit(
            tiny("llama"), examples(), sites=last_block(tiny("llama")), seed=0
        )


def test_a_sham_trains_the_same_rows_and_companions_with_its_own_signs() -> None:
    """One subject a prompt; the shares .75 and .25 are drawn to .5 and .5, or the other way: 1 and 0."""
    prompts = [dataclasses.replace(examples()[0], id=str(i), cluster=str(i)) for i in range(30)]
    base = _outcomes(*[(0.6, 0.2, 0.2)] * 60)  # a companion for each
    towards, away = 0.4 * math.log(0.4 / 0.6) + 0.4 * math.log(0.4 / 0.2), 0.8 * math.log(0.8 / 0.6)
    loss = Lftf(loss="mass_preserving")._loss(prompts, 1, 3)
    found = [loss(_rows(base, i), _rows(base, i), torch.tensor([i])).item() for i in range(30)]
    # Each is KL(q || base) with q = (.4, .4, .2) or (.8, 0, .2), and the companion's KL, which is 0.
    drawn = [pytest.approx(value) for value in (towards, away)]
    assert all(value in drawn for value in found)
    assert {value == drawn[0] for value in found} == {True, False}


def _rows(of: Outcomes, i: int) -> Outcomes:
    """Row i and its companion's, i + 30."""
    return Outcomes(of.log_p[[i, i + 30]], of.log_rest[[i, i + 30]])


def test_the_printed_loss_has_no_sham() -> None:
    assert Lftf(loss="printed").sham(seed=0) is None
    assert Lftf(blocks="1").sham(seed=3).spec == "lftf:blocks=1"  # type: ignore[union-attr]
