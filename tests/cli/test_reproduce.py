"""``evenhand reproduce``: what it prints, writes and exits with."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

FEW = ("--limit", "8")


def test_a_table_as_json_and_for_people(run: Run) -> None:
    answer = run("reproduce", "lftf", "lab:causal", "--table", "2", *FEW, "--out", "out", "--json")
    assert answer.code == 0
    data = answer.json
    assert (data["recipe"], data["complete"], data["limited"], data["known_as"]) == ("lftf", True, True, "")
    assert data["claims"][0]["state"] in ("holds", "does not hold", "undecided")
    assert {"table", "row", "column", "measured", "published", "others", "agrees"} <= set(data["lines"][0])
    assert data["written"] == ["out/reproduction.json", "out/reproduction.md", "out/report.html"]
    assert all(Path(path).is_file() for path in data["written"])
    shown = run("reproduce", "lftf", "lab:causal", "--table", "2", *FEW, "--out", "out")
    assert shown.code == 0
    for part in (
        "The claims on lab:causal",
        "limited, not reportable",
        "no target",
        "Of 1 claim of the source",
    ):
        assert part in shown.out
    page = Path("out/report.html").read_text("utf-8")
    assert len(page) < 300_000  # no plot, and so no plotting library
    assert "Published and measured figures" in page
    text = Path("out/reproduction.md").read_text("utf-8")
    assert "| table | claim | state | deciding figures |" in text


def test_a_treatment_that_fails_exits_with_3(run: Run, monkeypatch) -> None:
    from evenhand.errors import EvenhandError
    from evenhand.studies import verbs

    def broken(*args: object) -> None:
        raise EvenhandError("It broke.", mend="Mend it.")

    monkeypatch.setattr(verbs, "verify", broken)
    answer = run("reproduce", "faircon", "lab:decisions", "--table", "3", *FEW, "--out", "out")
    assert answer.code == 3
    assert "Not run: faircon: EvenhandError: It broke. Mend it." in answer.out
    assert "0 hold, 0 do not hold, 2 are undecided" in answer.out


def test_the_plan_stores_nothing(run: Run) -> None:
    answer = run("reproduce", "lftf", "lab:causal", "--table", "2", *FEW, "--plan")
    assert answer.code == 0
    assert "Measured untreated: genbiaseval:split=paper, genhinteval:form=paper786." in answer.out
    assert "if nothing is stored yet" in answer.out
    assert not list(Path().iterdir())
    far = run("reproduce", "lftf", "qwen2.5-7b", "--table", "3", "--plan", "--json")
    assert far.code == 0
    assert far.json["model"] == "hf:Qwen/Qwen2.5-7B"
    assert far.json["minutes"]["low"] is None
    assert "memit:target=anti" in far.json["treatments"]


def test_mistakes(run: Run) -> None:
    answer = run("reproduce", "ltft", "lab:causal")
    assert answer.code == 2
    assert "Did you mean 'lftf'?" in answer.err
    answer = run("reproduce", "uqac", "lab:causal", "--table", "stereo")
    assert answer.code == 2
    assert "no table of the UQAC study named 'stereo'. Did you mean 'stereoset'?" in answer.err
    answer = run("reproduce", "uqac", "lab:masked")
    assert answer.code == 2
    assert "about causal and seq2seq models" in answer.err
    Path("file").write_text("x")
    assert run("reproduce", "lftf", "lab:causal", "--out", "file").code == 2


def test_a_page_of_somebody_else_is_left_alone(run: Run) -> None:
    Path("out").mkdir()
    Path("out/reproduction.md").write_text("mine")
    answer = run("reproduce", "lftf", "lab:causal", "--table", "2", *FEW, "--out", "out")
    assert answer.code == 2
    assert Path("out/reproduction.md").read_text() == "mine"
    assert not Path("out/measured").exists()
