"""The estimate of memory: exact where memory is held, more for larger batches, near the peak of a process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from evenhand.hooks import restore
from evenhand.locators.bmi import Bmi
from evenhand.locators.gradient import Gradient
from evenhand.models import placing
from evenhand.models import shape as module_of
from evenhand.models.footprint import HELD, LATER, PARTS, Job, footprint, weight_bytes
from evenhand.models.layout import Layout
from evenhand.models.stage import Stage
from evenhand.scoring import memory as held
from evenhand.scoring.forward import LOGIT_BYTES
from evenhand.scoring.kept import MEMORY
from evenhand.scoring.reading import extent
from evenhand.testing import tiny
from evenhand.training import loop
from tests.support import families

KINDS = ("gpt2", "llama", "bert", "t5")
NONE: Any = None  # a locator says what it takes of any model
BMI, GRADIENT = Bmi().stages(NONE, ()), Gradient().stages(NONE, ())


def made(kind: str) -> Any:
    return tiny.module(kind) if kind in tiny.CONFIGS else families.module(kind)


def parts(module: nn.Module, job: Job) -> dict[str, int]:
    return dict(footprint(module, job, 0).parts)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_exact_and_tied_ones_count_once(kind: str) -> None:
    module = made(kind)
    storages = {
        tensor.data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in (*module.parameters(), *module.buffers())
        if tensor.numel()
    }
    assert parts(module, Job(64))["weights"] == sum(storages.values())


def test_a_tied_head_takes_nothing_more() -> None:
    tied, untied = (tiny.module("llama", tie_word_embeddings=tie) for tie in (True, False))
    table = tied.get_input_embeddings().weight
    assert weight_bytes(untied) - weight_bytes(tied) == table.numel() * 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_without_storage_gives_the_same(kind: str) -> None:
    module = made(kind)
    with torch.device("meta"):
        empty = type(module)(module.config)
    job = Job(64, fitting=(Stage(1000),))
    assert parts(empty, job) == parts(module, job)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_training_holds_is_what_torch_holds(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """One real step of the loop on a block: gradients at their most, moments, float32 copies, the base's."""
    module = tiny.module("gpt2").to(dtype)
    chosen = [p for name, p in module.named_parameters() if name.startswith("transformer.h.1.")]
    seen: list[torch.optim.Optimizer] = []

    class Seen(torch.optim.AdamW):
        def step(self, *args: Any, **kwargs: Any) -> Any:
            seen.append(self)
            held["gradients"] = sum(p.grad.nbytes for group in self.param_groups for p in group["params"])
            return super().step(*args, **kwargs)

    held: dict[str, int] = {}
    monkeypatch.setattr(torch.optim, "AdamW", Seen)
    ids = torch.tensor([[1, 2, 3]])
    loss = lambda _: module(ids).logits.float().square().mean()  # noqa: E731
    with restore(chosen):
        loop.minimise(loss, chosen, [ids], loop.Schedule(1e-3), steps=1)
    state = [value for values in seen[0].state.values() for value in values.values()]
    masters = [p for group in seen[0].param_groups for p in group["params"]]
    held["optimiser moments"] = sum(value.nbytes for value in state if value.dim())
    held["float32 weights"] = sum(m.nbytes for m in masters if not any(m is p for p in chosen))
    held["base copy"] = sum(p.nbytes for p in chosen)

    job = Job(64, measures=False, fitting=(Stage(sum(p.numel() for p in chosen), lowest=1, tokens=9999),))
    found = parts(module, job)
    assert {name: found.get(name, 0) for name in held} == held
    assert {name for name in found if name in HELD} >= {"weights", "gradients", "optimiser moments"}


def test_a_trained_head_is_copied_for_the_base() -> None:
    module = tiny.module("llama")
    without, with_head = (
        parts(module, Job(64, measures=False, fitting=(Stage(100, tokens=9999, head=head),)))
        for head in (False, True)
    )
    assert with_head["base copy"] - without["base copy"] == module.lm_head.weight.nbytes


