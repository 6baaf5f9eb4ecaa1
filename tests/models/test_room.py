"""How much memory a model needs, and that one which cannot fit is refused before its weights are read."""

from __future__ import annotations

import copy
import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from evenhand import progress
from evenhand.errors import OutOfMemory
from evenhand.models import loading, room
from evenhand.models.footprint import footprint
from evenhand.models.stage import Stage
from evenhand.opening import open_model
from evenhand.testing import tiny


class Small(nn.Module):
    """2 x 3 numbers in float32, used twice, 4 in bfloat16 and a buffer of 5 in int64."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(2, 3))
        self.tied = self.first
        self.narrow = nn.Parameter(torch.zeros(4, dtype=torch.bfloat16))
        self.register_buffer("places", torch.zeros(5, dtype=torch.int64))


def test_tied_weights_count_once_and_buffers_count():
    assert room.weight_bytes(Small()) == 2 * 3 * 4 + 4 * 2 + 5 * 8


def test_a_model_without_storage_counts_the_same():
    with torch.device("meta"):
        assert room.weight_bytes(Small()) == 72


def test_the_size_in_words():
    with torch.device("meta"):
        model = nn.Linear(30_000, 50_000, bias=False)  # 1.5e9 numbers of 4 bytes
    assert room.described(model).startswith("1 500 M parameters, 6.0 GB of weights and up to 67 MB")


@pytest.mark.parametrize(("beside", "fits"), [(0, True), (-1, False), (None, True)])
def test_only_what_certainly_does_not_fit_is_refused(monkeypatch, beside, fits):
    module = tiny.module("llama")
    held = room.weight_bytes(module)
    monkeypatch.setattr(room, "free_bytes", lambda: None if beside is None else held + beside)
    if fits:
        room.check_room("it", module, room.job())
        return
    with pytest.raises(OutOfMemory, match=r"The weights of it do not fit into memory: they need 0 MB, 0 MB"):
        room.check_room("it", module, room.job())


def test_what_training_holds_is_refused_and_the_weights_alone_are_not(monkeypatch):
    """8 + 4 + 4 bytes a number: gradients, moments and the base's bits, beside the weights."""
    module = tiny.module("llama")
    fit = replace(room.job(), measures=False, fitting=(Stage(1000),))
    needed = room.weight_bytes(module) + 16 * 1000
    monkeypatch.setattr(room, "free_bytes", lambda: needed)
    room.check_room("it", module, fit)
    monkeypatch.setattr(room, "free_bytes", lambda: needed - 1)
    room.check_room("it", module, room.job())
    with pytest.raises(OutOfMemory, match="The weights of it and what training holds beside them do not fit"):
        room.check_room("it", module, fit)


def test_a_tight_fit_is_said_and_not_refused(monkeypatch, caplog):
    module = tiny.module("llama")
    needed = footprint(module, room.job(), 0).needed
    monkeypatch.setattr(room, "free_bytes", lambda: needed)
    room.check_room("it", module, room.job())
    assert not caplog.records
    monkeypatch.setattr(room, "free_bytes", lambda: needed - 10**6)
    room.check_room("it", module, room.job())
    (record,) = caplog.records
    assert "it may need 5" in record.getMessage()  # MB, nearly all of it what any process takes
    assert "Type --batch-tokens 1024" in record.getMessage()


@pytest.fixture(scope="module")
def wide():
    """A model without storage of 12 blocks of 67 MB, embeddings and a head of 131 MB each."""
    config = tiny.module("llama").config
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = 1024, 4096, 12
    config.vocab_size = 32_000
    with torch.device("meta"):
        return type(tiny.module("llama"))(config)


def test_what_to_type_so_that_it_fits(wide):
    job = room.Job(2048)
    needed = footprint(wide, job, 0).needed
    found = room.ways(wide, job, needed - 10**8)
    assert list(found) == [
        "--batch-tokens 512",
        "?device_map=disk after the model's name",
        "--dtype bfloat16",
    ]
    assert all(size <= needed - 10**8 for size in found.values())
    assert found["--batch-tokens 512"] == footprint(wide, replace(job, batch_tokens=512), 0).needed
    assert room.advice(found).startswith(
        f"Type --batch-tokens 512 ({room.sized(found['--batch-tokens 512'])}) or"
    )


