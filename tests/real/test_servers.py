"""Servers that others wrote, started here with the lab's model: what they answer is what the model answers.

`make parts` installs transformers' own server. The others are tried by ``make servers``, or where one is
installed by naming its Python:

    EVENHAND_LLAMA_CPP=/path/to/python python -m pytest -m real_server tests/real/test_servers.py -k llama
    EVENHAND_VLLM=/path/to/python python -m pytest -m real_server tests/real/test_servers.py -k vllm
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evenhand.models.causal import CausalModel
from evenhand.opening import open_model
from evenhand.records import Sampling
from tests.support.asking import generated
from tests.support.data import data_file
from tests.support.gguf_file import write
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
STARTED_WITHIN = 600  # seconds; vLLM takes minutes on two cores
CLOSE = 1e-3  # nats, between our log-probabilities and a server's
SUBJECTS = ("nurse", "doctor", "carpenter", "teacher", "lawyer", "cleaner", "driver", "secretary")
PROMPTS = [
    f"The {who} {did}" for who in SUBJECTS for did in ("smiled because", "sat down slowly because", "put")
]
GREEDY = Sampling(max_tokens=12)
CHAT = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %} because"
"""A template of chats that the lab's model has an answer to."""


@dataclass(frozen=True)
class Kind:
    """A server: where its Python is, how it is started on a port, and where it says that it is ready."""

    name: str
    variable: str  # names the Python that has it; empty for this one
    module: str  # that Python must be able to import it
    command: Callable[[str, int], list[str]]
    ready: str
    options: str = ""  # what is added to its address, so that its own defaults do not change what is drawn


@dataclass(frozen=True)
class Running:
    """A server that runs: its address, what it writes, and the folder of its models."""

    kind: Kind
    url: str
    log: Path
    folder: Path

    def uri(self, name: str = "plain", options: str = "", api: str = "completions") -> str:
        return f"openai:{self.url}/v1?api={api}&timeout=300&cache=no{self.kind.options}{options}#{name}"


def _transformers(python: str, port: int) -> list[str]:
    place = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    return [python, "-m", "transformers.cli.transformers", "serve", *place]


def _llama_cpp(python: str, port: int) -> list[str]:
    model = ["--model", "plain.gguf", "--model_alias", "plain", "--n_ctx", "256", "--logits_all", "true"]
    exact = ["--type_k", "0", "--type_v", "0"]  # keys and values in 32 bits; by default they have 16
    place = ["--host", "127.0.0.1", "--port", str(port)]
    return [python, "-m", "llama_cpp.server", *model, *exact, *place]


def _vllm(python: str, port: int) -> list[str]:
    model = ["./plain", "--served-model-name", "plain", "chat", "--dtype", "float32", "--enforce-eager"]
    model += ["--chat-template", "chat/chat_template.jinja"]
    program = str(Path(python).with_name("vllm"))
    return [program, "serve", *model, "--host", "127.0.0.1", "--port", str(port)]


TRANSFORMERS = Kind("transformers", "", "openai", _transformers, "/health")
LLAMA_CPP = Kind(
    "llama_cpp", "EVENHAND_LLAMA_CPP", "llama_cpp.server", _llama_cpp, "/v1/models", "&also=repeat_penalty:1"
)
VLLM = Kind("vllm", "EVENHAND_VLLM", "vllm", _vllm, "/health")
_REAL = pytest.param(TRANSFORMERS, marks=pytest.mark.real)
_OTHERS = [pytest.param(kind, marks=pytest.mark.real_server) for kind in (LLAMA_CPP, VLLM)]

every = pytest.mark.parametrize("server", [_REAL, *_OTHERS], indirect=True, ids=lambda kind: kind.name)
scoring = pytest.mark.parametrize("server", _OTHERS, indirect=True, ids=lambda kind: kind.name)
without_scores = pytest.mark.parametrize("server", [_REAL], indirect=True, ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's model as a folder, as one that says that texts are drawn, as one that takes chats, and as a
    file for llama.cpp."""
    made = tmp_path_factory.mktemp("models")
    model = open_model("lab:causal")
    assert isinstance(model, CausalModel)
    for name in ("plain", "drawn"):
        model.module.save_pretrained(made / name)
        model.tokenizer.save_pretrained(made / name)
    settings = made / "drawn" / "generation_config.json"
    told = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps({**told, "do_sample": True, "top_k": 0}), encoding="utf-8")
    model.module.save_pretrained(made / "chat")
    chatting = copy.deepcopy(model.tokenizer)
    chatting.chat_template = CHAT
    chatting.save_pretrained(made / "chat")
    # Of llama.cpp's byte-level tokenizers, this one takes whole words from the list before it merges parts.
    write(made / "plain.gguf", model.module, chatting, words="llama-bpe")
    return made


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Running]:
    kind: Kind = request.param
    python = os.environ.get(kind.variable, "") if kind.variable else sys.executable
    if not python:
        pytest.skip(f"{kind.variable} names no Python that has {kind.module}; `make servers` installs it")
    tried = subprocess.run([python, "-c", f"import {kind.module}"], capture_output=True, check=False)
    assert tried.returncode == 0, f"{python} cannot import {kind.module}: `make parts` installs it"
    port = free_port()
    log = folder / f"{kind.name}.log"
    told = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    told |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    with log.open("w", encoding="utf-8") as written:
        running = subprocess.Popen(
            kind.command(python, port),
            cwd=folder,
            env=told,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(running, f"{url}{kind.ready}", log)
        yield Running(kind, url, log, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)  # with the processes that it started
        running.wait()


def _wait(running: subprocess.Popen[bytes], address: str, log: Path) -> None:
    for _ in range(2 * STARTED_WITHIN):
        assert running.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-4000:]
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.5)
    raise AssertionError(
        f"{address} did not answer: {log.read_text(encoding='utf-8', errors='replace')[-4000:]}"
    )


def measured(uri: str, *more: str) -> subprocess.CompletedProcess[str]:
    """`evenhand measure` in a process of its own, as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "evenhand", "measure", uri, *more, "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def items(uri: str, out: Path, *more: str) -> tuple[pd.DataFrame, list[str]]:
    """The scores of every item, and the notes."""
    done = measured(uri, *more, "--out", str(out))
    assert done.returncode == 0, done.stderr
    [path] = (out / "items").glob("*.parquet")
    [measurement] = json.loads(done.stdout)["measurements"]
    return pd.read_parquet(path).set_index("sample"), measurement["notes"]


def prompts(path: Path) -> Path:
    path.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS), encoding="utf-8")
    return path


