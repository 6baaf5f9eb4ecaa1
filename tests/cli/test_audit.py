"""``evenhand audit``: JSON with stable keys, files that hold no row, exits, and commands that run."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis")

from evenhand.cli import main
from evenhand.lexicons import tone
from evenhand.testing.audits import SECRET
from tests.audits.made import people, where

REPRESENTATION = ("--sensitive", "sex", "--audits", "representation")
KEYS = {"name", "columns", "statistic", "p_value", "effect", "low", "high", "n", "finding"}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Men have the label more often, and are taller; women's heights are missing more often."""
    frame = people(n=2000)
    frame["y"] = np.where(where(frame, "m", 1, 0.3), 1, frame["y"])
    frame["height"] = (frame["height"] + np.where(frame["sex"] == "m", 12, 0)).mask(where(frame, "f", 2, 0.2))
    frame.to_csv(tmp_path / "people.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return "people.csv"


def asked(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict]:
    capsys.readouterr()
    code = main([*argv, "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out)


def test_the_keys_stay(table, capsys) -> None:
    code, found = asked(
        capsys, "audit", table, "--sensitive", "sex", "--target", "y", "--baseline", "f=0.5,m=0.5"
    )
    assert code == 0
    assert found["n"] == 2000
    assert all(one.keys() >= KEYS for one in found["audits"])
    rates = next(one for one in found["audits"] if one["name"] == "label_rates")
    assert rates["columns"] == ["sex", "y"]
    assert rates["state"] == "beyond"


def test_every_command_runs_and_its_audit_follows(table, capsys) -> None:
    _, found = asked(capsys, "audit", table, "--sensitive", "sex", "--target", "y")
    commands = {one["command"] for one in found["audits"] if one["command"]}
    assert len(commands) >= 4
    for command in commands:
        for written in Path().glob("*.parquet"):
            written.unlink()
        program, *argv = shlex.split(command)
        assert program == "evenhand"
        code, after = asked(capsys, *argv)
        assert code == 0, command
        assert (after["after"] is None) == ("--repair" not in argv)


def test_reweighing_makes_the_rates_equal(table, capsys) -> None:
    argv = [
        "audit",
        table,
        "--sensitive",
        "sex",
        "--target",
        "y",
        "--repair",
        "reweigh",
        "--out",
        "w.parquet",
    ]
    _, found = asked(capsys, *argv)
    before, after = (
        next(one for one in audits if one["name"] == "label_rates")
        for audits in (found["audits"], found["after"]["audits"])
    )
    assert before["effect"] > 0.15
    assert after["effect"] < 1e-9
    assert after["state"] == "within"
    assert main(argv) == 2  # what is there is never written over
    assert "is there already" in capsys.readouterr().err


def test_no_p_value_is_shown_as_0(tmp_path, monkeypatch, capsys) -> None:
    # 3000 of f have the label and 3000 of m have not: the p-value is below the smallest double.
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"sex": ["f", "m"] * 3000, "y": [1, 0] * 3000}).to_csv("a.csv", index=False)
    argv = ["--sensitive", "sex", "--target", "y", "--audits", "label_rates", "--html", "a.html"]
    assert main(["audit", "a.csv", *argv, "--repair", "spell", "--out", "b.csv"]) == 0
    table = capsys.readouterr().out.partition("After the repair")[2]
    assert re.search(r"label_rates +sex, y +1\.000 +1\.000 +below 1e-300", table)
    assert "p below 1e-300" in Path("a.html").read_text()


def test_pages_hold_no_row_and_are_not_written_over(table, capsys) -> None:
    argv = ["audit", table, "--sensitive", "sex", "--target", "y", "--html", "a.html", "--datasheet", "a.md"]
    assert main(argv) == 0
    for name in ("a.html", "a.md"):
        text = Path(name).read_text()
        assert SECRET not in text
        assert "label" in text
    assert "To be answered by the owner" in Path("a.md").read_text()
    assert SECRET not in capsys.readouterr().out
    Path("a.md").write_text(Path("a.md").read_text() + "An answer.")
    assert main(argv) == 2  # the owner's answers are kept
    assert "changed since evenhand wrote it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("beyond", 1),
        ("label_rates.effect>0.1", 1),
        ("label_rates>0.9", 0),
        ("label_rates.statistic<0", 0),
        ("label_balance.p_value<0.05", 3),
    ],
)
def test_a_pipeline_fails_on_what_it_says(table, capsys, condition, code) -> None:
    given, found = asked(
        capsys, "audit", table, "--sensitive", "sex", "--target", "y", "--fail-on", condition
    )
    assert given == code
    assert bool(found["failures"][0]["met"]) == (code == 1)


