"""How much memory a model needs, and that one which cannot fit is refused before its weights are read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from torch import nn

from evenhand import progress
from evenhand.errors import OutOfMemory
from evenhand.models import loading, room
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
    assert room.described(model).startswith("1 500 M parameters, 6.0 GB of weights and up to 0.")


@pytest.mark.parametrize(("free", "fits"), [(72, True), (71, False), (None, True)])
def test_only_what_certainly_does_not_fit_is_refused(monkeypatch, free, fits):
    monkeypatch.setattr(room, "free_bytes", lambda: free)
    if fits:
        room.check_room("it", Small())
        return
    with pytest.raises(OutOfMemory, match=r"The weights of it do not fit into memory: they need 0\.0 GB"):
        room.check_room("it", Small())


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
    monkeypatch.setattr(room, "check_room", lambda name, module: estimated.append(room.weight_bytes(module)))
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
    assert first.startswith(f"loading {folder}, 0 M parameters, 0.0 GB of weights")
    assert first.endswith("started (3 steps)")
    assert ": done, 3 steps in " in last
