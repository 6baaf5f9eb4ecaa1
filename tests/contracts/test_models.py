"""The models' contract, on every architecture of the table: how requests are batched changes no answer."""

from __future__ import annotations

from functools import cache, partial

import pytest
import torch

from evenhand.architectures.table import ROWS
from evenhand.hooks import observe, patch
from evenhand.models import Model, OpenModel
from evenhand.models.causal import CausalModel
from evenhand.records import Ability, Continuation, Example, Sampling
from evenhand.scoring import Scorer
from evenhand.scoring.forward import run_texts
from evenhand.scoring.sharing import Sharing
from evenhand.scoring.terms import outcomes
from evenhand.testing import ModelCase, Subject, tiny
from evenhand.testing.contracts import Contract
from evenhand.testing.models import CONTRACTS
from tests.contracts.collecting import each, try_it
from tests.scoring.reference import naive
from tests.scoring.workload import FEW_SHOT, ITEMS
from tests.support.asking import generated

pytestmark = pytest.mark.filterwarnings("ignore")
kinds = pytest.mark.parametrize("kind", tiny.CONFIGS)


@cache
def opened(kind: str) -> CausalModel:
    return tiny.model(kind)


@cache
def expected(kind: str) -> tuple[tuple[float, int], ...]:
    model = opened(kind)
    return tuple(naive(model.module, model.tokenizer, item) for item in ITEMS)


def test_the_promised_architectures_are_covered():
    promised = "gpt2 gpt_neo gpt_neox bloom opt llama mistral qwen2 qwen3 gemma phi"
    assert " ".join(tiny.PROMISED) == promised
    assert set(tiny.CONFIGS) <= {kind for kind, row in ROWS.items() if row.blocks}


@kinds
def test_is_an_open_model_that_can_do_everything(kind):
    model = opened(kind)
    assert isinstance(model, Model)
    assert isinstance(model, OpenModel)
    assert model.can == frozenset(Ability) - {Ability.CLOZE}
    assert model.spec.architecture == kind
    assert model.spec.dtype == "float32"
    assert len(model.spec.digest) == 64


@kinds
@pytest.mark.parametrize(
    ("padding", "budget"), [("left", 1), ("left", 60), ("left", 4096), ("right", 60), ("right", 4096)]
)
def test_batches_and_padding_change_no_logprob(kind, padding, budget):
    model = opened(kind)
    scorer = Scorer(model.module, model.tokenizer, padding=padding, batch_tokens=budget, share=None)
    answers = scorer.logprobs(ITEMS)
    assert scorer.report().path == padding, scorer.report().why
    assert scorer.report().probe < 1e-4
    for answer, (value, n_tokens) in zip(answers, expected(kind), strict=True):
        assert answer.value == pytest.approx(value, abs=1e-4)
        assert answer.n_tokens == n_tokens


@kinds
@pytest.mark.parametrize("budget", [1, 60, 4096])
def test_packed_trees_change_no_logprob(kind, budget):
    """Where an architecture is not tested, whole rows run, and the report says why."""
    model = opened(kind)
    scorer = Scorer(model.module, model.tokenizer, batch_tokens=budget)
    answers = scorer.logprobs(ITEMS)
    report = scorer.report()
    assert (report.path == "tree") == ROWS[kind].shares, report.packing
    assert ROWS[kind].shares or "not tested" in report.packing or "window of 6 places" in report.packing
    for answer, (value, n_tokens) in zip(answers, expected(kind), strict=True):
        assert answer.value == pytest.approx(value, abs=1e-4)
        assert answer.n_tokens == n_tokens


@kinds
@pytest.mark.parametrize(("padding", "budget"), [("left", 1), ("left", 60), ("right", 4096)])
def test_shared_beginnings_change_no_logprob(kind, padding, budget):
    """Where an architecture is not tested, whole rows run, and the report says why."""
    model = opened(kind)
    eager = Sharing(shortest=3, forward=0, gain=0.0, room=40, trees=())
    options = {"padding": padding, "batch_tokens": budget}
    alone = Scorer(model.module, model.tokenizer, share=None, **options).logprobs(FEW_SHOT)
    scorer = Scorer(model.module, model.tokenizer, share=eager, **options)
    answers = scorer.logprobs(FEW_SHOT)
    assert [a.value for a in answers] == pytest.approx([a.value for a in alone], abs=2e-5)
    assert [a.n_tokens for a in answers] == [a.n_tokens for a in alone]
    report = scorer.report()
    assert (report.groups > 0) == ROWS[kind].shares, report.sharing
    assert ROWS[kind].shares or "not tested" in report.sharing


