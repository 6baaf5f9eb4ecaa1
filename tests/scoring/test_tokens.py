"""The rules about the boundary between context and text."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import GPT2Config, MptConfig, PreTrainedTokenizerFast

from evenhand.architectures import window
from evenhand.errors import BadData, BadModel
from evenhand.records import Continuation, Sampling
from evenhand.scoring import tokens
from evenhand.scoring.tokens import Encoded, Encoder, shown
from evenhand.testing import tiny
from tests.support import families
from tests.support.asking import generated, vectors


def words(*, unk: bool = True, ending: bool = False) -> PreTrainedTokenizerFast:
    """A word-level tokenizer: he 2, she 3, left 4; anything else is the unknown token 0."""
    inner = Tokenizer(models.WordLevel({"[U]": 0, "[E]": 1, "he": 2, "she": 3, "left": 4}, unk_token="[U]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    if ending:
        inner.post_processor = processors.TemplateProcessing(single="$A [E]", special_tokens=[("[E]", 1)])
    marks = {"unk_token": "[U]"} if unk else {}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **marks)


def one(encoder: Encoder, context: str, text: str) -> Encoded:
    return encoder.encode([Continuation(context, text)])[0]


def test_context_and_text_are_one_string():
    tokenizer = tiny.tokenizer()
    whole = tokenizer("The nurse smiled because she was late.")["input_ids"]
    start = len(tokenizer("The nurse smiled because")["input_ids"])
    assert one(Encoder(tokenizer), "The nurse smiled because", " she was late.") == Encoded(
        tuple(whole), start
    )


def test_the_tokenizers_own_beginning_mark_is_kept_once():
    tokenizer = tiny.tokenizer(bos=True)
    encoder = Encoder(tokenizer)
    assert encoder.prefix == (tokenizer.bos_token_id,)
    found = one(encoder, "The nurse", " left")
    assert found.ids == tuple(tokenizer("The nurse left")["input_ids"])
    assert found.ids.count(tokenizer.bos_token_id) == 1
    assert found.start == len(tokenizer("The nurse")["input_ids"])


def test_the_tokenizers_ending_mark_is_left_out():
    assert words(ending=True)("he left")["input_ids"] == [2, 4, 1]
    assert one(Encoder(words(ending=True)), "he", " left") == Encoded((2, 4), 1)


@pytest.mark.parametrize("bos", [True, False])
def test_an_empty_context_is_conditioned_on_bos_or_else_eos(bos):
    tokenizer = tiny.tokenizer(bos=bos)
    mark = tokenizer.bos_token_id if bos else tokenizer.eos_token_id
    found = one(Encoder(tokenizer), "", "The nurse")
    assert found == Encoded((mark, *tokenizer("The nurse", add_special_tokens=False)["input_ids"]), 1)


def test_without_any_mark_the_first_token_is_the_condition():
    assert one(Encoder(words()), "", "he left") == Encoded((2, 4), 1)
    with pytest.raises(BadData, match="one token"):
        one(Encoder(words()), "", "he")


@pytest.mark.parametrize("context", ["The nurse ", "The nurse\t"])
def test_a_trailing_space_is_refused(context):
    with pytest.raises(BadData, match="ends with a space") as caught:
        one(Encoder(tiny.tokenizer()), context, "left")
    assert "before the text" in caught.value.mend


def test_an_empty_text_is_refused():
    with pytest.raises(BadData, match="is empty"):
        one(Encoder(tiny.tokenizer()), "The nurse", "")


def test_a_text_that_grows_the_last_word_is_refused_with_the_pieces():
    # "The nur" + "se": the whole has the piece "Ġnurse", which is no continuation of "Ġnur".
    with pytest.raises(BadData, match="merges the end of the prompt") as caught:
        one(Encoder(tiny.tokenizer()), "The nur", "se smiled")
    assert "Start the text with a space" in caught.value.mend


def test_a_tokenizer_that_merges_across_a_space_is_the_models_fault():
    inner = Tokenizer(models.BPE({"a": 0, " ": 1, "b": 2, "a ": 3, "c": 4}, [("a", " ")]))
    with pytest.raises(BadModel, match="merges the end"):
        one(Encoder(PreTrainedTokenizerFast(tokenizer_object=inner)), "ca", " b")


def test_an_unknown_piece_in_the_text_is_refused_but_not_in_the_context():
    with pytest.raises(BadModel, match="does not know a piece of ' they'"):
        one(Encoder(words()), "he", " they")
    assert one(Encoder(words()), "they", " left") == Encoded((0, 4), 1)


def test_a_request_beyond_the_window_is_refused_not_cut():
    encoder = Encoder(words(), window=3)
    assert len(one(encoder, "he left", " he left").ids) == 4  # three inputs: the last token is only predicted
    with pytest.raises(BadData, match="4 tokens does not fit into the model's window of 3"):
        one(encoder, "he left", " he left she")


def test_prompts_keep_their_order_and_leave_room():
    encoder = Encoder(words(), window=3)
    assert encoder.prompts(["he left", "she", "he left"]) == [(2, 4), (3,), (2, 4)]
    with pytest.raises(BadData, match="with 2 tokens more"):
        encoder.prompts(["he left"], room=2)
    with pytest.raises(BadData, match="is empty"):
        encoder.prompts([""])
    assert Encoder(tiny.tokenizer()).prompts([""]) == [(tiny.tokenizer().eos_token_id,)]


def test_a_tokenizer_without_a_vocabulary_is_refused():
    empty = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(BadModel, match="no ids for plain text"):
        Encoder(empty)


def test_windows_come_from_the_configuration():
    assert window(GPT2Config(n_positions=77)) == 77
    assert window(MptConfig(max_seq_len=55)) == 55
    assert window(tiny.module("bloom").config) is None
    assert window(None) is None


def test_long_texts_are_shortened_in_messages():
    assert shown("short") == "'short'"
    assert len(shown("x" * 500)) < 80


def test_half_a_character_is_refused_before_the_tokenizer_sees_it():
    model = tiny.model("gpt2")
    half = "The \ud800 nurse"
    for ask in (
        lambda: model.answer([Continuation(half, " left")]),
        lambda: generated(model, [half], Sampling(max_tokens=1)),
        lambda: vectors(model, [half]),
        lambda: families.masked("bert").answer([Continuation(half, " left")]),
        lambda: families.seq2seq("t5").answer([Continuation(half, " left")]),
        lambda: generated(families.seq2seq("t5"), [half], Sampling(max_tokens=1)),
    ):
        with pytest.raises(
            BadData, match=r"is not valid Unicode: it has half of a surrogate pair at character 4"
        ):
            ask()


def test_many_texts_are_tokenised_in_parts_that_progress_counts(monkeypatch):
    done: list[tuple[str, int]] = []

    @contextmanager
    def counting(label, total=None, *, unit, late):
        assert late
        yield lambda amount: done.append((label, amount))

    texts = [f"The nurse {i}" for i in range(10)]
    encoder = tokens.Encoder(tiny.tokenizer())
    whole = encoder.prompts(texts)
    monkeypatch.setattr(tokens, "_TEXTS", 4)
    monkeypatch.setattr(tokens, "task", counting)
    assert encoder.prompts(texts) == whole
    assert done == [("tokenising", 4), ("tokenising", 4), ("tokenising", 2)]  # 10 texts
