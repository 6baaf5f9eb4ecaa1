"""Generated text: greedy, sampled, seeded, stopped, and as much as fits."""

from __future__ import annotations

import copy
import inspect
import math
from collections import Counter

import pytest
import torch

from evenhand.errors import BadData, BadModel, BadOption, OutOfMemory
from evenhand.records import Continuation, Sampling, Until
from evenhand.scoring.runners.generation import _nucleus, generate
from evenhand.testing import tiny
from evenhand.thinking import spoken
from tests.support.asking import generated, weights

PROMPTS = ["The nurse", "The carpenter sat down slowly because", "The doctor opened"]


def by_hand(model, prompt: str, steps: int) -> list[int]:
    """Greedy decoding without a cache: the most likely token, again and again."""
    ids = model.tokenizer(prompt)["input_ids"]
    for _ in range(steps):
        with torch.no_grad():
            ids = [*ids, int(model.module(torch.tensor([ids])).logits[0, -1].argmax())]
    return ids


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_greedy_text_is_the_most_likely_one(kind):
    model = tiny.model(kind)
    made = generated(model, PROMPTS, Sampling(max_tokens=5))
    for prompt, completion in zip(PROMPTS, made, strict=True):
        expected = model.tokenizer.decode(by_hand(model, prompt, 5), skip_special_tokens=True)
        assert completion.n_tokens == 5
        assert prompt + completion.text == expected


def test_batches_and_order_change_nothing():
    model = tiny.model("gpt2")
    for sampling in (Sampling(max_tokens=4), Sampling(max_tokens=4, temperature=0.8, top_p=0.9, seed=5)):
        whole = generated(model, PROMPTS, sampling)
        assert generated(model, PROMPTS[::-1], sampling) == whole[::-1]
        assert generate(weights(model.module, model.tokenizer, batch_tokens=1), PROMPTS, sampling) == whole


def test_seeds_decide_sampled_text():
    model = tiny.model("gpt2")
    draws = [generated(model, PROMPTS, Sampling(max_tokens=6, temperature=1.0, seed=s)) for s in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_the_same_prompt_twice_gives_two_draws():
    model = tiny.model("gpt2")
    first, second = generated(model, ["The nurse"] * 2, Sampling(max_tokens=8, temperature=1.0))
    assert first != second
    assert generated(model, ["The nurse"], Sampling(max_tokens=8, temperature=1.0)) == [first]


def test_global_random_state_is_not_touched():
    model = tiny.model("gpt2")
    before = torch.random.get_rng_state()
    generated(model, ["The nurse"], Sampling(max_tokens=3, temperature=1.0))
    assert torch.equal(before, torch.random.get_rng_state())


def test_draws_follow_the_models_probabilities():
    """2000 draws of one token: each frequency within five standard errors of P ** (1 / T), renormalised."""
    model, n, temperature = tiny.model("gpt2"), 2000, 0.7
    drawn = generated(model, ["The nurse"] * n, Sampling(max_tokens=1, temperature=temperature, seed=1))
    counts = Counter(completion.text for completion in drawn)
    with torch.no_grad():
        logits = model.module(torch.tensor([model.tokenizer("The nurse")["input_ids"]])).logits[0, -1]
    shares = (logits / temperature).softmax(-1)
    texts = {token: model.tokenizer.decode([token]) for token in shares.topk(40).indices.tolist()}
    readable = [token for token, text in texts.items() if text.isascii() and text.isprintable() and text]
    assert len(readable) > 5
    for token in readable:
        share, text = float(shares[token]), texts[token]
        assert counts[text] / n == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / n))


def test_top_p_keeps_the_smallest_set_that_reaches_it():
    logps = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    kept = lambda p: _nucleus(logps, p).isfinite()[0].tolist()  # noqa: E731
    assert kept(1.0) == [True] * 4
    assert kept(0.9) == [True, True, True, False]
    assert kept(0.79) == [True, True, False, False]
    assert kept(0.01) == [True, False, False, False]


def test_an_ending_mark_stops_the_text_and_is_not_part_of_it():
    model = tiny.model("llama", tie_word_embeddings=False)
    tokens = by_hand(model, "The nurse", 6)[-6:]
    stop = tokens[3]
    length = tokens.index(stop)
    model.module.generation_config.eos_token_id = [stop]
    (made,) = generated(model, ["The nurse"], Sampling(max_tokens=6))
    assert made.n_tokens == length
    assert made.text == model.tokenizer.decode(tokens[:length])


