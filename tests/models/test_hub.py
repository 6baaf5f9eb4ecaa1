"""The hub refuses, is slow, is gone: what is asked of it, how soon that is noticed, what the user is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from evenhand.errors import EnvironmentProblem
from evenhand.models import hub, loading
from evenhand.models.classifier import HfClassifier
from evenhand.testing import tiny
from tests.support.hub import COMMIT, REFUSALS, Hub, serving

TOKEN = "hf_a-secret-of-the-tests"
OPEN = """
import json, os, sys, time, urllib.request
from evenhand.errors import EvenhandError
from evenhand.models import hub
from evenhand.opening import open_model

def step(name, token):
    os.environ.pop("HF_TOKEN", None)
    if token:
        os.environ["HF_TOKEN"] = token
    try:
        urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/?next")
    except OSError:
        pass
    start = time.monotonic()
    try:
        model = open_model("hf:" + name)
        said = {"notes": model.notes(), "digest": model.spec.digest}
    except EvenhandError as error:
        said = {"error": type(error).__name__, "code": error.exit_code}
        said |= {"what": error.what, "mend": error.mend}
    return said | {"seconds": time.monotonic() - start}

for line in sys.stdin:
    hub._found.clear()  # as in a new process
    print(json.dumps([step(name, token) for name, token in json.loads(line)]), flush=True)
