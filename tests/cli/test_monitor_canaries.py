"""``evenhand monitor canaries`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.cli import main
from evenhand.monitor import canaries, chain
from evenhand.monitor.canaries import Found
from evenhand.monitor.store import open_store

ENDPOINT = "openai:http://127.0.0.1:9/v1?api=completions#m"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENHAND_MONITOR_DATA", str(tmp_path))


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["monitor", "canaries", "ls", "--json"]) == 0
    return list(json.loads(capsys.readouterr().out)["canaries"])


def test_a_canary_from_adding_to_stopping(tmp_path, capsys, monkeypatch) -> None:
    add = ["monitor", "canaries", "add", ENDPOINT, "-b", "counterfactual", "--use-case", "loans"]
    assert main([*add, "--hours", "6", "--limit", "4"]) == 0
    (one,) = listed(capsys)
    assert (one["what"], one["hours"], one["limit"], one["last"]) == ("counterfactual", 6.0, 4, None)
    monkeypatch.setattr(canaries, "measured", lambda probe: Found({}, {"flips": (4, 0.5, 0.1, 0.9)}))
    assert main(["monitor", "canaries", "run"]) == 0
    assert "Canary 1: measured" in capsys.readouterr().out
    assert main(["monitor", "canaries", "run"]) == 0
    assert "Nothing is due" in capsys.readouterr().out
    (one,) = listed(capsys)
    assert (one["last"] is None, one["failure"]) == (False, None)
    assert main(["monitor", "canaries", "stop", "1"]) == 0
    assert main(["monitor", "canaries", "stop", "1"]) == 2  # it is stopped already
    assert "There is no canary named '1'" in capsys.readouterr().err
    assert listed(capsys) == []
    store = open_store(tmp_path)
    with store.reading() as connection:
        said = [(e["kind"], json.loads(e["content"])) for e in chain.entries(connection)]
    assert [kind for kind, _ in said] == ["probe", "canary", "probe"]
    assert all(content["by"].startswith("command line") for kind, content in said if kind == "probe")
    assert (said[0][1]["benchmark"], said[2][1]["stopped"]) == ("counterfactual", True)
    store.close()


def test_a_run_that_failed_says_why_and_gives_no_figure(tmp_path, capsys) -> None:
    """The endpoint is real, and nobody answers there."""
    add = ["monitor", "canaries", "add", ENDPOINT.replace("#", "&retries=0#"), "-b", "counterfactual"]
    assert main([*add, "--limit", "1"]) == 0
    capsys.readouterr()
    assert main(["monitor", "canaries", "run", "--json"]) == 3
    (row,) = json.loads(capsys.readouterr().out)["ran"]
    assert row["failure"]
    assert listed(capsys)[0]["failure"] == row["failure"]
    store = open_store(tmp_path)
    assert canaries.cells(store, 1) == []
    store.close()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["lab:causal", "-b", "counterfactual"], "is no endpoint"),
        ([ENDPOINT, "-b", "nothing"], "no benchmark named 'nothing'"),
        ([ENDPOINT, "-b", "counterfactual", "--hours", "0"], "cannot run every 0 hours"),
        ([ENDPOINT, "-b", "counterfactual", "-b", "nothing"], "no benchmark named 'nothing'"),
        ([ENDPOINT, "-b", "counterfactual", "--use-case", ""], "'' cannot be the use case"),
        (["openai:http://127.0.0.1:9/v1#m", "-b", "counterfactual"], "with ?api=completions before the #"),
    ],
)
def test_what_cannot_be_asked_is_refused(more: list[str], said: str, capsys) -> None:
    assert main(["monitor", "canaries", "add", *more]) == 2
    assert said in capsys.readouterr().err
    assert listed(capsys) == []


def test_several_benchmarks_are_several_canaries_and_none_is_asked_twice(capsys) -> None:
    add = ["monitor", "canaries", "add", ENDPOINT, "-b", "counterfactual"]
    assert main([*add, "-b", "genbiaseval", "-b", "counterfactual"]) == 0
    assert [one["what"] for one in listed(capsys)] == ["counterfactual", "genbiaseval"]
    assert main([*add[:-1], "genhinteval", "-b", "counterfactual"]) == 2  # and the first is not added either
    assert len(listed(capsys)) == 2
    assert main([*add, "--hours", "1"]) == 2
    assert "evenhand monitor canaries stop 1" in capsys.readouterr().err
    assert main([*add, "--limit", "9"]) == 0  # fewer items are another question
    assert main(["monitor", "canaries", "stop", "1"]) == 0
    assert main([*add, "--hours", "1"]) == 0
    assert len(listed(capsys)) == 3
