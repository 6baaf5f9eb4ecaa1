"""A verdict on a model that somebody else treated: what differs, what can be controlled, what is stored."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import evenhand
from evenhand.errors import BadData, BadModel, UnknownName, UsageError
from evenhand.models import precision
from evenhand.opening import open_model
from evenhand.records import VerdictName, Verification
from evenhand.reports.command import verify_command
from evenhand.studies import control_models, measure
from evenhand.studies.given import given
from evenhand.studies.store import load_verification
from evenhand.studies.verbs import VerifyOptions, run_folder, verify
from evenhand.testing import tiny
from evenhand.treatments import About
from evenhand.treatments.weights import WeightTreatment
from tests.support.server import serving

pytestmark = pytest.mark.usefixtures("few_examples")

NORM = "model.norm.weight"
QUERY = "model.layers.1.self_attn.q_proj.weight"
FAST: dict[str, Any] = {"limit": 8, "control": "none", "capability": ("facts:set=world",)}


Saved = Callable[..., str]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Save the tiny model, changed, and give its name."""

    def save(change: Callable[[Any], Any] = lambda module: None, *, vocabulary: int = 400, **how: Any) -> str:
        folder = tmp_path_factory.mktemp("model")
        module = tiny.module("llama", max_position_embeddings=128, **how)
        with torch.no_grad():
            change(module)
        module.save_pretrained(folder)
        tiny.tokenizer(vocabulary=vocabulary).save_pretrained(folder)
        return f"hf:{folder}"

    return save


@pytest.fixture(scope="module")
def base(saved: Saved) -> str:
    return saved()


def softened(module: Any) -> None:
    """Twelve weights of one tensor are moved by a quarter, and every weight of another is doubled."""
    module.get_parameter(QUERY).flatten()[:12] += 0.25
    module.get_parameter(NORM).mul_(2)


@pytest.fixture(scope="module")
def other(saved: Saved) -> str:
    return saved(softened)


def test_the_parameters_that_differ_are_found_with_the_size_of_the_change(base: str, other: str) -> None:
    model = open_model(base)
    found = given(other, base, model, VerifyOptions())
    assert found.found.touches == {NORM, QUERY}
    norm, query = (model.module.get_parameter(name) for name in (NORM, QUERY))
    whole = norm.numel() + query.numel()
    assert bool((norm == 1).all())  # so doubling moves each of its weights by 1
    assert found.found.about.proof == {
        "tensors": 2,
        "weights": whole,
        "moved": (norm.numel() + 12) / whole,
        "max_weight_change": 1.0,
    }
    every = sum(1 for _ in model.module.named_parameters())
    assert found.place == f"2 of {every} parameters"
    assert not found.uncontrolled


def test_rounding_a_checkpoint_moves_no_control_model(saved: Saved, base: str) -> None:
    """A checkpoint stored in bfloat16 once differs everywhere; what was done to it is in one tensor alone."""

    def doubled_and_rounded(module: Any) -> None:
        module.get_parameter(NORM).mul_(2)
        for value in module.parameters():
            value.copy_(value.bfloat16().float())

    model = open_model(base)
    found = given(saved(doubled_and_rounded), base, model, VerifyOptions())
    assert found.found.touches == {NORM}
    every = sum(1 for _ in model.module.named_parameters())
    differ = found.found.about.proof["tensors"]
    assert every >= differ > 1
    assert found.place == f"1 of {every} parameters, which carry it of {differ} that differ"


def test_a_saved_treatment_moves_its_control_models_no_further(base: str, tmp_path: Path) -> None:
    model = open_model(base)
    weights = {name: value.detach() * 1.001 for name, value in model.module.named_parameters()}
    weights[NORM] = model.module.get_parameter(NORM).detach() * 2
    treatment = WeightTreatment(About("made by hand", model.spec.digest, 0), weights)
    treatment.save(tmp_path / "saved")
    found = given(str(tmp_path / "saved"), base, model, VerifyOptions())
    assert found.found.touches == {NORM}
    assert found.found.digest == treatment.digest
    with found.found.applied(model) as changed:
        assert torch.equal(changed.module.get_parameter(QUERY), weights[QUERY])  # type: ignore[attr-defined]
    assert found.place.startswith(f"1 of {len(weights)} parameters, which carry it of {len(weights)} ")


