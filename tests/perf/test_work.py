"""The products that nothing avoids, counted by hand; and that the reference ways agree with the engine."""

from __future__ import annotations

import pytest
from perf.bench import locating, memory, references, training, work
from perf.bench.harness import Skip
from torch import nn

from evenhand import registry
from evenhand.records import Continuation, Example
from evenhand.testing import tiny

CONTEXTS = ("The nurse smiled because", "The doctor left because", "The nurse smiled")
ITEMS = [Continuation(context, text) for context in CONTEXTS for text in (" he", " she")]


def examples() -> list[Example]:
    """Prompts of which none begins another."""
    contexts = (*CONTEXTS[:2], "The nurse left")
    return [Example(c, c, c, ("male", "female"), ((" he",), (" she",))) for c in contexts]


@pytest.fixture(scope="module")
def model():
    found = tiny.model("gpt2")
    found.tokenizer.pad_token = found.tokenizer.eos_token
    return found


def test_a_common_beginning_is_counted_once() -> None:
    # Read: 1 2 3 and 1 2 4 5 (the last token of each is only predicted): the nodes are 1, 2, 3, 4, 5.
    # Predicted from the token of number 3 on: after the third token of the first, the last two of the second.
    assert work.nodes([((1, 2, 3, 9), 3), ((1, 2, 4, 5, 9), 3), ((1, 2, 3, 9), 3)]) == (5, 3)


def test_two_answers_after_one_prompt_share_its_prediction() -> None:
    assert work.nodes([((1, 2, 8), 2), ((1, 2, 9), 2)]) == (2, 1)


def test_a_whole_sentence_is_predicted_from_its_first_token_on() -> None:
    assert work.nodes([((1, 2, 3, 4), 1)]) == (3, 3)


def test_the_products_of_a_block_are_its_matrices() -> None:
    block = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Linear(5, 2, bias=False))
    assert work.of_block(block) == 3 * 5 + 5 * 2


def test_blocks_and_head_of_a_model(model) -> None:
    layers, width = model.module.config.n_layer, model.module.config.n_embd
    assert len(work.block_names(model)) == layers
    assert work.of_blocks(model) == layers * 12 * width**2  # 4 of attention, 8 of the two layers behind it
    assert work.of_head(model) == width * model.module.config.vocab_size


def test_the_plain_locators_find_what_ours_find(model) -> None:
    probes = examples()
    for name, plain in (
        ("bmi", locating.bmi),
        ("gradient", locating.gradient),
        ("ablation", locating.ablation),
    ):
        ours = [s.value for s in registry.create("locator", name).locate(model, probes, seed=0).scores]
        assert plain(model, probes) == pytest.approx(ours, abs=1e-4), name


def test_the_products_of_locating_follow_the_last_position_alone(model) -> None:
    probes = examples()
    tokens, ends = work.nodes(
        work.spans(model, [Continuation(e.context, form) for e in probes for (form,) in e.terms])
    )
    layers, block, head = model.module.config.n_layer, work.of_blocks(model), ends * work.of_head(model)
    each = block // layers
    assert locating.products(model, probes, "bmi") == tokens * block
    assert (
        locating.products(model, probes, "gradient") == tokens * block + ends * (layers - 1) * each + 2 * head
    )
    again = ends * each * layers * (layers - 1) // 2  # above the first block all others, above the last none
    assert locating.products(model, probes, "ablation") == tokens * block + again + (1 + layers) * head


def test_the_usual_loop_puts_the_weights_back(model) -> None:
    probes = examples()
    before = [p.detach().clone() for p in model.module.parameters()]
    first, last = training.usual_loop(model, probes, 0)
    assert first != last
    assert all((a == b).all() for a, b in zip(before, model.module.parameters(), strict=True))
    assert all(p.requires_grad for p in model.module.parameters())


def test_naive_and_padded_loops_agree_with_the_engine(model) -> None:
    ours = [answer.value for answer in model.answer(ITEMS)]
    assert references.naive(model, ITEMS) == pytest.approx(ours, abs=1e-4)
    assert references.padded(model, ITEMS, 2) == pytest.approx(ours, abs=1e-4)


def test_full_logits_agree_with_the_engine(model) -> None:
    items = [Continuation("", context) for context in CONTEXTS]
    ours = [answer.value for answer in model.answer(items)]
    assert memory.full_logits(model, items) == pytest.approx(ours, abs=1e-4)


def test_a_peak_that_cannot_be_read_is_left_out(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(memory, "_RESET", tmp_path)  # a folder cannot be written
    with pytest.raises(Skip, match="peak of memory"):
        memory.peak(lambda: [1.0])
