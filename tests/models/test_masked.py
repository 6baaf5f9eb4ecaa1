"""`MaskedModel`: pseudo-likelihoods of every architecture against one masked copy a forward pass."""

from __future__ import annotations

import math

import pytest
import torch

from evenhand.errors import BadData, BadModel
from evenhand.models import Model
from evenhand.models.masked import MaskedModel
from evenhand.records import Ability, Averaged, Cloze, Continuation, Contrast, Sampling
from evenhand.scoring.pseudo import closed
from evenhand.testing import tiny
from tests.scoring.reference_masked import by_words, official
from tests.support import families
from tests.support.asking import generated

pytestmark = pytest.mark.filterwarnings("ignore")
kinds = pytest.mark.parametrize("kind", families.MASKED)
CONTEXTS = ("The nurse smiled because", "The carpenter left because the doctor was late because")
ITEMS = [Continuation(context, text) for context in CONTEXTS for text in (" she", " he", " carpenter")]
ONE, TWO = "The nurse smiled because she left.", "The doctor smiled because he was late."


@kinds
def test_is_a_model_that_fills_and_embeds_but_does_not_write(kind):
    model = families.masked(kind)
    assert isinstance(model, Model)
    assert model.spec.family == "masked"
    assert model.spec.architecture == kind
    assert model.can == frozenset(Ability) - {Ability.GENERATE, Ability.NEXT}
    with pytest.raises(BadModel, match="writes no text"):
        generated(model, ["The nurse"], Sampling())


@kinds
@pytest.mark.parametrize("budget", [1, 60, 4096])
def test_batches_change_nothing_against_one_copy_a_pass(kind, budget):
    model = families.masked(kind, batch_tokens=budget)
    answers = model.answer(ITEMS)
    for item, answer in zip(ITEMS, answers, strict=True):
        value, n = by_words(model.module, model.tokenizer, item.context, item.text, ".")
        assert answer.value == pytest.approx(value, abs=1e-4)
        assert answer.n_tokens == n
        assert answer.kind == "pseudo"
    assert model.scoring().path == "right", model.scoring().why


@kinds
@pytest.mark.parametrize("part", ["shared", "changed"])
def test_contrasts_are_the_published_ones(kind, part):
    model = families.masked(kind)
    asked = [Contrast(ONE, TWO, part), Contrast(TWO, ONE, part, first=False)]
    found = official(model.module, model.tokenizer, ONE, TWO, part)
    for answer, (value, n) in zip(model.answer(asked), found, strict=True):
        assert answer.value == pytest.approx(value, abs=1e-4)
        assert answer.n_tokens == n > 0


@kinds
def test_what_stands_behind_is_read_and_the_models_are_not_constant(kind):
    model = families.masked(kind)
    start = len("The nurse left because ")
    a, b = model.answer(
        [Cloze(f"The nurse left because she was {end}.", start, start + 3) for end in ("late", "a nurse")]
    )
    assert abs(a.value - b.value) > 1e-3


def test_an_average_is_of_probabilities():
    model = families.masked("bert")
    (average,) = model.answer([Averaged("The carpenter left.", 4, 13)])
    tokenizer, mask = model.tokenizer, model.tokenizer.mask_token
    shares = []
    for seen, wanted in (("The", "carp"), ("The carp", "##enter")):
        row = ["[CLS]", *tokenizer.tokenize(seen), mask, "left", ".", "[SEP]"]
        ids = torch.tensor([tokenizer.convert_tokens_to_ids(row)])
        with torch.no_grad():
            logits = model.module(input_ids=ids).logits[0, row.index(mask)].double()
        shares.append(float(logits.softmax(-1)[tokenizer.convert_tokens_to_ids(wanted)]))
    assert average.n_tokens == 2
    assert average.kind == "pseudo"
    assert math.exp(average.value) == pytest.approx(sum(shares) / 2, rel=1e-5)


def test_a_full_stop_closes_a_context_and_nothing_else():
    assert closed(Continuation("It is", " late")) == Cloze("It is late.", 6, 10)
    assert closed(Continuation("It is", " late!")) == Cloze("It is late!", 6, 11)
    assert closed(Continuation("", "It is late")) == Cloze("It is late", 0, 10)


def test_a_whole_text_scores_every_token():
    model = families.masked("bert")
    (answer,) = model.answer([Continuation("", ONE)])
    assert answer.n_tokens == len(model.tokenizer(ONE, add_special_tokens=False)["input_ids"]) == 7


def test_equal_copies_run_once():
    model = families.masked("bert")
    model.answer([Continuation(CONTEXTS[0], term) for term in (" she", " he", " it")] * 2)
    report = model.scoring()
    assert (report.requests, report.duplicates, report.rows, report.forwards, report.head_rows) == (
        6,
        3,
        1,
        1,
        1,
    )


def test_running_out_of_memory_halves_the_batch_and_changes_nothing(monkeypatch):
    whole = families.masked("bert").answer(ITEMS)
    model = families.masked("bert")
    forward = type(model.module).forward

    def small(self, input_ids=None, **inputs):
        if input_ids.shape[0] > 2:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, input_ids=input_ids, **inputs)

    monkeypatch.setattr(type(model.module), "forward", small)
    found = model.answer(ITEMS)
    assert model.scoring().halvings > 0
    assert [a.value for a in found] == pytest.approx([a.value for a in whole], abs=1e-4)


def test_notes_say_that_the_figures_are_of_another_kind():
    assert "pseudo-likelihood" in families.masked("bert").notes()[0]


def test_roberta_reads_two_tokens_less_than_its_table_has():
    model = families.masked("roberta")  # 160 places, pad id 1: places 2..159
    word = " nurse"
    assert model.answer([Continuation("", "The" + word * 155)])[0].n_tokens == 156
    with pytest.raises(BadData, match="159 tokens does not fit into the model's window of 158"):
        model.answer([Continuation("", "The" + word * 156)])


def test_no_masks_no_masked_model():
    with pytest.raises(BadModel, match="has no mask token"):
        MaskedModel(families.module("bert"), tiny.tokenizer(), "hf:x")