def test_control_models_damage_what_differs(base: str, other: str) -> None:
    model = open_model(base)
    found = given(other, base, model, VerifyOptions()).found
    made, absent = control_models.recipes(model, found, "standard", [])
    names = {one.family: one.names(model, 1) for one in made}
    assert names["noise"] == names["plain text"] == (QUERY, NORM)
    assert names["prune"] == (QUERY,)  # more families are made, for there is no sham
    assert absent[0].startswith("There is no control sham: ")


def test_the_model_itself_is_measured_not_the_base(base: str, other: str, tmp_path: Path) -> None:
    record = verify(base, None, VerifyOptions(out=tmp_path / "run", **FAST), treated=other)
    alone = measure.take(open_model(other), _genbiaseval(), limit=8)
    assert record.after[0].metrics == alone.metrics != record.before[0].metrics
    assert record.after[0].model.uri == other
    assert record.model.uri == record.before[0].model.uri == base
    assert record.treatment == f"treated: {other}"
    assert load_verification(tmp_path / "run") == record
    assert any(note.startswith(f"What {other} was trained on is not known") for note in record.notes)
    assert f"--treated {other}" in verify_command(record)
    assert "--with" not in verify_command(record)


def _genbiaseval() -> Any:
    from evenhand.benchmarks.genbiaseval import GenBiasEval

    return GenBiasEval(split="heldout")


def test_with_control_models_the_reasons_say_which_ran_and_what_they_could_not_know(
    base: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = VerifyOptions(out=tmp_path / "run", **{**FAST, "control": "reduced"})
    record = verify(base, None, options, treated=other)
    assert record.control is not None
    assert [family.family for family in record.control.families][:2] == ["plain text", "noise"]
    ran, unknown = record.reasons[-2:]
    assert ran.startswith("Control models ran of plain text, noise")
    assert "no sham of its method" in unknown
    # A second time everything is read from the run; judged again, the run gives the same verdict.
    before = _files(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr("evenhand.studies.cells.take", _never)
        assert verify(base, None, options, treated=other) == record
    assert _files(tmp_path / "run") == before
    with monkeypatch.context() as patch:
        patch.setattr("evenhand.studies.options.RunOptions.opened", _never)
        again = verify(str(tmp_path / "run"))
    assert again == record
    assert _files(tmp_path / "run") == before


def _never(*given: object, **named: object) -> None:
    raise AssertionError("a model was opened or asked")


def _files(folder: Path) -> dict[str, bytes]:
    kept = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


def test_equal_weights_are_judged_and_called_unchanged(base: str, saved: Saved, tmp_path: Path) -> None:
    options = VerifyOptions(out=tmp_path / "run", **{**FAST, "control": "full"})
    record = verify(base, None, options, treated=saved())
    assert record.verdict in (VerdictName.NO_EVIDENCE, VerdictName.CAPABILITY_LOSS)
    assert all(effect.change.value in (0, None) for effect in record.effects)
    assert record.control is None
    assert any(reason.startswith("Nothing was changed: every parameter") for reason in record.reasons)
    assert not any("--control full" in reason for reason in record.reasons)


def test_a_changed_configuration_is_another_model(saved: Saved, base: str, tmp_path: Path) -> None:
    """The same weights under another rope_theta answer otherwise: nothing stored of them is taken over."""
    theirs = saved()
    options = VerifyOptions(out=tmp_path / "run", **FAST)
    first = verify(base, None, options, treated=theirs)
    path = Path(theirs.removeprefix("hf:")) / "config.json"
    body = json.loads(path.read_text())
    body["rope_parameters"]["rope_theta"] = 10.0
    path.write_text(json.dumps(body))
    again = verify(base, None, options, treated=theirs)
    said = "The configuration alone was changed (rope_parameters): every parameter"
    assert any(reason.startswith(said) for reason in again.reasons)
    assert again.after[0].metrics != first.after[0].metrics == first.before[0].metrics
    alone = [measure.take(open_model(uri), _genbiaseval(), limit=8).metrics for uri in (theirs, base)]
    assert [again.after[0].metrics, again.before[0].metrics] == alone
    assert open_model(theirs).spec.identity != open_model(base).spec.identity
    assert (
        open_model(theirs).spec.digest == open_model(base).spec.digest
    )  # treatments of the weights still fit


def test_what_ends_a_text_is_part_of_the_identity(saved: Saved) -> None:
    """generation_config.json alone decides when `generate` stops."""
    uri = saved()
    before = open_model(uri).spec.identity
    path = Path(uri.removeprefix("hf:")) / "generation_config.json"
    body = json.loads(path.read_text()) if path.exists() else {}
    for other in (3, [3, 4]):
        path.write_text(json.dumps(body | {"eos_token_id": other}))
        assert open_model(uri).spec.identity != before
    path.write_text(json.dumps(body))
    assert open_model(uri).spec.identity == before
    path = path.with_name("tokenizer_config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token": "~"}))
    assert open_model(uri).spec.identity != before


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"num_hidden_layers": 2}, "has a parameter model.layers.2"),
        ({"intermediate_size": 24}, "down_proj.weight has the shape"),
    ],
)
def test_parameters_of_other_shapes_allow_no_control(
    how: dict[str, int], said: str, base: str, saved: Saved, tmp_path: Path
) -> None:
    options = VerifyOptions(out=tmp_path / "run", **{**FAST, "control": "full"})
    record = verify(base, None, options, treated=saved(**how))
    assert record.control is None
    (why,) = [reason for reason in record.reasons if reason.startswith("No control model was possible")]
    assert said in why
    assert record.verdict not in (VerdictName.MITIGATED, VerdictName.AT_A_COST)


