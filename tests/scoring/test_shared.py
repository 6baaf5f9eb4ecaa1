"""Shared beginnings in the engine: the same numbers, each token once, and whole rows wherever in doubt."""

from __future__ import annotations

import inspect
import logging
import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from evenhand.architectures.table import ROWS
from evenhand.errors import BadModel, OutOfMemory
from evenhand.hooks import patch
from evenhand.records import Continuation
from evenhand.scoring import Scorer, forward, prefix, trees
from evenhand.scoring.packing import pack
from evenhand.scoring.plan import make_plan
from evenhand.scoring.runners.unanchored import unanchored
from evenhand.scoring.sharing import Sharing
from evenhand.scoring.tokens import Encoded
from evenhand.testing import tiny
from evenhand.treatments import About
from evenhand.treatments.prompt import PromptTreatment
from tests.scoring.reference import naive
from tests.scoring.workload import FEW_SHOT

EAGER = Sharing(shortest=3, forward=0, gain=0.0, room=40, trees=())
SHARED = "beginnings are shared"


def scorer(kind: str = "gpt2", module=None, **options) -> Scorer:
    module = tiny.module(kind) if module is None else module
    return Scorer(module, tiny.tokenizer(), **{"share": EAGER, **options})


def values(model: Scorer, items=FEW_SHOT) -> list[float]:
    return [answer.value for answer in model.logprobs(items)]


def expected(module, items=FEW_SHOT) -> list[float]:
    return [naive(module, tiny.tokenizer(), item)[0] for item in items]


def limit_memory(monkeypatch, module, cells: int) -> list[int]:
    """Let a pass over more than `cells` places, those in the cache counted, run out of memory."""
    honest, sizes = module.forward, []

    def limited(*args, past_key_values=None, **kwargs):
        size = kwargs["input_ids"].numel() + (past_key_values.get_seq_length() if past_key_values else 0)
        sizes.append(size)
        if size > cells:
            raise MemoryError
        return honest(*args, past_key_values=past_key_values, **kwargs)

    limited.__signature__ = inspect.signature(honest)
    monkeypatch.setattr(module, "forward", limited)
    return sizes


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "gemma2", "bloom", "gpt_neo"])
@pytest.mark.parametrize("budget", [1, 60, 4096])
def test_sharing_on_or_off_gives_the_naive_numbers(kind, budget):
    module = tiny.module(kind)
    on, off = (
        scorer(module=module, batch_tokens=budget),
        scorer(module=module, batch_tokens=budget, share=None),
    )
    found, plain = values(on), values(off)
    assert found == pytest.approx(plain, abs=2e-5)
    assert found == pytest.approx(expected(module), abs=1e-4)
    assert (on.report().groups > 0) == ROWS[kind].shares
    assert (on.report().sharing == SHARED) == ROWS[kind].shares
    assert (on.report().repeated > 0) == (not ROWS[kind].shares)
    assert off.report().repeated == 0, "nobody asked for more"
    assert (off.report().groups, off.report().shared, off.report().probed) == (0, 0, 0)
    assert off.report().sharing == "sharing is switched off"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral"])
def test_random_trees_of_ids_against_every_row_alone(kind, seed):
    """Texts branch anywhere, and are scored from anywhere on, from their second token at the earliest."""
    draw = random.Random(seed)
    texts = [tuple(draw.randrange(2, 300) for _ in range(15))]
    for _ in range(25):
        known = draw.choice(texts)
        own = (draw.randrange(2, 300) for _ in range(draw.randint(1, 12)))
        texts.append((*known[: draw.randrange(len(known))], *own))
    requests = [Encoded(ids, draw.randint(1, len(ids) - 1)) for ids in texts if len(ids) > 1]
    module = tiny.module(kind)
    plan = make_plan(requests)
    model = scorer(module=module, share=Sharing(shortest=2, forward=0, gain=0.0, room=20, trees=()))
    found = model.run(plan, causal=True)
    assert model.report().groups >= 1
    for request, slots in zip(requests, plan.slots, strict=True):
        with torch.no_grad():
            logps = module(torch.tensor([request.ids])).logits[0].double().log_softmax(-1)
        alone = [float(logps[i - 1, request.ids[i]]) for i in range(request.start, len(request.ids))]
        assert found[list(slots)] == pytest.approx(alone, abs=2e-5)


