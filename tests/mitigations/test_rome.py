"""ROME on tiny models and the lab; what it shares with R-ROME and MEMIT is tried for all of them here."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest
import torch

from evenhand import registry
from evenhand.errors import BadData, BadModel, BadOption
from evenhand.mitigations import refuse
from evenhand.mitigations._editing import stacks
from evenhand.mitigations._editing.moments import second_moment
from evenhand.mitigations._editing.passes import at_tokens
from evenhand.mitigations._editing.stacks import averaged
from evenhand.mitigations._editing.subjects import drawn, neutral_texts, prefixes, requests
from evenhand.mitigations._editing.values import Values
from evenhand.mitigations.rome import Rome
from evenhand.models.projections import output_projection
from evenhand.records import Attribution, SiteScore
from evenhand.testing.cases import MitigationCase
from evenhand.testing.examples import PROFESSIONS, examples
from evenhand.testing.laboratory import genbiaseval, opened
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny
from evenhand.treatments.weights import WeightTreatment

CASE = MitigationCase(
    "rome",
    "rome:steps=4,contexts=1",
    lab="rome:edits=40,blocks=1,contexts=2,value_lr=.1",
    no_lab_sham="single ones differ by .02: tests/mitigations/test_edit_shams.py has pairs of opposite signs",
)
SMALL = "steps=4,contexts=1,shrink=.01"


def _sites(first: int, blocks: int = 3) -> Attribution:
    scores = tuple(SiteScore(f"block.{i}", float(i == first)) for i in range(blocks))
    return Attribution("test", False, scores, "")


def _fit(spec: str, kind: str = "llama", given: Any = None, **more: Any) -> WeightTreatment:
    method = registry.create("mitigation", spec)
    given = examples() if given is None else given
    return cast(WeightTreatment, method.fit(tiny(kind), given, **{"sites": None, "seed": 0} | more))


@pytest.mark.parametrize("name", ["rome", pytest.param("r_rome", marks=pytest.mark.slow), "memit"])
@pytest.mark.parametrize("kind", PROMISED)
def test_only_the_down_projection_changes(kind: str, name: str) -> None:
    model = tiny(kind)
    treatment = _fit(f"{name}:{SMALL},blocks=1", kind)
    of = output_projection(model, "block.1", "mlp")
    assert set(treatment.weights) == {of.weight}
    assert treatment.weights[of.weight].shape == of.parameter.shape
    assert treatment.about.proof["moved"] > 0.9


def test_one_edit_of_the_bare_prompt_maps_its_key_to_the_value_found() -> None:
    # Without contexts the two keys are one: W' k = W k + delta, to the precision of the float32 weights.
    model, one = tiny("llama"), examples()[:1]
    of = output_projection(model, "block.1", "mlp")
    key, before = at_tokens(model, of.module, 1, one)
    treatment = _fit("rome:contexts=0,blocks=1,steps=8", given=one)
    with treatment.applied(model):
        _, after = at_tokens(model, of.module, 1, one)
    assert (after - before).norm().item() == pytest.approx(treatment.about.details["length"], rel=1e-3)
    assert key.shape == (1, 48)


def test_the_edited_weight_is_that_of_plain_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """W <- W + (v - W k) (C^-1 k^)' / ((C^-1 k^)·k), one prompt after the other, v = W0 k + delta."""
    model, method = tiny("gpt2"), Rome(steps=4, contexts=2, blocks="1", edits=3, shrink=0.01)
    of, texts = output_projection(model, "block.1", "mlp"), neutral_texts(model, "", examples())
    asked = requests(drawn(examples(), 3, 0), prefixes(texts, 2, 0))
    k, k_mean = (keys.numpy() for keys in averaged(model, of, asked))  # [3, inner]
    seen = [at_tokens(model, of.module, 1, r.contexts)[0].numpy() for r in asked]
    assert k_mean == pytest.approx(np.stack([keys.mean(0) for keys in seen]))
    delta = np.random.default_rng(0).standard_normal((3, 32))
    given = Values(torch.from_numpy(delta), (1.0,) * 3, (0.5,) * 3)
    monkeypatch.setattr(stacks, "values", lambda *_, **__: given)
    c = second_moment(model, of, texts, 0.01).matrix.numpy()
    w0 = model.module.transformer.h[1].mlp.c_proj.weight.detach().double().numpy().T  # type: ignore[union-attr, index]
    w = w0.copy()
    for i in range(3):
        u = np.linalg.inv(c) @ k_mean[i]
        w += np.outer(w0 @ k[i] + delta[i] - w @ k[i], u) / (u @ k[i])
    made = method.fit(model, examples(), sites=None, seed=0).weights[of.weight]  # type: ignore[attr-defined]
    assert made.double().numpy() == pytest.approx(w.T, rel=1e-4, abs=1e-4 * np.abs(w).max())
    assert np.abs(w - w0).max() > 0.01


def test_anti_goes_on_where_balanced_stops() -> None:
    """A prompt whose groups are equal already: nothing is left to do for the one, all for the other."""
    from evenhand.mitigations._editing.aims import Aim

    base = torch.tensor([[0.49, 0.5]]).log()
    assert Aim.of("balanced", base).rows(_row(base)).item() - Aim.of("balanced", base).floor < 0.05
    assert Aim.of("anti", base).rows(_row(base)).item() > 0.6


def _row(log_p: torch.Tensor) -> Any:
    from evenhand.scoring.terms import Outcomes

    return Outcomes(log_p, torch.full((1, 1), 0.01).log())