def test_another_precision_is_not_comparable_and_says_how_to_make_it_so(
    base: str, saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A processor without these instructions would open both in float32.
    monkeypatch.setattr(precision, "instructions", lambda: frozenset({"avx512_bf16"}))
    half = saved(lambda module: module.to(torch.bfloat16))
    options = VerifyOptions(out=tmp_path / "run", **{**FAST, "control": "full"})
    record = verify(base, None, options, treated=half)
    assert record.verdict is VerdictName.NOT_COMPARABLE
    assert "protocol.dtype: 'float32' and 'bfloat16'" in record.reasons[0]
    assert "--dtype float32" in record.reasons[0]
    alike = verify(base, None, VerifyOptions(out=tmp_path / "two", dtype="float32", **FAST), treated=half)
    assert alike.verdict is not VerdictName.NOT_COMPARABLE


def test_another_tokenizer_is_compared_on_whole_texts_only(base: str, saved: Saved, tmp_path: Path) -> None:
    coarse = saved(vocabulary=300)
    words = verify(base, None, VerifyOptions(out=tmp_path / "run", **FAST), treated=coarse)
    assert words.verdict is not VerdictName.NOT_COMPARABLE
    assert any("only figures of whole texts" in note for note in words.notes)
    assert any(note.endswith("how far it moved is not.") for note in words.notes)
    tokens = VerifyOptions(out=tmp_path / "two", **{**FAST, "capability": ("perplexity",)})
    record = verify(base, None, tokens, treated=coarse)
    assert record.verdict is VerdictName.NOT_COMPARABLE
    assert "items of perplexity into other numbers of tokens" in record.reasons[0]


def test_a_saved_treatment_is_the_treatment_that_it_is(base: str, tmp_path: Path) -> None:
    folder = tmp_path / "treated"
    summary = evenhand.mitigate(base, "lftf:epochs=1,batch=256", folder)
    by_name = verify(base, None, VerifyOptions(out=tmp_path / "a", **FAST), treated=f"{base}+{folder}")
    by_folder = verify(base, None, VerifyOptions(out=tmp_path / "b", **FAST), treated=str(folder))
    fitted = verify(base, "lftf:epochs=1,batch=256", VerifyOptions(out=tmp_path / "c", **FAST))
    for record in (by_name, by_folder):
        assert record.proof["digest"] == summary["digest"] == fitted.proof["digest"]
        assert [m.metrics for m in record.after] == [m.metrics for m in fitted.after]
        assert record.verdict == fitted.verdict


def test_a_treatment_of_another_base_is_refused_before_anything_is_measured(
    base: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evenhand.mitigate(base, "noise:dose=0.2", tmp_path / "treated")
    monkeypatch.setattr("evenhand.studies.cells.take", _never)
    with pytest.raises(BadModel, match="was fitted to a model with digest"):
        verify(other, None, VerifyOptions(out=tmp_path / "run", **FAST), treated=str(tmp_path / "treated"))


def _recorded(path: Path, *, she: float) -> str:
    """Answers to every request of GenBiasEval: P(she) = `she`, P(he) = .9 - `she`, P(they) = .05, in nats."""
    shares = {" she": she, " he": 0.9 - she, " they": 0.05}
    lines = [
        {
            "context": one.request.context,
            "text": one.request.text,
            "logprob": math.log(shares[one.request.text]),
        }
        for one in measure.requests(_genbiaseval())
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return f"recorded:{path}"


def test_two_recorded_files_are_judged_without_control(tmp_path: Path) -> None:
    """|P(he) - P(she)| falls from .9 - 2(.1) = .7 to .9 - 2(.4) = .1, and nothing can tell it from damage."""
    before, after = (_recorded(tmp_path / f"{she}.jsonl", she=she) for she in (0.1, 0.4))
    record = _judged(before, after, tmp_path)
    effect = next(e for e in record.effects if e.metric == "afgb")
    assert (effect.before.value, effect.after.value) == (pytest.approx(0.7), pytest.approx(0.1))
    assert record.verdict is VerdictName.NO_EVIDENCE
    assert record.reasons[0].startswith("Not judged. Without control models")
    assert "--control full" not in record.reasons[0]
    assert any(f"possible: {before} does not give access" in reason for reason in record.reasons)
    assert {check.name for check in record.guards} >= {"mass"}


def _judged(before: str, after: str, folder: Path) -> Verification:
    """The verb without capability, which the files do not answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evenhand.studies.verbs._capability", lambda uri, options: ())
        options = VerifyOptions(out=folder / "run", benchmarks=("genbiaseval:split=heldout",), limit=40)
        return verify(before, None, options, treated=after)


def test_two_endpoints(base: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / "cache"))
    options = VerifyOptions(out=tmp_path / "run", **FAST)
    with serving(open_model(base)) as first, serving(open_model(other)) as second:
        names = [f"openai:{state.url}?api=completions#tiny" for state in (first, second)]
        record = verify(names[0], None, options, treated=names[1])
    assert record.before[0].metrics != record.after[0].metrics
    assert any(reason.startswith("No control model was possible") for reason in record.reasons)


def test_what_excludes_each_other_is_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lftf would be fitted \(--with\), and .* \(--treated\)"):
        verify(base, "lftf", treated=base)
    for locator in ("bmi", "ablation"):
        with pytest.raises(UsageError, match=f"The locator {locator} chooses what a method treats"):
            verify(base, treated=base, locator=locator)
    with pytest.raises(UsageError, match="'' is not the name of a model"):
        verify(base, treated="")
    with pytest.raises(UsageError, match="None is not the name of a component"):
        verify(base)
    with pytest.raises(UnknownName, match="Write hf:nowhere if"):
        verify(base, None, VerifyOptions(out=tmp_path / "run"), treated="nowhere")
    folder = base.removeprefix("hf:")
    with pytest.raises(BadData, match=f"neither a saved treatment nor an adapter. Write hf:{folder}"):
        verify(base, None, VerifyOptions(out=tmp_path / "run"), treated=folder)


def test_a_run_is_kept_under_both_names() -> None:
    options = VerifyOptions()
    one, two = (run_folder("lab:causal", f"treated: hf:./{name}", options) for name in ("a", "b"))
    assert one != two
    assert one.name.startswith("verify-lab-causal-treated-hf-a-")


def test_the_plan_counts_the_models_that_run(base: str, tmp_path: Path) -> None:
    """A model has no sham, and further families in its place; a saved treatment brings its own settings."""
    fitted = evenhand.plan(base, "lftf", control="reduced")
    ready = evenhand.plan(base, treated="hf:./there/is/no/such/model", control="reduced")
    assert ready.mitigation == "treated: hf:./there/is/no/such/model"
    further = {"prune", "quantise", "temperature", "heads"}
    assert set(ready.control) == set(fitted.control) - {"sham"} | further
    for saved in (str(tmp_path), f"{base}+{tmp_path}"):
        put = evenhand.plan(base, treated=saved, control="reduced")
        assert (put.control, put.benchmarks) == (fitted.control, fitted.benchmarks)
    assert evenhand.plan(base).mitigation == "lftf"
    with pytest.raises(UsageError, match="Leave one of the two away"):
        evenhand.plan(base, "lftf", treated=base)


def test_a_model_that_changes_between_two_looks_is_refused(base: str, saved: Saved, tmp_path: Path) -> None:
    name = saved()
    found = given(name, base, open_model(base), VerifyOptions()).found
    shutil.copy(Path(saved(softened).removeprefix("hf:")) / "model.safetensors", name.removeprefix("hf:"))
    with (
        pytest.raises(BadData, match="was changed while it was being judged"),
        found.applied(open_model(base)),
    ):
        pass
