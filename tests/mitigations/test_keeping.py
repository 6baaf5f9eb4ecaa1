"""What a training leaves as it is: which prompts, by what loss, and how far they stay."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from evenhand import registry
from evenhand.errors import BadOption
from evenhand.mitigations._keeping import companions, keeping, texts
from evenhand.mitigations._texts import general
from evenhand.models import OpenModel
from evenhand.records import Example
from evenhand.scoring.terms import outcomes
from evenhand.testing.examples import PROFESSIONS, examples, pairs
from evenhand.testing.tiny import model as tiny
from evenhand.training.keeping import Keeping
from evenhand.training.objectives import kl
from evenhand.training.tuning import reached

HINTED = tuple(
    Example(f"{p}/{own}", p, f"The {p} took {own} coat and", e.groups, e.terms, keep=True)
    for p in PROFESSIONS
    for own in ("his", "her")
    for e in examples()[:1]
)
TRAINED = {  # each of the methods that can keep, long enough to move the tiny model
    "full_finetune": "epochs=10,lr=1e-3",
    "dpo": "train=all,epochs=10,lr=1e-3",
    "cda": "epochs=10,lr=1e-3",
}


def _whole(model: OpenModel, prompts: Any) -> torch.Tensor:
    found = outcomes(model, prompts)
    return torch.cat([found.log_p, found.log_rest], dim=1)


def test_each_prompt_has_a_hinted_one_its_beginning_and_the_beginning_of_a_sentence() -> None:
    trained, model = examples(), tiny()
    hinted, beginnings = companions(trained, HINTED[:3], seed=0)
    assert [e.id for e in hinted[:4]] == [e.id for e in (*HINTED[:3], HINTED[0])]
    ordinary = texts(model, trained, seed=0)
    assert len(hinted) == len(beginnings) == len(ordinary) == len(trained)
    for example, begun in zip(trained, beginnings, strict=True):
        assert example.context.startswith(begun.context)
        assert 1 <= len(begun.context.split(" ")) < len(example.context.split(" "))
    sentences = general(model, len(trained), 0)
    assert all(s.startswith(e.context) and s != e.context for s, e in zip(sentences, ordinary, strict=True))
    assert all(e.keep and e.terms == trained[0].terms for e in (*beginnings, *ordinary))
    assert len({e.id for e in ordinary}) == len(ordinary)
    assert companions(trained, (), seed=0) == (beginnings,)
    assert [e.context for e in texts(model, trained, seed=1)] != [e.context for e in ordinary]


def test_the_loss_is_the_weighted_sum_of_the_kinds_divergences() -> None:
    """Two kinds, of 5 and 2 prompts: row 6 has the prompt 1 of the first kind and 0 of the second."""
    model, trained = tiny("llama"), examples()
    kinds = (trained[:5], HINTED[:2])
    kept = Keeping(model, model, reached(model, "all"), kinds, 3.0)
    base = [_whole(model, kind).detach() for kind in kinds]
    with torch.no_grad():
        assert kept(torch.tensor([0, 6])).item() == pytest.approx(0, abs=1e-6)
        treatment = registry.create("mitigation", "full_finetune:epochs=5,lr=1e-3").fit(
            model, trained, sites=None, seed=0
        )
        with treatment.applied(model):
            now = [_whole(model, kind) for kind in kinds]
            found = kept(torch.tensor([0, 6])).item()
    wanted = kl(base[0][[0, 1]], now[0][[0, 1]]) + kl(base[1][[0, 0]], now[1][[0, 0]])
    assert found == pytest.approx(3 * wanted.item(), rel=1e-3)
    assert found > 0.01


def test_the_base_is_the_one_before_the_training_and_gradients_reach_what_is_trained() -> None:
    model = tiny("llama")
    kept = Keeping(model, model, reached(model, "top:1"), (examples()[:4],), 1.0)
    weight = next(p for n, p in model.module.named_parameters() if "layers.2.mlp" in n)
    with torch.no_grad():
        own = weight.clone()
        weight += 0.5 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    try:
        weight.requires_grad_()
        loss = kept(torch.arange(4))
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.item() > 1e-4
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0
    finally:
        with torch.no_grad():
            weight.copy_(own)
        weight.grad = None


@pytest.mark.parametrize("name", TRAINED)
def test_what_is_kept_stays_nearer_to_the_base(name: str) -> None:
    model = tiny("llama", gain=5.0)
    # Other sentences than those that are kept in training.
    ordinary = [e for e in texts(model, examples(), seed=7) if len(e.context.split(" ")) > 2]

    def distance(keep: int) -> float:
        spec = f"{name}:{TRAINED[name]},keep={keep}"
        method = registry.create("mitigation", spec)
        with torch.no_grad():
            base = _whole(model, ordinary)
            with method.fit(model, [*examples(), *HINTED], sites=None, seed=0).applied(model):
                return kl(base, _whole(model, ordinary)).item()

    free, held = distance(0), distance(10)
    assert free > 0.01
    assert held < free / 2


def test_without_a_weight_nothing_is_kept_and_what_is_no_prompt_is_refused() -> None:
    model = tiny()
    names = reached(model, "all")
    assert keeping(model, names, pairs(), 0.0, seed=0, rows=4) is None
    for name in ("dpo", "cda"):
        with pytest.raises(BadOption, match=r"keep=1 holds the base beside prompts.*-b genbiaseval"):
            registry.create("mitigation", f"{name}:keep=1").fit(model, pairs(), sites=None, seed=0)


def test_an_adapter_is_held_as_well() -> None:
    model = tiny("llama")
    made = registry.create("mitigation", "dpo:train=lora,epochs=5,lr=1e-2,keep=10").fit(
        model, [*examples(), *HINTED], sites=None, seed=0
    )
    free = registry.create("mitigation", "dpo:train=lora,epochs=5,lr=1e-2").fit(
        model, [*examples(), *HINTED], sites=None, seed=0
    )
    with torch.no_grad():
        base = _whole(model, HINTED)
        moved = []
        for treatment in (made, free):
            with treatment.applied(model):
                moved.append(kl(base, _whole(model, HINTED)).item())
    assert moved[0] < moved[1] / 2


def test_a_sham_keeps_what_its_treatment_keeps() -> None:
    """With a large weight a sham hardly moves the hinted prompts; without one it does."""
    model = tiny("llama")
    moved = []
    for keep in (0, 100):
        method = registry.create("mitigation", f"dpo:train=all,epochs=10,lr=1e-3,keep={keep}")
        sham = method.sham(seed=random.Random(3).randrange(100))
        with torch.no_grad():
            base = _whole(model, HINTED)
            with sham.fit(model, [*examples(), *HINTED], sites=None, seed=0).applied(model):
                moved.append(kl(base, _whole(model, HINTED)).item())
    assert moved[1] < moved[0] / 2
