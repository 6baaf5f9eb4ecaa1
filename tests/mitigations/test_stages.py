"""What methods say that their fits take of the memory, beside what the fits make and hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from evenhand import registry
from evenhand.mitigations._editing import moments, options, sizes
from evenhand.mitigations._editing.aims import Aim
from evenhand.mitigations._editing.editor import Editor
from evenhand.mitigations._editing.passes import Place
from evenhand.mitigations._editing.values import Search, _Batch, batches
from evenhand.mitigations.mend import Mend
from evenhand.mitigations.rome import Rome
from evenhand.models.projections import mlp_projections, output_projection
from evenhand.models.stage import FLOAT64, Stage
from evenhand.records import PairExample
from evenhand.studies.methods import made_method
from evenhand.testing import tiny
from evenhand.testing.examples import examples
from evenhand.training.lora import LoraSettings, adapted, stage_of_adapter
from evenhand.training.partitioned import Unlearning, unlearn, vectors
from tests.support.live import Live

SILENT = {"calibration", "fair_prompt", "prompt", "self_debias", "thresholds"}
"""Methods that train no weights of a model and look for no direction: a plan says that they say nothing."""


def stages(spec: str, kind: str = "gpt2", given: Any = None) -> tuple[Stage, ...]:
    method: Any = made_method(spec)
    return tuple(method.stages(tiny.model(kind), examples() if given is None else given))


def test_every_method_that_fits_weights_or_directions_says_what_it_takes() -> None:
    methods = {name: registry.create("mitigation", name) for name in registry.names("mitigation")}
    assert {name for name, method in methods.items() if not hasattr(method, "stages")} == SILENT


def test_every_locator_says_what_it_takes() -> None:
    for name in registry.names("locator"):
        made: Any = registry.create("locator", name)
        found = made.stages(tiny.model("gpt2"), examples())
        assert all(stage.treated == 0 for stage in found), name
        assert bool(found) == (name != "random")


def test_what_is_changed_is_what_the_fit_changes() -> None:
    model = tiny.model("gpt2")
    for spec in (
        "r_rome:blocks=1,edits=4,steps=2,C=I",
        "memit:blocks=0+1,edits=4,steps=2,C=I",
        "mend:blocks=1+2,rank=4,iterations=1",
        "pcgu:epochs=1",
        "dpo:train=top:1,epochs=1",
        "leace:blocks=1",
    ):
        method: Any = made_method(spec)
        made = method.fit(model, examples(), sites=None, seed=0)
        changed = sum(value.numel() for value in getattr(made, "weights", {}).values())
        assert {stage.treated for stage in method.stages(model, examples())} == {changed}, spec


def test_it_says_so_without_storage_and_before_there_are_examples() -> None:
    model = tiny.model("gpt2")
    model.module.to("meta")
    for spec in ("r_rome:blocks=1", "mend:blocks=1", "dama:blocks=1", "leace:blocks=1", "dpo", "pcgu"):
        method: Any = made_method(spec)
        known, unknown = method.stages(model, examples()), method.stages(model, ())
        assert [one.treated for one in known] == [one.treated for one in unknown]
        assert any(one.rows > 0 for one in unknown)


def test_the_moments_of_a_wide_map_take_six_squares() -> None:
    """The sum is there before; five more of its size live while it is drawn towards the identity."""
    width = 200
    square = FLOAT64 * width**2
    sums = moments.Sums(50, torch.randn(width, width, dtype=torch.float64).square(), 1.0)
    with Live() as live:
        moments.shrunk(sums)
    assert live.peak == pytest.approx((sizes.SHRINKING - 1) * square, rel=0.01)
    with_c, without = stages("memit:blocks=0+1"), stages("memit:blocks=0+1,C=I")
    inner = output_projection(tiny.model("gpt2"), "block.0", "mlp").width
    assert len(with_c) == len(without) + 2
    assert (
        with_c[1].matrices == (1 + 6) * FLOAT64 * inner**2
    )  # of the first map, and while the second is made
    assert with_c[2].matrices - without[0].matrices == 2 * 2 * FLOAT64 * inner**2


def test_the_search_for_values_runs_as_many_rows_as_said() -> None:
    model, search = tiny.model("gpt2"), Search(1, 0.5, 0.0625, 1e-3, 4.0, 0.05)
    of, at = sizes.asked(model, examples(), 12, 2), output_projection(model, "block.1", "mlp")
    assert of.contexts == 12 * 3
    ran = []
    for numbers in batches(model, of.requests):
        aim = Aim(torch.full((len(numbers), 2), 0.5))
        batch = _Batch(model, Place(at.module, 1), [of.requests[i] for i in numbers], aim, search)
        passages = [*batch._said, *(one for one, _ in batch._held)]
        rows = [[len(ids) for ids in one._of] for one in passages]
        ran.append((sum(map(len, rows)), sum(len(one) * max(one) for one in rows)))
    assert of.rows == max(rows for rows, _ in ran)
    assert of.tokens == pytest.approx(max(tokens for _, tokens in ran), rel=0.15)


def test_the_editor_has_as_many_numbers_as_said() -> None:
    model = tiny.model("llama")
    maps = [of for block in ("block.1", "block.2") for of in mlp_projections(model, block)]
    editor = Editor([of.shape for of in maps], 16, 1e-4)
    matrices = sum(p.numel() for name, p in editor.named_parameters() if name.endswith((".u", ".v")))
    trained, looked, written = stages("mend:blocks=1+2,rank=16", "llama")
    assert trained.weights == looked.weights == matrices
    assert written.weights == 0
    assert matrices > 0.8 * sum(p.numel() for p in editor.parameters())
    assert looked.matrices == 2 * 4 * matrices  # the best editor so far, and the next one


def test_an_adapter_changes_the_matrices_that_it_stands_at() -> None:
    pytest.importorskip("peft")
    model = tiny.model("llama")
    with adapted(model, LoraSettings(rank=4), seed=0) as adapter:
        own = sum(p.numel() for p in adapter.parameters.values())
        merged = sum(value.numel() for value in adapter.merged().values())
    said = stage_of_adapter(model, 4)
    assert (said.weights, said.treated, said.restored) == (own, merged, own)


def test_unlearning_holds_three_gradients_of_every_matrix_and_no_more_after_a_step() -> None:
    """Objectives without a pass: what lives at a time are the gradients, and the products of two of them."""
    model = tiny.model("gpt2")
    every = [model.module.get_parameter(one.name) for one in vectors(model.module)]
    n, largest = sum(p.numel() for p in every), max(p.numel() for p in every)

    def objectives(_: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(sum(p.square().sum() for p in every) * scale for scale in (1.0, 2.0, 3.0))  # type: ignore[misc]

    how = Unlearning(5, 1e-6, [torch.arange(2)] * 3)
    with Live() as live:
        unlearn(model, objectives, how)  # type: ignore[arg-type]
    (said,) = stages("pcgu")
    assert said.weights == n
    held = 4 * (n * (said.gradients + 1) + largest)  # with the base's bits
    assert said.matrices == 4 * largest
    assert live.peak == pytest.approx(held, rel=0.1)


def test_pairs_of_sentences_predict_every_token_and_prompts_one() -> None:
    pair = PairExample("p", "p", "He is here.", "She is here.")
    assert [one.every for one in (*stages("dpo"), *stages("dpo", given=[pair]))] == [False, True]


def test_a_projection_of_texts_predicts_nothing() -> None:
    assert [one.rows for one in stages("sentence_debias:blocks=1")] == [0, 0]
    asked, made = stages("leace:blocks=1")
    assert asked.rows > 0 == made.rows
    assert stages("inlp:blocks=1")[1].matrices < made.matrices
    assert stages("mean_difference:blocks=1")[1].matrices < stages("inlp:blocks=1")[1].matrices


def test_an_edit_is_as_long_as_its_looks_at_every_row() -> None:
    whole = Rome(steps=10, contexts=3).effort(40)
    assert whole == options.LOOK * 10 * 5 + options.WRITTEN  # bare, 3 contexts, what the subject is
    part = Rome(steps=10, contexts=3, edits=10).effort(40)
    assert (part - options.WRITTEN) * 4 == whole - options.WRITTEN


def test_an_editor_is_as_long_as_its_iterations() -> None:
    few, many = (Mend(iterations=n, batch=8).effort(48) for n in (10, 20))
    assert many - few == 13 * 10 * 24 / 48
    assert made_method("leace").effort(10) == 4.0  # type: ignore[attr-defined]
