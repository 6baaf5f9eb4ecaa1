"""``--suppress`` beside an adversary: all that a run writes is the same, whatever the hidden rows are.

What does not change with the hidden rows tells nothing of them, not by subtraction and not by search. So each
case is a pair of data sets that differ in hidden rows alone.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ibis.backends.duckdb")

import evenhand
from evenhand.cli import main
from evenhand.errors import UsageError

LEAST = "10"
Pair = tuple[pd.DataFrame, pd.DataFrame]


def shown(n: int = 240) -> pd.DataFrame:
    """Rows of two sexes and two races, none of which is hidden."""
    i = np.arange(n)
    return pd.DataFrame(
        {
            "sex": np.where(i % 5 < 3, "A", "B"),
            "race": np.where(i % 4 < 2, "x", "y"),
            "hired": np.where(i % 3 == 0, "yes", "no"),
            "height": 150 + i * 7 % 40,
            "job": np.where(i % 6 == 0, "", "any"),
        }
    )


def more(rows: int, **values: Any) -> pd.DataFrame:
    """Further rows, of which the named columns are as given."""
    return pd.concat([shown(), shown(rows).assign(**values)], ignore_index=True)


def a_group() -> Pair:
    return more(3, sex="C", hired="no", height=250), more(8, sex="C", hired="yes", height=10)


def rows_without_a_value() -> Pair:
    return more(4, race="", hired="no"), more(9, race="NA", hired="yes", job="")


def an_intersection() -> Pair:
    return more(1, sex="A", race="z"), more(7, sex="A", race="z", hired="yes")


def a_group_without_another_value() -> Pair:
    # 40 rows have no race, all of B but a few.
    rest = more(40, sex="B", race="")
    return tuple(pd.concat([rest, more(k, sex="A", race="")[240:]]) for k in (2, 7))  # type: ignore[return-value]


def another_spelling() -> Pair:
    return more(2, sex="a"), more(9, sex="a", hired="yes")


def intersections_in_number() -> Pair:
    # 24 races of 10, of each 5 of either sex: two rows change places, and with them two intersections.
    frame = shown().assign(race=[f"r{i % 24:02}" for i in range(240)], job="any", height=1, hired="no")
    frame["sex"] = np.where(np.arange(240) // 24 % 2, "A", "B")
    frame.loc[frame.index % 2 == 0, "hired"] = "yes"
    other = frame.copy()
    first, second = other.index[other["race"] == "r00"][0], other.index[other["race"] == "r02"][1]
    assert set(other.loc[[first, second], "sex"]) == {"A", "B"}
    other.loc[[first, second], "sex"] = other.loc[[second, first], "sex"].to_numpy()
    return frame, other


TABLES: Sequence[Callable[[], Pair]] = (
    a_group,
    rows_without_a_value,
    an_intersection,
    a_group_without_another_value,
    another_spelling,
    intersections_in_number,
)
OPTIONS: Sequence[Sequence[str]] = (
    ("--target", "hired"),
    ("--target", "height", "--positive", "median"),
    ("--target", "hired", "--weights", "height", "--baseline", "sex:A=0.5,B=0.4,C=0.1"),
)
ASKED = ("--sensitive", "sex,race", "--suppress", LEAST)
COUNTED = "representation,label_rates,impact_ratio,missingness,spellings,label_balance"
REPAIRS = ("reweigh", "balance", "balance:by=label", "spell", "augment", "deduplicate", "drop:columns=job")


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """The exit code and all that a run writes, without when it was made."""
    capsys.readouterr()
    code = main([*argv, "--html", "a.html", "--datasheet", "a.md", "--json"])
    out = capsys.readouterr().out
    texts = [json.dumps({k: v for k, v in json.loads(out).items() if k != "made_by"}, indent=1)]
    for path in map(Path, ("a.html", "a.md")):
        if path.exists():
            texts.append(path.read_text())
            path.unlink()
    every = "\n".join(texts)
    return code, re.sub(r"(Written by|<dt>Made by|evenhand:sha256|sha256).*", "", every)


def compared(capsys: pytest.CaptureFixture[str], pair: Pair, argv: Sequence[str], repair: str) -> str:
    """What is told of both data sets, which is the same, as are the weights of rows that are shown."""
    found, weights = [], []
    for frame in pair:
        frame.to_csv("a.csv", index=False)
        frame.to_csv("b.csv", index=False)
        more = ["--repair", repair, "--out", "new.csv"] if repair else []
        found.append(told(capsys, "audit", "a.csv", *argv, *more))
        if repair == "reweigh" and Path("new.csv").exists():
            weights.append(pd.read_csv("new.csv")["weight"][: len(shown())].tolist())
        Path("new.csv").unlink(missing_ok=True)
    assert found[0] == found[1]
    assert weights[:1] == weights[1:]
    return found[0][1]


@pytest.mark.parametrize("case", TABLES, ids=lambda one: one.__name__)
def test_nothing_that_is_written_of_a_table_tells_of_hidden_rows(case, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    pair = case()
    page = compared(capsys, pair, [*ASKED, *OPTIONS[0], "--audits", COUNTED], "")
    assert "left out of every figure" in page or "is not shown" in page
    repair = "deduplicate" if case is a_group_without_another_value else "reweigh"
    compared(capsys, pair, [*ASKED, *OPTIONS[0], "--audits", COUNTED], repair)


@pytest.mark.slow
@pytest.mark.parametrize("case", TABLES, ids=lambda one: one.__name__)
def test_no_option_and_no_repair_tells_of_hidden_rows(case, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    pair = case()
    for options in OPTIONS[: 1 if case is intersections_in_number else None]:
        compared(capsys, pair, [*ASKED, *options, "--against", "b.csv"], "")
    for repair in REPAIRS:
        compared(capsys, pair, [*ASKED, *OPTIONS[0]], repair)


@pytest.mark.parametrize("case", [rows_without_a_value, another_spelling, intersections_in_number])
def test_no_finding_advises_what_the_same_run_refuses(case, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    frame = case()[1]
    frame.assign(height=range(len(frame))).to_csv("a.csv", index=False)
    argv = ["audit", "a.csv", *ASKED, "--target", "hired", "--audits", COUNTED, "--json"]
    capsys.readouterr()
    assert main(argv) == 0
    findings = json.loads(capsys.readouterr().out)["audits"]
    commands = {one["command"] for one in findings if "--repair" in one["command"]}
    for command in commands:
        for path in Path().glob("*.parquet"):
            path.unlink()
        assert main(shlex.split(command)[1:]) == 0, command
    (first, *_) = [one for one in findings if one["name"] == "representation"]
    assert "--repair" not in first["command"]
    assert "--repair balance is refused here: What balance writes depends on" in first["mend"]


def documents(few: int, several: int, foreign: int) -> list[str]:
    made = [f"The christian doctor of house {i} is with the child." for i in range(150)]
    made += [f"The jewish nurse of house {i} is with the child." for i in range(80)]
    made += [f"There is the house {i}." for i in range(40)]
    made += [f"Das ist nicht der Mann und die Frau {i}." for i in range(foreign)]
    made += [f"The jewish and the christian man of house {i}" for i in range(several)]
    return made + [f"The muslim nurse and doctor of house {i} {'is' * few}." for i in range(few)]


@pytest.mark.parametrize(
    ("first", "second"), [((4, 0, 0), (9, 0, 0)), ((0, 3, 0), (0, 8, 0)), ((4, 12, 0), (9, 12, 0))]
)
def test_nothing_that_is_written_of_texts_tells_of_hidden_documents(
    first, second, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = ["audit", "a.txt", "--attribute", "religion", "--classifier", "lexicon", "--suppress", LEAST]
    for repair in ([], ["--repair", "augment", "--out", "new.jsonl"]):
        found = []
        for few in (first, second):
            Path("a.txt").write_text("\n".join(documents(*few)))
            found.append(told(capsys, *argv, *repair))
            Path("new.jsonl").unlink(missing_ok=True)
        assert found[0] == found[1]


def test_a_rare_language_is_in_no_figure_of_its_own(tmp_path, monkeypatch, capsys) -> None:
    # 4 German documents among 274: English and German are one, and which share is not English is not told.
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("\n".join(documents(0, 0, 4)))
    argv = ["audit", "a.txt", "--attribute", "religion", "--audits", "languages", "--suppress", LEAST]
    code, page = told(capsys, *argv)
    assert code == 0
    assert "languages: not shown" in page
    Path("a.txt").write_text(
        "\n".join([*documents(0, 0, 4), *(f"Le chat est dans les {i}" for i in range(12))])
    )
    _, page = told(capsys, *argv)
    found = json.loads(page.partition("<!")[0])["audits"][0]
    assert {one["group"]: one["n"] for one in found["groups"]} == {
        "English": 270,
        "(all others)": 16,
        "German": None,
        "French": None,
    }
    assert (found["n"], found["effect"]) == (286, 16 / 286)


@pytest.mark.parametrize("attribute", ["religion", "gender"])
def test_texts_are_advised_no_repair_that_is_refused(attribute, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    texts = documents(0, 0, 0) if attribute == "religion" else [f"He is here {i}." for i in range(99)]
    Path("a.txt").write_text("\n".join([*texts, *(f"She is in {i}." for i in range(20))]))
    capsys.readouterr()
    argv = ["audit", "a.txt", "--attribute", attribute]
    assert main([*argv, "--json"]) == 0
    commands = {one["command"] for one in json.loads(capsys.readouterr().out)["audits"]}
    assert any("--repair augment" in one for one in commands) == (attribute == "gender")
    for command in commands:
        Path("augmented.jsonl").unlink(missing_ok=True)
        assert main(shlex.split(command)[1:]) == 0, command


def repeated(different: int, **values: Any) -> pd.DataFrame:
    """240 rows that are shown and differ, and 12 more of such values, of which some differ."""
    frame = shown().assign(number=range(240))
    rows = shown(12).assign(number=[1000 + i % different for i in range(12)], race="x", hired="no", job="any")
    return pd.concat([frame, rows.assign(height=150, **values)], ignore_index=True)


REPEATED: Sequence[Any] = (
    {"sex": "C"},  # a group
    {"sex": "A", "race": "z"},  # one of an attribute, and of the intersection
    pytest.param({"sex": "A", "race": ""}, marks=pytest.mark.slow),  # rows without a value
)


def by_subtraction(before: dict[str, Any], after: dict[str, Any]) -> int:
    """What is left of the rows after one of each was kept, less those that the audit after it shows."""
    (copies,) = [one for one in before["audits"] if one["name"] == "duplicates" and one["columns"] == ["sex"]]
    repeat = re.match(r"(\d+) of (\d+) rows repeat another one", copies["finding"])
    assert repeat is not None
    return int(repeat[2]) - int(repeat[1]) - after["n"]


@pytest.mark.parametrize("values", REPEATED, ids=str)
def test_what_a_repair_leaves_of_a_group_does_not_follow_from_two_audits(
    values, tmp_path, monkeypatch, capsys
) -> None:
    from evenhand.studies import advising, repairing

    monkeypatch.chdir(tmp_path)
    argv = ["audit", "a.csv", *ASKED, "--target", "hired", "--repair", "deduplicate", "--out", "new.csv"]
    found = []
    for different in (3, 7):
        repeated(different, **values).to_csv("a.csv", index=False)
        found.append(told(capsys, *argv))
        with pytest.raises(UsageError, match="of which fewer than 10 rows are left"):
            evenhand.repair("a.csv", "deduplicate", "new.csv", "sex,race", "hired", suppress=10)
        assert not Path("new.csv").exists()
        with monkeypatch.context() as patched:  # what follows were both shown: the test would see it
            for module in (advising, repairing):
                patched.setattr(module, "check_alike", lambda *_: None)
            capsys.readouterr()
            assert main([*argv, "--audits", "duplicates", "--json"]) == 0
        both = json.loads(capsys.readouterr().out)
        assert by_subtraction(both, both["after"]) == different
        Path("new.csv").unlink()
    assert found[0] == found[1]
    assert found[0][0] == 2
    assert "would tell how many" in found[0][1]
    told_alone = told(capsys, *argv[: argv.index("--repair")], "--audits", "duplicates")[1]
    advice = json.loads(told_alone.partition("<!")[0])["audits"][0]
    assert "--repair" not in advice["command"]
    assert "--repair deduplicate is refused here" in advice["mend"]


def test_a_drawn_sample_that_leaves_too_few_of_a_group_is_refused_before_it_is_written(
    tmp_path, monkeypatch, capsys
) -> None:
    # Of 120 of B about 5 remain beside 120 of A.
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"sex": ["A", "B"] * 120, "number": range(240)})
    options: dict[str, Any] = {"sensitive": "sex", "suppress": 10, "baseline": {"A": 0.96, "B": 0.04}}
    with pytest.raises(UsageError, match=r"^The audit before shows B, of which fewer than 10") as caught:
        evenhand.repair(frame, "balance", "new.csv", **options)
    assert "Audit without --repair" in caught.value.mend
    assert not Path("new.csv").exists()
    frame.to_csv("a.csv", index=False)
    asked = ["a.csv", "--sensitive", "sex", "--suppress", "10", "--baseline", "A=0.96,B=0.04"]
    page = told(capsys, "audit", *asked, "--audits", "representation")[1]
    (shown,) = json.loads(page.partition("<!")[0])["audits"]
    assert "--repair balance is refused here: The audit before shows B" in shown["mend"]
    assert "--repair" not in shown["command"]
    enough = evenhand.repair(frame, "balance", "new.csv", **{**options, "baseline": {"A": 0.7, "B": 0.3}})
    assert {one.group for one in enough.of("representation")[0].groups if one.n} == {"A", "B"}


def test_a_repair_that_leaves_enough_of_each_group_is_audited(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    repeated(11, sex="C").to_csv("a.csv", index=False)
    argv = ["audit", "a.csv", "--sensitive", "sex", "--suppress", LEAST, "--repair", "deduplicate", "--out"]
    capsys.readouterr()
    assert main([*argv, "new.csv", "--json"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert (both["n"], both["after"]["n"], by_subtraction(both, both["after"])) == (252, 251, 0)


def test_what_was_too_rare_in_texts_is_not_shown_when_each_is_written_twice(tmp_path, monkeypatch) -> None:
    # 16 with a nurse, fewer than 30, of which augmenting makes 32.
    monkeypatch.chdir(tmp_path)
    texts = [f"He is the doctor of house {i}." for i in range(150)] + [f"She is in {i}." for i in range(80)]
    texts += [f"She is the nurse of house {i}." for i in range(16)]
    before = evenhand.audit(texts, texts=True, suppress=30)
    after = evenhand.repair(texts, "augment", "new.jsonl", texts=True, suppress=30)
    alone = evenhand.audit("new.jsonl", suppress=30)
    named = [{one.columns[-1] for one in record.of("cooccurrence")} for record in (before, after, alone)]
    assert ["nurse" in one for one in named] == [False, False, True]
    assert after.of("mentions")
    assert "cooccurrence" not in after.tried
    assert any(note.startswith("Not shown after the repair") for note in after.notes)
    usual = evenhand.repair(texts, "augment", "more.jsonl", texts=True)
    assert "cooccurrence" in usual.tried
