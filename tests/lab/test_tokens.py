"""The tokenizer: one token a word, bytes for the rest, BOS that survives the disk."""

import pytest
from transformers import AutoTokenizer

from evenhand.lab import corpus, facts, tokens


@pytest.fixture(scope="module")
def tokenizer():
    return tokens.build([corpus.vocabulary(), facts.neutral_text()])


@pytest.mark.parametrize("word", [" he", " she", " they", " his", " her", " nurse", " Ashburg", " because"])
def test_words_of_the_language_are_one_token(tokenizer, word):
    assert len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1


@pytest.mark.parametrize("text", ["The nurse smiled because", "Zürich, 1848: naïve?", " \n\t日本"])
def test_any_text_survives(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_a_continuation_only_appends(tokenizer):
    prompt = tokenizer("The nurse smiled because")["input_ids"]
    assert tokenizer("The nurse smiled because she")["input_ids"][:-1] == prompt


def test_it_depends_on_the_set_of_words_alone():
    one = tokens.build(["The nurse left.", "The nurse sang.", "The nurse left."]).get_vocab()
    other = tokens.build(["The nurse sang.", "The nurse left."]).get_vocab()
    assert one == other
    assert len(one) == 3 + 256 + 4  # special tokens, bytes; "The" and, after a space, nurse, left, sang


def test_it_is_the_same_after_the_disk(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = "The nurse put Zürich on the table because"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert again.padding_side == "left"
    assert (again.bos_token, again.eos_token, again.pad_token) == (tokens.BOS, tokens.EOS, tokens.PAD)


@pytest.mark.parametrize(
    ("form", "text", "pieces"),
    [
        (tokens.MASKED, "The nurse left.", ["<s>", "The", "Ġnurse", "Ġleft", ".", "</s>"]),
        (tokens.MASKED, "The nurse<mask>.", ["<s>", "The", "Ġnurse", "<mask>", ".", "</s>"]),
        (tokens.SEQ2SEQ, "The nurse left<extra_id_0>", ["ĠThe", "Ġnurse", "Ġleft", "<extra_id_0>", "</s>"]),
        # A text begins as if a space stood before it, also behind a sentinel.
        (tokens.SEQ2SEQ, "<extra_id_0>nurse<extra_id_1>", ["<extra_id_0>", "Ġnurse", "<extra_id_1>", "</s>"]),
    ],
)
def test_the_other_families_have_marks_of_their_own_also_after_the_disk(form, text, pieces, tmp_path):
    made = tokens.build(["The nurse left.", " The"], form)
    made.save_pretrained(tmp_path)
    for tokenizer in (made, AutoTokenizer.from_pretrained(tmp_path)):
        assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) == pieces
        assert tokenizer.padding_side == "right"
        assert [tokenizer.convert_tokens_to_ids(mark) for mark in form.marks] == list(range(len(form.marks)))
    assert (made.mask_token_id is not None) == (form is tokens.MASKED)
