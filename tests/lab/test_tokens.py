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
