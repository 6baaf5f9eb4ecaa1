"""What users get wrong: one paragraph with the mend, the right exit code, and nothing half-written."""

from __future__ import annotations

import copy
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evenhand.cli import console
from evenhand.testing import tiny
from tests.cli.conftest import Answer, Run
from tests.support.data import data_file

SOURCE = Path(__file__).parents[2] / "src"
HF = ("torch", "transformers", "peft", "safetensors", "tokenizers", "huggingface_hub")


def paragraph(answer: Answer) -> str:
    """The one paragraph on stderr; progress and log lines go before it."""
    *_, last = answer.err.strip().splitlines()
    assert last.startswith("evenhand: ")
    assert answer.err.count("evenhand: ") == 1
    assert "Traceback" not in answer.err
    assert answer.out == ""
    return last


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``good``, ``nan`` and ``inf`` (weights that are no numbers) and ``bin`` (a pickle, no safetensors)."""
    place = tmp_path_factory.mktemp("models")
    model = tiny.model("gpt2")
    broken = {name: copy.deepcopy(model.module) for name in ("nan", "inf")}
    with torch.no_grad():
        for name, module in broken.items():
            next(module.parameters()).fill_(float(name))
    for name, module in {"good": model.module, **broken}.items():
        module.save_pretrained(place / name)
        model.tokenizer.save_pretrained(place / name)
    model.module.config.save_pretrained(place / "bin")
    model.tokenizer.save_pretrained(place / "bin")
    torch.save(model.module.state_dict(), place / "bin" / "pytorch_model.bin")
    return place


def test_a_split_pronoun_is_scored_whole_and_the_report_says_so(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    letters = tiny.tokenizer(vocabulary=258)  # no merges at all
    assert len(letters(" he", add_special_tokens=False)["input_ids"]) == 3
    tiny.module("llama", max_position_embeddings=256).save_pretrained(tmp_path / "split")
    letters.save_pretrained(tmp_path / "split")
    capsys.readouterr()
    answer = run("measure", "hf:./split", "-b", "genbiaseval", "--limit", "2", "--json")
    assert answer.code == 0
    (note,) = (n for n in answer.json["measurements"][0]["notes"] if "splits" in n)
    assert "' he' into 3 tokens" in note
    assert "upper bound" in note
    assert "Prefer a model whose tokenizer keeps the terms whole" in note


def test_a_frame_that_ends_with_a_space_is_asked_without_it(run: Run, folders: Path) -> None:
    Path("own.toml").write_text(
        'name = "height"\nframe = "The {profession} who {action} is "\n'
        '[[groups]]\nname = "a"\nterms = ["late"]\n[[groups]]\nname = "b"\nterms = [" tired"]\n',
        encoding="utf-8",
    )
    answer = run(
        "measure", "x", "-b", "genbiaseval:attribute=own.toml", "--dry-run", "--limit", "1", "--json"
    )
    contexts = {request["context"] for request in answer.json["requests"]}
    assert [context[-3:] for context in contexts] == [" is"]
    assert [request["text"] for request in answer.json["requests"]] == [" late", " tired"]


@pytest.mark.parametrize(
    ("benchmark", "said"),
    [
        ("genbiaseval", "The model answers with NaN or an infinity after 'The "),
        ("honest:k=1", "The model answers with NaN or an infinity while generating"),
        ("perplexity", ": its weights transformer.wte.weight hold such values"),
    ],
)
def test_a_model_that_answers_with_no_numbers(run: Run, folders: Path, benchmark: str, said: str) -> None:
    if benchmark.startswith("honest"):
        data_file("honest/binary/en_template.tsv")
        data_file("hurtlex/hurtlex_EN.tsv")
    answer = run("measure", f"hf:{folders / 'inf'}", "-b", benchmark, "--limit", "2", "--out", "kept")
    assert answer.code == 2
    assert said in paragraph(answer)
    assert "float32" in paragraph(answer)
    assert not [path for path in Path("kept").rglob("*") if path.is_file()]


def test_a_pickled_checkpoint_is_not_opened(run: Run, folders: Path) -> None:
    answer = run("measure", f"hf:{folders / 'bin'}")
    assert answer.code == 2
    assert "keeps its weights in pytorch_model.bin: loading such a pickle can run any code" in paragraph(
        answer
    )
    assert "save_pretrained" in paragraph(answer)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        ("früh".encode("latin-1"), "is not UTF-8"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_text_for_perplexity(run: Run, folders: Path, data: bytes | None, said: str) -> None:
    if data is not None:
        Path("text.txt").write_bytes(data)
    answer = run("measure", f"hf:{folders / 'good'}", "-b", "perplexity:file=text.txt")
    assert answer.code == 2
    assert "text.txt" in paragraph(answer)
    assert said in paragraph(answer)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_no_room_on_the_disk(run: Run, folders: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    argv = ("measure", f"hf:{folders / 'good'}", "-b", "genhinteval", "--limit", "2", "--out", "kept")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        answer = run(*argv)
    assert answer.code == 4
    assert f"cannot be written: {os.strerror(code)}. Free some space" in paragraph(answer)
    assert not [path for path in Path("kept").rglob("*") if path.is_file()]
    assert run(*argv).code == 0  # the same command goes on once there is room


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["hf:./no-such-folder"], "There is no folder no-such-folder"),
        (["labb:causal"], "There is no model scheme named 'labb'. Did you mean 'lab'?"),
        (["lab:causal", "-b", "genbias"], "Did you mean 'genbiaseval'"),
        (["lab:causal", "-b", "genbiaseval:attribute=gendre"], "Did you mean 'gender'"),
        (["lab:causal", "-b", "genbiaseval:atribute=race"], "has no option 'atribute'"),
        (["lab:causal", "-b", "genbiaseval:attribute=no.toml"], "no.toml cannot be read: No such file"),
        (["lab:causal", "-b", "genbiaseval", "--by", "scale"], "names fewer than two slices to cross"),
        (["lab:causal", "-b", "genbiaseval", "--by", "scale,colour"], "genbiaseval has scale"),
        (["lab:causal", "-b", "stereoset:scoring=reference,task=both"], "is for intrasentence likelihoods"),
        (["lab:causal", "-b", "counterfactual:category=Age"], "is for langfair's sentences alone"),
        (["openai:http://a..b/v1#m"], "is no URL: its host, its port or its path cannot be read"),
    ],
)  # fmt: skip
def test_names_and_options(run: Run, argv: list[str], said: str) -> None:
    answer = run("measure", *argv)
    assert answer.code == 2
    assert said in paragraph(answer)


def without_torch(folder: Path, *commands: list[str]) -> list[tuple[int, str]]:
    """The exit code and stderr of each command on a machine without the packages of the extra ``hf``."""
    script = (
        "import contextlib, io, json, sys\n"
        f"sys.path.insert(0, {str(SOURCE)!r})\n"
        f"sys.modules.update(dict.fromkeys({HF!r}))\n"  # an import of one of them fails from now on
        "from evenhand.cli import main\n"
        "found = []\n"
        "for argv in json.loads(sys.argv[1]):\n"
        "    said = io.StringIO()\n"
        "    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):\n"
        "        code = main(argv)\n"
        "    found.append((code, said.getvalue()))\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(commands)],
        cwd=folder, capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "EVENHAND_CACHE": str(folder / "cache")},
    )  # fmt: skip
    return [(code, said) for code, said in json.loads(done.stdout)]


def test_without_the_extra(tmp_path: Path) -> None:
    record = {"sample": "facts/world/calendar/after_march", "logprobs": [-0.1, -4.0, -4.0, -5.0]}
    (tmp_path / "answers.jsonl").write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / "none.jsonl").write_text(json.dumps({**record, "sample": "facts/x"}), encoding="utf-8")
    weights = [
        ["measure", "lab:causal"],
        ["measure", "hf:org/name"],
        ["verify", "lab:causal", "--with", "lftf"],
    ]
    *needing, answered, missing, asked, listed, planned = without_torch(
        tmp_path,
        *weights,
        ["measure", "recorded:answers.jsonl", "-b", "facts:set=world", "--limit", "1"],
        ["measure", "recorded:none.jsonl", "-b", "facts:set=world", "--limit", "1"],
        ["measure", "lab:causal", "-b", "genbiaseval", "--dry-run"],
        ["ls", "benchmarks"],
        ["plan", "lab:causal", "--with", "lftf"],
    )
    for (code, said), argv in zip(needing, weights, strict=True):
        assert code == 4
        opening = f"evenhand: Opening {argv[1]} needs the package 'torch', which is not installed."
        assert said == f"{opening} Install it with: pip install 'evenhand[hf]'\n"
    # Nothing of torch is needed for answers collected elsewhere, and for what opens no model.
    assert [code for code, _ in (answered, asked, listed, planned)] == [0, 0, 0, 0]
    assert missing[0] == 2
    assert "lacks 4 of 4 answers" in missing[1]


def test_weights_that_are_nan_are_named_before_any_work(run: Run, folders: Path) -> None:
    answer = run("measure", f"hf:{folders / 'nan'}", "-b", "genbiaseval", "--limit", "2", "--out", "kept")
    assert answer.code == 2
    assert "nan are damaged: transformer.wte.weight hold NaN." in paragraph(answer)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_bytes_that_are_no_text_are_refused_in_words(more: list[str]) -> None:
    command = [sys.executable, "-m", "evenhand", "measure", b"hf:./b\xff", *more]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 2
    assert rb"The argument 'hf:./b\udcff' holds bytes that are not text" in done.stderr
    assert b"Traceback" not in done.stderr
    if more:
        assert json.loads(done.stdout)["error"]["kind"] == "BadOption"


def test_what_the_terminal_cannot_show_is_escaped_and_json_stays_json() -> None:
    command = [sys.executable, "-m", "evenhand", "measure", "hf:./no\u20ac", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 2
    assert rb"no\u20ac" in done.stderr
    assert json.loads(done.stdout.decode("latin-1"))["error"]["what"] == "There is no folder no\u20ac."


def test_a_lone_surrogate_in_a_result_does_not_stop_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    with console.any_text():
        console.say("a \ud800")
        console.emit({"a": "b \ud800 é"})
    shown, _, data = capsys.readouterr().out.partition("\n")
    assert shown == r"a \ud800"
    assert json.loads(data)["a"] == "b \ud800 é"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("measure", "lab:causal", "--by", ""), "names no slices"),
        (("measure", "lab:causal", "--out", ""), "is not a folder"),
        (("mitigate", "lab:causal", "--out", ""), "is not a folder"),
        (("verify", "lab:causal", "--out", ""), "is not a folder"),
        (("plan", "lab:causal", "--capability", "genbiaseval"), "not of capability"),
        (("verify", "lab:causal", "--margin", "nan"), "margin=nan is not a share of the questions"),
        (("verify", "lab:causal", "--capability", "genbiaseval"), "not of capability"),
    ],
)
def test_values_that_say_nothing_are_refused(
    run: Run, argv: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run(*argv)
    assert answer.code == 2
    assert said in answer.err
    assert not (tmp_path / "measurements").exists()