def test_the_block_under_the_located_one_is_edited_and_the_papers_without_a_location() -> None:
    assert _fit(f"rome:{SMALL}", sites=_sites(2)).about.details["blocks"] == ["block.1"]
    assert _fit(f"rome:{SMALL}", sites=_sites(1)).about.details["blocks"] == ["block.0"]
    assert _fit(f"rome:{SMALL}", sites=_sites(0)).about.details["blocks"] == ["block.0"]
    assert _fit(f"rome:{SMALL}").about.details["blocks"] == ["block.1"]  # 5 of 28: .5 of 3, which rounds to 1


def test_edits_are_drawn_and_values_sought_together_or_one_by_one() -> None:
    few = _fit(f"rome:{SMALL},blocks=1,edits=3")
    assert few.about.details["edits"] == 3
    assert few.digest == _fit(f"rome:{SMALL},blocks=1,edits=3,together=3").digest
    alone = _fit(f"rome:{SMALL},blocks=1,edits=3,together=1")
    assert alone.digest != few.digest  # the second value is sought on a model with the first edit


def test_the_identity_is_another_edit_and_needs_no_text() -> None:
    plain = _fit("rome:steps=4,contexts=1,blocks=1,C=I")
    assert plain.about.details["second_moments"] == []
    assert plain.digest != _fit("rome:steps=4,contexts=1,blocks=1").digest
    with pytest.raises(BadOption, match="C=I estimates nothing"):
        registry.create("mitigation", "rome:C=I,shrink=.1")


def test_a_file_of_text_is_read(tmp_path: Any) -> None:
    path = tmp_path / "own.txt"
    path.write_text("The teacher opened the door.\n\nThe keys were on the table.\n", "utf-8")
    said = _fit(f"rome:{SMALL},blocks=1,text={path}").about.details["second_moments"]
    tokens = tiny("llama").tokenizer
    count = sum(len(tokens(t)["input_ids"]) for t in path.read_text("utf-8").split("\n") if t)
    assert said == [{"block": 1, "tokens": count, "shrunk": 0.01}]


@pytest.mark.parametrize("name", ["rome", "r_rome", "memit", "mend"])
def test_what_cannot_be_edited_is_refused_before_any_work(name: str) -> None:
    unknown = [dataclasses.replace(examples()[0], span=None)]
    method = registry.create("mitigation", name)
    with pytest.raises(BadData, match="does not say where its subject stands"):
        refuse(method, None, unknown)
    with pytest.raises(BadData, match="does not say where its subject stands"):
        method.fit(tiny("llama"), unknown, sites=None, seed=0)
    with pytest.raises(BadModel, match="mixture of experts"):
        refuse(method, tiny("mixtral"), examples())
    with pytest.raises(BadModel, match=r"is a masked model.*causal"):
        refuse(method, opened("lab:masked"), examples())


def test_the_last_block_and_several_blocks_are_refused() -> None:
    with pytest.raises(BadOption, match=r"last block.*from 0 to 1"):
        _fit("rome:blocks=2")
    with pytest.raises(BadOption, match=r"2 blocks.*edits one.*memit"):
        _fit("rome:blocks=0+1")
    with pytest.raises(BadModel, match="one block"):
        Rome().fit(tiny("llama", num_hidden_layers=1), examples(), sites=None, seed=0)
    with pytest.raises(BadModel, match="singular"):  # neurons of OPT's relu that never fire
        Rome(steps=2, blocks="1").fit(tiny("opt"), examples(), sites=None, seed=0)


def test_a_sham_has_the_signs_of_its_subjects() -> None:
    from evenhand.training.sham_losses import signs

    drawn = signs(examples(), 3)
    assert {drawn[4 * i : 4 * i + 4] for i in range(len(PROFESSIONS))} <= {(1.0,) * 4, (-1.0,) * 4}
    sham = Rome(steps=4, contexts=1, blocks="1").sham(seed=3)
    made = sham.fit(tiny("llama"), examples(), sites=None, seed=0)
    assert made.about.details["sham_seed"] == 3


@pytest.mark.parametrize("spec", ["rome", "r_rome", "memit:blocks=1", "mend"])
def test_over_all_signs_a_sham_changes_no_weight(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With signs s and -s the changes of weights are opposite, and with all +1 it is the method itself.

    Without contexts, behind which R-ROME moves a value to another key, with or without an addition. In one
    block: after each MEMIT reads again what is left, which is linear to first order only.
    """
    import evenhand.mitigations._editing.fitting as fitting
    import evenhand.mitigations._editing.mending as mending

    small = "iterations=4,contexts=1,rank=8" if spec == "mend" else "steps=4,contexts=0,shrink=.01,edits=6"
    method = registry.create("mitigation", f"{spec}{',' if ':' in spec else ':'}{small}")
    model = tiny("llama")
    start = dict(model.module.named_parameters())

    def change(signs: Any) -> torch.Tensor:
        for module in (fitting, mending):
            monkeypatch.setattr(module, "signs", signs)
        made = method.sham(seed=0).fit(model, examples(), sites=_sites(2), seed=0)
        return torch.cat([(value - start[name].detach()).flatten() for name, value in made.weights.items()])

    one = change(lambda given, _: tuple(1.0 if e.cluster < "n" else -1.0 for e in given))
    other = change(lambda given, _: tuple(-1.0 if e.cluster < "n" else 1.0 for e in given))
    assert (one + other).norm() < 1e-3 * one.norm()
    own = method.fit(model, examples(), sites=_sites(2), seed=0)
    whole = torch.cat([(value - start[name].detach()).flatten() for name, value in own.weights.items()])
    assert torch.allclose(change(lambda given, _: (1.0,) * len(given)), whole, atol=1e-6)
    assert (whole - one).norm() > 0.1 * whole.norm()


def test_the_lab_has_one_edit_a_prompt() -> None:
    _, training = genbiaseval()
    assert all(e.span is not None for e in training)
