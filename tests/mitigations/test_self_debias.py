"""Self-debiasing: the worked numbers, the same in scoring and in generation, never passed by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations.self_debias import SelfDebias
from evenhand.models.causal import CausalModel
from evenhand.records import ContextPair, Continuation, Embedding, Generation, Sampling
from evenhand.scoring import reweighted as scoring
from evenhand.scoring.distributions import distributions
from evenhand.scoring.reweighted import Copier, Reweighting, in_blocks, logprobs, reweighted
from evenhand.studies.shift import TEXT, Context, Shift
from evenhand.testing import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import model as tiny
from evenhand.treatments import load
from evenhand.treatments.decoding import DecodingTreatment, ReweightedModel
from tests.support.counting import tokens_by_block
from tests.support.families import masked

SHORT = "The nurse was late."
CASE = MitigationCase(
    "self_debias",
    f"self_debias:prefix={SHORT}",
    no_lab="the lab's models understand no text that asks for a bias",
)
ARCHITECTURES = ["gpt2", "llama", "bloom", "gemma", "gpt_neo"]


def test_the_worked_numbers() -> None:
    # p = (.5, .5), p_b = (.6, .4): alpha = (max(e^{-50 * .1}, .01), e^0) = (max(.0067, .01), 1) = (.01, 1);
    # alpha p = (.005, .5), so p' = (.005, .5) / .505 = (.0099, .9901).
    p, p_b = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[[0.6, 0.4]]]).log()
    assert reweighted(p, p_b, 50.0, 0.01).exp()[0].tolist() == pytest.approx([0.0099, 0.9901], abs=1e-4)
    # lam 10, no floor that matters: alpha = (e^-1, 1): p' = (.3679, 1) / 1.3679 = (.2689, .7311).
    assert reweighted(p, p_b, 10.0, 0.01).exp()[0].tolist() == pytest.approx([0.2689, 0.7311], abs=1e-4)


def test_of_several_texts_the_largest_counts() -> None:
    # p = (.5, .5); the texts give (.6, .4) and (.3, .7): the maximum is (.6, .7), no distribution itself.
    # lam 10: alpha = (e^-1, e^-2), p' = (e^-1, e^-2) / (e^-1 + e^-2) = (.7311, .2689).
    p, p_b = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[[0.6, 0.4]], [[0.3, 0.7]]]).log()
    assert reweighted(p, p_b, 10.0, 0.01).exp()[0].tolist() == pytest.approx([0.7311, 0.2689], abs=1e-4)


def _how(model: CausalModel, lam: float = 50.0) -> Reweighting:
    return Reweighting((f"{SHORT}\n",), lam)


def test_progress_counts_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    @contextmanager
    def counting(label: str, total: int, *, unit: str) -> Iterator[Callable[[int], None]]:
        assert (label, total, unit) == ("scoring", 2, "row")
        yield done.append

    monkeypatch.setattr(scoring, "task", counting)
    model = tiny("llama")
    texts = ["The nurse was", "The nurse was late and", "The nurse was"]
    asked = [Continuation(text, term) for text in texts for term in (" he", " they were")]
    logprobs(model, asked, _how(model))
    assert sum(done) == 2


def _by_hand(model: CausalModel, ids: list[int], lam: float = 50.0) -> torch.Tensor:
    """ln p' after `ids`, from two plain passes."""
    before = model.tokenizer(f"{SHORT}\n")["input_ids"]
    with torch.no_grad():
        p, p_b = (
            model.module(torch.tensor([row])).logits[0, -1].log_softmax(-1) for row in (ids, [*before, *ids])
        )
    alpha = torch.exp(-lam * (p_b.exp() - p.exp()).clamp_min(0)).clamp_min(0.01)
    return (alpha * p.exp() / (alpha * p.exp()).sum()).log()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_scores_are_those_of_two_plain_passes(kind: str) -> None:
    model = tiny(kind)
    items = [r for e in examples() for r in e.requests()]
    # Two rows that part in the middle: what follows "sat" is wanted of both.
    items += [Continuation("The nurse", " sat down slowly"), Continuation("The nurse", " sat up and")]
    found = logprobs(model, items, _how(model))
    for item, answer in zip(items, found, strict=True):
        context = model.tokenizer(item.context)["input_ids"]
        whole = model.tokenizer(item.context + item.text)["input_ids"]
        wanted = sum(_by_hand(model, whole[:i])[whole[i]].item() for i in range(len(context), len(whole)))
        assert answer.value == pytest.approx(wanted, abs=2e-4)
        assert answer.n_tokens == len(whole) - len(context)


def test_what_begins_alike_is_read_once_also_the_text_that_asks_for_the_bias() -> None:
    model, how = tiny("llama"), _how(tiny("llama"))
    asked = [Continuation("The nurse was late because", f" {word}") for word in ("he", "she", "it", "they")]
    context, before = (len(model.tokenizer(text)["input_ids"]) for text in (asked[0].context, f"{SHORT}\n"))
    logprobs(model, asked, how)  # the trees are proven
    with tokens_by_block(model) as tokens:
        logprobs(model, asked, how)
    further = sum(len(model.tokenizer(one.text)["input_ids"]) - 1 for one in asked)
    assert set(tokens) == {2 * (context + further) + before}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_generation_chooses_from_the_same_distribution(kind: str) -> None:
    model = tiny(kind)
    prompts = ["The nurse", "The doctor left because"]  # of unlike lengths, padded in one batch
    with SelfDebias(prefix=SHORT).fit(model, examples(), sites=None, seed=0).applied(model) as treated:
        texts = treated.answer([Generation(p, Sampling(4)) for p in prompts])
    for prompt, made in zip(prompts, texts, strict=True):
        ids = list(model.tokenizer(prompt)["input_ids"])
        start = len(ids)
        for _ in range(4):
            ids.append(int(_by_hand(model, ids).argmax()))
            if ids[-1] == model.tokenizer.eos_token_id:
                ids.pop()
                break
        whole = model.tokenizer.decode(ids, skip_special_tokens=True)
        assert made.text == whole[len(model.tokenizer.decode(ids[:start])) :]  # type: ignore[union-attr]


