"""Treatments one after the other: fitted on each other, restored in the opposite order, one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from evenhand import registry
from evenhand.controls.sham import made as of_spec
from evenhand.errors import BadData, BadModel
from evenhand.mitigations import refuse
from evenhand.models import OpenModel
from evenhand.models.digests import weights_digest
from evenhand.records import Example, PersonExample
from evenhand.studies.methods import canonical, made_method
from evenhand.testing.examples import examples, people
from evenhand.testing.mitigations import last_block
from evenhand.testing.tiny import model as tiny
from evenhand.training.stacking import Stack, joined, split
from evenhand.treatments import Treatment, load
from evenhand.treatments.stack import StackTreatment

LFTF, FULL = "lftf:lr=0.01,epochs=1", "full_finetune:lr=0.001,epochs=1"
PROMPT = "prompt:text=Anyone may be late."
ASKED = [request for e in examples()[:4] for request in e.requests()]


def _fit(text: str, model: OpenModel, given: Any = None) -> StackTreatment:
    method = made_method(text)
    found: Any = method.fit(model, given or examples(), sites=last_block(model), seed=0)
    return found  # type: ignore[no-any-return]


def _answers(model: Any) -> list[float]:
    return [answer.value for answer in model.answer(ASKED)]


def test_a_text_of_several_specs_splits_before_methods_only() -> None:
    assert split("lftf") == ("lftf",)
    assert split("lftf:blocks=1+3 + thresholds") == ("lftf:blocks=1+3", "thresholds")
    assert split("prompt:text=a + b + noise:dose=2") == ("prompt:text=a + b", "noise:dose=2")
    assert joined(["lftf", "thresholds"]) == joined("lftf + thresholds") == "lftf + thresholds"
    assert canonical("lftf:loss=nll + prompt") == "lftf:loss=nll + prompt"


@pytest.mark.parametrize("second", [FULL, PROMPT])
def test_each_is_fitted_to_the_model_that_the_former_treated(second: str) -> None:
    """The stack's answers are those of the second put on the first, and not of either alone."""
    model = tiny("llama")
    first = made_method(LFTF).fit(model, examples(), sites=last_block(model), seed=0)
    with first.applied(model) as once:
        after = made_method(second).fit(once, examples(), sites=None, seed=0)
        assert after.about.base == once.spec.digest != model.spec.digest
        with after.applied(once) as twice:
            wanted = _answers(twice)
    stack = _fit(joined([LFTF, second]), model)
    with stack.applied(model) as treated:
        assert _answers(treated) == wanted
        assert treated.spec.digest not in (model.spec.digest, once.spec.digest)
    assert [part.digest for part in stack.parts] == [first.digest, after.digest]
    assert stack.touches == first.touches | after.touches
    proofs = stack.about.proof["parts"]
    assert [proof["method"] for proof in proofs] == [first.about.method, after.about.method]
    assert all(proof["max_logprob_change"] > 0 for proof in proofs)


@pytest.mark.parametrize("text", [f"{LFTF} + {FULL}", f"{FULL} + {LFTF} + {PROMPT}"])
def test_the_model_is_restored_bit_for_bit_in_the_opposite_order(text: str) -> None:
    """All parts change the last block: only the opposite order gives its first bits back."""
    model = tiny("gpt2")
    before, said = weights_digest(model.module), _answers(model)
    stack = _fit(text, model)
    assert weights_digest(model.module) == before
    for error in (False, True):
        with pytest.raises(RuntimeError) if error else torch.no_grad(), stack.applied(model) as treated:
            assert _answers(treated) != said
            if error:
                raise RuntimeError
        assert weights_digest(model.module) == before
    assert _answers(model) == said


