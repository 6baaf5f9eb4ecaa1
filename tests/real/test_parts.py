"""Models in parts over processes under torchrun (`?tp=auto`): answers, digest and cells of a whole one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from evenhand.studies.store import load_measurements, load_verification
from evenhand.testing import tiny
from tests.support.launched import ran

KINDS = ("llama", "qwen3", "gpt_neox")

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models by their kind."""
    made = tmp_path_factory.mktemp("models")
    for kind in (*KINDS, "gpt2"):
        tiny.module(kind, max_position_embeddings=256).save_pretrained(made / kind)
        tiny.tokenizer().save_pretrained(made / kind)
    return made


@pytest.fixture(scope="module")
def beside(models: Path) -> dict[str, Any]:
    """What two processes found of every model, and of one in bfloat16."""
    names = [f"hf:{models / kind}" for kind in KINDS]
    done = ran(2, "tests.support.parts", "2", *names, f"{names[0]}#bfloat16")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {name.rpartition("/")[2]: one for name, one in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_in_parts_answers_as_a_whole_one(kind: str, beside: dict[str, Any]) -> None:
    found = beside[kind]
    assert found["digest"]
    assert found["settings"]
    assert found["path"] == ["tree", "tree"]
    assert found["again"]
    # Natural logarithms of up to 40 nats in float32: the processes add in another order.
    assert {"Continuation", "Unanchored", "GreedyMatch", "ContextPair"} == set(found["apart"])
    assert max(found["apart"].values()) < 2e-5
    assert found["texts"]
    assert all(found["texts"])
    assert found["parameters"][0] == found["parameters"][1]
    # Norms, and gpt_neox's embeddings and head, are whole in each process.
    assert found["held"] < 0.65 * found["parameters"][0]
    assert found["can"] == ["generate", "logprobs", "next"]
    assert "not treated" in found["notes"][0]


def test_in_bfloat16_the_digest_is_the_same_and_answers_are_as_far_as_its_rounding(
    beside: dict[str, Any],
) -> None:
    found = beside["llama#bfloat16"]
    assert found["digest"]
    assert found["dtype"] == ["bfloat16", "bfloat16"]
    assert found["again"]
    assert 1e-4 < max(found["apart"].values()) < 0.3


def test_a_model_that_another_took_the_place_of_is_not_asked(beside: dict[str, Any]) -> None:
    assert "no longer hold parts of this model" in beside["second"]


def test_the_figures_and_cells_of_a_command_are_those_of_a_plain_run(models: Path, tmp_path: Path) -> None:
    asked = ("-b", "genbiaseval", "-b", "facts", "--limit", "40", "--out")
    uri = f"hf:{models / 'llama'}"
    for count, name in ((0, uri), (2, f"{uri}?tp=auto")):
        done = ran(count, "evenhand", "measure", name, *asked, str(tmp_path / str(count)))
        assert done.returncode == 0, done.stderr
    cells = [{path.name for path in (tmp_path / n).glob("cells/*/*.json")} for n in ("0", "2")]
    assert cells[0] == cells[1]
    assert cells[0]
    for one, alone in zip(*(load_measurements(tmp_path / n) for n in ("2", "0")), strict=True):
        for key, found in one.metrics.items():
            assert found.value == pytest.approx(alone.metrics[key].value, abs=1e-6), key
    # A whole model goes on from what parts measured: the notes still name these.
    again = ran(0, "evenhand", "measure", uri, *asked, str(tmp_path / "2"))
    assert again.returncode == 0, again.stderr
    for one in load_measurements(tmp_path / "2"):
        assert any("Each process holds a part" in note for note in one.notes)


def test_a_treatment_without_weights_is_verified(models: Path, tmp_path: Path) -> None:
    uri = f"hf:{models / 'llama'}"
    command = ("--with", "prompt", "--control", "none", "-b", "genbiaseval", "--limit", "40", "--out")
    verdicts = []
    for count, name in ((0, uri), (2, f"{uri}?tp=auto")):
        done = ran(count, "evenhand", "verify", name, *command, str(tmp_path / str(count)))
        assert done.returncode in (0, 1, 3), done.stderr
        verdicts.append(load_verification(tmp_path / str(count)).verdict)
    assert verdicts[0] == verdicts[1]


def test_what_cannot_be_divided_is_refused_before_any_part_is_read(models: Path) -> None:
    uri = f"hf:{models / 'llama'}?tp=auto"
    alone = ran(0, "evenhand", "measure", uri, "-b", "genbiaseval")
    assert alone.returncode == 2
    assert "torchrun --nproc-per-node 2" in alone.stderr
    done = ran(2, "tests.support.parts", "2", "refused", f"hf:{models / 'gpt2'}?tp=auto")
    ((kind, said),) = json.loads(done.stdout)
    assert kind == "BadModel"
    assert "(GPT2LMHeadModel) has none" in said
    done = ran(3, "tests.support.parts", "3", "refused", uri)
    ((kind, said),) = json.loads(done.stdout)
    assert kind == "BadOption"
    assert "The 4 and 2 heads" in said
    assert said.endswith("cannot be dealt out evenly to 3 processes. Start 2 processes.")


def test_a_weight_that_only_another_process_holds_is_checked(models: Path, tmp_path: Path) -> None:
    """The last column of a matrix that is cut by columns is the last process's."""
    tiny.module("llama").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][0, -1] = torch.nan
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    done = ran(2, "tests.support.parts", "2", "refused", f"hf:{tmp_path}?tp=auto")
    ((kind, said),) = json.loads(done.stdout)
    assert kind == "BadModel"
    assert "model.layers.1.mlp.down_proj.weight hold NaN" in said
