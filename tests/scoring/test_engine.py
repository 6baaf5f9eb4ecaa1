"""The scoring engine: right answers, exact counts, memory, and errors that name the prompt."""

from __future__ import annotations

import inspect
import logging
import math
from contextlib import contextmanager

import pytest
import torch

from evenhand import progress
from evenhand.errors import BadData, BadModel, OutOfMemory
from evenhand.records import Continuation
from evenhand.scoring import Scorer
from evenhand.testing import tiny
from tests.scoring.reference import naive
from tests.scoring.workload import ITEMS


def scorer(kind: str = "gpt2", **options) -> Scorer:
    return Scorer(tiny.module(kind), tiny.tokenizer(), **options)


def limit_memory(
    monkeypatch, scorer: Scorer, cells: int, error: Exception, *, head_rows: int = 10**9
) -> list[int]:
    """Let a forward pass over more than `cells` token places, or with more head rows, run out of memory."""
    module, sizes = scorer._module, []
    honest, head = module.forward, module.get_output_embeddings()

    def limited(*args, **kwargs):
        size = kwargs["input_ids"].numel()
        sizes.append(size)
        if size > cells:
            raise error
        return honest(*args, **kwargs)

    def limited_head(_, args):
        if args[0].shape[1] > head_rows:
            raise error

    limited.__signature__ = inspect.signature(honest)
    monkeypatch.setattr(module, "forward", limited)
    head.register_forward_hook(lambda m, args, output: limited_head(m, args))
    return sizes


def test_the_chain_rule_by_hand():
    """log P(" she was") = log P(" she") + log P(" was" | " she")."""
    model = scorer()
    whole, first, second = model.logprobs(
        [
            Continuation("The nurse smiled because", " she was"),
            Continuation("The nurse smiled because", " she"),
            Continuation("The nurse smiled because she", " was"),
        ]
    )
    assert whole.value == pytest.approx(first.value + second.value, abs=1e-6)
    assert whole.n_tokens == first.n_tokens + second.n_tokens
    assert whole.kind == "true"


