"""Packed trees in the engine: the same numbers on every architecture, exact counts, and every way back."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import pytest
import torch

from evenhand.architectures.table import ROWS
from evenhand.errors import BadModel
from evenhand.hooks import patch
from evenhand.records import Continuation
from evenhand.scoring import Scorer, forward, packed, reading, trees
from evenhand.scoring.plan import make_plan
from evenhand.scoring.sharing import Sharing
from evenhand.scoring.tokens import Encoded
from evenhand.testing import tiny
from tests.scoring.reference import naive
from tests.scoring.test_trees import workload
from tests.scoring.workload import FEW_SHOT, ITEMS
from tests.support import families

pytestmark = pytest.mark.filterwarnings("ignore")

EVERY = (*ITEMS, *FEW_SHOT)
KINDS = (*tiny.CONFIGS, *tiny.FURTHER, *tiny.RECURRENT)
NEVER = 10**6  # tokens: no beginning is so long
SMALL = Sharing(shortest=NEVER, trees=(20, 40))
NAMED = "opt falcon mpt gemma2 gemma3_text olmo2 stablelm phi3 granite cohere mixtral qwen3_moe gpt_oss"


def scorer(kind: str = "gpt2", module=None, **options) -> Scorer:
    module = tiny.module(kind) if module is None else module
    return Scorer(module, tiny.tokenizer(), **options)


def values(model: Scorer, items=EVERY) -> list[float]:
    return [answer.value for answer in model.logprobs(items)]


def expected(module, items=EVERY) -> list[float]:
    return [naive(module, tiny.tokenizer(), item)[0] for item in items]


def test_the_architectures_that_must_be_compared_are():
    assert {*NAMED.split(), "deepseek_v3", "mamba"} <= set(KINDS)
    causal = {kind for kind, row in ROWS.items() if row.blocks} - {
        *families.MASKED,
        *families.SEQ2SEQ,
        "camembert",
    }
    assert causal <= set(KINDS)


@pytest.mark.parametrize("share", ["auto", SMALL])
@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_gives_the_numbers_of_one_text_at_a_time(kind, share):
    """Windows of 6 are smaller than the texts; answers of several tokens, duplicates and nested texts."""
    module = tiny.module(kind, **({"gain": 4.0} if kind in tiny.RECURRENT else {}))
    model = scorer(module=module, share=share)
    found = values(model)
    report, row = model.report(), ROWS[kind]
    print(f"{kind:<14}{report.path:<6}{report.run:>5} of {report.asked} tokens: {report.packing}")
    assert found == pytest.approx(expected(module), abs=1e-4)
    assert (report.path == "tree") == (row.shares or bool(row.places))
    if row.shares:
        assert report.packed == report.rows
        assert report.run < report.asked / 2
    if row.places:
        assert 0 < report.packed < report.rows, "the texts within its window of 6"


def test_the_count_by_hand():
    """The texts 5 6 7 8, 5 6 9 and 5 6 7 8 6, of each of which the last token is wanted.

    Their rows are all tokens but the last: 5 6 7 (for 8), 5 6 (for 9) and 5 6 7 8 (for 6). The first two are
    prefixes of the third and served by it: one row of 4 nodes, and three predictions at three nodes.
    """
    plan = make_plan([Encoded((5, 6, 7, 8), 3), Encoded((5, 6, 9), 2), Encoded((5, 6, 7, 8, 6), 4)])
    model = scorer("llama")
    model.run(plan, causal=True)
    report = model.report()
    assert (report.rows, report.served, report.asked) == (1, 2, 3 + 2 + 4)
    assert (report.trees, report.nodes, report.run, report.head_rows, report.forwards) == (1, 4, 4, 3, 1)
    assert report.probe is None, "one text shares nothing"


def test_texts_that_ask_at_one_node_share_its_head_row():
    """After 5 6 the tokens 7 and 8 are wanted, and after 5 6 7 the token 9: 3 nodes and 2 head rows.

    The text 5 6 8 9 adds the node 8 and its head row, in a row of its own; after 5 6 nothing new is wanted.
    """
    texts = [Encoded((5, 6, 7, 9), 2), Encoded((5, 6, 8), 2)]
    model = scorer("llama", probe=False)
    model.run(make_plan(texts), causal=True)
    assert (model.report().nodes, model.report().head_rows) == (3, 2)
    model.run(make_plan([*texts, Encoded((5, 6, 8, 9), 2)]), causal=True)
    assert (model.report().rows, model.report().nodes, model.report().head_rows) == (2, 4, 3)


def test_rows_of_a_batch_are_nearly_equal():
    """Nothing is padded to a budget: in all, padding is under a tenth of the nodes."""
    plan = make_plan([Encoded((*row.ids, 9), len(row.ids)) for row in workload(3, 60)])
    model = scorer("llama", share=Sharing(trees=(40,)), batch_tokens=200)
    model.run(plan, causal=True)
    report = model.report()
    assert report.trees >= 5
    assert report.nodes <= report.run < 1.1 * report.nodes
    assert report.forwards >= math.ceil(report.run / 200)


def test_larger_trees_repeat_beginnings_less_often():
    """60 texts of 30 tokens in common and 2 of their own; a tree of 64 nodes has room for 34 of these.

    So 4 trees (17 texts each at most, the first with 30 + 2 x 15 = 60 nodes) hold 120 + 4 x 30 nodes; one
    tree of 150 holds them all.
    """
    beginning = tuple(range(10, 40))
    plan = make_plan([Encoded((*beginning, 50 + i, 60 + i, 9), 32) for i in range(60)])
    for room, n in ((64, 4), (256, 1)):
        model = scorer("llama", share=Sharing(shortest=NEVER, trees=(room,)))
        model.run(plan, causal=True)
        assert (model.report().trees, model.report().nodes) == (n, 120 + 30 * n)
    assert model.report().run == model.report().nodes


def test_the_order_of_requests_does_not_matter():
    model = scorer()
    first, report = values(model, ITEMS), model.report()
    assert values(model, ITEMS[::-1]) == first[::-1]
    assert model.report().run == report.run


def test_the_test_runs_once_and_is_counted_apart():
    model = scorer()
    values(model)
    first = model.report()
    assert first.probe is not None
    assert first.probe < 1e-4
    assert first.probed > 0
    assert first.why == first.packing
    values(model)
    second = model.report()
    assert (second.probed, second.run, second.probe) == (0, first.run, first.probe)


def test_a_wrong_mask_is_found_out_and_padded_rows_run(monkeypatch, caplog):
    """As an architecture would that lets branches see each other."""
    honest = trees.visible
    module = tiny.module("llama")
    model, unproven = scorer(module=module), scorer(module=module, probe=False)
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, logger="evenhand.scoring"):
        patched.setattr(trees, "visible", lambda *a: honest(*a) | torch.ones(1, dtype=torch.bool))
        found, wrong = values(model), values(unproven)
    report = model.report()
    assert found == pytest.approx(expected(module), abs=1e-4)
    assert (report.path, report.packed, report.trees) == ("left", 0, 0)
    assert "packed trees differ from single rows by" in report.packing
    assert report.packing in caplog.text
    apart = [abs(a - b) for a, b in zip(wrong, found, strict=True)]
    assert max(apart) > 0.01, "this is the silent error that the test is there for"
    values(model)
    assert model.report().path == "left", "once wrong, not tried again"


@pytest.mark.parametrize("kind", ["mpt", "bloom", "mamba", "lfm2", "rwkv", "gpt_neo"])
def test_what_the_table_refuses_would_be_found_out(monkeypatch, kind):
    """As if the table were wrong: the comparison sends every such model to padded rows."""
    monkeypatch.setitem(ROWS, kind, replace(ROWS[kind], shares=True, places=""))
    module = tiny.module(kind, **({"gain": 4.0} if kind in tiny.RECURRENT else {}))
    model = scorer(module=module, share=Sharing(shortest=NEVER))
    assert values(model) == pytest.approx(expected(module), abs=1e-4)
    assert model.report().packed == 0
    assert any(word in model.report().packing for word in ("differ", "failed", "takes no"))


def test_a_fallback_that_costs_is_noted():
    opened = tiny.model("bloom")
    opened.scorer = scorer(module=opened.module, share=Sharing(shortest=NEVER))
    opened.answer(EVERY)
    report = opened.scoring()
    (note,) = [note for note in opened.notes() if "did not share" in note]
    assert f"{report.run} tokens ran instead of {report.packable}" in note
    assert "not tested for the architecture bloom" in note
    opened.answer(EVERY[:1])
    assert not any("did not share" in note for note in opened.notes()), "one text has nothing to share"
    proven = tiny.model("llama")
    proven.answer(EVERY)
    assert proven.notes() == ()


def test_hooks_see_whole_texts():
    opened = tiny.model("llama")
    opened.scorer = scorer(module=opened.module, padding="right")
    plain = values(opened.scorer)
    assert opened.scoring().path == "tree"
    with patch(opened, "block.1", lambda output, given: torch.cat([output[:, :3], given[:, 3:]], dim=1)):
        found = values(opened.scorer)
        report = opened.scoring()
        assert (report.path, report.packing, report.packable) == ("right", "hooks are set on the model", None)
        assert found == pytest.approx(expected(opened.module), abs=1e-4)
    assert values(opened.scorer) == plain


def test_a_model_that_was_asked_for_its_hidden_states_still_runs_trees():
    """transformers leaves its hooks on the model; they do nothing unless hidden states are asked for."""
    opened = tiny.model("llama")
    opened.module(torch.tensor([[1, 2, 3]]), output_hidden_states=True)
    assert any(part._forward_hooks for part in opened.module.modules())
    found = values(opened.scorer)
    assert opened.scoring().path == "tree"
    assert found == pytest.approx(expected(opened.module), abs=1e-4)


def test_memory_halves_trees_and_the_smaller_size_is_remembered(monkeypatch, caplog):
    module = tiny.module("gpt2")
    plain = values(scorer(module=module), ITEMS)
    model = scorer(module=module, probe=False)
    honest, sizes = packed.tree_inputs, []

    def limited(module, batch):
        made = honest(module, batch)
        sizes.append(made["input_ids"].numel())
        if sizes[-1] > 25:
            raise MemoryError
        return made

    monkeypatch.setattr(packed, "tree_inputs", limited)
    with caplog.at_level(logging.WARNING, logger="evenhand.scoring"):
        assert values(model, ITEMS) == pytest.approx(plain, abs=2e-5)
    report = model.report()
    failed = sum(size > 25 for size in sizes)
    assert report.halvings == failed >= 1
    assert report.forwards == len(sizes) - failed
    assert report.path == "tree"
    assert "memory ran out" in caplog.text
    assert values(model, ITEMS) == pytest.approx(plain, abs=2e-5)
    assert model.report().halvings == 0


@pytest.mark.parametrize("kind", ["llama", "gemma2", "cohere", "granite", "phi"])
def test_logits_exist_for_a_few_rows_and_columns_at_a_time(monkeypatch, kind):
    """Known scaling, soft-capping and a bias included: one pass over the body, the head in small tables."""
    module = tiny.module(kind)
    plain = values(scorer(module=module), ITEMS)
    monkeypatch.setattr(reading, "extent", lambda *_: (4, 10))
    made: list[tuple[int, ...]] = []
    honest = reading._log_softmax_at

    def watched(parts, *rest):
        return honest((made.append(tuple(part.shape)) or (first, part) for first, part in parts), *rest)

    monkeypatch.setattr(reading, "_log_softmax_at", watched)
    model = scorer(module=module, probe=False)
    assert values(model, ITEMS) == pytest.approx(plain, abs=2e-5)
    assert max(rows for rows, _ in made) == 4
    assert max(columns for _, columns in made) == 10
    assert (
        sum(rows * columns for rows, columns in made) == model.report().head_rows * module.config.vocab_size
    )
    assert model.report().head_rows > 4
    assert model.report().forwards == 1


def test_a_head_with_an_unknown_finish_is_left_to_the_model(monkeypatch):
    """Its logits are bent in a way that no configuration names: passes have as many rows as fit."""
    module = tiny.module("llama")
    honest = module.forward

    def bent(input_ids=None, attention_mask=None, position_ids=None, **rest):
        made = honest(input_ids, attention_mask, position_ids, **rest)
        made.logits = made.logits.sign() * made.logits.abs().sqrt()
        return made

    monkeypatch.setattr(module, "forward", bent)
    model = scorer(module=module)
    assert values(model) == pytest.approx(expected(module), abs=1e-4)
    assert model.report().path == "tree"
    monkeypatch.setattr(forward, "LOGIT_BYTES", 4 * 4 * module.config.vocab_size)
    again = scorer(module=module, probe=False)
    assert values(again) == pytest.approx(expected(module), abs=1e-4)
    assert again.report().forwards >= again.report().head_rows / 4


def test_a_scale_of_the_logits_that_is_no_number_is_left_to_the_model():
    module = tiny.module("mpt", logit_scale="inv_sqrt_d_model")
    assert values(scorer(module=module)) == pytest.approx(expected(module), abs=1e-4)


def test_non_finite_answers_name_the_prompt_and_settle_nothing():
    module = tiny.module("gpt2")
    model = scorer(module=module)
    kept = module.transformer.ln_f.weight.detach().clone()
    with torch.no_grad():
        module.transformer.ln_f.weight.fill_(math.nan)
    with pytest.raises(BadModel, match=r"NaN or an infinity after '.*The nurse"):
        values(model)
    with torch.no_grad():
        module.transformer.ln_f.weight.copy_(kept)
    assert values(model) == pytest.approx(expected(module), abs=1e-4)
    assert model.report().path == "tree"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions(dtype):
    exact = values(scorer("llama"))
    model = scorer(module=tiny.module("llama").to(dtype))
    assert values(model) == pytest.approx(exact, abs=2e-5 if dtype == torch.float64 else 1.0)
    assert model.report().path == "tree", model.report().packing


def test_masked_copies_are_not_packed():
    plan = make_plan([Encoded((*range(5, 25), 30 + i, 9), 21) for i in range(9)])
    model = scorer("llama")
    model.run(plan)
    assert (model.report().trees, model.report().packing) == (0, "")


def test_only_wanted_nodes_get_a_head_row():
    text = Continuation("", "The nurse smiled because she was late. The nurse smiled because he was late.")
    model = scorer()
    (answer,) = model.logprobs([text])
    assert answer.value == pytest.approx(expected(model._module, [text])[0], abs=1e-4)
    assert model.report().head_rows == model.report().nodes == answer.n_tokens, "the last is only predicted"
