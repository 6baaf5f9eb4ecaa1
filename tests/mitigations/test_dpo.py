"""DPO: the published loss and the balanced one, by hand; where they end; what they train."""

from __future__ import annotations

import math

import pytest
import torch

from evenhand.errors import BadData, BadOption
from evenhand.mitigations.dpo import Dpo
from evenhand.records import Continuation
from evenhand.scoring.terms import outcomes
from evenhand.testing.examples import examples, pairs
from evenhand.testing.tiny import model as tiny
from evenhand.training import preferences
from evenhand.training.taught import of_texts, row_means, token_logs


def test_the_published_loss_by_hand() -> None:
    """As trl computes it: logits = (pi_a - pi_s) - (ref_a - ref_s), loss = -logsigmoid(beta * logits).

    Base ln(.1), ln(.4); now ln(.2), ln(.2): the margin is ln 2 - (-ln 2) = 2 ln 2 = 1.38629;
    beta .5: sigma(ln 2) = 2/3, so the loss is ln 1.5 = .405465.
    """
    now, base = torch.tensor([0.2, 0.2]).log(), torch.tensor([0.1, 0.4]).log()
    found = preferences.dpo(now[:1], now[1:], base[:1], base[1:], 0.5)
    assert found.item() == pytest.approx(math.log(1.5), abs=1e-6)
    method = Dpo(target="preferred", beta=0.5)
    assert method.of_terms(now[None], base[None]).item() == pytest.approx(math.log(1.5), abs=1e-6)


def test_the_published_loss_has_no_end_where_the_balanced_one_has() -> None:
    """At equal terms: gradient of DPO on the difference -beta/2 at the base's margin, of the square 0."""
    for target, wanted in (("preferred", -0.05), ("balanced", 0.0)):
        log_p = torch.tensor([[-1.0, -1.0]], requires_grad=True)
        base = torch.tensor([[-1.0, -1.0 + 1e-6]])  # he is the less likely one
        Dpo(target=target, beta=0.1).of_terms(log_p, base).backward()  # type: ignore[arg-type, no-untyped-call]
        assert log_p.grad is not None
        assert log_p.grad[0, 0].item() == pytest.approx(wanted, abs=1e-4)


def test_of_three_groups_the_extremes_count() -> None:
    # Base .1, .3, .2: y_a is the first, y_s the second; now ln .2 - ln .4 = -ln 2, squared .480453.
    now, base = torch.tensor([[0.2, 0.4, 0.1]]).log(), torch.tensor([[0.1, 0.3, 0.2]]).log()
    assert Dpo().of_terms(now, base).item() == pytest.approx(math.log(2) ** 2, abs=1e-6)


def test_a_sham_draws_either_way_by_as_much() -> None:
    """beta 1, no change yet: the gradient on the difference is -1/2 for the treatment, +-1/2 for a sham."""
    base = torch.tensor([[0.1, 0.4], [0.1, 0.4]]).log()
    now = base.clone().requires_grad_()
    signs = torch.tensor([1.0, -1.0])
    Dpo(target="preferred", beta=1.0).of_terms(now, base, signs).backward()  # type: ignore[no-untyped-call]
    assert now.grad is not None
    assert (2 * now.grad[:, 0]).tolist() == pytest.approx([-0.5, 0.5])  # a mean over two
    # The square of ln .1 - ln .4 = -2 ln 2: its gradient is -4 ln 2, towards 0; mirrored it is 4 ln 2.
    now = base.clone().requires_grad_()
    Dpo().of_terms(now, base, signs).backward()  # type: ignore[no-untyped-call]
    assert now.grad is not None
    assert (2 * now.grad[:, 0]).tolist() == pytest.approx([-4 * math.log(2), 4 * math.log(2)], abs=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom", "gemma"])
def test_the_terms_become_as_likely(kind: str) -> None:
    model = tiny(kind)

    def gap() -> float:
        with torch.no_grad():
            log_p = outcomes(model, examples()).log_p
        return float((log_p[:, 0] - log_p[:, 1]).square().mean())

    before = gap()
    with Dpo(train="all", epochs=40, lr=1e-3).fit(model, examples(), sites=None, seed=0).applied(model):
        assert gap() < 0.2 * before


def test_sentences_are_compared_by_token() -> None:
    model = tiny("llama")

    def gap() -> float:
        of = [text for pair in pairs() for text in (pair.counterpart, pair.sentence)]
        rows = of_texts(model, of)
        with torch.no_grad():
            means = row_means(token_logs(model, rows), rows)
        return float((means[::2] - means[1::2]).square().mean())

    before = gap()
    treatment = Dpo(train="all", epochs=20, lr=1e-3).fit(model, pairs(), sites=None, seed=0)
    assert treatment.about.details["first_loss"] == pytest.approx(before, rel=1e-3)
    with treatment.applied(model):
        assert gap() < 0.2 * before
    preferred = Dpo(target="preferred").fit(model, pairs(), sites=None, seed=0)
    assert preferred.about.details["first_loss"] == pytest.approx(math.log(2), abs=1e-5)


def test_the_means_are_the_engines_answers() -> None:
    model = tiny("llama")
    rows = of_texts(model, [pairs()[0].sentence])
    with torch.no_grad():
        mine = float(token_logs(model, rows).sum())
    assert mine == pytest.approx(model.answer([Continuation("", pairs()[0].sentence)])[0].value, abs=1e-4)


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(BadOption, match="beta=0"):
        Dpo(beta=0.0)
    with pytest.raises(BadData, match="mixed"):
        Dpo().fit(tiny(), [*examples(), *pairs()], sites=None, seed=0)
