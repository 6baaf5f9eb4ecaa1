"""A beginning that runs once: masks by hand, every proven architecture, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evenhand.architectures.table import ROWS as TABLE
from evenhand.errors import BadModel
from evenhand.scoring.forward import SelectedHead, run_inputs, run_rows
from evenhand.scoring.packing import Packed, pack
from evenhand.scoring.plan import Row
from evenhand.scoring.prefix import Prefix
from evenhand.scoring.reading import Reader
from evenhand.scoring.report import Tally
from evenhand.scoring.trees import refusal, visible
from evenhand.testing import tiny
from tests.support import families

pytestmark = pytest.mark.filterwarnings("ignore")

PROVEN = {kind for kind, row in TABLE.items() if row.shares}
START = tuple(range(10, 30))
ROWS = tuple(
    Row((*START, *tail), ((19, tail[0]), (19 + len(tail), 5)), 2 * i)
    for i, tail in enumerate([(40, 41, 42), (40, 41, 43, 44, 45, 46, 47, 48), (60,), (61, 62, 63, 64)])
)


def after(module, head, prefix: Prefix, packed: Packed) -> torch.Tensor:
    """Logits at the wanted places of a packed row after the beginning."""
    return run_inputs(module, head, prefix.inputs_after(packed), [(0, place) for place in packed.places])


def worst(module) -> float:
    """The largest difference of a log-probability between rows after a beginning and rows alone."""
    (packed,) = pack(ROWS, len(START), 1000)
    with torch.no_grad(), SelectedHead(module) as head:
        prefix = Prefix(Reader(module, head, Tally()), START, [19])
        rest = after(module, head, prefix, packed)
        together = torch.cat([rest, prefix.reading.logits([0])]).log_softmax(-1)
        alone = [
            run_rows(module, head, [[*START, *path]], [[19 + len(path)]], padding="right")
            for path in [path_to(packed, place) for place in packed.places] + [[]]
        ]
    return float((together - torch.cat(alone).log_softmax(-1)).abs().max())


def path_to(packed: Packed, place: int) -> list[int]:
    return [packed.ids[j] for j in range(place + 1) if place < packed.end[j]]


def test_the_mask_by_hand():
    """A beginning of 2, then 7 with the branches 8 and 9: 9 does not see 8."""
    packed = Packed((), 2, (7, 8, 9), (2, 3, 3), (3, 2, 3), ())
    assert visible([packed], None)[0].int().tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 0, 1]]


def test_a_window_counts_positions_of_the_text_not_places():
    """With a window of 2 both branches at depth 3 see depth 2 and themselves."""
    packed = Packed((), 2, (7, 8, 9), (2, 3, 3), (3, 2, 3), ())
    assert visible([packed], 2)[0].int().tolist() == [[0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 1]]


@pytest.mark.parametrize("kind", sorted(PROVEN))
def test_proven_architectures_read_after_a_beginning_as_they_read_whole_rows(kind):
    module = tiny.module(kind)
    assert refusal(module, cached=True) is None
    assert worst(module) < 2e-5


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mistral", "gemma3_text", "opt", "falcon", "gpt_bigcode"])
def test_either_attention_is_right(kind):
    assert tiny.module(kind).config._attn_implementation == "sdpa", "the case above"
    assert worst(tiny.module(kind, attn_implementation="eager")) < 2e-5


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("phi3", {"sliding_window": 6}),
        ("starcoder2", {"sliding_window": 6}),
        ("mixtral", {"sliding_window": 6}),
        ("gpt_oss", {"sliding_window": 6}),
        ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
        ("falcon", {"parallel_attn": False, "multi_query": False}),
        ("gpt_bigcode", {"multi_query": False}),
        ("opt", {"do_layer_norm_before": False}),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4}}),
    ],
)
def test_variants_of_proven_architectures(kind, changes):
    """Checkpoints of one type differ in windows, shared heads, norms and rotary scaling."""
    module = tiny.module(kind, **changes)
    assert refusal(module, cached=True) is None
    assert worst(module) < 2e-5


def test_all_layers_windowed_and_no_layer_windowed():
    qwen2 = tiny.module("qwen2", use_sliding_window=True, sliding_window=6, max_window_layers=1)
    assert set(qwen2.config.layer_types) == {"full_attention", "sliding_attention"}
    assert worst(qwen2) < 2e-5
    assert worst(tiny.module("mistral", sliding_window=None)) < 2e-5
    assert worst(tiny.module("gemma3_text", layer_types=["sliding_attention"] * 3)) < 2e-5


def test_the_comparison_notices_a_wrong_window():
    module = tiny.module("mistral")
    (packed,) = pack(ROWS, len(START), 1000)
    with torch.no_grad(), SelectedHead(module) as head:
        prefix = Prefix(Reader(module, head, Tally()), START, [19])
        right = after(module, head, prefix, packed).log_softmax(-1)
        module.config.sliding_window = None
        wrong = after(module, head, prefix, packed).log_softmax(-1)
    assert float((right - wrong).abs().max()) > 1e-2


def test_reading_leaves_the_beginning_as_it_was():
    module = tiny.module("llama")
    (packed,) = pack(ROWS, len(START), 1000)
    calls = [0]

    def fail(*_):
        calls[0] += 1
        if calls[0] == 1:
            raise MemoryError

    with torch.no_grad(), SelectedHead(module) as head:
        prefix = Prefix(Reader(module, head, Tally()), START, [])
        first = after(module, head, prefix, packed)
        handle = module.model.layers[1].register_forward_hook(fail)
        with pytest.raises(MemoryError):
            after(module, head, prefix, packed)
        handle.remove()
        assert torch.equal(after(module, head, prefix, packed), first)


@pytest.mark.parametrize(
    ("kind", "changes", "why"),
    [
        ("bloom", {}, "not tested for the architecture bloom"),
        ("mpt", {}, "not tested"),
        ("gpt_neo", {}, "not tested"),
        ("mamba", {}, "not tested"),
        ("lfm2", {}, "not tested"),
        ("falcon", {"alibi": True}, "ALiBi"),
        (
            "llama",
            {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}},
            "length of the text",
        ),
    ],
)
def test_what_would_be_wrong_is_refused(kind, changes, why):
    assert why in refusal(tiny.module(kind, **changes), cached=True)


def test_every_architecture_with_a_layout_is_proven_or_refused_for_a_known_reason():
    others = {
        *families.MASKED,
        *families.SEQ2SEQ,
        "camembert",
    }  # which read a text in both directions: nothing is shared
    assert not others & PROVEN
    known = {kind for kind, row in TABLE.items() if row.blocks}
    assert known - PROVEN - families.BOTH_WAYS == {"bloom", "mpt", "gpt_neo"}
    assert {*tiny.CONFIGS, *tiny.FURTHER} >= PROVEN, "nothing is let in without a test"


def test_hooks_are_a_reason_to_run_whole_rows():
    module = tiny.module("gpt2")
    for register in (
        module.transformer.h[1].register_forward_hook,
        module.transformer.h[1].mlp.register_forward_pre_hook,
        nn.modules.module.register_module_forward_hook,
    ):
        handle = register(lambda *_: None)
        assert refusal(module, cached=True) == "hooks are set on the model"
        handle.remove()
        assert refusal(module, cached=True) is None


def test_other_attention_and_other_forward_passes_are_refused(monkeypatch):
    module = tiny.module("llama")
    monkeypatch.setattr(module.config, "_attn_implementation_internal", "flash_attention_2")
    assert "flash_attention_2" in refusal(module, cached=True)
    monkeypatch.undo()
    module.forward = lambda input_ids, attention_mask=None, position_ids=None: None
    assert "takes no past_key_values" in refusal(module, cached=True)
    assert "Linear" in refusal(nn.Linear(2, 2), cached=True)


@pytest.mark.parametrize("kind", ["mamba", "rwkv"])
def test_a_model_that_keeps_no_keys_is_an_error(kind):
    module = tiny.module(kind)
    with (
        torch.no_grad(),
        SelectedHead(module) as head,
        pytest.raises(BadModel, match="one key for each token"),
    ):
        Prefix(Reader(module, head, Tally()), START, [])