"""


Opening = Callable[[list[tuple[str, str]]], list[dict[str, Any]]]


@contextmanager
def opening(home: Path, url: str) -> Iterator[Opening]:
    """What opening a name with a token says, step by step, in a process with `home` as the hub's cache."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()}
    environment = kept | {"HF_HOME": str(home), "HF_ENDPOINT": url}
    errors = home.with_name(f"{home.name}-errors")
    with (
        errors.open("w+", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, "-c", OPEN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        to, of = process.stdin, process.stdout

        def opened(steps: list[tuple[str, str]]) -> list[dict[str, Any]]:
            to.write(json.dumps(steps) + "\n")
            to.flush()
            answer = of.readline()
            assert answer, errors.read_text(encoding="utf-8")
            assert TOKEN not in answer + errors.read_text(encoding="utf-8")
            found: list[dict[str, Any]] = json.loads(answer)
            return found

        yield opened


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The hub's address, and what each refused name says without and with a token."""
    steps = [(name, token) for token in ("", TOKEN) for name in REFUSALS]
    home = tmp_path_factory.mktemp("home")
    with serving(Hub()) as there, opening(home, there.url) as opened:
        said = opened(steps)
    n = len(REFUSALS)
    return there.url, dict(zip(REFUSALS, said[:n], strict=True)), dict(zip(REFUSALS, said[n:], strict=True))


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_found", {})


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a hub that nobody serves."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    return url


def test_every_refusal_without_a_token_says_how_to_get_one(refused) -> None:
    url, found, _ = refused
    for name, said in found.items():
        assert (said["error"], said["code"]) == ("BadModel", 2), (name, said)
        assert name in said["what"]
        assert "hf auth login" in said["mend"], (name, said)
        assert "HF_TOKEN" in said["mend"], (name, said)
    for name in ("org/gated", "org/gated401"):
        assert "is gated, and no token is set" in found[name]["what"]
        assert f"Accept its conditions on {url}/{name}" in found[name]["mend"]
    for name in ("org/private", "org/none", "org/bare404"):
        assert "The hub has no model" in found[name]["what"]
    for name in ("org/bare401", "org/bare403", "org/expired"):
        assert "without a token" in found[name]["what"], found[name]


def test_every_refusal_with_a_token_speaks_of_its_account_and_never_shows_it(refused) -> None:
    found = refused[2]
    assert all(one["error"] == "BadModel" and "hf auth" in one["mend"] for one in found.values())
    assert "the account of the token in use has no access" in found["org/gated"]["what"]
    assert "Accept its conditions" in found["org/gated"]["mend"]
    assert "the account of the token in use has no access" in found["org/private"]["mend"]
    assert "refuses the token in use" in found["org/expired"]["what"]
    assert "Renew it" in found["org/expired"]["mend"]
    assert "a token that may read it" in found["org/bare403"]["mend"]


def test_what_is_cached_opens_without_the_hub(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    tiny.module("llama").save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    home, name, pinned = tmp_path / "home", "org/tiny", f"org/tiny@{COMMIT}"
    home.mkdir()
    with ExitStack() as process:
        with serving(Hub({name: folder})) as there:
            opened = process.enter_context(opening(home, there.url))
            online, commit, again = opened([(name, ""), (pinned, ""), (pinned, "")])
        cached, same, absent = opened([(name, ""), (pinned, ""), ("org/other", "")])  # nobody serves it now
    assert online["notes"] == commit["notes"] == again["notes"] == []
    assert again["digest"] == commit["digest"] == online["digest"]
    assert there.asked.count("/?next") == 3
    assert there.asked[-1] == "/?next"  # a commit's files never change: nobody is asked
    assert cached["digest"] == same["digest"] == online["digest"]
    assert "may be older than the hub's" in cached["notes"][0]
    assert same["notes"] == []
    assert (absent["error"], absent["code"]) == ("EnvironmentProblem", 4)
    assert max(said["seconds"] for said in (same, absent)) < 5


def test_the_offline_mode_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EnvironmentProblem, match="HF_HUB_OFFLINE is set") as caught:
        loading.open_hf("org/other")
    assert caught.value.mend.startswith("Unset it")


def test_a_hub_that_nobody_serves_is_asked_once(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    put = hub._asked
    monkeypatch.setattr(hub, "_asked", lambda place: asked.append(place) or put(place))
    for _ in range(3):
        with pytest.raises(EnvironmentProblem, match="cannot be reached") as caught:
            loading.open_hf("org/name")
    assert asked == [nobody]
    assert "hf download org/name" in caught.value.mend
    with pytest.raises(EnvironmentProblem, match="cannot be reached") as caught:
        HfClassifier("org/classifier")
    assert "classifier=lexicon" in caught.value.mend
    assert asked == [nobody]


def test_a_hub_that_was_gone_is_tried_again_after_a_while(
    nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hub.unreachable()
    with serving(Hub()) as there:
        monkeypatch.setattr(constants, "ENDPOINT", there.url)
        monkeypatch.setattr(hub, "_found", {there.url: ("gone", time.monotonic())})
        assert hub.unreachable() == "gone"
        monkeypatch.setattr(hub, "FORGET", 0.0)
        assert hub.unreachable() == ""
        assert hub.unreachable() == ""
        assert there.asked == ["/"]  # that it answers is remembered


def test_a_hub_that_never_answers_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "TIMEOUT", 0.3)
    with serving(Hub(wait=3.0)) as there:
        monkeypatch.setattr(constants, "ENDPOINT", there.url)
        start = time.monotonic()
        assert hub.unreachable()
        assert time.monotonic() - start < 2


def test_a_look_up_without_an_end_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub as client

    monkeypatch.setattr(hub, "DEADLINE", 0.2)
    monkeypatch.delenv(hub.PATIENCE, raising=False)
    monkeypatch.setattr(client, "get_session", lambda: time.sleep(5))
    start = time.monotonic()
    assert "does not answer within" in hub.unreachable()
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(("given", "seconds"), [("30", 30.0), ("1", hub.DEADLINE), ("soon", hub.DEADLINE)])
def test_a_slow_network_may_be_given_more_time(
    given: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(hub.PATIENCE, given)
    assert hub._allowed() == seconds


@pytest.mark.parametrize("status", [407, 502, 503, 504])
def test_a_proxy_with_nobody_behind_it_is_no_hub(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub as client

    class Answer:
        status_code = status

    class Session:
        def head(self, place: str, timeout: float) -> Answer:
            return Answer()

    monkeypatch.setattr(client, "get_session", Session)
    assert hub.unreachable() == f"it answers {status}"


def test_a_password_in_the_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://user:{TOKEN}@127.0.0.1:9/hub")
    monkeypatch.setattr(hub, "_asked", lambda place: "no route")
    with pytest.raises(EnvironmentProblem) as caught:
        loading.open_hf("org/name")
    assert TOKEN not in str(caught.value)
    assert "http://127.0.0.1:9/hub" in caught.value.what
