"""The memory of a verb: from the configuration alone, refused before weights are read, told by a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BadOption, OutOfMemory
from evenhand.models import loading, room
from evenhand.opening import open_model
from evenhand.records import Example
from evenhand.studies import memory, verbs
from evenhand.studies.memory import Asking
from evenhand.studies.methods import made_method
from evenhand.studies.options import RunOptions, VerifyOptions
from evenhand.studies.plan import plan, sized_plan
from evenhand.testing import tiny
from evenhand.training.finetune import stage_of

EXAMPLES = [
    Example(f"e{i}", f"e{i}", f"The {noun} smiled because", ("male", "female"), ((" he",), (" she",)))
    for i, noun in enumerate(("nurse", "doctor", "teacher"))
]
OPTIONS = VerifyOptions(
    benchmarks=("genbiaseval",), capability=("facts:set=world",), control="reduced", batch_tokens=16
)


def fitted(uri: str, spec: str, **given: Any) -> memory.Memory:
    """What is held by a fit with batches so small that its own passes take less."""
    asked = Asking(method=made_method(spec), examples=EXAMPLES, **given)
    found = memory.estimated(uri, RunOptions(batch_tokens=16), asked)
    assert not isinstance(found, str)
    return found


def test_the_weights_are_those_that_are_opened(uri: str) -> None:
    found = memory.estimated(uri, RunOptions(), Asking(measures=True))
    assert not isinstance(found, str)
    module = open_model(uri).module  # type: ignore[attr-defined]
    assert found.parts["weights"] == room.weight_bytes(module)
    assert found.places == {"cpu": room.weight_bytes(module)}
    assert found.peak == "measuring"
    assert sum(found.parts.values()) == found.total


def test_no_weights_are_read(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built, storages = loading._from_pretrained, []

    def noted(kind: Any, name: str, config: Any, how: Any) -> Any:
        storages.append(how["device_map"])
        return built(kind, name, config, how)

    monkeypatch.setattr(loading, "_from_pretrained", noted)
    fitted(uri, "lftf")
    assert set(storages) == {"meta"}


def test_one_block_takes_less_than_all(uri: str) -> None:
    model: Any = open_model(uri)
    one, every = fitted(uri, "lftf:blocks=1"), fitted(uri, "full_finetune")
    block = stage_of(model, model.layout.parameters("block.1"), 32).weights
    assert one.parts["optimiser moments"] == 8 * block
    assert every.parts["optimiser moments"] == 8 * sum(p.numel() for p in model.module.parameters())
    assert one.held < every.held


@pytest.mark.parametrize(
    ("spec", "blocks"),
    [("cda", None), ("cda:train=top:2", 2), ("dropout:train=top:1", 1), ("group_gap:blocks=0+2", 2)],
)
def test_every_method_that_trains_says_what(uri: str, spec: str, blocks: int | None) -> None:
    model: Any = open_model(uri)
    block = stage_of(model, model.layout.parameters("block.1"), 32).weights
    trained = sum(p.numel() for p in model.module.parameters()) if blocks is None else blocks * block
    assert fitted(uri, spec).parts["gradients"] == 4 * trained


def test_an_adapter_is_small(uri: str) -> None:
    """Rank 4 on the query [32 x 32] and value [32 x 16] projections of 3 blocks, both sides of each."""
    assert fitted(uri, "cda:train=lora").parts["gradients"] == 4 * 3 * 4 * (32 + 32 + 32 + 16)


def test_the_loss_that_keeps_prompts_has_three_rows_for_one(uri: str) -> None:
    plain, keeping = (made_method(f"lftf:loss={loss},blocks=1") for loss in ("nll", "mass_preserving"))
    model: Any = open_model(uri)
    assert [made.stages(model, EXAMPLES)[0].rows for made in (plain, keeping)] == [32, 96]
    assert fitted(uri, "lftf:loss=mass_preserving").parts["logits"] > fitted(uri, "lftf").parts["logits"]


def test_where_a_locator_will_choose_the_lowest_block_counts(uri: str) -> None:
    model: Any = open_model(uri)
    assert made_method("lftf").stages(model, ())[0].lowest == 0  # type: ignore[attr-defined]
    assert made_method("lftf:blocks=2").stages(model, ())[0].lowest == 2  # type: ignore[attr-defined]


def test_of_several_methods_the_one_that_trains_most_counts(uri: str) -> None:
    both = fitted(uri, "lftf:blocks=1 + full_finetune")
    assert both.parts["gradients"] == fitted(uri, "full_finetune").parts["gradients"]
    assert fitted(uri, "lftf:blocks=1 + thresholds").unknown == ("thresholds",)


def test_tokens_of_examples_by_hand() -> None:
    """Each prompt with its two ends: the common beginning counts once, of all of them too."""
    tokenizer = tiny.tokenizer()
    counted = memory._Counted.of(tokenizer, EXAMPLES)
    rows = [tokenizer(f"{e.context}{form}").input_ids for e in EXAMPLES for form in (" he", " she")]
    own = [{tuple(row[:n]) for row in rows[i : i + 2] for n in range(1, len(row) + 1)} for i in (0, 2, 4)]
    assert counted.each == sum(map(len, own)) / 3
    assert counted.row == sum(map(len, own)) / 6
    assert counted.distinct == len(set.union(*own))
    assert counted.distinct < sum(map(len, own))


def test_kept_states_are_those_of_the_prompts_below_a_block(uri: str) -> None:
    found = fitted(uri, "lftf:blocks=2")
    counted = memory._Counted.of(tiny.tokenizer(), EXAMPLES)
    assert found.parts["kept states"] == 32 * 4 * counted.distinct


def test_a_verb_that_cannot_fit_is_refused_before_weights_are_read(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = open_model(uri).module  # type: ignore[attr-defined]
    weights = room.weight_bytes(module)

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("the model was opened")

    monkeypatch.setattr(RunOptions, "opened", read)
    monkeypatch.setattr(room, "free_bytes", lambda: 2 * weights)
    options = VerifyOptions(benchmarks=("genbiaseval",))
    with pytest.raises(OutOfMemory, match="what training holds beside them"):
        verbs.mitigate(uri, "full_finetune", tmp_path / "a", options)
    with pytest.raises(OutOfMemory, match="what training holds beside them"):
        verbs.verify(uri, "full_finetune", VerifyOptions(out=tmp_path / "b", capability=("facts:set=world",)))
    with pytest.raises(AssertionError, match="was opened"):  # one block fits
        verbs.mitigate(uri, "lftf:blocks=1", tmp_path / "c", options)
    monkeypatch.setattr(room, "free_bytes", lambda: weights - 1)
    with pytest.raises(OutOfMemory, match="do not fit into memory"):
        verbs.locate(uri, "bmi", options)
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("openai:http://localhost:1/v1#m", "The memory of openai:http://localhost:1/v1#m is not known."),
        ("hf:./nowhere", "There is no folder nowhere."),
        ("lab:causal?seed=7123", "lab:causal?seed=7123 was not made yet."),
    ],
)
def test_what_is_not_described_here_says_so(uri: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.estimated(uri, RunOptions(), Asking(measures=True)) == why
    memory.check(uri, RunOptions(), Asking(locator="bmi"))  # opening says what is wrong


def test_quantised_weights_are_not_sized(tmp_path: Path) -> None:
    tiny.module("llama").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = memory.estimated(f"hf:{tmp_path}", RunOptions(), Asking(measures=True))
    assert found == f"The weights of hf:{tmp_path} are stored quantised."


def test_a_placed_model_says_what_goes_where(uri: str) -> None:
    found = memory.estimated(f"{uri}?device_map=disk", RunOptions(), Asking(measures=True))
    plain = memory.estimated(uri, RunOptions(), Asking(measures=True))
    assert not isinstance(found, str)
    assert not isinstance(plain, str)
    assert set(found.places) == {"cpu", "disk"}
    assert sum(found.places.values()) == plain.parts["weights"]
    assert found.parts["weights"] < plain.parts["weights"]


def test_no_shift_asks_more_than_is_counted(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from evenhand import registry
    from evenhand.scoring import distributions
    from evenhand.studies import shift

    model: Any = open_model(uri)
    bias = [registry.create("benchmark", name) for name in ("genbiaseval", "genhinteval")]
    asked = shift.contexts(model, bias[0], bias, 0)
    contexts, texts = shift.at_most(model.module.config.vocab_size)
    assert contexts == 856  # 256 texts and 200 prompts of each of three kinds
    assert 0.9 * contexts < len(asked) <= contexts
    assert 0.5 * texts < sum(one.kind == shift.TEXT for one in asked) <= texts
    assert shift.at_most(10**6) == (67, 67)  # 256 MiB of rows of 4 MB
    monkeypatch.setattr(distributions, "vocabulary", lambda _: 10**6)
    assert len(shift.Shift(model, asked)._asked) <= 67


def test_a_plan_tells_it(uri: str) -> None:
    found = sized_plan(uri, "full_finetune", OPTIONS)
    assert found.seconds is None
    assert found.memory is not None
    assert found.memory.peak == "comparing"
    assert "next-word distributions" in found.memory.parts
    assert "treated weights" in found.memory.parts
    assert found.memory.fits is True
    assert plan(uri, "full_finetune", OPTIONS).memory is None  # computed without torch
    away = sized_plan("hf:nobody/nothing", "lftf", OPTIONS)
    assert away.memory is None
    assert away.unsized


def test_what_a_fit_refuses_its_plan_and_its_verb_refuse_before_weights_are_read(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadOption, match=r"top=99 is not valid\. Write a number from 1 to \d+"):
        sized_plan(uri, "lftf:top=99", OPTIONS)
    monkeypatch.setattr(RunOptions, "opened", lambda *_: pytest.fail("the model was opened"))
    with pytest.raises(BadOption, match="top=99"):
        verbs.verify(uri, "lftf:top=99", OPTIONS)
    method = made_method("lftf:top=99")
    assert memory.taken(uri, OPTIONS, method, "bmi") is None, "its cell says what is wrong"


def test_steps_are_those_of_the_epochs(uri: str) -> None:
    """3 examples in batches of 2 are 2 steps an epoch; a method that does not say has 2 epochs."""
    found = loading.described(uri.partition(":")[2])
    for spec, steps in (("lftf:batch=2,epochs=5", 10), ("lftf", 2), ("full_finetune:batch=1", 6)):
        unread = memory._unread(uri, found, 16)
        (stage,) = memory._stages(unread, made_method(spec), EXAMPLES, 0.0) or ()
        assert stage.steps == steps


def test_states_kept_for_control_models_grow_with_the_rows(uri: str) -> None:
    few, many = (fitted(uri, "lftf:blocks=2", measures=True, rows=rows) for rows in (10, 1000))
    assert few.parts["kept states"] < many.parts["kept states"]


def test_a_piece_for_another_process_says_what_it_takes(uri: str) -> None:
    def taken(name: str, spec: str) -> int | None:
        return memory.taken(name, VerifyOptions(), made_method(spec), "bmi")

    assert (taken(uri, "full_finetune") or 0) > (taken(uri, "lftf:blocks=2") or 0) > 0
    assert taken(uri, "thresholds") is None  # it does not say
    assert taken("hf:nobody/nothing", "lftf") is None