@pytest.mark.parametrize(
    ("more", "condition"),
    [
        (["--audits", "representation"], "label_rates.effect>0.01"),
        ([], "drift.effect>0.01"),
        (["--target", "y"], "label_balance.p_value<0.05"),
    ],
)
def test_what_did_not_run_or_has_no_figure_does_not_pass(table, capsys, more, condition) -> None:
    argv = ["audit", table, "--sensitive", "sex", *more, "--fail-on", condition]
    assert main(argv) == 3
    said = capsys.readouterr().out
    assert f"Not judged, {condition}: " in said
    assert "Passes" not in said


def test_a_corpus_without_a_document_passes_nothing(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_text("")
    assert main(["audit", "empty.txt", "--fail-on", "mentions.effect>0.1"]) == 3
    assert main(["audit", "empty.txt", "--fail-on", "beyond"]) == 3
    assert "Passes" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--fail-on", "nonsense"], "no condition to fail on"),
        (["--fail-on", "label_rate>1"], "Did you mean 'label_rates'"),
        (["--repair", "reweigh"], "go together"),
        (["--repair", "reweigh", "--out", "x.txt"], "ends in .parquet or .csv"),
        (["--repair", "rewiegh", "--out", "x.csv"], "Did you mean 'reweigh'"),
        (["--repair", "drop:columns=sex", "--out", "x.csv"], "other than the sensitive ones"),
        (["--bins", "height"], "are no bins"),
        (["--bins", "height=170", "--bins", "height=180"], "names the column height twice"),
        (["--profile", "x"], "no profile 'x'"),
        (["--sample", "99"], "sample=99 is not valid. Write a whole number from 100 to 1000000000"),
        (["--suppress", "-1"], "suppress=-1 is not valid. Write a whole number of at least 0"),
    ],
)
def test_mistakes_are_told(table, capsys, more, told) -> None:
    assert main(["audit", table, "--sensitive", "sex", "--target", "y", *more]) == 2
    assert told in capsys.readouterr().err
    assert not Path("x.csv").exists()


def test_texts_are_audited_and_augmented(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"He is a doctor in house {i}." for i in range(300)] + [
        f"She is a nurse in house {i}." for i in range(100)
    ]
    Path("a.txt").write_text("\n".join(lines))
    Path("b.jsonl").write_text('{"text": "It rains."}\nno json\n')
    _, found = asked(capsys, "audit", "a.txt", "b.jsonl", "--repair", "augment", "--out", "all.jsonl")
    assert found["n"] == 401
    assert any("1 lines of b.jsonl are no documents" in note for note in found["notes"])
    before, after = (
        {one["name"]: one for one in audits} for audits in (found["audits"], found["after"]["audits"])
    )
    # 300 and 100 of 400: half of |.75 - .5| + |.25 - .5|; with counterparts 400 and 400
    assert before["mentions"]["effect"] == pytest.approx(0.25)
    assert after["mentions"]["effect"] == 0
    assert before["counterfactuals"]["effect"] == 1
    assert after["counterfactuals"]["effect"] == 0