def test_a_narrow_head_has_a_float32_copy_while_it_is_read() -> None:
    module = tiny.module("llama")
    assert "head in float32" not in parts(module, Job(64))
    table = module.lm_head.weight.numel()
    assert parts(module.bfloat16(), Job(64))["head in float32"] == 4 * table


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("locating", [(), BMI, GRADIENT])
def test_more_tokens_in_a_batch_take_no_less(kind: str, locating: tuple[Stage, ...]) -> None:
    module = made(kind)
    sizes = [footprint(module, Job(2**n, locating=locating), 0).total for n in range(4, 15)]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_logits_never_exceed_what_exists_at_a_time() -> None:
    with torch.device("meta"):
        wide = type(tiny.module("llama"))(tiny.module("llama", vocab_size=50_000).config)
    assert LOGIT_BYTES - 4 * 50_000 < parts(wide, Job(16_384, device="cuda"))["logits"] <= LOGIT_BYTES
    rows, columns = extent("cpu", 50_000)
    assert parts(wide, Job(16_384))["logits"] == 4 * rows * columns < LOGIT_BYTES / 8
    assert parts(wide, Job(2, device="cuda"))["logits"] == 2 * 4 * 50_000
    assert parts(wide, Job(2))["logits"] == 2 * 4 * columns


def test_kept_states_beyond_the_limit_lie_in_files() -> None:
    module = tiny.module("llama")  # 32 wide
    few, many = (parts(module, Job(64, again=tokens)) for tokens in (1000, 10**9))
    assert (few["kept states"], many["kept states"]) == (1000 * 32 * 4, MEMORY)


def test_eager_attention_holds_the_scores_of_every_head() -> None:
    sdpa, eager = tiny.module("llama"), tiny.module("llama")
    sdpa.config._attn_implementation = "sdpa"
    eager.config._attn_implementation = "eager"
    name = "attention mask and scores"
    # 16 tokens in a row of 16, 4 heads: bools of 3 bytes, and 4 numbers of sdpa or 3 numbers of each head.
    assert parts(sdpa, Job(16))[name] == 16 * 16 * (3 + 4)
    assert parts(eager, Job(16))[name] == 16 * 16 * (3 + 4 * 12)


def test_the_widest_layer_is_no_embedding() -> None:
    """An inner width of 48 and a vocabulary of more: 3 tensors of 48 and 4 of 32 for each of 16 tokens."""
    module = tiny.module("llama", vocab_size=5000)
    assert parts(module, Job(16))["inner states"] == 16 * 4 * (3 * 48 + 4 * 32)


def test_a_token_of_a_mixture_goes_through_several_experts() -> None:
    module = tiny.module("mixtral")
    two, one = module, tiny.module("mixtral", num_experts_per_tok=1)
    assert two.config.num_experts_per_tok == 2
    assert parts(two, Job(16))["inner states"] > parts(one, Job(16))["inner states"]


def test_the_disk_leaves_one_block_in_memory() -> None:
    module = tiny.module("llama")
    blocks = [sum(p.nbytes for p in block.parameters()) for block in module.model.layers]
    assert placing.away_bytes(module) == sum(blocks[1:])
    whole, disk = (parts(module, Job(64, disk=disk))["weights"] for disk in (False, True))
    assert whole - disk == sum(blocks[1:])


def test_the_phase_that_takes_most_counts() -> None:
    module = tiny.module("llama")
    job = Job(64, locating=BMI, fitting=(Stage(10**6),))
    found = footprint(module, job, 0)
    assert found.peak == "fitting"
    assert (
        found.parts["treated weights"] == 4 * 10**6
    )  # of the treated model, while a control model is fitted
    assert footprint(module, replace(job, fitting=()), 0).peak == "locating"  # 512 tokens, not 64
    assert footprint(module, Job(2048, locating=BMI), 0).peak == "measuring"


