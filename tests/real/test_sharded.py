"""Full fine-tuning by several processes under torchrun: the weights and the figures of one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.testing import tiny
from tests.support import families
from tests.support.launched import ran

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("kind", "count"), [("llama", 2), ("gpt2", 2), ("bert", 2), ("llama", 4), ("t5", 2)])
def test_several_processes_train_what_one_does(kind: str, count: int, tmp_path: Path) -> None:
    known = kind in tiny.CONFIGS
    (tiny.module(kind) if known else families.module(kind)).save_pretrained(tmp_path)
    (tiny.tokenizer() if known else families.tokenizer_of(kind)).save_pretrained(tmp_path)
    done = ran(count, "tests.support.sharded", f"hf:{tmp_path}", str(count), "float64")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(found["names"])
    assert min(found["moved"]) > 1e-3  # a thousand times what the two may be apart
    assert max(found["apart"]) < 1e-6
    assert found["figures"] < 1e-6
    assert found["kept"], "the model holds its own bits"
    # The loss that is told is that of the whole batch in every process.
    losses = found["losses"]
    for one, other in zip(losses[:3], losses[3:], strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    # An error in all of them ends no process: they answer afterwards.
    assert "The training loss became nan" in found["refused"]
    assert found["answers"] == 30
    alone, many = found["held"][:3], found["held"][3:]
    assert all(one["held"] == one["whole"] for one in alone)
    if kind == "t5":  # its encoder and decoder are called one by one: the first process trains it
        assert all(one["held"] == one["whole"] for one in many)
    else:
        # A row of a table too many for an even split is all that a process holds beyond its part.
        assert all(one["held"] < 1.1 * one["whole"] / count for one in many)
