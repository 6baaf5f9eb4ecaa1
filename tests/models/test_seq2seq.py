"""`Seq2SeqModel`: conditional likelihoods against one naive pass each, the two forms, generation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from evenhand.errors import BadData, BadModel
from evenhand.models import Model
from evenhand.models.seq2seq import Seq2SeqModel
from evenhand.records import Ability, Continuation, Sampling
from evenhand.scoring.conditional import decoder_start
from tests.support import families
from tests.support.asking import generated

kinds = pytest.mark.parametrize("kind", families.SEQ2SEQ)
OPEN = [
    Continuation(context, text)
    for context in ("The nurse smiled because", "The doctor was late because the carpenter left because")
    for text in (" she", " he", " carpenter left")
]
ASKED = [Continuation("the nurse is late?", text) for text in (" the nurse", " he")]


@torch.no_grad()
def naive(model: Seq2SeqModel, source: str, given: list[int], text: list[int]) -> float:
    """log P of the ids of `text` after the decoder ids `given`, one pass over everything."""
    ids = model.tokenizer(source, return_tensors="pt")["input_ids"]
    target = torch.tensor([[*given, *text]])
    logits: Any = model.module(input_ids=ids, decoder_input_ids=target).logits[0].double().log_softmax(-1)
    return sum(float(logits[len(given) - 1 + i, token]) for i, token in enumerate(text))


def ids(model: Seq2SeqModel, text: str) -> list[int]:
    return list(model.tokenizer(text, add_special_tokens=False)["input_ids"])


def expected(model: Seq2SeqModel, kind: str, item: Continuation) -> tuple[float, int]:
    """The stated forms, written out: the source, what the decoder is given, and what is scored."""
    if kind == "bart":
        start = [model.tokenizer.eos_token_id, model.tokenizer.bos_token_id]
        if item in OPEN:
            given, text = [*start, *ids(model, item.context)], ids(model, item.text)
            return naive(model, item.context + "<mask>", given, text), len(text)
        text = ids(model, item.text.strip())
        return naive(model, item.context, start, text), len(text)
    text = ids(model, item.text.strip())
    if item in OPEN:
        sentinel = model.tokenizer.convert_tokens_to_ids("<extra_id_0>")
        start = [model.tokenizer.pad_token_id, sentinel]
        return naive(model, item.context + "<extra_id_0>", start, text), len(text)
    return naive(model, item.context, [model.tokenizer.pad_token_id], text), len(text)


@kinds
@pytest.mark.parametrize("budget", [1, 50, 4096])
def test_batches_change_nothing_against_one_pass_each(kind, budget):
    model = families.seq2seq(kind, batch_tokens=budget)
    items = [*OPEN, *ASKED]
    for item, answer in zip(items, model.answer(items), strict=True):
        value, n = expected(model, kind, item)
        assert answer.value == pytest.approx(value, abs=1e-4), item
        assert (answer.n_tokens, answer.kind) == (n, "true")


@kinds
def test_the_encoder_runs_once_a_source(kind):
    model = families.seq2seq(kind)
    seen = []
    encoder = model.module.get_encoder()
    handle = encoder.register_forward_pre_hook(
        lambda m, a, k: seen.append(len(k["input_ids"])), with_kwargs=True
    )
    model.answer([*OPEN, *ASKED] * 2)
    handle.remove()
    assert sum(seen) == model.scorer.counts.encoded == 3


@kinds
def test_is_a_model_of_its_family(kind):
    model = families.seq2seq(kind)
    assert isinstance(model, Model)
    assert model.spec.family == "seq2seq"
    assert model.can == frozenset(Ability) - {Ability.CLOZE, Ability.NEXT}


def test_the_context_decides_the_form():
    model = families.seq2seq("t5")
    assert model.scorer.form_of(Continuation("The nurse left because", " she")) == "infill"
    assert model.scorer.form_of(Continuation("", "The nurse left.")) == "infill"
    for finished in ("Who left?", "Answer:", "The nurse left.", "Stop!"):
        assert model.scorer.form_of(Continuation(finished, " she")) == "source"
    source = families.seq2seq("t5", form="source").scorer
    assert source.form_of(Continuation("The nurse", " left")) == "source"


def test_notes_say_which_form_was_used():
    model = families.seq2seq("t5")
    model.answer([*OPEN, *ASKED])
    assert model.notes() == (
        "Sequence-to-sequence: scored 6 as the filling of a gap after their context and 2 as the target of "
        "their context.",
    )


@kinds
def test_generates_the_same_alone_and_in_a_batch(kind):
    model = families.seq2seq(kind)
    prompts = ["the nurse", "the doctor was late because the carpenter left", "is it late?"]
    for sampling in (Sampling(max_tokens=5), Sampling(max_tokens=5, temperature=1.0, seed=3)):
        together = generated(model, prompts, sampling)
        assert together == [generated(model, [prompt], sampling)[0] for prompt in prompts]
        assert all(0 <= c.n_tokens <= 5 for c in together)


@kinds
def test_greedy_text_is_the_argmax_step_by_step(kind):
    model = families.seq2seq(kind)
    (made,) = generated(model, ["the nurse left."], Sampling(max_tokens=4))
    source = model.tokenizer("the nurse left.", return_tensors="pt")["input_ids"]
    row = [decoder_start(model.module)]
    with torch.no_grad():
        for _ in range(made.n_tokens):
            logits = model.module(input_ids=source, decoder_input_ids=torch.tensor([row])).logits
            row.append(int(logits[0, -1].argmax()))
    assert made.text == model.tokenizer.decode(row[1:], skip_special_tokens=True)


@pytest.mark.parametrize(
    ("item", "kind", "message"),
    [
        (Continuation("It is", ""), BadData, "is empty"),
        (Continuation("It is ", " late"), BadData, "ends with a space"),
        (Continuation("It is", " 7"), BadModel, "does not know a piece"),
    ],
)
def test_what_cannot_be_asked(item, kind, message):
    with pytest.raises(kind, match=message):
        families.seq2seq("t5").answer([item])


def test_nothing_is_cut_to_the_window():
    long = "it " * 70
    with pytest.raises(BadData, match="does not fit into the model's window of 64"):
        families.seq2seq("bart").answer([Continuation(long.strip(), " is")])
    with pytest.raises(BadData, match="window of 64"):
        generated(families.seq2seq("bart"), [long.strip()], Sampling(max_tokens=2))


def test_a_decoder_without_a_first_token_is_named():
    silent = SimpleNamespace(config=SimpleNamespace(), generation_config=None)
    with pytest.raises(BadModel, match="with which token its decoder starts"):
        decoder_start(silent)
