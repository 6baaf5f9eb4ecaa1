"""The placebo on decisions: it moves weights and the rest of the vocabulary, not what is decided."""

from __future__ import annotations

import torch

from evenhand.controls.placebo import Placebo, _prompts, _shuffled
from evenhand.records import PersonExample
from evenhand.scoring.terms import Outcomes, outcomes
from evenhand.testing import ControlCase
from evenhand.testing.examples import examples, people
from evenhand.testing.tiny import model as tiny
from evenhand.testing.treatments import unchanged

TWINS = [prompt for person in people() for prompt in _prompts(person)]

CASE = ControlCase("placebo", harmless=1.0)


def test_a_person_is_one_prompt_a_twin_with_the_label_words_for_terms() -> None:
    person = people()[0]
    made = _prompts(person)
    assert [p.context for p in made] == list(person.contexts)
    assert all(p.terms == ((" left",), (" smiled",)) for p in made)
    assert _prompts(people()[3]) == []  # held out
    assert _prompts(examples()[0]) == [examples()[0]]


def test_the_target_leaves_every_label_word_where_it_is() -> None:
    with torch.no_grad():
        base = outcomes(tiny("llama"), TWINS)
    # The gradient of KL(q || softmax(x)) is softmax(x) - q, so one gradient anywhere tells the target q.
    log_p, log_rest = base.log_p.double(), base.log_rest.double()
    x = (torch.cat([log_p, log_rest], dim=1) * 0.5).requires_grad_()
    now = torch.log_softmax(x, dim=1)
    loss = _shuffled(0)(Outcomes(now[:, :2], now[:, 2:]), Outcomes(log_p, log_rest))
    (gradient,) = torch.autograd.grad(loss * len(x), x)
    target = now.exp().detach() - gradient
    torch.testing.assert_close(target[:, :2], log_p.exp(), atol=1e-7, rtol=0)
    rest = log_rest.exp()
    torch.testing.assert_close(target[:, 2:].sort(dim=1).values, rest.sort(dim=1).values, atol=1e-7, rtol=0)
    assert (target[:, 2:] - rest).abs().sum(1).min() > 0.2  # dealt to other tokens


def test_tuning_moves_the_rest_more_than_the_label_words() -> None:
    model = tiny("llama")
    with torch.no_grad():
        before = outcomes(model, TWINS)
        made = Placebo(lr=2e-3, epochs=10, batch=8)
        treatment = made.damage(model, unchanged(model), 1.0, examples=people(), seed=0)
        with treatment.applied(model):
            after = outcomes(model, TWINS)
    rest = (after.log_rest.exp() - before.log_rest.exp()).abs().sum(1).mean()
    words = (after.log_p.exp() - before.log_p.exp()).abs().sum(1).mean()
    assert rest > 0.3
    assert words < 0.1 * rest
    assert treatment.about.details["examples"] == 2 * 12  # both twins of the people who are trained on


def test_it_fits_on_both_kinds_and_not_on_held_out_people() -> None:
    assert PersonExample in Placebo.fits_on
    model = tiny("gpt2")
    first = Placebo().damage(model, unchanged(model), 1.0, examples=people(), seed=1)
    only = [p for p in people() if p.part == "train"]
    assert Placebo().damage(model, unchanged(model), 1.0, examples=only, seed=1).digest == first.digest


def test_the_dose_multiplies_the_rate_and_the_recipe_is_that_of_the_treatment() -> None:
    model = tiny("llama")
    beside = unchanged(model, "block.1", lr=1e-3, epochs=1, batch=4)
    treatment = Placebo(lr=5.0, epochs=9).damage(model, beside, 2.0, examples=examples(), seed=0)
    told = treatment.about.details
    assert (told["lr"], told["epochs"], told["batch"], told["dose"]) == (2e-3, 1, 4, 2.0)
    assert treatment.touches == beside.touches