@every
def test_greedy_texts_are_the_models_own(server: Running) -> None:
    own: Any = open_model(f"hf:{server.folder}/plain")
    there: Any = open_model(server.uri())
    found = generated(there, PROMPTS, GREEDY)
    assert [one.text for one in found] == [one.text for one in generated(own, PROMPTS, GREEDY)]
    assert len({one.text for one in found}) > 3


@every
def test_answers_in_a_chat_are_the_models_own(server: Running) -> None:
    own: Any = open_model(f"hf:{server.folder}/chat")
    there: Any = open_model(server.uri("chat", api="chat"))
    asked = [f"The {who} {did}" for who in SUBJECTS for did in ("smiled", "sat down slowly", "left")]
    found = generated(there, asked, GREEDY)
    assert [one.text for one in found] == [one.text for one in generated(own, asked, GREEDY, chat=True)]
    assert len({one.text for one in found}) > 3


@every
def test_figures_of_generated_texts_are_the_models_own(server: Running, tmp_path: Path) -> None:
    asked = ("-b", "stereoset:form=prompted,data=lab", "--limit", "40")
    there, notes = items(server.uri(), tmp_path / "there", *asked)
    here, own = items(f"hf:{server.folder}/plain", tmp_path / "here", *asked)
    pd.testing.assert_frame_equal(there, here)
    assert any("For example: " in note for note in own)  # texts, of those that name no option
    assert set(own) <= set(notes)
    assert any("known to its server only" in note for note in notes)


@every
def test_figures_of_honest_are_the_models_own(server: Running, tmp_path: Path) -> None:
    data_file("honest/binary/en_template.tsv")
    data_file("hurtlex/hurtlex_EN.tsv")
    asked = ("-b", "honest:k=1,temperature=0", "--limit", "60")
    there, _ = items(server.uri(), tmp_path / "there", *asked)
    here, _ = items(f"hf:{server.folder}/plain", tmp_path / "here", *asked)
    pd.testing.assert_frame_equal(there, here)
    assert here["value.honest"].min() < here["value.honest"].max()


@scoring
def test_log_probabilities_are_the_models_own(server: Running, tmp_path: Path) -> None:
    asked = ("-b", "genbiaseval", "--limit", "60")
    there, notes = items(server.uri(), tmp_path / "there", *asked)
    here, _ = items(f"hf:{server.folder}/plain", tmp_path / "here", *asked)
    pd.testing.assert_frame_equal(there, here, rtol=0, atol=CLOSE)
    names = [name for name in here if name.startswith("value.p.")]
    apart = (np.log(there[names]) - np.log(here[names])).abs()
    print(f"{server.kind.name}: {apart.size} log-probabilities, at most {apart.max().max():.1e} nats apart")
    assert apart.max().max() < CLOSE
    assert any("Generated and echoed log-probabilities agreed" in note for note in notes)


@without_scores
def test_log_probabilities_are_refused_before_any_item_is_asked(server: Running) -> None:
    before = server.log.read_text(encoding="utf-8").count("POST /v1/completions")
    done = measured(server.uri(), "-b", "genbiaseval", "--limit", "60")
    assert done.returncode == 2
    assert "cannot be used: the answer holds no log-probabilities" in done.stderr
    assert "Use a benchmark of generated text there" in done.stderr
    assert server.log.read_text(encoding="utf-8").count("POST /v1/completions") == before + 1


@without_scores
def test_a_temperature_that_is_ignored_is_said(server: Running, tmp_path: Path) -> None:
    file = prompts(tmp_path / "prompts.jsonl")
    asked = ("-b", f"toxicity:file={file},classifier=lexicon,k=3,temperature=1,max_tokens=12")
    for name, ignored in (("plain", True), ("drawn", False)):
        uri = server.uri(name, "&send=temperature,top_p,seed")
        _, notes = items(uri, tmp_path / name, *asked)
        assert any("seems to ignore the temperature" in note for note in notes) is ignored


@every
def test_an_unknown_model_is_refused_in_one_line(server: Running) -> None:
    file = prompts(server.folder / "prompts.jsonl")
    done = measured(
        server.uri("nobody/there", "&retries=0"), "-b", f"toxicity:file={file},classifier=lexicon"
    )
    if server.kind is LLAMA_CPP:  # it answers with the model that it has, whatever the name
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode in (2, 4), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\nevenhand: ") <= 1
