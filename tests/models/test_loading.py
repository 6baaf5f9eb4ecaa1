"""Opening Hugging Face folders, with adapters and treatments, and every way in which that fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import errors as hub
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaModel

from evenhand.errors import (
    BadData,
    BadModel,
    BadOption,
    EnvironmentProblem,
    EvenhandError,
    MissingExtra,
    OutOfMemory,
)
from evenhand.models import loading, precision
from evenhand.models.causal import CausalModel
from evenhand.models.masked import MaskedModel
from evenhand.models.seq2seq import Seq2SeqModel
from evenhand.opening import open_model
from evenhand.records import Continuation
from evenhand.testing import tiny
from tests.support import families

ITEM = Continuation("The nurse smiled because", " she")
OWN = tiny.model("llama").answer([ITEM])[0].value


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A saved tiny model; copy it before changing it."""
    path = tmp_path_factory.mktemp("model")
    tiny.module("llama").save_pretrained(path)
    tiny.tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_folder_opens_with_its_own_answers(folder, monkeypatch):
    model = open_model(f"hf:{folder}")
    assert isinstance(model, CausalModel)
    assert model.spec.uri == f"hf:{folder}"
    assert model.answer([ITEM])[0].value == pytest.approx(
        tiny.model("llama").answer([ITEM])[0].value, abs=1e-5
    )
    monkeypatch.chdir(folder.parent)
    assert open_model(f"hf:./{folder.name}").spec.digest == model.spec.digest
    assert open_model(f"hf:{folder.name}").spec.digest == model.spec.digest


def test_the_dtype_is_the_checkpoints_or_the_one_asked_for(folder, tmp_path):
    assert open_model(f"hf:{folder}").spec.dtype == "float32"
    assert open_model(f"hf:{folder}", dtype="bfloat16").spec.dtype == "bfloat16"
    with pytest.raises(BadOption, match=r"'int3'.* float32"):
        open_model(f"hf:{folder}", dtype="int3")


@pytest.mark.parametrize(
    ("own", "instructions", "found"),
    [
        ("bfloat16", ["avx512_bf16"], "bfloat16"),
        ("bfloat16", ["amx_bf16"], "bfloat16"),
        ("bfloat16", ["avx512_f", "avx512_fp16"], "float32"),
        ("float16", ["avx512_bf16"], "float32"),
        ("float16", ["avx512_fp16"], "float16"),
        ("float32", [], "float32"),
    ],
)
def test_a_narrow_checkpoint_is_widened_where_the_processor_is_slow_at_it(
    own, instructions, found, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision, "instructions", lambda: frozenset(instructions))
    module = tiny.module("llama").to(getattr(torch, own))
    module.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    model = open_model(f"hf:{tmp_path}")
    assert model.spec.dtype == found
    assert {str(p.dtype) for p in model.module.parameters()} == {f"torch.{found}"}
    assert all(
        torch.equal(a, b.float())
        for a, b in zip(model.module.float().parameters(), module.parameters(), strict=True)
    )
    widened = [note for note in model.notes() if f"`--dtype {own}`" in note]
    assert len(widened) == (found != own)
    assert open_model(f"hf:{tmp_path}", dtype=own).spec.dtype == own
    assert open_model(f"hf:{tmp_path}", dtype=own).notes() == ()


def test_the_processors_instructions_are_those_of_torch_or_of_linux(tmp_path, monkeypatch):
    told = {"avx512_bf16": True, "amx_bf16": False, "l2_cache_size": 1, "architecture": "x86_64"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert precision.instructions() == {"avx512_bf16"}
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "_CPUINFO", info)
    assert precision.instructions() == frozenset()
    info.write_text(
        "model name\t: X bf16\nflags\t\t: fpu amx_bf16\n\nmodel name\t: X\nflags\t\t: fpu amx_bf16\n"
    )
    assert precision.instructions() == {"fpu", "amx_bf16"}


def test_the_budget_reaches_the_scorer(folder):
    model = open_model(f"hf:{folder}", batch_tokens=7)
    model.answer([ITEM])
    assert model.scoring().batch_tokens == 7


def test_a_missing_folder(tmp_path):
    with pytest.raises(BadData, match="There is no folder"):
        open_model(f"hf:{tmp_path}/none")


def test_a_folder_without_configuration(tmp_path):
    with pytest.raises(BadModel, match=r"no config\.json"):
        open_model(f"hf:{tmp_path}")


def test_a_damaged_configuration(copied):
    (copied / "config.json").write_text("{")
    with pytest.raises(BadModel, match=r"config\.json cannot be read"):
        open_model(f"hf:{copied}")