def test_it_is_saved_as_one_folder_and_loads_back(tmp_path: Path) -> None:
    model = tiny("llama")
    stack = _fit(f"{LFTF} + {PROMPT}", model)
    stack.save(tmp_path / "saved")
    stack.save(tmp_path / "saved")  # it replaces itself
    found: Treatment = load(tmp_path / "saved")
    assert found.about == stack.about
    assert found.digest == stack.digest
    with found.applied(model) as treated, stack.applied(model) as own:
        assert _answers(treated) == _answers(own)
    # Each part is a treatment of its own, and the second needs the first.
    one, other = (load(tmp_path / "saved" / name) for name in ("1", "2"))
    assert (one.digest, other.digest) == tuple(part.digest for part in stack.parts)
    card = tmp_path / "saved" / "mitigation.json"
    said = json.loads(card.read_text())
    assert (said["kind"], said["parts"]) == ("stack", 2)
    (tmp_path / "saved" / "2" / "prompt.txt").unlink()
    card.write_text(json.dumps({**said, "digest": "0"}))
    with pytest.raises(BadData, match="parts do not have the digest"):
        load(tmp_path / "saved")
    card.write_text(json.dumps({**said, "parts": "two"}))
    with pytest.raises(BadData, match="how many parts"):
        load(tmp_path / "saved")


def test_another_base_is_refused() -> None:
    stack = _fit(f"{LFTF} + {FULL}", tiny("llama"))
    with pytest.raises(BadModel, match="fitted to a model with digest"), stack.applied(tiny("llama", seed=1)):
        pass


def test_each_method_learns_from_what_it_can_use() -> None:
    """Prompts for LFTF, people for the threshold: both lists are handed in as one."""
    model = tiny("llama", gain=20.0)
    given = [*examples(), *people(labels=(" left", " smiled"))]
    stack = made_method("lftf:lr=0.01 + group_gap:lr=0.01,epochs=1")
    assert stack.fits_on == (Example, PersonExample)
    found: Any = stack.fit(model, given, sites=last_block(model), seed=0)
    first, second = (part.about.details for part in found.parts)
    assert (first["examples"], second["people"]) == (16, 12)
    # What control models copy of a trained treatment is that of the first one that was trained.
    assert found.about.details["blocks"] == first["blocks"]
    assert found.about.details["epochs"] == 2


def test_what_needs_weights_cannot_follow_what_hides_them() -> None:
    with pytest.raises(BadModel, match="cannot be fitted after it") as refused:
        refuse(made_method(f"{PROMPT} + lftf"), tiny("llama"), examples())
    assert refused.value.mend == f"Put it first: --with lftf --with {PROMPT}."
    refuse(made_method(f"lftf + {PROMPT}"), tiny("llama"), examples())


def test_the_sham_is_each_ones_sham_and_none_where_the_first_has_none() -> None:
    model = tiny("llama")
    method = made_method(f"{LFTF} + {FULL}")
    real = method.fit(model, examples(), sites=last_block(model), seed=0)
    one, again, other = (
        method.sham(seed=seed).fit(model, examples(), sites=last_block(model), seed=0)  # type: ignore[union-attr]
        for seed in (1, 1, 2)
    )
    assert one.digest == again.digest != other.digest
    assert real.digest != one.digest
    assert one.touches == real.touches
    assert one.about.method == f"sham({real.about.method})"
    assert [part["sham_seed"] for part in one.about.details["parts"]] == [1, 1]
    assert method.sham(seed=0).sham(seed=0) is None  # type: ignore[union-attr]
    assert made_method(f"lftf:loss=printed + {FULL}").sham(seed=0) is None
    assert made_method(f"{FULL} + lftf:loss=printed").sham(seed=0) is not None


def test_the_sham_control_of_a_stack_trains_the_blocks_that_each_part_trained() -> None:
    model = tiny("llama")
    stack = _fit("lftf:lr=0.01,top=2 + lftf:lr=0.01", model)
    assert isinstance(of_spec(stack.about.method), Stack)
    control = registry.create("control", "sham")
    made = control.damage(model, stack, 1.0, examples=examples(), seed=3)
    assert made.touches == stack.touches
    assert [len(part["blocks"]) for part in made.about.details["parts"]] == [2, 1]
