"""PCGU: which vectors move, and which way; the rest of the model keeps its bits."""

from __future__ import annotations

import pytest
import torch

from evenhand.controls.plain_text import PlainText
from evenhand.mitigations.pcgu import Pcgu
from evenhand.scoring.terms import outcomes
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.training.partitioned import Vectors, cosines, lowest, vectors
from evenhand.training.taught import term_logits
from evenhand.treatments.weights import WeightTreatment
from tests.support.families import masked, seq2seq

CASE = MitigationCase("pcgu", no_lab="295 steps with two gradients each take minutes")


def test_the_vectors_that_point_apart_the_most_are_chosen() -> None:
    # Cosines: (1,0)(1,0) = 1; (1,0)(-2,0) = -1; (0,0) has none; (1,1)(1,-1) = 0.
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    second = torch.tensor([[1.0, 0.0], [-2.0, 0.0], [1.0, 1.0], [1.0, -1.0]])
    found = cosines(first, second)
    assert found.tolist() == [1.0, -1.0, torch.inf, 0.0]
    assert [c.tolist() for c in lowest([found[:2], found[2:]], 2)] == [[False, True], [False, True]]
    # Of four wanted only three have a direction: the fourth stays.
    assert sum(int(c.sum()) for c in lowest([found], 4)) == 3


def test_a_vector_feeds_one_output_also_in_gpt2() -> None:
    # c_attn of width 32 is [32, 96]: its 96 vectors are columns; a row would mix all outputs.
    of = {v.name: v for v in vectors(tiny("gpt2").module)}
    assert of["transformer.h.0.attn.c_attn.weight"] == Vectors("transformer.h.0.attn.c_attn.weight", True)
    assert not of["transformer.wte.weight"].columns


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom", "gemma"])
def test_at_most_k_vectors_move_in_a_step(kind: str) -> None:
    model = tiny(kind)
    method = Pcgu(k=5, epochs=1, lr=1e-3)
    made = method.fit(model, examples(), sites=None, seed=0)  # 16 prompts, one batch: one step
    assert isinstance(made, WeightTreatment)
    columns = {v.name: v.columns for v in vectors(model.module)}
    moved = 0
    for name, value in made.weights.items():
        change = value - model.module.get_parameter(name).detach()
        moved += int((change.T if columns[name] else change).abs().sum(1).gt(0).sum())
    assert 0 < moved <= 5
    assert made.about.details["vectors_moved"] == 5


def test_the_step_raises_the_less_likely_term() -> None:
    model = tiny("llama")

    def gap() -> float:
        with torch.no_grad():
            log_p = outcomes(model, examples()).log_p
        return float((log_p.amax(1) - log_p.amin(1)).mean())

    before = gap()
    for step in ("raise", "lower"):
        with Pcgu(step=step, lr=1e-3).fit(model, examples(), sites=None, seed=0).applied(model):  # type: ignore[arg-type]
            assert gap() < before - 0.05


def test_plain_text_beside_it_trains_at_a_rate_of_its_own() -> None:
    """A step of plain ascent is some hundred times one of AdamW: text learnt at it would only be damage."""
    made = Pcgu(lr=0.02, epochs=3, batch=4).fit(tiny("llama"), examples(), sites=None, seed=0)
    assert made.about.details["gradient_step"] == 0.02
    assert PlainText().beside(made, 1.0) == PlainText(epochs=3, batch=4)


def test_a_logit_is_not_a_probability() -> None:
    """Raising all logits alike changes no probability; a term's logit it does change."""
    model = tiny("llama")
    items = examples()[0].requests()
    with torch.no_grad():
        logits = term_logits(model, items)
        apart = outcomes(model, examples()[:1]).log_p[0]
    assert (logits[0] - logits[1]).item() == pytest.approx((apart[0] - apart[1]).item(), abs=1e-4)
    assert (logits - apart).std().item() == pytest.approx(0.0, abs=1e-4)  # the same normaliser for both
    assert (logits - apart).abs().min() > 0.1


def test_other_families_have_vectors_too() -> None:
    for model in (masked(), seq2seq()):
        made = Pcgu(lr=1e-2, epochs=2).fit(model, examples(), sites=None, seed=0)
        assert made.about.proof["max_logprob_change"] > 0