def test_a_pickled_checkpoint_is_not_opened_and_the_command_mends_it(copied, tmp_path):
    weights = copied / "model.safetensors"
    torch.save(tiny.module("llama").state_dict(), copied / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(BadModel, match=r"pytorch_model\.bin") as caught:
        open_model(f"hf:{copied}")
    program = caught.value.mend.split('python -c "')[1].split('" and open')[0]
    exec(program.replace("./converted", str(tmp_path / "converted")), {})
    mended = open_model(f"hf:{tmp_path / 'converted'}")
    assert mended.answer([ITEM])[0].value == pytest.approx(
        tiny.model("llama").answer([ITEM])[0].value, abs=1e-5
    )


def test_a_folder_without_weights(copied):
    (copied / "model.safetensors").unlink()
    with pytest.raises(BadModel, match=r"holds no model\.safetensors"):
        open_model(f"hf:{copied}")


def test_a_truncated_checkpoint(copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(BadModel, match="cannot be opened"):
        open_model(f"hf:{copied}")


def test_a_model_of_another_kind(tmp_path):
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertForSequenceClassification(BertConfig(vocab_size=400, **settings)).save_pretrained(tmp_path / "bert")
    with pytest.raises(BadModel, match="is not a language model: it is a BertForSequenceClassification"):
        open_model(f"hf:{tmp_path / 'bert'}")


@pytest.mark.parametrize(
    ("kind", "made", "family"),
    [("bert", MaskedModel, "masked"), ("t5", Seq2SeqModel, "seq2seq"), ("bart", Seq2SeqModel, "seq2seq")],
)
def test_the_configuration_decides_the_family(kind, made, family, tmp_path):
    families.module(kind).save_pretrained(tmp_path)
    families.tokenizer_of(kind).save_pretrained(tmp_path)
    model = open_model(f"hf:{tmp_path}")
    assert isinstance(model, made)
    assert (model.spec.family, model.spec.architecture) == (family, kind)
    own = (families.masked if family == "masked" else families.seq2seq)(kind)
    assert model.answer([ITEM])[0].value == pytest.approx(own.answer([ITEM])[0].value, abs=1e-5)


def test_a_checkpoint_that_states_no_class_is_refused_in_words(tmp_path):
    families.module("bert").base_model.save_pretrained(tmp_path)
    families.wordpiece().save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    stated = {k: v for k, v in json.loads(config.read_text()).items() if k != "architectures"}
    config.write_text(json.dumps(stated))
    with pytest.raises(BadModel, match=r"head \(no architecture\).* can be causal or masked"):
        open_model(f"hf:{tmp_path}")


def test_a_model_without_its_head_would_answer_at_random(tmp_path):
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    LlamaModel(LlamaConfig(vocab_size=400, **settings)).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(BadModel, match=r"lacks weights that the model needs: lm_head\.weight"):
        open_model(f"hf:{tmp_path}")


def test_an_unknown_model_type(copied):
    (copied / "config.json").write_text('{"model_type": "stranger"}')
    with pytest.raises(BadModel, match="stranger"):
        open_model(f"hf:{copied}")


def test_remote_code_is_never_run(copied):
    marker = copied / "ran"
    config = json.loads((copied / "config.json").read_text())
    config |= {
        "model_type": "stranger",
        "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"},
    }
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "code.py").write_text(f"open({str(marker)!r}, 'w')\n")
    with pytest.raises(BadModel):
        open_model(f"hf:{copied}")
    assert not marker.exists()


def test_missing_tokenizer_files(copied):
    for path in copied.glob("token*"):
        path.unlink()
    with pytest.raises(EvenhandError):
        open_model(f"hf:{copied}")


def bare(kind: type[Exception]) -> Exception:
    """An error of the hub's client without the web response that its constructor wants."""
    return kind.__new__(kind, "refused")


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (lambda: bare(hub.RepositoryNotFoundError), BadModel, "The hub has no model org/x"),
        (lambda: bare(hub.GatedRepoError), BadModel, "is gated"),
        (lambda: bare(hub.RevisionNotFoundError), BadModel, "no such revision"),
        (lambda: hub.LocalEntryNotFoundError("none"), EnvironmentProblem, "cannot be reached"),
        (lambda: OSError("We couldn't connect to 'https://hub'"), EnvironmentProblem, "cannot be reached"),
        (lambda: OSError("org/x: no file named model.safetensors"), BadModel, "another format"),
        (lambda: KeyError("odd"), BadModel, "cannot be opened"),
    ],
)
def test_what_the_hub_says_becomes_one_paragraph(monkeypatch, raised, kind, message):
    from transformers import AutoConfig

    def refuse(name, **where):
        assert where["trust_remote_code"] is False
        assert where["local_files_only"] is False
        assert where["revision"] == "v1"
        raise RuntimeError("it did not work") from raised()

    def fail(name, **where):
        raise raised()

    monkeypatch.setattr(loading.hub, "unreachable", lambda: "")
    for behaviour in (refuse, fail):
        monkeypatch.setattr(AutoConfig, "from_pretrained", behaviour)
        with pytest.raises(kind, match=message) as caught:
            open_model("hf:org/x@v1")
        assert caught.value.__cause__ is None
        assert caught.value.exit_code == (4 if kind is EnvironmentProblem else 2)


