"""Outcomes of masked and sequence-to-sequence models are what the scorer says of the same requests."""

from __future__ import annotations

import pytest
import torch

from evenhand.errors import BadModel
from evenhand.models import OpenModel
from evenhand.opening import open_model
from evenhand.records import Continuation, Example
from evenhand.scoring.asking import asking
from evenhand.scoring.distributions import distributions, first_tokens
from evenhand.scoring.forward import SelectedHead
from evenhand.scoring.terms import Prompts, outcomes
from evenhand.testing import tiny
from evenhand.testing.examples import examples
from evenhand.testing.laboratory import genbiaseval
from tests.support import families
from tests.support.counting import tokens_by_block

FILLING = ("bert", "roberta", "distilbert")
WRITING = ("t5", "mt5", "bart")


def opened(kind: str) -> OpenModel:
    return families.masked(kind) if kind in families.MASKED else families.seq2seq(kind)


def prompts(*terms: tuple[str, ...], n: int = 4) -> list[Example]:
    contexts = (
        "the nurse smiled because",
        "the doctor left",
        "the nurse was late because it is",
        "the doctor is a",
    )
    return [Example(str(i), str(i), c, ("m", "f"), terms) for i, c in enumerate(contexts[:n])]


SHORT = prompts((" he",), (" she",))


@pytest.mark.parametrize("kind", [*FILLING, *WRITING])
def test_log_probabilities_are_those_that_the_model_answers(kind: str) -> None:
    model = opened(kind)
    with torch.no_grad():
        found = outcomes(model, SHORT)
    said = [[a.value for a in model.answer(list(e.requests()))] for e in SHORT]
    torch.testing.assert_close(found.log_p, torch.tensor(said), atol=1e-5, rtol=0)
    # Groups and rest are one distribution: their probabilities sum to 1.
    total = found.log_p.exp().sum(1) + found.log_rest.exp().sum(1)
    torch.testing.assert_close(total, torch.ones(4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("uri", ["lab:masked", "lab:seq2seq"])
def test_on_the_lab_they_agree_to_a_hundred_thousandth(uri: str) -> None:
    model, few = open_model(uri), genbiaseval()[1][:48]
    with torch.no_grad():
        found = outcomes(model, few).log_p
    said = [[a.value for a in model.answer(e.requests())] for e in few]
    assert float((found - torch.tensor(said)).abs().max()) < 1e-5


@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_terms_of_several_tokens_and_several_forms(kind: str) -> None:
    """ " carpenter" is carp ##enter for BERT; of equal lengths the first mask has one distribution."""
    model = opened(kind)
    several = prompts((" carpenter", " carpit"), (" carpa",), n=2)
    with torch.no_grad():
        found = outcomes(model, several)
    for row, example in zip(found.log_p, several, strict=True):
        values = [
            model.answer([Continuation(example.context, t)])[0].value
            for t in (" carpenter", " carpit", " carpa")
        ]
        wanted = [torch.tensor(values[:2]).logsumexp(0), torch.tensor(values[2])]
        torch.testing.assert_close(row, torch.stack(wanted), atol=1e-5, rtol=0)


def test_terms_of_unlike_lengths_have_no_common_rest_at_masks() -> None:
    """One mask and two are two distributions; a decoder writes both terms from one."""
    unlike = prompts((" he",), (" carpenter",))
    with pytest.raises(BadModel, match="have 1 and 2 tokens, which this model reads at as many masks"):
        Prompts(opened("bert"), unlike).check_partition()
    for model in (opened("t5"), tiny.model("gpt2")):
        Prompts(model, unlike if model.spec.family == "seq2seq" else examples()).check_partition()


def test_places_are_the_masks_and_every_token_of_a_source() -> None:
    found = outcomes(opened("bert"), SHORT)
    assert found.places is not None
    assert found.read is None
    mask = families.wordpiece().mask_token_id
    ids = [row.ids for row in Prompts(opened("bert"), SHORT).plan(range(4)).rows]
    assert [ids[r][p] for r, p in zip(*(t.tolist() for t in found.places), strict=True)] == [mask] * 4
    written = outcomes(opened("t5"), SHORT)
    assert written.places is not None
    assert written.read is not None
    assert written.places[1].tolist() == [1] * 4  # after the start and the sentinel
    sources = [row.source for row in map(Prompts(opened("t5"), SHORT).opening, range(4))]
    assert len(written.read[0]) == sum(map(len, sources))


@pytest.mark.parametrize("kind", [*FILLING, *WRITING])
def test_what_is_expected_after_a_context_is_the_distribution_that_terms_are_read_from(kind: str) -> None:
    model = opened(kind)
    contexts = [e.context for e in SHORT]
    with torch.no_grad():
        table = distributions(model, contexts)  # [4, V]
        found = outcomes(model, SHORT)
    he, she = (first_tokens(model, contexts[0], [word])[0] for word in (" he", " she"))
    torch.testing.assert_close(table[:, [he, she]], found.log_p, atol=1e-5, rtol=0)


def test_gradients_reach_encoder_and_decoder() -> None:
    model = opened("t5")
    with torch.enable_grad():
        outcomes(model, SHORT).log_p.sum().backward()
    try:
        for block in model.layout.blocks():
            assert all(p.grad is not None for p in model.layout.parameters(block).values()), block
    finally:
        model.module.zero_grad(set_to_none=True)


def test_a_source_that_rows_share_is_encoded_once() -> None:
    """The term of two tokens is another row of the decoder, after the same source."""
    model = opened("t5")
    alike = prompts((" he he",), (" she",), n=1)
    rows = Prompts(model, alike).plan([0]).rows
    with tokens_by_block(model) as tokens, torch.no_grad():
        outcomes(model, alike)
    source, written = len(rows[0].source), sum(len(r.ids) for r in rows)
    assert tokens[: model.layout.encoding] == [source] * model.layout.encoding
    assert len({row.source for row in rows}) == 1
    assert written >= 3


@pytest.mark.parametrize("kind", ["bert", "t5", "bart"])
def test_plain_texts_hide_a_part_that_the_seed_draws(kind: str) -> None:
    model, texts = opened(kind), ["the nurse smiled because she was late", "the doctor left"]
    asked = asking(model)
    rows, again, other = (asked.plain(texts * 4, seed) for seed in (1, 1, 2))
    assert rows == again != other
    with SelectedHead(model.module) as head, torch.no_grad():
        logits = asked.run(head, rows)
    assert len(logits) == sum(len(row.wanted) for row in rows)
    if kind == "bert":
        mask = families.wordpiece().mask_token_id
        assert all(row.ids[position] == mask for row in rows for position, _ in row.wanted)
        assert [len(row.wanted) for row in rows[:2]] == [1, 1]  # 15 % of 7 and of 3 words, at least one