def test_what_a_comparison_of_distributions_holds() -> None:
    """Of 100 contexts and 40 texts: both tables, and 9 of a block; a card has logits and their softmax."""
    module = tiny.module("llama")
    row = 4 * module.config.vocab_size
    job = Job(1, contexts=100, texts=40)
    found = footprint(module, job, 0)
    assert found.peak == "comparing"
    assert found.parts["next-word distributions"] == 140 * row
    assert found.parts["logits"] == 9 * 100 * row
    on_card = footprint(module, replace(job, device="cuda"), 0)
    assert on_card.parts["logits"] == 2 * 100 * row
    assert "next-word distributions" not in on_card.parts
    with torch.device("meta"):
        wide = type(module)(tiny.module("llama", vocab_size=50_000).config)
    assert footprint(wide, Job(1, contexts=856), 0).parts["logits"] <= 9 * LOGIT_BYTES


def test_a_checkpoint_in_another_dtype_lies_beside_its_copy() -> None:
    module = tiny.module("llama")
    found = footprint(module, Job(64, copied=10**9), 0)
    assert (found.peak, found.parts["checkpoint"]) == ("opening", 10**9)
    assert footprint(module, Job(64, copied=1000), 0).peak == "measuring"
    assert footprint(module, Job(64, "cuda", copied=10**9), 0).peak == "measuring"


def test_what_is_built_for_narrow_products_on_a_cpu() -> None:
    """Llama's blocks have four shapes: query and output, key and value, gate and up, down."""
    module = tiny.module("llama").bfloat16()
    assert len({p.shape for p in module.model.layers.parameters() if p.dim() > 1}) == 4
    name = "built products"
    assert parts(module, Job(64))[name] == 24 * 4 * 750_000
    few, many = (
        parts(module, Job(64, measures=False, fitting=(Stage(1000, steps=steps),)))[name]
        for steps in (10, 10**6)
    )
    assert (few, many) == (10 * 4 * 3_000_000, 1024 // 3 * 3_000_000)
    assert name not in parts(module, Job(64, "cuda"))
    assert name not in parts(tiny.module("llama"), Job(64))


def test_a_card_holds_no_process() -> None:
    module = tiny.module("llama")
    held = footprint(module, Job(64), 1000)
    assert (held.parts["process"], held.parts["first use"]) == (1000, LATER)
    assert held.needed == held.total - 1000
    assert held.held == weight_bytes(module)
    assert not {"process", "first use"} & set(footprint(module, Job(64, device="cuda"), 1000).parts)
    assert list(held.parts) == [name for name in PARTS if name in held.parts]


def test_an_unknown_architecture_has_the_depth_of_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    module = tiny.module("llama")
    known = parts(module, Job(64, locating=GRADIENT))
    monkeypatch.setattr(module_of, "layout_of", lambda _: None)
    assert parts(module, Job(64, locating=GRADIENT)) == known


def test_what_the_process_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("VmHWM:\t 90 kB\nVmRSS:\t 70 kB\n")
    monkeypatch.setattr(held, "_STATUS", status)
    assert held.resident() == 70 * 1024
    monkeypatch.setattr(held, "_STATUS", tmp_path / "absent")
    assert held.resident() > 10**7  # its peak so far, in bytes


def test_layouts_are_read_without_storage() -> None:
    module = tiny.module("gpt2").to("meta")
    assert Layout(module).n_blocks == 3


@pytest.mark.slow
@pytest.mark.parametrize("job", ["measure", "lftf:blocks=1"])
def test_the_estimate_is_within_15_percent_of_the_peak(job: str, tmp_path: Path) -> None:
    """The command in a process of its own, on a model of 64 MB; the bench does the same on larger ones."""
    from perf.bench.footprint import estimated, measured, save

    dtype = save("gpt2, 4 x 256", tmp_path)
    guess, peak = estimated(tmp_path, job, dtype), measured(tmp_path, job, dtype)
    assert guess["total"] == pytest.approx(peak, rel=0.15), json.dumps(guess)