@pytest.mark.parametrize(
    "more",
    [
        *(("--sensitive", "sex"), ("--target", "y"), ("--missing", "x"), ("--against", "a.txt")),
        *(("--sample", "500"), ("--skip-broken",)),
    ],
)
def test_texts_have_no_columns(more, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text('{"text": "He is here."}')
    assert main(["audit", "a.jsonl", *more]) == 2
    said = capsys.readouterr().err
    assert f"{more[0]} is about tables, and this data set is texts" in said


def test_texts_are_scored_by_a_classifier_that_is_named(tmp_path, capsys, monkeypatch) -> None:
    # Of the word list's scores, 1 where a hurtful word stands: 60 of 100 texts about women, none about men.
    monkeypatch.chdir(tmp_path)
    word = min(tone()["hurtful"])
    lines = [f"She is {word if i < 60 else 'kind'} in house {i}." for i in range(100)]
    Path("a.txt").write_text("\n".join([*lines, *(f"He is kind in house {i}." for i in range(100))]))
    _, found = asked(capsys, "audit", "a.txt", "--classifier", "lexicon", "--audits", "toxicity")
    (one,) = found["audits"]
    assert one["effect"] == pytest.approx(0.6)
    assert one["state"] == "beyond"
    assert "--classifier lexicon" in one["command"]
    _, found = asked(capsys, "audit", "a.txt")
    assert any("toxicity was not tried: it needs a classifier" in note for note in found["notes"])
    code = main(["audit", "a.txt", "--classifier", "nothing"])
    assert code == 2
    assert "names no classifier" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more",
    [
        ["--html", "a.html", "--datasheet", "./a.html"],
        ["--html", "a.csv", "--repair", "deduplicate", "--out", "a.csv"],
        ["--datasheet", "a.csv", "--repair", "deduplicate", "--out", "sub/../a.csv"],
    ],
)
def test_two_results_are_not_written_to_one_file(table, capsys, more) -> None:
    Path("sub").mkdir()
    before = sorted(Path().iterdir())
    assert main(["audit", table, "--sensitive", "sex", *more]) == 2
    said = capsys.readouterr().err
    assert "both name" in said
    assert "Auditing" not in said
    assert sorted(Path().iterdir()) == before


def test_what_a_repair_refuses_it_refuses_before_the_audit(table, capsys) -> None:
    pd.read_csv(table).assign(Weight=1).to_csv("w.csv", index=False)
    argv = ["audit", "w.csv", "--sensitive", "sex", "--target", "y", "--repair", "reweigh", "--out", "x.csv"]
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert "has a column Weight already" in said
    assert "Auditing" not in said


def _repairing(folder: Path) -> subprocess.Popen[str]:
    """A process that writes a repaired table; returns once it writes."""
    import duckdb

    asked = "select i % 3 as sex, hash(i) as h, repeat('x', 40) as t from range(2000000) t(i)"
    duckdb.sql(f"copy ({asked}) to '{folder / 'a.parquet'}'")
    argv = [
        *REPRESENTATION,
        "--repair",
        "deduplicate",
        "--out",
        "out/b.csv",
    ]
    (folder / "out").mkdir()
    started = subprocess.Popen(
        [sys.executable, "-m", "evenhand", "audit", "a.parquet", *argv],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    while not any((folder / "out").iterdir()) and started.poll() is None:
        time.sleep(0.05)
    return started


def test_a_repair_that_is_stopped_says_so_and_leaves_nothing(tmp_path) -> None:
    started = _repairing(tmp_path)
    started.send_signal(signal.SIGTERM)
    said = started.communicate(timeout=120)[1]
    assert started.returncode == 130, said
    assert "Interrupted." in said
    assert "fault" not in said
    assert list((tmp_path / "out").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("evenhand")] == []


def test_what_a_killed_repair_leaves_the_next_one_removes(tmp_path) -> None:
    started = _repairing(tmp_path)
    started.kill()
    started.communicate(timeout=120)
    left = [path.name for path in (tmp_path / "out").iterdir()]
    assert len(left) == 1
    assert re.fullmatch(r"\.evenhand-[0-9a-f]{16}-\w{8}\.tmp", left[0])
    spilled = [path for path in tmp_path.iterdir() if path.name.startswith("evenhand-duckdb-")]
    assert len(spilled) == 1
    (tmp_path / "evenhand-duckdb-of-somebody").mkdir()
    (tmp_path / "out" / ".evenhand-mine.tmp").write_text("kept")
    argv = [
        *REPRESENTATION,
        "--repair",
        "drop:columns=t",
        "--out",
        "out/b.csv",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "evenhand", "audit", "a.parquet", *argv],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".evenhand-mine.tmp", "b.csv"]
    there = [path.name for path in tmp_path.iterdir() if path.name.startswith("evenhand")]
    assert there == ["evenhand-duckdb-of-somebody"]


def test_commands_run_whatever_columns_are_called(table, capsys) -> None:
    # The name of the new weights is taken, in other case; columns to leave out have bars and commas.
    frame = pd.read_csv(table).rename(columns={"height": "height|cm", "noise": "noise, any"})
    frame["noise, any"] = frame["height|cm"]
    frame.assign(Weight=1.0).to_csv("odd.csv", index=False)
    _, found = asked(capsys, "audit", "odd.csv", "--sensitive", "sex", "--target", "y", "--weights", "Weight")
    wanted = ("label_rates", "missingness", "proxies")
    commands = [
        one["command"] for one in found["audits"] if one["name"] in wanted and one["state"] == "beyond"
    ]
    assert any("column=weight_" in one for one in commands)
    assert any('drop:columns="height|cm"' in one for one in commands)
    assert any('drop:columns="noise, any"' in one for one in commands)
    for command in commands:
        for written in Path().glob("*.parquet"):
            written.unlink()
        code, _ = asked(capsys, *shlex.split(command)[1:])
        assert code == 0, command