def adult_like(people: int) -> list[Continuation]:
    """`people` times two twins after 16 examples, each asked for two answers of two tokens."""
    draw = random.Random(0)
    line = "age {} hours {} sex {} income"
    examples = [
        f"{line.format(draw.randint(20, 60), draw.randint(20, 60), draw.choice('mf'))} low.\n"
        for _ in range(16)
    ]
    ages = [(i % 60, i // 60) for i in range(people)]
    prompts = ["".join(examples) + line.format(a, b, twin) for a, b in ages for twin in "mf"]
    return [Continuation(prompt, label) for prompt in prompts for label in (" low", " high")]


def test_sixteen_shots_for_two_hundred_people_and_their_twins_run_once():
    """The engine's own count: the demonstrations once, each token of the questions once a packed row."""
    items = adult_like(200)
    assert len({item.context for item in items}) == 400
    module = tiny.module("llama", max_position_embeddings=1024)
    model = Scorer(module, tiny.tokenizer())
    found = values(model, items)
    report = model.report()
    assert (report.groups, report.shared, report.sharing) == (1, report.rows, SHARED)
    rows = sorted(make_plan(model.encoder.encode(items)).rows, key=lambda row: row.ids)
    start = min(
        next(i for i, (a, b) in enumerate(zip(rows[0].ids, row.ids, strict=False)) if a != b)
        for row in rows[1:]
    )
    assert start > 300, "sixteen examples"
    packed = pack(rows, start, Sharing().packed(start))
    assert report.run == start + sum(len(piece.ids) for piece in packed)
    assert report.forwards == 1 + len(packed)
    assert report.run < report.asked / 40
    few = random.Random(1).sample(range(len(items)), 6)
    assert [found[i] for i in few] == pytest.approx(expected(module, [items[i] for i in few]), abs=1e-4)


def test_the_count_by_hand():
    """Beginning of 4; branches 1+1 and 1 and 2: 10 tokens in two passes instead of 6 + 6 + 5 + 6 = 23."""
    base = (50, 51, 52, 53)
    texts = [(*base, *own, 9) for own in [(60, 61), (60, 62), (63,), (64, 65)]]
    plan = make_plan([Encoded(ids, 4) for ids in texts])
    model = scorer("llama", probe=False, share=Sharing(shortest=3, forward=0, gain=0.0, trees=()))
    model.run(plan, causal=True)
    report = model.report()
    assert plan.asked == 6 + 6 + 5 + 6
    assert report.run == 4 + (1 + 1 + 1) + 1 + 2
    assert (report.forwards, report.groups, report.shared, report.rows) == (2, 1, 4, 4)
    assert report.head_rows == 1 + 6, "the last position of the beginning, and every token after it"
    assert report.probed == 0


def test_the_test_runs_once_and_is_counted_apart():
    model = scorer()
    values(model)
    first = model.report()
    assert first.sharing_probe is not None
    assert first.sharing_probe < 1e-4
    assert first.probed > 0
    values(model)
    second = model.report()
    assert second.probed == 0
    assert second.run == first.run
    assert second.sharing_probe == first.sharing_probe


def test_prompts_that_share_little_run_as_before():
    items = [
        Continuation(f"The {w} sat because", t) for w in ("nurse", "doctor") for t in (" she", " he")
    ] * 9
    usual, off = scorer(share=Sharing(trees=())), scorer(share=None)
    assert values(usual, items) == values(off, items)
    assert usual.report().sharing == "no prefix is long and frequent enough"
    assert usual.report().run == off.report().run


def test_the_order_of_requests_does_not_matter():
    model = scorer()
    assert values(model, FEW_SHOT) == values(model, FEW_SHOT[::-1])[::-1]


def test_weights_that_change_between_calls_are_seen():
    """Nothing of the demonstrations survives a call: a treatment swaps weights in place."""
    module = tiny.module("llama")
    model = scorer(module=module)
    before = values(model)
    kept = module.model.layers[0].mlp.down_proj.weight.detach().clone()
    with torch.no_grad():
        module.model.layers[0].mlp.down_proj.weight.mul_(-1)
    treated = values(model)
    assert treated == pytest.approx(expected(module), abs=1e-4)
    assert max(abs(a - b) for a, b in zip(before, treated, strict=True)) > 0.1
    with torch.no_grad():
        module.model.layers[0].mlp.down_proj.weight.copy_(kept)
    assert values(model) == before


def test_an_adapter_inside_the_layers_is_seen():
    from peft import LoraConfig, inject_adapter_in_model

    module = tiny.module("llama")
    before = values(scorer(module=module))
    inject_adapter_in_model(LoraConfig(target_modules=["q_proj", "v_proj"], r=2), module)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, parameter in module.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    model = scorer(module=module)
    found = values(model)
    assert model.report().groups >= 1
    assert found == pytest.approx(expected(module), abs=1e-4)
    assert max(abs(a - b) for a, b in zip(before, found, strict=True)) > 0.1


def test_a_text_before_every_context_is_a_beginning_in_common():
    opened = tiny.model("llama")
    opened.scorer = scorer(module=opened.module)
    text = "The teacher put the keys on the table."
    people = [f"The {who} {did} because" for who in ("nurse", "doctor") for did in ("sat", "left", "walked")]
    loose = [Continuation(person, said) for person in people for said in (" she", " he")]
    with PromptTreatment(About("prompt", "", 0), text).applied(opened) as view:
        found = [answer.value for answer in view.answer(loose)]
    whole = [Continuation(f"{text} {item.context}", item.text) for item in loose]
    assert opened.scorer.report().groups == 1
    assert found == pytest.approx(expected(opened.module, whole), abs=1e-4)


def test_hooks_see_whole_texts():
    """A patch by place in the row: after 3 places the block is skipped. Only whole rows can honour it."""
    opened = tiny.model("llama")
    opened.scorer = scorer(module=opened.module, padding="right")

    def skip(output, given):
        return torch.cat([output[:, :3], given[:, 3:]], dim=1)

    plain = values(opened.scorer)
    assert opened.scorer.report().groups > 0
    with patch(opened, "block.1", skip):
        found = values(opened.scorer)
        report = opened.scorer.report()
        assert (report.groups, report.sharing) == (0, "hooks are set on the model")
        assert found == pytest.approx(expected(opened.module), abs=1e-4)
    assert max(abs(a - b) for a, b in zip(plain, found, strict=True)) > 0.1
    assert values(opened.scorer) == plain


def test_a_wrong_mask_is_found_out_and_whole_rows_run(monkeypatch, caplog):
    """As an architecture would that lets branches see each other."""
    honest = trees.visible
    monkeypatch.setattr(trees, "visible", lambda *a: honest(*a) | torch.ones(1, dtype=torch.bool))
    module = tiny.module("llama")
    model = scorer(module=module)
    with caplog.at_level(logging.WARNING, logger="evenhand.scoring"):
        found = values(model)
    report = model.report()
    assert found == pytest.approx(expected(module), abs=1e-4)
    assert "differ from whole rows" in report.sharing
    assert report.sharing in caplog.text
    assert report.sharing_probe > 0.01
    assert (report.groups, report.shared) == (0, 0)
    assert report.repeated > 0
    monkeypatch.undo()
    values(model)
    again = model.report()
    assert again.sharing == report.sharing, "once wrong, not tried again"
    assert again.repeated == report.repeated


def test_a_model_says_in_its_notes_that_beginnings_ran_again():
    for kind, expected_notes in (("llama", 0), ("bloom", 1)):
        opened = tiny.model(kind)
        opened.scorer = scorer(module=opened.module)
        opened.answer(FEW_SHOT)
        assert (
            sum("not tested for the architecture bloom" in note for note in opened.notes()) == expected_notes
        )
        opened.answer(FEW_SHOT[:1])
        assert not any("beginning" in note for note in opened.notes()), "of the newest call"


def test_a_wrong_mask_without_the_test_gives_wrong_numbers(monkeypatch):
    honest = trees.visible
    monkeypatch.setattr(trees, "visible", lambda *a: honest(*a) | torch.ones(1, dtype=torch.bool))
    module = tiny.module("llama")
    apart = np.subtract(values(scorer(module=module, probe=False)), expected(module))
    assert np.abs(apart).max() > 0.01, "this is the silent error that the test is there for"


def test_a_model_that_fails_in_the_test_runs_whole_rows(monkeypatch):
    module = tiny.module("gpt_neo")
    monkeypatch.setitem(ROWS, "gpt_neo", replace(ROWS["gpt_neo"], shares=True))
    model = scorer(module=module)
    assert values(model) == pytest.approx(expected(module), abs=1e-4)
    assert model.report().groups == 0
    assert "failed" in model.report().sharing or "differ" in model.report().sharing


def test_a_failure_after_the_test_is_not_hidden(monkeypatch):
    model = scorer()
    values(model)
    monkeypatch.setattr(
        prefix.Prefix, "inputs_after", lambda *_: (_ for _ in ()).throw(RuntimeError("broken"))
    )
    with pytest.raises(RuntimeError, match="broken"):
        values(model)
    assert not model._module.get_output_embeddings()._forward_pre_hooks


def test_memory_halves_packed_rows_and_the_smaller_size_is_remembered(monkeypatch, caplog):
    module = tiny.module("gpt2")
    plain = values(scorer(module=module))
    model = scorer(module=module, probe=False)
    start = 20
    sizes = limit_memory(monkeypatch, module, start + 16)
    with caplog.at_level(logging.WARNING, logger="evenhand.scoring"):
        found = values(model)
    assert found == pytest.approx(plain, abs=2e-5)
    report = model.report()
    assert report.groups >= 1
    assert report.halvings == sum(size > start + 16 for size in sizes) >= 1
    assert "tokens a packed row" in caplog.text
    sizes.clear()
    assert values(model) == pytest.approx(plain, abs=2e-5)
    assert model.report().halvings <= report.halvings


def test_a_row_that_fits_in_no_way_is_an_error(monkeypatch):
    model = scorer()
    limit_memory(monkeypatch, model._module, 3)
    with pytest.raises(OutOfMemory, match="One row of"):
        values(model, FEW_SHOT[:9])


def test_rows_that_do_not_fit_after_a_beginning_run_whole(monkeypatch):
    module = tiny.module("gpt2")
    plain = values(scorer(module=module))
    tries: list[int] = []

    def full(_, packed):
        tries.append(len(packed.rows))
        raise MemoryError

    model = scorer(module=module, probe=False)
    monkeypatch.setattr(prefix.Prefix, "inputs_after", full)
    assert values(model) == pytest.approx(plain, abs=2e-5)
    report = model.report()
    assert tries[-1] == 1
    assert (report.groups, report.shared, report.halvings) == (0, 0, len(tries))


def test_a_beginning_that_does_not_fit_with_its_cache_runs_whole(monkeypatch):
    module = tiny.module("gpt2")
    plain = values(scorer(module=module))
    model = scorer(module=module)
    monkeypatch.setattr(prefix.Prefix, "__init__", lambda *_: (_ for _ in ()).throw(MemoryError()))
    assert values(model) == pytest.approx(plain, abs=2e-5)
    assert model.report().groups == 0
    assert model.report().halvings >= 1
    assert model.report().sharing_probe is None, "not settled yet"


def test_the_head_reads_no_more_rows_at_a_time_than_it_may(monkeypatch):
    module = tiny.module("gpt2")
    plain = values(scorer(module=module))
    rows = 4
    monkeypatch.setattr(forward, "LOGIT_BYTES", 4 * rows * module.config.vocab_size)
    read: list[int] = []
    model = scorer(module=module, probe=False)
    module.get_output_embeddings().register_forward_hook(lambda _, args, made: read.append(made.shape[1]))
    items = [item for item in FEW_SHOT if item.context]
    assert values(model, items) == pytest.approx(plain[: len(items)], abs=2e-5)
    assert read
    assert max(read) <= rows


def test_non_finite_answers_name_the_prompt_and_settle_nothing():
    module = tiny.module("gpt2")
    model = scorer(module=module)
    kept = module.transformer.ln_f.weight.detach().clone()
    with torch.no_grad():
        module.transformer.ln_f.weight.fill_(math.nan)
    with pytest.raises(BadModel, match="NaN or an infinity after 'The"):
        values(model)
    with torch.no_grad():
        module.transformer.ln_f.weight.copy_(kept)
    assert values(model) == pytest.approx(expected(module), abs=1e-4)
    assert model.report().groups >= 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions(dtype):
    exact = values(scorer("llama"))
    model = scorer(module=tiny.module("llama").to(dtype))
    found = values(model)
    assert model.report().groups >= 1, model.report().sharing
    assert found == pytest.approx(exact, abs=2e-5 if dtype == torch.float64 else 1.0)


def test_texts_with_the_start_mark_out_of_view_share_their_beginnings():
    texts = [f"{item.context}{item.text}" for item in FEW_SHOT if item.context]
    on, off = scorer("llama"), scorer("llama", share=None)
    found = unanchored(on, texts)
    assert on.report().groups >= 1
    assert [a.value for a in found] == pytest.approx([a.value for a in unanchored(off, texts)], abs=2e-5)


def test_masked_copies_share_nothing():
    """A plan run without `causal` (each row sees both ways) is left alone."""
    plan = make_plan([Encoded((*range(5, 25), 30 + i, 9), 21) for i in range(9)])
    model = scorer("llama")
    model.run(plan)
    assert (model.report().groups, model.report().sharing) == (0, "")