@kinds
def test_the_architecture_is_sensitive_enough_for_these_tests(kind):
    """Hiding the first token moves an answer by far more than the tolerance: the models are not constant."""
    model = opened(kind)
    whole, cut = (
        Continuation("The nurse smiled because", " she"),
        Continuation("nurse smiled because", " she"),
    )
    a, b = model.answer([whole, cut])
    assert abs(a.value - b.value) > 1e-2


@kinds
def test_training_sees_the_same_numbers_as_scoring(kind):
    model = opened(kind)
    contexts = ("The nurse smiled because", "The carpenter sat down slowly because")
    examples = [Example(c, c, c, ("a", "b"), ((" she",), (" he", " xylophones"))) for c in contexts]
    found = outcomes(model, examples)
    for i, context in enumerate(contexts):
        she, he, other = model.answer([Continuation(context, t) for t in (" she", " he", " xylophones")])
        either = torch.logaddexp(torch.tensor(he.value), torch.tensor(other.value))
        assert float(found.log_p[i, 0].detach()) == pytest.approx(she.value, abs=1e-4)
        assert float(found.log_p[i, 1].detach()) == pytest.approx(float(either), abs=1e-4)
    total = found.log_p.exp().sum(1) + found.log_rest.exp().sum(1)
    assert torch.allclose(total, torch.ones(2), atol=1e-5)
    assert found.log_p.requires_grad


@kinds
def test_every_site_resolves_and_sees_the_forward_pass(kind):
    model = opened(kind)
    layout = model.layout
    names = layout.sites()
    assert names[0] == "embeddings"
    assert names[-2:] == ("norm", "head")
    assert [n for n in names if n.startswith("block.") and n.count(".") == 1] == list(layout.blocks())
    for block in layout.blocks():
        assert {f"{block}.attention", f"{block}.mlp", f"{block}.norm1"} <= set(names)
    with torch.no_grad(), observe(model, names) as seen:
        run_texts(model.module, model.tokenizer, ["The nurse smiled", "The carpenter sat down slowly"])
    assert set(seen) == set(names)
    for earlier, later in zip(layout.blocks(), layout.blocks()[1:], strict=False):
        assert torch.equal(seen[earlier][1], seen[later][0]), "a block's output is the next one's input"
    assert torch.equal(seen[layout.blocks()[-1]][1], seen["norm"][0])
    for block in layout.blocks():
        before, after = seen[block]
        assert before.shape == after.shape
        assert before.dim() == 3
        assert not torch.equal(before, after)


@kinds
def test_attention_and_mlp_outputs_are_without_the_residual_stream(kind):
    """Zero attention and zero MLP outputs leave a block that hands its input on (scaled, where it scales)."""
    model = opened(kind)
    zero = lambda output, given: torch.zeros_like(output)  # noqa: E731
    sites = ("block.1.attention", "block.1.mlp")
    with (
        torch.no_grad(),
        patch(model, sites[0], zero),
        patch(model, sites[1], zero),
        observe(model, ["block.1"]) as seen,
    ):
        run_texts(model.module, model.tokenizer, ["The nurse smiled because she"])
    before, after = seen["block.1"]
    assert torch.allclose(before, after, atol=1e-5)


@kinds
def test_parameters_are_the_models_own_under_its_own_names(kind):
    model = opened(kind)
    own = dict(model.module.named_parameters())
    found = {}
    for site in model.layout.sites():
        parameters = model.layout.parameters(site)
        assert all(own[name] is parameter for name, parameter in parameters.items())
        found |= parameters
    assert set(found) == set(own), "the sites together hold every parameter"
    block = model.layout.parameters("block.1")
    parts = [f"block.1.{p}" for p in ("attention", "mlp", "norm1", "norm2") if f"block.1.{p}" in model.layout]
    assert {name for part in parts for name in model.layout.parameters(part)} == set(block)
    assert sum(len(model.layout.parameters(part)) for part in parts) == len(block), "no parameter twice"


@kinds
def test_generates_the_same_alone_and_in_a_batch(kind):
    model = opened(kind)
    prompts = ["The nurse", "The carpenter sat down slowly because", "The doctor opened"]
    for sampling in (Sampling(max_tokens=6), Sampling(max_tokens=6, temperature=1.0, seed=3)):
        together = generated(model, prompts, sampling)
        assert together == [generated(model, [prompt], sampling)[0] for prompt in prompts]
        assert all(0 <= c.n_tokens <= 6 for c in together)


def _subjects(contract: Contract) -> list[Subject]:
    cases = [ModelCase(f"tiny:{kind}", partial(_open, kind)) for kind in ("llama", "gpt2", "bloom")]
    return [Subject("model", case.name, case) for case in cases]


def _open(kind: str, uri: str, **options: int) -> CausalModel:
    return tiny.model(kind, **options)


@each(CONTRACTS, _subjects)
def test_model(contract: Contract, subject: Subject) -> None:
    """What a plug-in's models are held to, too."""
    try_it(contract, subject)