def test_habits_of_the_checkpoint_are_set_aside_and_come_back():
    model = tiny.model("gpt2")
    plain = generated(model, ["The nurse"], Sampling(max_tokens=5))
    own = model.module.generation_config
    own.repetition_penalty, own.min_new_tokens, own.do_sample = 5.0, 5, True
    assert generated(model, ["The nurse"], Sampling(max_tokens=5)) == plain
    assert model.module.generation_config is own


def test_a_prompt_at_the_edge_of_the_window():
    model = tiny.model("gpt2")  # window 64
    prompt = "The nurse" + " left" * 30
    n = len(model.tokenizer(prompt)["input_ids"])
    assert generated(model, [prompt], Sampling(max_tokens=64 - n))[0].n_tokens == 64 - n
    with pytest.raises(BadData, match=f"{65 - n} tokens more does not fit"):
        generated(model, [prompt], Sampling(max_tokens=65 - n))


def test_an_empty_prompt_starts_from_the_beginning_mark():
    model = tiny.model("gpt2")
    assert generated(model, [""], Sampling(max_tokens=3))[0].n_tokens == 3


@pytest.mark.parametrize(
    "sampling", [Sampling(max_tokens=0), Sampling(temperature=-1), Sampling(top_p=0), Sampling(top_p=1.1)]
)
def test_impossible_sampling_is_refused(sampling):
    with pytest.raises(BadOption, match="not valid"):
        generated(tiny.model("gpt2"), ["The nurse"], sampling)


def test_nan_is_explained():
    model = tiny.model("gpt2")
    with torch.no_grad():
        model.module.transformer.ln_f.weight.fill_(math.nan)
    with pytest.raises(BadModel, match="NaN or an infinity while generating: its weights"):
        generated(model, ["The nurse"], Sampling(max_tokens=2))


def test_batches_are_halved_when_memory_runs_out(monkeypatch):
    model = tiny.model("gpt2")
    expected = generated(model, PROMPTS, Sampling(max_tokens=3))
    honest, sizes = model.module.forward, []

    def limited(*args, **kwargs):
        sizes.append(kwargs["input_ids"].shape[0])
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("out of memory")
        return honest(*args, **kwargs)

    limited.__signature__ = inspect.signature(honest)
    monkeypatch.setattr(model.module, "forward", limited)
    most = 1
    assert generated(model, PROMPTS, Sampling(max_tokens=3)) == expected
    assert sizes[0] == 3
    most = 0
    with pytest.raises(OutOfMemory, match="does not fit"):
        generated(model, PROMPTS, Sampling(max_tokens=3))


def test_generated_text_continues_what_was_scored():
    """The greedy next token is the one with the highest log-probability."""
    model = tiny.model("llama")
    (made,) = generated(model, ["The nurse smiled because"], Sampling(max_tokens=1))
    rivals = [made.text, " she", " he", " they"]
    values = [a.value for a in model.answer([Continuation("The nurse smiled because", t) for t in rivals])]
    assert values[0] == max(values)


@pytest.mark.parametrize("kind", ["gpt2", "mamba"])
def test_a_text_ends_with_the_token_that_completes_a_stop(kind):
    """Shorter, and up to the mark the same text: by hand, the tokens until the mark stands in the text."""
    model = tiny.model(kind)
    whole = generated(model, PROMPTS, Sampling(max_tokens=12))
    mark = whole[0].text[4:6]  # what the first prompt's text goes on with
    stopped = generated(model, PROMPTS, Until(12, stop=("never written", mark)))
    assert stopped[0].n_tokens < 12
    for full, short in zip(whole, stopped, strict=True):
        assert full.text.startswith(short.text)
        assert short.text.partition(mark)[0] == full.text.partition(mark)[0]
        assert short == full or (mark in short.text and mark not in short.text[: -len(mark) - 1])
    assert generated(model, PROMPTS, Until(12)) == whole


def test_a_stop_in_the_prompt_ends_nothing():
    model = tiny.model("gpt2")
    assert generated(model, ["The nurse"], Until(6, stop=("nurse",))) == generated(
        model, ["The nurse"], Sampling(6)
    )


def test_tags_of_thinking_stay_in_the_text_although_they_are_special_tokens():
    from evenhand.scoring.runners.generation import _text

    tokenizer = copy.deepcopy(tiny.tokenizer())
    plain = tokenizer("The nurse", add_special_tokens=False)["input_ids"]
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]", "[PAD]"]})
    begin, end, pad = tokenizer.convert_tokens_to_ids(["[THINK]", "[/THINK]", "[PAD]"])
    text = _text(tokenizer, plain, [begin, *plain, end, *plain, pad])
    assert text.replace(" ", "") == "[THINK]Thenurse[/THINK]Thenurse"
    assert spoken(text).text == "The nurse"
