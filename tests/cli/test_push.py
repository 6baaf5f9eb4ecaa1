"""``evenhand push`` to a hub on this machine, and ``evenhand report --card``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenhand.studies import store
from tests.publishing.receiving import Receiver, receiving
from tests.support import records_factory as make

hub_library = pytest.importorskip("huggingface_hub")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A hub that takes uploads, and the token that it knows; no other address is known to the library."""
    with receiving(Receiver()) as one:
        monkeypatch.setenv("HF_ENDPOINT", one.url)
        monkeypatch.setenv("HF_TOKEN", one.token)
        yield one


@pytest.fixture
def verified(tmp_path: Path) -> str:
    """A verification with an adapter beside it, as peft writes one."""
    store.save_verification(tmp_path / "run", make.verification())
    folder = tmp_path / "run" / "treatment"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    (folder / "adapter_model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    (folder / "key.txt").write_text("a key of the run's own")
    return "run"


def test_without_yes_nothing_is_asked(run, verified, hub) -> None:
    answer = run("push", verified, "me/treated")
    assert answer.code == 0
    assert "me/treated, private:" in answer.out
    assert "Nothing was uploaded. To upload it, add --yes." in answer.out
    assert hub.asked == []


def test_with_yes_the_hub_holds_the_weights_and_the_card(run, verified, hub) -> None:
    answer = run("push", verified, "me/treated", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["address"].startswith(hub.url)
    assert hub.private == {"me/treated": True}
    held = hub.files["me/treated"]
    assert sorted(held) == ["README.md", "adapter_config.json", "adapter_model.safetensors"]
    assert {path: len(data) for path, data in held.items()} == answer.json["files"]
    assert held["adapter_model.safetensors"] == b"\x08\0\0\0\0\0\0\0{}      "
    read = hub_library.ModelCard(held["README.md"].decode())
    assert read.data.library_name == "peft"
    assert "**Verdict: mitigated.**" in read.text


def test_public_when_asked(run, verified, hub) -> None:
    assert run("push", verified, "me/treated", "--yes", "--public").code == 0
    assert hub.private == {"me/treated": False}


def test_a_public_repository_takes_no_private_release(run, verified, hub) -> None:
    hub.private["me/treated"], hub.files["me/treated"] = False, {}
    answer = run("push", verified, "me/treated", "--yes")
    assert answer.code == 4
    assert "exists and is public; nothing was uploaded" in answer.err
    assert hub.files["me/treated"] == {}


def test_a_wrong_token_makes_nothing(run, verified, hub) -> None:
    hub.token = "another"
    answer = run("push", verified, "me/treated", "--yes")
    assert answer.code == 4
    assert "hf auth login" in answer.err
    assert hub.private == {}


def test_pickled_weights_are_refused(run, verified, hub) -> None:
    Path("run/treatment/adapter_model.bin").write_bytes(b"x")
    answer = run("push", verified, "me/treated", "--yes")
    assert answer.code == 2
    assert "runs code when it is read" in answer.err
    assert hub.asked == []


def test_a_treatment_of_other_weights_is_refused(run, verified, hub) -> None:
    card = {"kind": "adapter", "about": {"method": "lftf", "base": "ff" * 32, "seed": 0}}
    Path("run/treatment/mitigation.json").write_text(json.dumps(card))
    answer = run("push", verified, "me/treated")
    assert answer.code == 2
    assert "was fitted to other weights" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "treated"), "Write OWNER/NAME"),
        (("run", "me/treated", "--weights", "nowhere"), "is no folder of weights"),
        (("run", "me/treated", "--weights", "run/items"), "holds no *.safetensors"),
        (("nowhere", "me/treated"), "nowhere"),
    ],
)
def test_mistakes(run, verified, words, said) -> None:
    answer = run("push", *words)
    assert answer.code == 2
    assert said in answer.err


def test_the_card_without_a_hub(run, verified) -> None:
    assert run("report", verified, "--card", "out/README.md").out == "Card: out/README.md\n"
    text = Path("out/README.md").read_text(encoding="utf-8")
    assert "**Verdict: mitigated.**" in hub_library.ModelCard(text).text
    assert run("report", verified, "--card", "out/README.md", "--json").json["eval_results"] == []
    Path("mine.md").write_text("my own words")
    answer = run("report", verified, "--card", "mine.md")
    assert answer.code == 2
    assert Path("mine.md").read_text() == "my own words"
