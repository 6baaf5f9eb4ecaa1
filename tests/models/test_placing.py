"""Models larger than a device: placed by name, scored as in memory, and not treated."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from evenhand.errors import BadModel, BadOption
from evenhand.models import loading, placing, require
from evenhand.models.causal import CausalModel
from evenhand.models.footprint import weight_bytes
from evenhand.opening import open_model
from evenhand.records import Ability, Continuation
from evenhand.testing import tiny

ITEMS = [
    Continuation(f"The {noun} smiled because", f" {term}")
    for noun in ("nurse", "doctor")
    for term in ("he", "she")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("placed")
    tiny.module("llama").save_pretrained(made)
    tiny.tokenizer().save_pretrained(made)
    return made


def _opened(uri: str, **given: str) -> CausalModel:
    model = open_model(uri, **given)  # type: ignore[arg-type]
    assert isinstance(model, CausalModel)
    return model


@pytest.mark.parametrize("query", ["device_map=disk", "device_map=auto&memory=0.05MB", "device_map=cpu"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_placed_model_answers_as_in_memory(query: str, dtype: str, folder: Path) -> None:
    plain, placed = _opened(f"hf:{folder}", dtype=dtype), _opened(f"hf:{folder}?{query}", dtype=dtype)
    assert placed.spec.digest == plain.spec.digest
    assert placed.spec.uri == f"hf:{folder}?{query}"
    assert placed.spec.dtype == dtype
    for one, other in zip(placed.answer(ITEMS), plain.answer(ITEMS), strict=True):
        assert abs(one.value - other.value) < 1e-6  # type: ignore[union-attr]
    assert placed.scoring().path == plain.scoring().path


def test_blocks_on_the_disk_take_no_memory_and_are_not_treated(folder: Path) -> None:
    model = _opened(f"hf:{folder}?device_map=disk")
    metas = {name for name, p in model.module.named_parameters() if p.is_meta}
    assert metas == {name for name, _ in model.module.named_parameters() if ".layers." in name}
    assert model.spec.device == "cpu and disk"
    assert any("not in memory" in note for note in model.notes())
    assert Ability.HIDDEN in model.can
    with pytest.raises(BadModel, match="lacks"):
        require(model, frozenset({Ability.WEIGHTS}), of="lftf", instead="--with prompt")


def test_the_map_holds_every_part_once() -> None:
    with torch.device("meta"):
        module = tiny.module("gpt2")
    found = placing._blocks_on_disk(module)
    assert [name for name, where in found.items() if where == "disk"] == [
        f"transformer.h.{i}" for i in range(3)
    ]
    for name, _ in module.named_parameters():
        assert sum(name == key or name.startswith(f"{key}.") for key in found) == 1, name


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("device_map=gpu", "no device_map 'gpu'"),
        ("devices=auto", "no option 'devices'"),
        ("device_map=auto&memory=2", "memory=2 cannot be used"),
        ("device_map=disk&memory=2GB", "cannot be used with device_map=disk"),
    ],
)
def test_another_placement_is_refused(query: str, said: str, folder: Path) -> None:
    with pytest.raises(BadOption, match=said):
        open_model(f"hf:{folder}?{query}")


def test_sizes_are_read() -> None:
    assert placing.parsed("org/x@v1?device_map=auto&memory=1.5GB") == (
        "org/x@v1",
        placing.Placement("auto", 1_500_000_000),
    )
    assert placing.parsed("org/x") == ("org/x", None)


@pytest.mark.parametrize(
    "query",
    [
        "device_map=auto&memory=0.05MB",
        "device_map=auto&memory=0.15MB",
        "device_map=sequential&memory=0.12MB",
        "device_map=disk",
    ],
)
def test_what_goes_where_is_known_before(query: str, folder: Path) -> None:
    found = loading.described(f"{folder}?{query}")
    assert found.module is not None
    shares = placing.shares(found.module, found.place)
    module = _opened(f"hf:{folder}?{query}").module
    disk = sum(p.numel() * p.element_size() for p in module.parameters() if p.is_meta)
    assert shares.get("disk", 0) == disk
    assert sum(shares.values()) == weight_bytes(module)


def test_without_a_placement_all_weights_go_to_one_device(folder: Path) -> None:
    for uri in (f"{folder}", f"{folder}?device_map=cpu"):
        found = loading.described(uri)
        assert found.module is not None
        assert placing.shares(found.module, found.place) == {"cpu": weight_bytes(found.module)}
