"""Greedy matches: equal to one row a forward pass, and to what the model writes."""

from __future__ import annotations

import pytest
import torch

from evenhand.errors import BadData, BadModel, OutOfMemory
from evenhand.records import Continuation, GreedyMatch, Sampling
from evenhand.scoring.runners import greedy_match
from evenhand.scoring.runners.greedy_match import greedy_matches
from evenhand.testing import tiny
from tests.support.asking import generated, weights

ITEMS = [
    GreedyMatch("The nurse smiled because", " she was late."),
    GreedyMatch("The carpenter sat down", " slowly"),
    GreedyMatch("The nurse smiled because", " he"),
    GreedyMatch("", "The doctor opened the door"),
]


def alone(module, tokenizer, item: GreedyMatch) -> tuple[float, int, bool]:
    """One row, no batch, the whole vocabulary at every place; the end mark stands before a lone text."""
    start = tokenizer(item.context)["input_ids"] or [tokenizer.eos_token_id]
    ids = [*start, *tokenizer(item.context + item.text)["input_ids"][len(start) if item.context else 0 :]]
    with torch.no_grad():
        logps = module(torch.tensor([ids])).logits[0, :-1].double().log_softmax(-1)
    targets = torch.tensor(ids[len(start) :])
    places = logps[len(start) - 1 :]
    value = float(places.gather(-1, targets[:, None]).sum())
    return value, len(targets), bool((places.argmax(-1) == targets).all())


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mamba"])
@pytest.mark.parametrize("budget", [1, 64])
def test_batches_change_nothing(kind, budget) -> None:
    module, tokenizer = tiny.module(kind), tiny.tokenizer()
    found = greedy_matches(weights(module, tokenizer, batch_tokens=budget), [*ITEMS, ITEMS[0]])
    for item, answer in zip([*ITEMS, ITEMS[0]], found, strict=True):
        value, tokens, greedy = alone(module, tokenizer, item)
        assert answer.value == pytest.approx(value, abs=1e-4)
        assert (answer.n_tokens, answer.greedy) == (tokens, greedy)


def test_the_order_of_items_does_not_matter() -> None:
    """Batches hold the same rows, so even the rounding is the same."""
    module, tokenizer = tiny.module("llama"), tiny.tokenizer()
    items = [*ITEMS, *(GreedyMatch("The doctor left because", text) for text in (" she", " they", " it"))]
    found = greedy_matches(weights(module, tokenizer, batch_tokens=10), items)
    assert greedy_matches(weights(module, tokenizer, batch_tokens=10), items[::-1]) == found[::-1]


def test_what_the_model_writes_is_greedy_and_its_likelihood_the_engines() -> None:
    model = tiny.model("llama")
    prompt = "The nurse smiled because"
    ids = list(model.tokenizer(prompt)["input_ids"])
    with torch.no_grad():
        likeliest = model.module(torch.tensor([ids])).logits[0, -1].topk(40).indices.tolist()
    words = [str(model.tokenizer.decode([token])) for token in likeliest]
    text = next(w for w in words if model.tokenizer(prompt + w)["input_ids"][: len(ids)] == ids)
    asked = [GreedyMatch(prompt, text), *ITEMS[:3]]
    found = model.answer(asked)
    plain = model.answer([Continuation(item.context, item.text) for item in asked])
    assert [answer.value for answer in found] == pytest.approx([p.value for p in plain], abs=1e-4)
    written = generated(model, [prompt], Sampling(max_tokens=1))[0].text
    assert found[0].greedy is (written == text)
    assert not any(answer.greedy for answer in found[1:])


def test_memory_that_runs_out_halves_the_batch(monkeypatch) -> None:
    module, tokenizer = tiny.module("gpt2"), tiny.tokenizer()
    expected = greedy_matches(
        weights(module, tokenizer), ITEMS[:1] * 2 + [GreedyMatch("The nurse smiled because", " he was late.")]
    )
    real, sizes = greedy_match.run_rows, []

    def short(module, head, rows, places, **how):
        sizes.append(len(rows))
        if len(rows) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(module, head, rows, places, **how)

    monkeypatch.setattr(greedy_match, "run_rows", short)
    items = ITEMS[:1] * 2 + [GreedyMatch("The nurse smiled because", " he was late.")]
    found = greedy_matches(weights(module, tokenizer), items)
    assert [a.value for a in found] == pytest.approx([a.value for a in expected], abs=1e-5)
    assert max(sizes) == 2
    monkeypatch.setattr(greedy_match, "run_rows", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(OutOfMemory, match="does not fit into memory"):
        greedy_matches(weights(module, tokenizer), items)


def test_nan_and_boundaries_are_refused() -> None:
    module, tokenizer = tiny.module("gpt2"), tiny.tokenizer()
    with pytest.raises(BadData, match="ends with a space"):
        greedy_matches(weights(module, tokenizer), [GreedyMatch("The nurse ", "smiled")])
    with torch.no_grad():
        module.transformer.ln_f.weight.fill_(torch.nan)
    with pytest.raises(BadModel, match="NaN"):
        greedy_matches(weights(module, tokenizer), ITEMS[:1])
