"""Tokenizers as they are found: more tokens than weights, no padding token, saved cuts, marks at the end."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from evenhand.errors import BadModel
from evenhand.models.causal import CausalModel
from evenhand.models.masked import MaskedModel
from evenhand.models.seq2seq import Seq2SeqModel
from evenhand.opening import open_model
from evenhand.records import (
    Averaged,
    Cloze,
    ContextPair,
    Continuation,
    Contrast,
    Example,
    GreedyMatch,
    Sampling,
)
from evenhand.scoring.forward import run_texts
from evenhand.scoring.terms import outcomes
from evenhand.testing import tiny
from tests.support import families
from tests.support.asking import generated, unanchored, vectors

CONTEXT = "The nurse smiled because"
ITEMS = [Continuation(CONTEXT, " he"), Continuation(CONTEXT, " she was late."), Continuation("", CONTEXT)]
ADDED = " nurse"
GREEDY = Sampling(max_tokens=12)


def grown(tokenizer: Any, word: str = ADDED) -> Any:
    """A copy of `tokenizer` with one token more than the model of these tests has rows."""
    wider = copy.deepcopy(tokenizer)
    assert wider.add_tokens([word]) == 1
    return wider


def refused(answer: Callable[[], object], token: str, size: int) -> None:
    said = (
        rf"has {size + 1} tokens, the model's embeddings {size} rows: the token '{token}' with the id {size} "
    )
    with pytest.raises(BadModel, match=said):
        answer()


@pytest.fixture(scope="module")
def causal() -> CausalModel:
    return CausalModel(tiny.module("llama"), grown(tiny.tokenizer(bos=True)), "hf:grown")


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.answer([Continuation(CONTEXT, " he")]),
        lambda m: m.answer([Continuation("The", ADDED)]),
        lambda m: unanchored(m, [CONTEXT]),
        lambda m: m.answer([GreedyMatch(CONTEXT, " he")]),
        lambda m: m.answer([ContextPair("The doctor", CONTEXT)]),
        lambda m: vectors(m, [CONTEXT]),
        lambda m: generated(m, [CONTEXT], GREEDY),
        lambda m: outcomes(m, [Example("1", "1", CONTEXT, ("m", "f"), ((" he",), (" she",)))]),
        lambda m: run_texts(m.module, m.tokenizer, [CONTEXT]),
    ],
)
def test_a_token_without_weights_is_named_wherever_it_is_used(ask, causal):
    refused(lambda: ask(causal), ADDED, len(tiny.tokenizer(bos=True)))


def test_a_token_without_weights_does_no_harm_while_unused(causal):
    plain = tiny.model("llama", bos=True)
    items = [Continuation("The doctor smiled because", " he")]
    assert causal.answer(items) == plain.answer(items)
    assert generated(causal, ["The doctor"], GREEDY) == generated(plain, ["The doctor"], GREEDY)


def test_a_masked_model_names_it_too():
    tokenizer = grown(families.wordpiece(), "nursery")
    model = MaskedModel(families.module("bert"), tokenizer, "hf:grown")
    text = "the nursery is late."
    for ask in (
        lambda: model.answer([Cloze(text, 0, 3)]),
        lambda: model.answer([Averaged(text, 0, 3)]),
        lambda: model.answer([Contrast("the doctor left.", text, "shared")]),
        lambda: model.answer([Continuation("the nursery is", " late")]),
        lambda: vectors(model, [text]),
    ):
        refused(ask, "nursery", len(families.wordpiece()))
    plain = families.masked("bert")
    assert model.answer([Cloze("it is late.", 0, 2)]) == plain.answer([Cloze("it is late.", 0, 2)])


def test_a_sequence_to_sequence_model_names_it_too():
    tokenizer = grown(families.sentencepiece(), "nursery")
    model = Seq2SeqModel(families.module("t5"), tokenizer, "hf:grown")
    for ask in (
        lambda: model.answer([Continuation("the nursery is", " late")]),
        lambda: model.answer([Continuation("it is", " nursery")]),
        lambda: generated(model, ["the nursery"], GREEDY),
        lambda: vectors(model, ["the nursery"]),
    ):
        refused(ask, "nursery", len(families.sentencepiece()))


def _no_padding(folder: Path) -> None:
    _edit(folder / "tokenizer_config.json", lambda found: found.pop("pad_token", None))
    _edit(folder / "config.json", lambda found: found.update(pad_token_id=None))


def _cut(folder: Path) -> None:
    saved = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    padding = {"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0}
    padding |= {"pad_type_id": 0, "pad_token": "<|end|>"}
    _edit(folder / "tokenizer.json", lambda found: found.update(truncation=saved, padding=padding))


def _ending(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    marks = {"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id}
    names = {"bos": tokenizer.bos_token, "eos": tokenizer.eos_token}
    single = [{"SpecialToken": {"id": names[m], "type_id": 0}} for m in ("bos", "eos")]
    special = {names[m]: {"id": names[m], "ids": [marks[m]], "tokens": [names[m]]} for m in names}
    pair = [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]
    processor = {
        "type": "TemplateProcessing",
        "single": [single[0], {"Sequence": {"id": "A", "type_id": 0}}, single[1]],
        "pair": pair,
        "special_tokens": special,
    }
    _edit(folder / "tokenizer.json", lambda found: found.update(post_processor=processor))
    assert AutoTokenizer.from_pretrained(folder)("a")["input_ids"][-1] == tokenizer.eos_token_id


def _longest(number: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        _edit(folder / "tokenizer_config.json", lambda found: found.update(model_max_length=number))

    return change


def _habits(folder: Path) -> None:
    habits = {"temperature": 0.6, "top_k": 1, "do_sample": True, "repetition_penalty": 5.0, "num_beams": 2}
    _edit(folder / "generation_config.json", lambda found: found.update(habits))


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("base")
    tiny.module("llama").save_pretrained(path)
    tiny.tokenizer(bos=True).save_pretrained(path)
    return path


@pytest.mark.parametrize(
    "change",
    [_no_padding, _cut, _ending, _longest(int(1e30)), _longest(4), _habits],
    ids=lambda f: f.__name__,
)
def test_what_is_saved_beside_the_vocabulary_changes_no_figure(change, base, tmp_path):
    plain = open_model(f"hf:{base}")
    shutil.copytree(base, tmp_path / "changed")
    change(tmp_path / "changed")
    model = open_model(f"hf:{tmp_path / 'changed'}")
    assert model.answer(ITEMS) == plain.answer(ITEMS)
    prompts = [CONTEXT, "The doctor"]
    drawn = Sampling(max_tokens=12, temperature=1.5, seed=3)
    for sampling in (GREEDY, drawn):
        assert generated(model, prompts, sampling) == generated(plain, prompts, sampling)
    if change is not _ending:  # the marks around a text count as its tokens
        assert (vectors(model, [CONTEXT]) == vectors(plain, [CONTEXT])).all()


def test_every_ending_mark_of_a_list_ends_a_text(base, tmp_path):
    plain = open_model(f"hf:{base}")
    with torch.no_grad():
        ids = torch.tensor([plain.tokenizer(CONTEXT)["input_ids"]])
        for _ in range(12):
            ids = torch.cat([ids, plain.module(ids).logits[:, -1:].argmax(-1)], 1)
    new = ids[0, -12:].tolist()
    end = new[7]
    shutil.copytree(base, tmp_path / "listed")
    for name in ("config.json", "generation_config.json"):
        _edit(tmp_path / "listed" / name, lambda found: found.update(eos_token_id=[1, end]))
    (made,) = generated(open_model(f"hf:{tmp_path / 'listed'}"), [CONTEXT], GREEDY)
    assert made.n_tokens == min(new.index(end), *(i for i, t in enumerate([*new, 1]) if t == 1))
    assert plain.tokenizer.decode(new[: made.n_tokens]).strip() == made.text.strip()