def test_columns_groups_and_labels_may_hold_commas(table, capsys) -> None:
    frame = pd.read_csv(table).rename(columns={"sex": "sex, as told", "height": "height=cm"})
    frame["y"] = frame["y"].map({0: "no", 1: "yes, sure"})
    frame["sex, as told"] = frame["sex, as told"].map({"f": "she; her", "m": "he, him"})
    frame.to_csv("odd.csv", index=False)
    argv = ["audit", "odd.csv", "--audits", "representation,label_rates", "--target", "y"]
    argv += ["--sensitive", '"sex, as told"', "--positive", '"yes, sure"']
    argv += ["--baseline", '"sex, as told":"he, him"=0.5,"she; her"=0.5', "--bins", '"height=cm"=165|175']
    code, found = asked(capsys, *argv)
    assert code == 0
    shares, rates = found["audits"]
    assert (shares["columns"], [one["group"] for one in shares["groups"]]) == (
        ["sex, as told"],
        ["he, him", "she; her"],
    )
    assert rates["effect"] > 0.1
    command = shlex.split(rates["command"])
    assert main(command[1:]) == 0
    for wrong, told in (
        ("sex, as told", "There is no column 'sex' in odd.csv, but 'sex, as told'. Write a name that holds"),
        ('"sex, as told', "a double quote that is not closed"),
        ('"sex, as told"x', "is not one name in double quotes"),
    ):
        argv[argv.index("--sensitive") + 1] = wrong
        assert main(argv) == 2
        assert told in capsys.readouterr().err


def test_a_repair_writes_the_rows_that_are_not_shown(table, capsys) -> None:
    frame = pd.read_csv(table)
    frame.loc[:3, "sex"] = "x"
    frame.to_csv("few.csv", index=False)
    argv = ["audit", "few.csv", "--sensitive", "sex", "--target", "y", "--suppress", "10", "--repair"]
    _, found = asked(capsys, *argv, "reweigh", "--out", "few.parquet")
    assert (found["n"], found["after"]["n"]) == (1996, 1996)
    assert pd.read_parquet("few.parquet")["sex"].value_counts().to_dict() == {"m": 1000, "f": 996, "x": 4}
    # Equal shares are 4 of each, and 498 of f beside 500 of m would tell of 2 of x.
    for more in ([], ["--baseline", "f=0.498,m=0.5,x=0.002"]):
        code, found = asked(capsys, *argv, "balance", "--out", "small.csv", *more)
        assert code == 2
        assert "balance writes depends on groups that are not shown (x)" in found["error"]["what"]
        assert not Path("small.csv").exists()
    for spec in ("spell", "augment", "balance:by=label"):
        code, found = asked(capsys, *argv, spec, "--out", "small.csv")
        assert (code, Path("small.csv").exists()) == (2, False)
        assert f"What {spec} writes depends on groups that are not shown (x)" in found["error"]["what"]
    frame.loc[:19, "sex"] = "x"
    frame.loc[:14, "y"] = None  # too few with a label
    frame.to_csv("few.csv", index=False)
    code, found = asked(capsys, *argv, "balance", "--out", "small.csv")
    assert (code, "groups that are not shown (x)" in found["error"]["what"]) == (2, True)
    frame["y"] = frame["y"].fillna(1).astype(int)
    frame.to_csv("few.csv", index=False)
    _, found = asked(capsys, *argv, "balance", "--out", "even.csv", "--baseline", "f=0.49,m=0.5,x=0.01")
    assert "Balanced by group." in found["after"]["notes"]
    # Of 12 equal rows of each of two groups one remains, and nothing of it could be shown.
    pd.concat([frame.drop_duplicates("sex")[:2]] * 12).to_csv("few.csv", index=False)
    code, found = asked(capsys, *argv, "deduplicate", "--out", "small.csv")
    assert (code, Path("small.csv").exists()) == (2, False)
    assert found["error"]["what"].startswith("After deduplicate: No group of sex has 10 rows")