def test_a_draw_does_not_depend_on_the_batch() -> None:
    model, sampling = tiny("llama"), Sampling(5, temperature=1.0, seed=3)
    with SelfDebias(prefix=SHORT).fit(model, examples(), sites=None, seed=0).applied(model) as treated:
        both = treated.answer([Generation(p, sampling) for p in ("The nurse", "The doctor left because")])
        alone = treated.answer([Generation("The doctor left because", sampling)])
    assert both[1] == alone[0]


def test_whole_distributions_sum_to_one_and_agree_with_scores() -> None:
    model = tiny("llama")
    contexts = ["The nurse", "The doctor left because", "The nurse"]
    table = torch.empty(3, len(model.tokenizer))
    for places, block in in_blocks(model, contexts, _how(model)):
        table[places] = block
        assert block.exp().sum(-1).tolist() == pytest.approx([1.0] * len(places), abs=1e-4)
    assert torch.equal(table[0], table[2])
    ids = list(model.tokenizer(contexts[1])["input_ids"])
    assert torch.allclose(table[1], _by_hand(model, ids), atol=2e-4)


def test_what_the_weights_alone_say_is_never_given_instead() -> None:
    """No request that would read the model without the treatment is answered, and nothing kept is used."""
    model = tiny("llama")
    item = examples()[0].requests()[0]
    plain = model.answer([item])[0].value  # the engine may keep what it likes of this pass
    with SelfDebias(prefix=SHORT).fit(model, examples(), sites=None, seed=0).applied(model) as treated:
        assert treated.answer([item])[0].value != plain  # type: ignore[union-attr]
        assert not hasattr(treated, "module")
        assert not hasattr(treated, "scorer")
        for other in (Embedding("The nurse"), ContextPair("The nurse", "The doctor")):
            with pytest.raises(BadModel, match="reweights what comes next"):
                treated.answer([other])
        with pytest.raises(BadModel, match="no chat messages"):
            treated.answer([Generation("Hello", chat=True)])
    assert model.answer([item])[0].value == plain


def test_how_far_it_moved_is_read_from_what_it_expects() -> None:
    model = tiny("llama")
    shift = Shift(model, [Context(TEXT, "a", "The nurse"), Context(TEXT, "b", "The doctor left")]).ready()
    with SelfDebias(prefix=SHORT).fit(model, examples(), sites=None, seed=0).applied(model) as treated:
        assert isinstance(treated, ReweightedModel)
        size = shift.size(treated)
    p = distributions(model, ["The nurse", "The doctor left"])
    q = torch.stack(
        [_by_hand(model, list(model.tokenizer(t)["input_ids"])) for t in ("The nurse", "The doctor left")]
    )
    kl = (p.exp() * (p - q)).sum(-1)
    assert size == pytest.approx(math.sqrt(kl.mean().item()), rel=1e-3)


def test_the_sham_moves_the_examples_as_far() -> None:
    model = tiny("llama")
    method = SelfDebias(prefix=SHORT)
    details = method.sham(seed=1).fit(model, examples(), sites=None, seed=0).about.details
    assert details["kl"] == pytest.approx(details["kl_of_treatment"], rel=1e-3)
    assert details["kl_of_treatment"] > 0
    assert details["prefixes"] != [f"{SHORT}\n"]


def test_it_is_saved_whole(tmp_path: Path) -> None:
    model = tiny("llama")
    made = SelfDebias(prefix=f"{SHORT}|The doctor left.").fit(model, examples(), sites=None, seed=0)
    made.save(tmp_path / "t")
    again = load(tmp_path / "t")
    assert isinstance(again, DecodingTreatment)
    assert again.digest == made.digest
    assert again.reweighting.prefixes == (f"{SHORT}\n", "The doctor left.\n")
    card = tmp_path / "t" / "mitigation.json"
    card.write_text(card.read_text().replace('"lam": 50.0,\n  "floor"', '"lam": 5.0,\n  "floor"'))
    with pytest.raises(BadData, match="damaged"):
        load(tmp_path / "t")


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(BadOption, match="lam=0"):
        SelfDebias(lam=0.0)
    with pytest.raises(BadOption, match="floor=2"):
        SelfDebias(floor=2.0)
    with pytest.raises(BadOption, match="prefix is empty"):
        SelfDebias(prefix=" | ")
    for model in (masked(), tiny("mamba")):
        with pytest.raises(BadModel):
            SelfDebias().check(model, ())
    with pytest.raises(BadData, match="window has 64"):
        Copier(tiny("llama"), Reweighting(("The nurse was late. " * 9,)))(tuple(range(40)))
