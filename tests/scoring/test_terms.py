"""Differentiable outcomes: group and rest probabilities sum to one, and their gradients are right."""

from __future__ import annotations

import math

import pytest
import torch

from evenhand.errors import BadData, BadModel
from evenhand.records import Continuation, Example
from evenhand.scoring import Scorer
from evenhand.scoring.terms import outcomes
from evenhand.testing import tiny


def example(context: str, *groups: tuple[str, ...]) -> Example:
    return Example(context, context, context, tuple("abcdef"[: len(groups)]), groups)


SIMPLE = (
    example("The nurse smiled because", (" she",), (" he",)),
    example("The doctor left because", (" she",), (" he",)),
)
# " xylophones" and " xenon" take several tokens of this tokenizer and share the first of them, " " + "x...".
LONG = (
    example("The nurse smiled because", (" she", " xylophones"), (" he", " xenon", " they were")),
    example(
        "The carpenter sat down slowly because", (" he", " xylophones"), (" she", " xenon", " they were")
    ),
)


def tokens(text: str) -> list[int]:
    return tiny.tokenizer()(text)["input_ids"]


def next_token(model, context: str) -> torch.Tensor:
    with torch.no_grad():
        return model.module(torch.tensor([tokens(context)])).logits[0, -1].double().log_softmax(-1)


def test_the_terms_of_these_tests_are_what_they_say():
    assert [len(tokens(t)) for t in (" she", " he")] == [1, 1]
    assert len(tokens(" xylophones")) > 1
    assert len(tokens(" they were")) == 2
    assert tokens(" xylophones")[0] == tokens(" xenon")[0]


def test_single_tokens_are_the_softmax_and_the_rest_is_everything_else():
    model = tiny.model("gpt2")
    found = outcomes(model, SIMPLE)
    she, he = tokens(" she")[0], tokens(" he")[0]
    for i, e in enumerate(SIMPLE):
        logps = next_token(model, e.context)
        assert found.log_p[i].tolist() == pytest.approx([float(logps[she]), float(logps[he])], abs=1e-5)
        rest = found.log_rest[i].detach()
        assert rest[she] == rest[he] == -math.inf
        others = [t for t in range(len(logps)) if t not in (she, he)]
        assert torch.allclose(rest[others].double(), logps[others], atol=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom"])
def test_several_tokens_and_several_forms_sum_to_one(kind):
    model = tiny.model(kind)
    found = outcomes(model, LONG)
    assert found.log_p.shape == (2, 2)
    assert found.log_rest.shape == (2, model.module.config.vocab_size)
    total = found.log_p.double().exp().sum(1) + found.log_rest.double().exp().sum(1)
    assert total.tolist() == pytest.approx([1, 1], abs=1e-6)


def test_groups_equal_the_scoring_engine():
    model = tiny.model("gpt2")
    found = outcomes(model, LONG).log_p.detach()
    scorer = Scorer(model.module, model.tokenizer)
    for i, e in enumerate(LONG):
        for g, forms in enumerate(e.terms):
            answers = scorer.logprobs([Continuation(e.context, form) for form in forms])
            together = math.log(sum(math.exp(a.value) for a in answers))
            assert float(found[i, g]) == pytest.approx(together, abs=1e-4)


def test_a_token_that_begins_longer_terms_keeps_what_they_leave():
    """rest[t] = log(p(t) - p(xylophones) - p(xenon)) for the token t that begins both."""
    model = tiny.model("gpt2")
    found = outcomes(model, LONG)
    first = tokens(" xylophones")[0]
    for i, e in enumerate(LONG):
        begun = float(next_token(model, e.context)[first].exp())
        answers = model.answer([Continuation(e.context, t) for t in (" xylophones", " xenon")])
        left = begun - sum(math.exp(a.value) for a in answers)
        assert math.exp(float(found.log_rest[i, first].detach())) == pytest.approx(left, rel=1e-4)


def test_gradients_equal_finite_differences():
    """Central differences in float64 along one random direction, for a loss that reads every outcome."""
    model = tiny.model("gpt2")
    model.module.double()
    weight = model.module.transformer.h[1].mlp.c_fc.weight
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    share = torch.rand(2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def loss() -> torch.Tensor:
        found = outcomes(model, LONG)
        entropy = found.log_rest.masked_fill(found.log_rest == -math.inf, 0.0) * found.log_rest.exp()
        return (share * found.log_p).sum() + entropy.sum()

    loss().backward()
    slope = float((weight.grad * direction).sum())
    step = 1e-5
    with torch.no_grad():
        weight.add_(step * direction)
        above = float(loss())
        weight.sub_(2 * step * direction)
        below = float(loss())
    assert slope == pytest.approx((above - below) / (2 * step), rel=1e-5)


def test_a_term_that_takes_all_of_its_first_token_leaves_a_finite_rest():
    model = tiny.model("gpt2")
    first, second = tokens(" they were")
    with (
        torch.no_grad()
    ):  # after " they", "were" is all but certain: what is left of " they" rounds to nothing
        model.module.lm_head.weight = torch.nn.Parameter(model.module.lm_head.weight.clone())
        model.module.lm_head.bias = torch.nn.Parameter(torch.zeros(model.module.config.vocab_size))
        model.module.lm_head.bias[second] = 80.0
    found = outcomes(model, [example("The nurse smiled because", (" they were",))])
    assert torch.isfinite(found.log_rest[0, first])
    (found.log_rest[0, first] + found.log_p.sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.module.parameters() if p.grad is not None)


def test_the_callers_training_flag_counts():
    model = tiny.model("gpt2")
    quiet = outcomes(model, SIMPLE).log_p.detach()
    model.module.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        noisy = outcomes(model, SIMPLE).log_p.detach()
    assert not torch.allclose(quiet, noisy), "the default dropout of GPT-2 is 0.1"
    assert model.module.training


def test_one_forward_pass_for_the_whole_batch():
    model = tiny.model("gpt2")
    calls = []
    model.module.get_input_embeddings().register_forward_pre_hook(lambda _, args: calls.append(args[0].shape))
    outcomes(model, LONG)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "no example"),
        ([example("The nurse", (" she",)), example("The nurse", (" she",), (" he",))], "different numbers"),
        ([example("The nurse", (" she",), ())], "without a term"),
        ([example("The nurse")], "without a term"),
        ([example("The nurse ", (" she",), (" he",))], "ends with a space"),
        ([example("The nurse", ("",), (" he",))], "is empty"),
    ],
)
def test_unusable_examples_are_refused(examples, message):
    with pytest.raises(BadData, match=message):
        outcomes(tiny.model("gpt2"), examples)


@pytest.mark.parametrize("terms", [((" she",), (" she",)), ((" she",), (" he", " she was"))])
def test_terms_that_do_not_exclude_each_other_are_refused(terms):
    with pytest.raises(BadModel, match="do not exclude each other"):
        outcomes(tiny.model("gpt2"), [example("The nurse", *terms)])
