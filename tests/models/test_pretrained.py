"""A really pretrained model: a llama2.c checkpoint converted to a Hugging Face folder.

The model (260 000 parameters, 512 pieces) writes dream-like prose about pixels and probability. The converter
is checked against a plain numpy forward pass that follows llama2.c, the tokenizer against its greedy merging.
"""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import pytest

from evenhand.opening import open_model
from evenhand.records import Continuation, Sampling
from tests.support.asking import generated
from tests.support.llama2c import SHARED, build_tokenizer, convert, read_tokenizer, reference_ids

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared data with the aidreams260K model are not beside this repository"
)
TEXTS = (
    "The nurse smiled because she was late.",
    "Pixels unfold like petals, a kaleidoscope of probability.",
    "Double  spaces, 0.0000 digits, naïve café — and 日本 bytes!",
    "a",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aidreams")
    convert(folder)
    return open_model(f"hf:{folder}")


def reference_logits(ids: list[int]) -> np.ndarray:
    """llama2.c's forward pass in float64: neighbouring coordinates rotate, RMS norm with 1e-5, SwiGLU."""
    data = (SHARED / "aidreams260K.bin").read_bytes()
    dim, hidden, layers, heads, kv_heads, vocabulary, _ = struct.unpack_from("<7i", data)
    numbers, at = np.frombuffer(data, "<f4", offset=28).astype(np.float64), 0

    def take(*shape: int) -> np.ndarray:
        nonlocal at
        at += math.prod(shape)
        return numbers[at - math.prod(shape) : at].reshape(shape)

    width = dim // heads
    embed, norm1 = take(vocabulary, dim), take(layers, dim)
    q, k, v = take(layers, dim, dim), take(layers, kv_heads * width, dim), take(layers, kv_heads * width, dim)
    o, norm2 = take(layers, dim, dim), take(layers, dim)
    w1, w2, w3, last = (
        take(layers, hidden, dim),
        take(layers, dim, hidden),
        take(layers, hidden, dim),
        take(dim),
    )
    steps = np.arange(len(ids))[:, None] / 10000 ** (np.arange(0, width, 2) / width)

    def rms(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * gain

    def rotate(x: np.ndarray) -> np.ndarray:  # [tokens, heads, width]
        pairs = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * steps)[:, None]
        return np.stack([pairs.real, pairs.imag], -1).reshape(x.shape)

    x = embed[ids]
    causal = np.triu(np.full((len(ids), len(ids)), -np.inf), 1)
    for i in range(layers):
        h = rms(x, norm1[i])
        query, key = (rotate((h @ w[i].T).reshape(len(ids), -1, width)) for w in (q, k))
        value = (h @ v[i].T).reshape(len(ids), -1, width)
        key, value = (np.repeat(t, heads // kv_heads, axis=1) for t in (key, value))
        scores = np.einsum("qhw,khw->hqk", query, key) / math.sqrt(width) + causal
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        x = x + np.einsum("hqk,khw->qhw", weights, value).reshape(len(ids), dim) @ o[i].T
        h = rms(x, norm2[i])
        gate = h @ w1[i].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w3[i].T)) @ w2[i].T
    return rms(x, last) @ embed.T


def reference_logprob(model, context: str, text: str) -> float:
    tokenizer = model.tokenizer
    ids, start = tokenizer(context + text)["input_ids"], len(tokenizer(context)["input_ids"])
    logits = reference_logits(ids[:-1])
    logps = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return sum(float(logps[i - 1, ids[i]]) for i in range(start, len(ids)))


def perplexity(model, text: str) -> float:
    (answer,) = model.answer([Continuation("", text)])
    return math.exp(-answer.value / answer.n_tokens)


def test_ids_equal_greedy_merging(model):
    pieces, scores = read_tokenizer(SHARED / "tok512.bin", 512)
    tokenizer = build_tokenizer(pieces, scores)
    draw = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz  .,'"
    noise = ["".join(draw.choice(letters) for _ in range(60)).strip() for _ in range(50)]
    for text in (*TEXTS, *noise):
        expected = reference_ids(text, pieces, scores)
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == expected, text
        assert model.tokenizer(text)["input_ids"] == [1, *expected], "the saved folder adds BOS"
        assert tokenizer.decode(expected) == text


@pytest.mark.parametrize(
    ("context", "text"),
    [("The nurse smiled because", " she"), ("Pixels unfold", " like petals."), ("I", " settle")],
)
def test_logprobs_equal_llama2c(model, context, text):
    (answer,) = model.answer([Continuation(context, text)])
    assert answer.value == pytest.approx(reference_logprob(model, context, text), abs=1e-4)


def test_terms_take_several_tokens(model):
    answers = model.answer([Continuation("The nurse smiled because", term) for term in (" he", " she")])
    assert [a.n_tokens for a in answers] == [2, 2]


def test_it_writes_what_it_learnt(model):
    """Greedy text is prose of whole words, and the model is far surer of it than of its words shuffled."""
    (made,) = generated(model, ["Once upon a time"], Sampling(max_tokens=80))
    assert made.n_tokens == 80
    assert "kaleidoscope" in made.text
    assert "probability" in made.text
    words = made.text.strip(" .,").split()
    own = perplexity(model, "Once upon a time" + made.text)
    shuffled = perplexity(model, " ".join(random.Random(1).sample(words, len(words))))
    assert own < 5
    assert shuffled > 2 * own


def test_its_own_style_is_likelier_than_other_prose(model):
    own = perplexity(model, "Pixels unfold like petals, a kaleidoscope of probability.")
    other = perplexity(model, "The committee will meet on Thursday to vote on zoning.")
    assert own < 20 < other