def test_next_token_probabilities_sum_to_one():
    module, tokenizer = tiny.module("gpt2"), tiny.tokenizer()
    ids = tokenizer("The nurse smiled because")["input_ids"]
    with torch.no_grad():
        logps = module(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    (she,) = Scorer(module, tokenizer).logprobs([Continuation("The nurse smiled because", " she")])
    token = tokenizer(" she")["input_ids"]
    assert len(token) == 1
    assert she.value == pytest.approx(float(logps[token[0]]), abs=1e-6)
    assert float(logps.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_counts_are_exact():
    """Four tokens of prompt and the text " she| was| late|." make a row of 7 inputs.

    It also serves the requests for one word after the same prompt; "The doctor" is a branch of one token. The
    prediction after its last token and after four tokens of the first row are wanted; both rows are tested.
    """
    nurse = "The nurse smiled because"
    items = [
        Continuation(nurse, " she"),
        Continuation(nurse, " he"),
        Continuation(nurse, " she was late."),
        Continuation(nurse, " she"),
        Continuation("The doctor", " she"),
    ]
    tokenizer = tiny.tokenizer()
    assert [len(tokenizer(text)["input_ids"]) for text in (nurse, " she was late.", "The doctor")] == [
        4,
        4,
        2,
    ]
    model = scorer()
    answers = model.logprobs(items)
    report = model.report()
    assert [a.n_tokens for a in answers] == [1, 1, 4, 1, 1]
    assert (report.requests, report.duplicates, report.served) == (5, 1, 1)
    assert report.rows == 2
    assert report.asked == 4 + 4 + 7 + 4 + 2
    assert report.path == "tree", report.packing
    assert (report.trees, report.packed) == (1, 2)
    assert report.run == report.nodes == 7 + 1
    assert report.head_rows == 4 + 1
    assert (report.forwards, report.halvings) == (1, 0)
    assert report.probed == 7 + 2
    assert len(report.plan) == 64
    assert (report.dtype, report.head, report.precision) == ("float32", "float32", "highest")


def test_counts_of_whole_rows_are_exact():
    """The same two rows of 7 and 2 tokens, padded to one batch."""
    nurse = "The nurse smiled because"
    model = scorer(share=None)
    model.logprobs([Continuation(nurse, " she was late."), Continuation("The doctor", " she")])
    report = model.report()
    assert (report.path, report.run, report.head_rows, report.forwards) == ("left", 2 * 7, 4 + 1, 1)
    assert (report.trees, report.nodes, report.packed, report.packing) == (0, 0, 0, "")


@pytest.mark.parametrize("share", ["tree", None])
def test_progress_advances_by_passes(monkeypatch, share):
    """Row by row the rate after the first pass would be that of one row."""
    amounts: list[int] = []

    class Display:
        @contextmanager
        def task(self, label: str, total: int | None, unit: str, late: bool = False):
            yield amounts.append if label == "scoring" else lambda amount: None

        def say(self, text: str) -> None: ...

    monkeypatch.setattr(progress, "_display", Display())
    model = scorer(probe=False, **({} if share else {"share": None}))
    model.logprobs(ITEMS)
    report = model.report()
    assert sum(amounts) == report.rows > 1
    assert len(amounts) == report.forwards < report.rows


def test_one_row_of_head_for_many_terms():
    model = scorer()
    model.logprobs([Continuation("The nurse left because", term) for term in (" she", " he", " they", " it")])
    report = model.report()
    assert report.rows <= 2  # " it" may take two tokens and then extends the others' row
    assert report.forwards == 1


def test_the_budget_bounds_every_batch():
    model = scorer(batch_tokens=24, probe=False)
    sizes = limit_memory_none(model)
    model.logprobs(ITEMS)
    widest = max(width for _, width in sizes)
    assert all(rows * width <= max(24, width) for rows, width in sizes)
    assert widest > 10
    assert len(sizes) == model.report().forwards > 1


def limit_memory_none(model: Scorer) -> list[tuple[int, int]]:
    sizes: list[tuple[int, int]] = []
    model._module.get_input_embeddings().register_forward_pre_hook(
        lambda _, args: sizes.append(tuple(args[0].shape))
    )
    return sizes


def test_the_order_of_requests_does_not_matter():
    model = scorer()
    forwards = model.logprobs(ITEMS)
    plan = model.report().plan
    backwards = model.logprobs(ITEMS[::-1])
    assert forwards == backwards[::-1]
    assert model.report().plan == plan


def test_a_beginning_mark_is_respected():
    module, tokenizer = tiny.module("llama"), tiny.tokenizer(bos=True)
    found = Scorer(module, tokenizer).logprobs(ITEMS)
    for answer, item in zip(found, ITEMS, strict=True):
        value, n = naive(module, tokenizer, item) if item.context else (answer.value, answer.n_tokens)
        assert answer.value == pytest.approx(value, abs=1e-4)
        assert answer.n_tokens == n
    ids = tokenizer(ITEMS[7].text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    with torch.no_grad():
        logps = module(torch.tensor([ids])).logits[0].log_softmax(-1)
    assert found[7].value == pytest.approx(
        sum(float(logps[i - 1, ids[i]]) for i in range(1, len(ids))), abs=1e-4
    )
    assert found[7].n_tokens == len(ids) - 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", tiny.RECURRENT)
def test_recurrent_architectures_are_padded_on_the_right(kind):
    module, tokenizer = tiny.module(kind, gain=4.0), tiny.tokenizer()
    model = Scorer(module, tokenizer)
    found = model.logprobs(ITEMS)
    assert model.report().path == "right"
    expected = [naive(module, tokenizer, item)[0] for item in ITEMS]
    assert [a.value for a in found] == pytest.approx(expected, abs=1e-4)


def test_nothing_asked_nothing_run():
    model = scorer()
    assert model.logprobs([]) == []
    assert model.report().forwards == 0


def test_bfloat16_scores_stay_near_float32():
    exact = scorer("llama").logprobs(ITEMS)
    model = Scorer(tiny.module("llama").to(torch.bfloat16), tiny.tokenizer())
    rough = model.logprobs(ITEMS)
    assert (model.report().dtype, model.report().head) == ("bfloat16", "float32")
    for a, b in zip(exact, rough, strict=True):
        assert a.value == pytest.approx(b.value, abs=0.2 * b.n_tokens)
    assert len({r.value for r in rough}) == len(set(ITEMS)), "no ties from coarse logits"


def test_training_flags_and_gradients_are_left_alone():
    model = scorer()
    model._module.train()
    first = model.logprobs(ITEMS)
    assert model._module.training
    assert first == model.logprobs(ITEMS), "dropout is off while scoring"
    assert all(p.grad is None and p.requires_grad for p in model._module.parameters())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"),
        MemoryError(),
    ],
)
def test_the_batch_is_halved_when_memory_runs_out(monkeypatch, caplog, error):
    expected = scorer().logprobs(ITEMS)
    model = scorer(probe=False)
    sizes = limit_memory(monkeypatch, model, 40, error)
    with caplog.at_level(logging.WARNING, logger="evenhand.scoring"):
        found = model.logprobs(ITEMS)
    assert [a.value for a in found] == pytest.approx([a.value for a in expected], abs=1e-5)
    report = model.report()
    assert report.halvings >= 1
    assert report.batch_tokens <= 40
    assert "memory ran out" in caplog.text
    failed = sum(size > 40 for size in sizes)
    assert failed == report.halvings
    assert report.forwards == len(sizes) - failed
    model.logprobs(ITEMS)
    assert model.report().halvings == 0, "the smaller budget is remembered"


def test_one_row_that_does_not_fit_is_an_error(monkeypatch):
    model = scorer(probe=False)
    limit_memory(monkeypatch, model, 3, MemoryError())
    with pytest.raises(OutOfMemory, match="One row of") as caught:
        model.logprobs(ITEMS)
    assert caught.value.exit_code == 4


def test_one_row_with_many_answers_is_read_in_several_passes(monkeypatch):
    text = Continuation("", "The nurse smiled because she was late. The nurse smiled because he was late.")
    (expected,) = scorer().logprobs([text])
    model = scorer(probe=False)
    limit_memory(monkeypatch, model, 10**9, MemoryError(), head_rows=8)
    (found,) = model.logprobs([text])
    assert expected.n_tokens > 8
    assert found.value == pytest.approx(expected.value, abs=1e-5)
    assert found.n_tokens == expected.n_tokens
    assert model.report().forwards >= math.ceil(expected.n_tokens / 8)


def test_memory_that_runs_out_in_the_probe_is_no_failure(monkeypatch):
    expected = scorer().logprobs(ITEMS)
    model = scorer()
    limit_memory(monkeypatch, model, 25, MemoryError())
    found = model.logprobs(ITEMS)
    assert [a.value for a in found] == pytest.approx([a.value for a in expected], abs=1e-4)
    assert model.report().probe is None


def test_other_failures_are_not_taken_for_memory(monkeypatch):
    model = scorer(probe=False)
    limit_memory(monkeypatch, model, 3, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        model.logprobs(ITEMS)
    assert not model._module.get_output_embeddings()._forward_pre_hooks


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_non_finite_answers_name_the_prompt_and_the_mend(value):
    model = scorer()
    with torch.no_grad():
        model._module.transformer.ln_f.weight.fill_(value)
    with pytest.raises(BadModel, match="NaN or an infinity after") as caught:
        model.logprobs([Continuation("The nurse smiled because", " she")])
    assert "The nurse smiled because" in caught.value.what
    assert "float32" in caught.value.mend
    assert caught.value.exit_code == 2


def test_a_request_longer_than_the_window_is_refused():
    with pytest.raises(BadData, match="window of 64"):
        scorer().logprobs([Continuation("The nurse left. " * 40 + "The nurse", " left")])


def test_equal_lengths_by_request(monkeypatch):
    model = scorer(probe=False, batch_tokens=4096)
    model._report = model._report.__class__(path="equal", why="by hand")
    shapes = limit_memory_none(model)
    found = model.logprobs(ITEMS)
    assert [a.value for a in found] == pytest.approx([a.value for a in scorer().logprobs(ITEMS)], abs=1e-5)
    assert len(shapes) == len({width for _, width in shapes}), "one batch a length"
    assert model.report().run == sum(rows * width for rows, width in shapes)
