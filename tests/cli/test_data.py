"""``evenhand data``: what is listed, fetched, checked and found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evenhand import sources
from evenhand.sources import pulling
from tests.cli.conftest import Run
from tests.support.data import data_file

NAME = "crows_pairs/crows_pairs_anonymized.csv"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own data folder with one right file in it, and nothing else on this machine."""
    original = data_file(NAME)
    made = tmp_path / "mine"
    (made / "crows_pairs").mkdir(parents=True)
    shutil.copy(original, made / NAME)
    monkeypatch.delenv(sources.VARIABLE)
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / "cache"))
    return made


def test_ls_names_every_data_set(run: Run) -> None:
    answer = run("data", "ls")
    assert answer.code == 0
    for name in ("crows_pairs", "stereoset", "bbq", "CC BY-SA 4.0"):
        assert name in answer.out


def test_ls_as_json_says_where(run: Run, folder: Path) -> None:
    data = run("data", "ls", "crows_pairs", "--data-dir", str(folder), "--json").json
    (row,) = data["files"]
    assert row["path"] == str(folder / NAME)
    assert (row["rows"], row["bytes"], row["copied"]) == (1508, 437764, False)
    assert data["folders"][0] == str(folder)
    assert run("data", "ls", "crows_pairs", "--json").json["files"][0]["path"] is None
    assert "nyu-mll" in run("data", "ls", "crows_pairs").out


def test_path(run: Run, folder: Path) -> None:
    assert run("data", "path", NAME, "--data-dir", str(folder)).out == f"{folder / NAME}\n"
    assert run("data", "path", "crows_pairs", "--data-dir", str(folder), "--json").json["files"] == {
        NAME: str(folder / NAME)
    }
    absent = run("data", "path", NAME)
    assert absent.code == 2
    assert f"evenhand data pull {NAME}" in absent.err
    assert "evenhand data pull bold." in run("data", "path", "bold").err  # all five at once


def test_verify_counts_right_wrong_and_missing(run: Run, folder: Path, monkeypatch) -> None:
    monkeypatch.setenv(sources.VARIABLE, str(folder))
    answer = run("data", "verify")
    assert answer.code == 0
    assert "1 right, 0 wrong, " in answer.out
    assert run("data", "verify", "crows_pairs", "--json").json["files"] == {NAME: "right"}
    assert run("data", "verify", "crows_pairs", "adult/adult.data").code == 3
    (folder / NAME).write_text("nothing of the kind")
    wrong = run("data", "verify", "crows_pairs")
    assert wrong.code == 2
    assert "crows_pairs_anonymized.csv.quarantined" in wrong.err
    assert "0 right, 1 wrong, 0 not here" in wrong.out


def test_pull_fetches_what_is_named(run: Run, folder: Path, monkeypatch) -> None:
    asked = []

    def pull(wanted):
        asked.append(wanted.name)
        return folder / wanted.name

    monkeypatch.setattr(pulling, "pull", pull)
    assert run("data", "pull", "crows_pairs").out == f"{folder / NAME}\n"
    assert run("data", "pull", NAME, "crows_pairs", "--json").json["files"] == {NAME: str(folder / NAME)}
    assert asked == [NAME, NAME]
    nothing = run("data", "pull")
    assert nothing.code == 2
    assert "evenhand data ls" in nothing.err


def test_an_unknown_name(run: Run) -> None:
    answer = run("data", "path", "crows_pair")
    assert answer.code == 2
    assert "Did you mean 'crows_pairs'" in answer.err


def test_the_folder_is_forgotten_when_the_command_ends(run: Run, folder: Path) -> None:
    run("data", "path", NAME, "--data-dir", str(folder))
    assert folder not in sources.folders()
    assert run("data", "ls", "--data-dir", str(folder / "nowhere")).code == 2