def test_weights_that_do_not_fit(folder, monkeypatch):
    from transformers import AutoModelForCausalLM

    def fail(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(OutOfMemory, match="do not fit") as caught:
        open_model(f"hf:{folder}")
    assert caught.value.exit_code == 4


def test_the_libraries_stay_quiet_and_get_their_voice_back(folder, capsys):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    open_model(f"hf:{folder}")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capsys.readouterr() == ("", "")


def adapter(folder: Path, out: Path) -> None:
    """A LoRA adapter whose second matrix is not zero, so that it changes answers."""
    from peft import LoraConfig, get_peft_model

    base = open_model(f"hf:{folder}").module
    wrapped = get_peft_model(base, LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "v_proj"]))
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    wrapped.save_pretrained(out)


def test_a_lora_adapter_is_put_on(folder, tmp_path):
    from peft import PeftModel

    adapter(folder, tmp_path / "lora")
    name = f"hf:{folder}+{tmp_path / 'lora'}"
    plain, adapted = open_model(f"hf:{folder}"), open_model(name)
    merged = PeftModel.from_pretrained(
        open_model(f"hf:{folder}").module, str(tmp_path / "lora")
    ).merge_and_unload()
    (reference,) = CausalModel(merged, tiny.tokenizer(), "x").answer([ITEM])
    (answer,) = adapted.answer([ITEM])
    assert answer.value == pytest.approx(reference.value, abs=1e-4)
    assert answer.value != pytest.approx(plain.answer([ITEM])[0].value, abs=1e-3)
    assert adapted.spec.uri == name
    assert adapted.spec.digest != plain.spec.digest
    assert adapted.layout.n_blocks == plain.layout.n_blocks


def test_an_adapter_that_does_not_fit(folder, tmp_path):
    adapter(folder, tmp_path / "lora")
    tiny.module("gpt2").save_pretrained(tmp_path / "gpt2")
    tiny.tokenizer().save_pretrained(tmp_path / "gpt2")
    with pytest.raises(BadModel, match=r"the adapter .* cannot be opened"):
        open_model(f"hf:{tmp_path / 'gpt2'}+{tmp_path / 'lora'}")


def test_an_adapter_of_virtual_tokens_is_refused(folder, tmp_path):
    from peft import PromptTuningConfig, get_peft_model

    tuned = get_peft_model(
        open_model(f"hf:{folder}").module, PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM")
    )
    tuned.save_pretrained(tmp_path / "prompt")
    with pytest.raises(BadModel, match="virtual tokens"):
        open_model(f"hf:{folder}+{tmp_path / 'prompt'}")


def test_an_adapter_without_peft(folder, tmp_path, monkeypatch):
    adapter(folder, tmp_path / "lora")
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(MissingExtra, match="peft"):
        open_model(f"hf:{folder}+{tmp_path / 'lora'}")


def test_an_adapter_needs_weights(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    file = tmp_path / "a.jsonl"
    file.write_text('{"context": "a", "text": " b", "logprob": -1}')
    with pytest.raises(BadModel, match="does not give access to its weights"):
        open_model(f"recorded:{file}+{tmp_path}")


def test_a_saved_treatment_is_put_on_for_good(folder, tmp_path):
    import gc

    from evenhand.treatments import About
    from evenhand.treatments.weights import WeightTreatment

    plain = open_model(f"hf:{folder}")
    name = "model.layers.1.mlp.down_proj.weight"
    value = dict(plain.module.named_parameters())[name].detach() * 1.5
    treatment = WeightTreatment(About("test", plain.spec.digest, 0), {name: value.clone()})
    treatment.save(tmp_path / "treated")
    with treatment.applied(plain) as applied:
        expected, digest = applied.answer([ITEM]), applied.spec.digest
    treated = open_model(f"hf:{folder}+{tmp_path / 'treated'}")
    gc.collect()
    assert treated.answer([ITEM]) == expected != plain.answer([ITEM])
    assert treated.spec.digest == digest
    assert treated.spec.uri == f"hf:{folder}+{tmp_path / 'treated'}"


def test_the_lab_is_opened_from_its_folder(folder, monkeypatch):
    import evenhand.lab as lab

    monkeypatch.setattr(lab, "parse", lambda text: f"parsed {text}", raising=False)
    monkeypatch.setattr(lab, "folder", {"parsed causal?planted=none": folder}.__getitem__, raising=False)
    model = open_model("lab:causal?planted=none")
    assert model.spec.uri == "lab:causal?planted=none"
    assert model.answer([ITEM]) == open_model(f"hf:{folder}").answer([ITEM])


def test_known_dtypes_are_torchs():
    assert {getattr(torch, name) for name in loading.DTYPES} == set(loading.DTYPES.values())


def test_a_graphics_card_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from evenhand.models import opened

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card {device.index}")
    assert opened._name_of(torch.device("cuda", 1)) == "cuda (Card 1)"
    assert opened._name_of(torch.device("cpu")) == "cpu"
