"""Models in parts: refused before a part is read. Of several processes: `tests/real/test_parts.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as processes

from evenhand.errors import BadModel, BadOption, UsageError
from evenhand.models import parts, placing
from evenhand.models.placing import Placement
from evenhand.opening import open_model
from evenhand.testing import tiny


@pytest.fixture
def connected() -> Iterator[None]:
    """A group of this process only."""
    processes.init_process_group("gloo", store=processes.HashStore(), rank=0, world_size=1)
    yield
    processes.destroy_process_group()


def test_the_option_is_read_and_stands_alone() -> None:
    assert placing.parsed("org/name?tp=auto") == ("org/name", Placement("tp"))
    assert placing.parsed("org/name?tp=auto")[1].in_parts  # type: ignore[union-attr]
    assert not Placement("auto").in_parts
    for query in ("tp=2", "tp=", "tp=auto&device_map=cpu", "tp=auto&memory=2GB"):
        with pytest.raises(BadOption, match=r"Write \?tp=auto alone"):
            placing.parsed(f"org/name?{query}")
    with pytest.raises(BadOption, match="no device_map 'tp'"):
        placing.parsed("org/name?device_map=tp")


def test_one_process_is_told_how_to_start_several(tmp_path: Path) -> None:
    tiny.module("llama").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="torchrun --nproc-per-node 2 -m evenhand"):
        open_model(f"hf:{tmp_path}?tp=auto")


@pytest.mark.usefixtures("connected")
def test_a_launcher_with_one_process_is_no_team() -> None:
    with pytest.raises(UsageError, match="this one is alone"):
        parts.check_launched()


@pytest.mark.parametrize("kind", ["gpt2", "opt", "bloom"])
def test_a_model_without_a_plan_is_refused(kind: str) -> None:
    with torch.device("meta"):
        module = tiny.module(kind)
    with pytest.raises(BadModel, match=rf"\({type(module).__name__}\) has none.*\?device_map=auto"):
        parts.check_plan("there", module, 2)
    with pytest.raises(BadModel, match="is stored quantised"):
        parts.check_plan("there", None, 2)


@pytest.mark.parametrize(
    ("heads", "groups", "size", "mend"),
    [
        (4, 2, 3, "Start 2 processes"),
        (4, 2, 4, "Start 2 processes"),
        (8, 4, 3, "Start 2 or 4 processes"),
        (3, 1, 2, r"Leave \?tp=auto out"),
    ],
)
def test_heads_that_cannot_be_dealt_out_are_refused(heads: int, groups: int, size: int, mend: str) -> None:
    module = tiny.module(
        "llama", num_attention_heads=heads, num_key_value_heads=groups, hidden_size=8 * heads
    )
    with pytest.raises(BadOption, match=rf"{heads} and {groups} heads of there cannot.*{mend}"):
        parts.check_plan("there", module, size)
    parts.check_plan("there", tiny.module("llama"), 2)
