"""Training by several processes under torchrun, method by method: the weights and losses of one process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evenhand.testing import tiny
from tests.support import families
from tests.support.launched import ran

# `/hinted`: beside prompts to keep; `/pairs`: on pairs of sentences; `/sham`: the method's own sham.
METHODS = (
    "full_finetune:keep=1,batch=4/hinted",
    "lftf:blocks=1",
    "lftf:blocks=2,modules=mlp,loss=mass_preserving/hinted",
    "lftf:loss=symmetric_kl,blocks=0+2/sham",
    "cda:keep=1,batch=4",
    "cda:train=norms,batch=4/pairs",
    "cda:train=lora,batch=4",
    "cda:train=lora,keep=1,batch=4",
    "dropout:hidden=0,attention=0,batch=4",
    "dpo:train=top:1,batch=4",
    "dpo:train=all,target=preferred,batch=4,keep=1/sham",
    "dpo:batch=4,train=lora/pairs",
    "crows_tuning:instruction=Fill.,batch=4,epochs=2/pairs",
    "crows_tuning:instruction=Fill.,batch=4,kl=1,replay=0.5,epochs=1/pairs",
    "plain_text",
)
DROPOUT = "dropout:batch=4"
MASKED = ("cda:batch=4", "cda:train=top:1,batch=4,keep=0.5", "plain_text")  # of bert, by three processes

pytestmark = pytest.mark.real
Found = Mapping[str, Mapping[str, Any]]


def _found(folder: Path, count: int, *specs: str) -> Found:
    done = ran(
        count, "tests.support.sharded_methods", f"hf:{folder}", str(count), "float64", *specs, timeout=580
    )
    assert done.returncode == 0, done.stderr
    found: Found = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """All methods on one model: starting the processes takes longer than all fits."""
    folder = tmp_path_factory.mktemp("llama")
    tiny.module("llama").save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return _found(folder, 2, *METHODS, DROPOUT)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("bert")
    families.module("bert").save_pretrained(folder)
    families.tokenizer_of("bert").save_pretrained(folder)
    return _found(folder, 3, *MASKED)


@pytest.mark.parametrize("spec", METHODS)
def test_two_processes_train_what_one_does(spec: str, llama: Found) -> None:
    _check(llama[spec], 2)


@pytest.mark.parametrize("spec", MASKED)
def test_three_processes_train_a_masked_model_as_one_does(spec: str, bert: Found) -> None:
    _check(bert[spec], 3)


def test_dropout_draws_other_masks_in_each_process_and_the_same_ones_again(llama: Found) -> None:
    found = llama[DROPOUT]
    assert found["again"] == 0
    assert 1e-3 < found["apart"] < 2.1 * found["moved"]  # no step of one is larger than of the other
    assert found["steps"][0] == found["steps"][1]
    # Its first loss is of the same weights and rows under other masks.
    one, many = (losses[0] for losses in found["losses"])
    assert one != pytest.approx(many, rel=1e-3)
    assert one == pytest.approx(many, rel=0.2)


def test_training_stops_after_the_same_epoch(llama: Found) -> None:
    one, many = llama["crows_tuning:instruction=Fill.,batch=4,epochs=2/pairs"]["dev"]
    assert len(one) == 2
    assert many == pytest.approx(one, abs=1e-7)


def _check(found: Mapping[str, Any], count: int) -> None:
    assert found["names"]
    assert found["moved"] > 1e-3  # a thousand times what the two may be apart
    assert found["apart"] < 1e-6  # in float64; weights are written as float32, whose spacing is 1e-7 near 1
    assert found["again"] == 0
    assert found["steps"][0] == found["steps"][1]
    for one, many in zip(*found["losses"], strict=True):
        assert one == pytest.approx(many, abs=1e-6)
    # Rows of a matrix, or a scalar, too many for an even split are all that a process holds beyond its part.
    assert found["held"] < 1.1 * found["whole"] / count