def test_smaller_batches_do_not_make_room_for_weights_and_training_needs_them_all(wide):
    job = room.Job(2048)
    free = footprint(wide, replace(job, disk=True), 0).needed
    assert free < room.weight_bytes(wide)
    assert list(room.ways(wide, job, free)) == ["?device_map=disk after the model's name"]
    assert room.ways(wide, replace(job, fitting=(Stage(1000),)), free) == {}
    both = room.ways(wide, replace(job, disk=True), free - 10**7)
    assert next(iter(both)) == "--batch-tokens 1024"
    assert both["--batch-tokens 1024"] == footprint(wide, room.Job(1024, disk=True), 0).needed
    assert room.advice({}) == "Use a smaller model, or end other programs."


def test_narrow_weights_are_proposed_to_wide_ones_and_the_model_keeps_its_own(wide):
    assert not any(
        "dtype" in typed for typed in room.ways(copy.deepcopy(wide).bfloat16(), room.Job(64), 10**12)
    )
    before = room.weight_bytes(wide)
    found = room.ways(wide, room.Job(64), 10**12)
    assert found["--dtype bfloat16"] < before
    assert room.weight_bytes(wide) == before


@pytest.mark.parametrize(("size", "said"), [(0, "0 MB"), (67_108_864, "67 MB"), (1_340_000_000, "1.3 GB")])
def test_sizes_for_people(size, said):
    assert room.sized(size) == said


def test_free_memory_is_what_is_available_with_swap(monkeypatch, tmp_path):
    monkeypatch.setattr(room.torch.cuda, "is_available", lambda: False)
    given = tmp_path / "meminfo"
    given.write_text("MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable: 4 kB\nSwapFree: 2 kB\n")
    monkeypatch.setattr(room, "_MEMINFO", given)
    assert room.free_bytes() == 6 * 1024
    given.write_text("MemTotal: 9 kB\n")
    assert room.free_bytes() is None
    monkeypatch.setattr(room, "_MEMINFO", tmp_path / "absent")
    assert room.free_bytes() is None


@pytest.fixture
def folder(tmp_path) -> Path:
    tiny.module("llama").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    return tmp_path


def test_a_model_that_cannot_fit_is_refused_before_its_weights_are_loaded(folder, monkeypatch):
    built = loading._from_pretrained
    storages = []

    def noted(kind, name, config, how):
        storages.append(how["device_map"])
        return built(kind, name, config, how)

    monkeypatch.setattr(loading, "_from_pretrained", noted)
    monkeypatch.setattr(room, "free_bytes", lambda: 10)
    with pytest.raises(OutOfMemory, match="do not fit into memory"):
        open_model(f"hf:{folder}")
    assert storages == ["meta"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_estimate_of_a_folder_is_what_its_weights_take(tmp_path, monkeypatch, dtype):
    tied = tiny.module("llama", tie_word_embeddings=True).to(getattr(torch, dtype))
    tied.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    estimated = []
    monkeypatch.setattr(
        room, "check_room", lambda name, module, job: estimated.append(room.weight_bytes(module))
    )
    opened = open_model(f"hf:{tmp_path}")
    assert estimated == [room.weight_bytes(opened.module)]
    assert sum(p.numel() * p.element_size() for p in opened.module.parameters()) <= estimated[0]


def test_loading_a_large_model_says_its_size(folder, monkeypatch):
    def shown() -> str:
        stream = io.StringIO()
        progress.enable(stream)
        try:
            open_model(f"hf:{folder}")
        finally:
            progress.disable()
        return stream.getvalue()

    assert shown() == ""  # a small one is there at once
    monkeypatch.setattr(room, "LARGE", 1)
    first, last = shown().splitlines()
    assert first.startswith(f"loading {folder}, 0 M parameters, 0 MB of weights")
    assert first.endswith("started (3 steps)")
    assert ": done, 3 steps in " in last
