"""The numeric test of padding catches what it is for: positions or masks that a model does not get."""

from __future__ import annotations

import math

import pytest
import torch

from evenhand.records import Continuation
from evenhand.scoring import Scorer, forward
from evenhand.scoring.forward import SelectedHead
from evenhand.scoring.plan import Row
from evenhand.scoring.probe import choose, disagreement, settle
from evenhand.testing import tiny
from tests.scoring.reference import naive
from tests.scoring.workload import ITEMS

ROWS = (
    Row((5, 9, 33, 70, 12, 44), ((5, 1),), 0),
    Row((66, 67, 80), ((1, 2), (2, 2)), 1),
    Row((90,), ((0, 4),), 3),
)


def withhold(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the model's forward pass go without some of its inputs, as a faulty port would."""
    honest = forward._accepted
    monkeypatch.setattr(
        forward, "_accepted", lambda m, inputs: {k: v for k, v in honest(m, inputs).items() if k not in names}
    )


def test_a_sound_model_passes_on_the_first_path():
    module = tiny.module("gpt2")
    with SelectedHead(module) as head, torch.no_grad():
        settled = settle(module, head, ROWS, "left")
    assert settled.path == "left"
    assert settled.error is not None
    assert settled.error < 1e-4


def test_lost_positions_step_down_to_right_padding(monkeypatch):
    """GPT-2 counts padding as positions when it is not told better."""
    withhold(monkeypatch, "position_ids")
    module = tiny.module("gpt2")
    with SelectedHead(module) as head, torch.no_grad():
        assert disagreement(module, head, ROWS, "left") > 0.1
        settled = settle(module, head, ROWS, "left")
    assert settled.path == "right"


def test_padding_that_enters_a_recurrent_state_is_caught():
    """RWKV has no mask: padding on the left is read like text, by more than the whole spread."""
    module = tiny.module("rwkv", gain=4.0)
    with SelectedHead(module) as head, torch.no_grad():
        assert disagreement(module, head, ROWS, "left") > 1
        assert settle(module, head, ROWS, "left").path == "right"


def test_a_lost_mask_under_alibi_still_gives_right_answers(monkeypatch):
    """BLOOM reads its positions off the mask; without it, only right padding is sound."""
    withhold(monkeypatch, "attention_mask")
    module, tokenizer = tiny.module("bloom"), tiny.tokenizer()
    scorer = Scorer(module, tokenizer)
    answers = scorer.logprobs(ITEMS)
    assert scorer.report().path == "right"
    for answer, item in zip(answers, ITEMS, strict=True):
        assert answer.value == pytest.approx(naive(module, tokenizer, item)[0], abs=1e-4)


def test_when_no_padding_is_sound_lengths_are_not_mixed(monkeypatch):
    """A model that answers differently in wider batches: every answer still equals the single row's."""
    module, tokenizer = tiny.module("llama"), tiny.tokenizer()
    single = [naive(module, tokenizer, item)[0] for item in ITEMS]
    honest = module.model.forward

    def confused(*args, attention_mask=None, **kwargs):
        made = honest(*args, attention_mask=attention_mask, **kwargs)
        if not attention_mask.all():
            made.last_hidden_state = made.last_hidden_state * 1.5
        return made

    monkeypatch.setattr(module.model, "forward", confused)
    scorer = Scorer(module, tokenizer)
    answers = scorer.logprobs(ITEMS)
    assert "differ from single rows" in scorer.report().packing
    assert scorer.report().path == "equal"
    assert "right padding differs" in scorer.report().why
    assert scorer.report().probe is None
    assert [a.value for a in answers] == pytest.approx(single, abs=1e-4)


def test_the_probe_can_be_switched_off(monkeypatch):
    withhold(monkeypatch, "position_ids")
    module, tokenizer = tiny.module("gpt2"), tiny.tokenizer()
    scorer = Scorer(module, tokenizer, probe=False, share=None)
    answers = scorer.logprobs(ITEMS)
    assert scorer.report().path == "left"
    worst = max(abs(a.value - naive(module, tokenizer, i)[0]) for a, i in zip(answers, ITEMS, strict=True))
    assert worst > 0.1, "this is the silent error that the probe is there for"


def test_rows_of_one_length_need_no_probe():
    module, tokenizer = tiny.module("gpt2"), tiny.tokenizer()
    scorer = Scorer(module, tokenizer, share=None)
    scorer.logprobs([Continuation("The nurse", " left"), Continuation("The nurse", " she")])
    assert scorer.report().probe is None
    assert scorer.report().forwards == 1
    scorer.logprobs(ITEMS)
    assert scorer.report().probe is not None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_of_narrow_formats_is_no_fault(dtype):
    module = tiny.module("llama").to(dtype)
    with SelectedHead(module) as head, torch.no_grad():
        assert settle(module, head, ROWS, "left").path == "left"


def test_shortest_and_longest_rows_are_probed():
    rows = [Row(tuple(range(n)), ((0, 0),), 0) for n in (40, 40, 30, 20, 10, 5, 5, 1)]
    lengths = [len(row.ids) for row in choose(rows)]
    assert lengths[0] == 40
    assert lengths[-1] == 1
    assert len(lengths) == len(set(lengths)) == 4
    assert len(choose(rows[:2])) == 1


def test_a_model_of_nans_fails_every_padding():
    module = tiny.module("gpt2")
    with torch.no_grad():
        module.transformer.ln_f.weight.fill_(math.nan)
        with SelectedHead(module) as head:
            assert settle(module, head, ROWS, "left").path == "equal"
