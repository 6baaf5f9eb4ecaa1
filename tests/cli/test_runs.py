"""Verbs that read stored runs: report, compare, gate. The runs are really stored."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path

import pytest

from evenhand.records import VerdictName
from evenhand.reports import sentences
from evenhand.studies import store
from tests.cli.conftest import Run
from tests.support import records_factory as make


@pytest.fixture
def verified(tmp_path: Path) -> str:
    store.save_verification(tmp_path / "verified", make.verification())
    return "verified"


@pytest.fixture
def measured(tmp_path: Path) -> str:
    store.save_measurements(tmp_path / "measured", [make.genbiaseval()])
    return "measured"


def test_report_of_a_verification(run: Run, verified: str) -> None:
    answer = run("report", verified, "--html", "out.html")
    assert answer.code == 0
    assert answer.out == "Report: out.html\n"
    assert "is the model just broken" in Path("out.html").read_text(encoding="utf-8")


def test_report_of_measurements(run: Run, measured: str) -> None:
    said = run("report", measured, "--html", "out.html", "--json").json
    assert set(said) == {"schema", "run", "report", "made_by"}
    assert (said["run"], said["report"]) == ("measured", "out.html")
    assert "Measurements of lab:causal" in Path("out.html").read_text(encoding="utf-8")


def test_a_stored_run_draws_the_same_report_as_a_fresh_one(run: Run, verified: str) -> None:
    from evenhand import reports

    run("report", verified, "--html", "out.html")
    fresh = reports.verification_html(make.verification())
    written, _, seal = Path("out.html").read_text(encoding="utf-8").rpartition("<!-- ")
    assert written == fresh
    assert seal.startswith("evenhand-sha256:")


@pytest.mark.parametrize("verb", [["report"], ["compare", "nowhere"], ["gate"]])
def test_no_such_run(run: Run, verb: list[str]) -> None:
    conditions = ["afgb<=0.1"] if verb == ["gate"] else []
    answer = run(*verb, "nowhere", *conditions)
    assert answer.code == 2
    assert "nowhere" in answer.err


def test_compare(run: Run, measured: str, tmp_path: Path) -> None:
    better = make.genbiaseval(make.shrunk(make.SHARES, 0.5), treatment="lftf")
    store.save_measurements(tmp_path / "better", [better])
    answer = run("compare", measured, "better", "--json")
    assert answer.code == 0
    effects = {e["metric"]: e for e in answer.json["effects"]}
    # Half the gap is left: AFGB falls from 0.48 to 0.24.
    assert effects["afgb"]["change"]["value"] == pytest.approx(-0.24)
    assert effects["afgb"]["relative"] == pytest.approx(-0.5)
    out = run("compare", measured, "better").out
    assert out.startswith("measured → better\n")
    (row,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["afgb"]]
    assert row[6:9] == ["0.480", "0.240", "−0.240"]  # after the key and the title of five words
    assert row[-1] == "lower"


def test_compare_names_the_command_that_gives_a_verdict(run: Run, measured: str, tmp_path: Path) -> None:
    """A smaller gap may be damage; only of two models that were measured as they are can it be asked."""
    taken = make.genbiaseval()
    ours = dataclasses.replace(taken, model=dataclasses.replace(taken.model, uri="hf:./my models/ours"))
    store.save_measurements(tmp_path / "ours", [ours])
    store.save_verification(tmp_path / "verified", make.verification())
    *_, last = run("compare", measured, "ours").out.splitlines()
    assert last == ("Mitigated, or just broken? evenhand verify lab:causal --treated 'hf:./my models/ours'")
    assert "Mitigated, or" not in run("compare", measured, measured).out
    assert "Mitigated, or" not in run("compare", "verified", "ours").out
    assert set(run("compare", measured, "ours", "--json").json) == {
        "schema", "before", "after", "effects", "notes", "made_by",
    }  # fmt: skip


def test_a_stored_run_is_judged_again(run: Run, verified: str, tmp_path: Path) -> None:
    """Of the hand-made run only what can be judged is stored: measurements with items, no control models."""
    made = make.verification()
    before, after = ([m for m in side if len(m.scores) == m.n] for side in (made.before, made.after))
    record = dataclasses.replace(
        made, before=tuple(before), after=tuple(after), control=None, primary="afgb_normalised"
    )
    store.save_verification(tmp_path / "verified", record)
    kept = (tmp_path / "verified" / "verification.json").read_bytes()
    answer = run("verify", "verified", "--margin", "0.03", "--json")
    assert answer.code == 0
    assert answer.json["report"] is None
    assert answer.json["verdict"] == "no evidence"  # without control models nothing else can be said
    assert run("verify", "verified").out.splitlines()[-1] == "The verdict that verified holds is as it was."
    assert (tmp_path / "verified" / "verification.json").read_bytes() == kept
    assert not (tmp_path / "verified" / "report.html").exists()
    assert (
        run("verify", "verified", "--out", "new").out.splitlines()[-1] == f"Report: {Path('new/report.html')}"
    )
    assert store.load_verification(tmp_path / "new").verdict == "no evidence"
    assert store.load_verification(tmp_path / "verified").verdict == "mitigated"
    assert run("gate", "new", "verdict==no evidence").code == 0
    refused = run("verify", "verified", "-b", "genbiaseval")
    assert refused.code == 2
    assert "verified is a stored run" in refused.err


def test_compare_refuses_runs_without_a_common_benchmark(run: Run, measured: str, tmp_path: Path) -> None:
    store.save_measurements(tmp_path / "other", [make.simple("facts", "accuracy", 0.9)])
    assert run("compare", measured, "other").code == 3


def test_gate_passes(run: Run, verified: str) -> None:
    answer = run("gate", verified, "afgb<=0.1", "verdict==mitigated")
    assert answer.code == 0  # AFGB after is 0.48 * 0.2 = 0.096
    assert answer.out.splitlines()[0].startswith("passed: afgb<=0.1")


def test_gate_fails_with_exit_code_1(run: Run, measured: str) -> None:
    answer = run("gate", measured, "afgb<=0.1", "mass>=0.5", "--json")
    assert answer.code == 1
    assert answer.json["passed"] is False
    assert [c["passed"] for c in answer.json["conditions"]] == [False, True]
    assert answer.json["conditions"][0]["value"] == pytest.approx(0.48)
    assert "FAILED: afgb<=0.1" in run("gate", measured, "afgb<=0.1").out


def test_gate_with_an_unknown_figure(run: Run, measured: str) -> None:
    answer = run("gate", measured, "afbg<=0.1")
    assert answer.code == 2
    assert "'afgb'" in answer.err


@pytest.fixture
def unfit(tmp_path: Path) -> str:
    """A model that gives the two pronouns 0.0007 together."""
    store.save_measurements(tmp_path / "unfit", [make.genbiaseval(mass=0.0007)])
    return "unfit"


def test_gate_exits_with_3_when_it_cannot_judge(run: Run, unfit: str, measured: str) -> None:
    answer = run("gate", unfit, "afgb_normalised<=1", "mass<=0.5", "--json")
    assert answer.code == 3
    assert (answer.json["passed"], answer.json["judged"], answer.json["limited"]) == (False, False, False)
    first, second = answer.json["conditions"]
    assert (first["judged"], first["passed"]) == (False, False)
    assert "hardly uses the terms" in first["why"]
    assert (second["judged"], second["passed"], second["why"]) == (True, True, "")
    assert "could not be judged: afgb_normalised<=1" in run("gate", unfit, "afgb_normalised<=1").out
    assert run("gate", measured, "afgb.low<=1").code == 0


def test_could_not_be_judged_beats_not_met_and_a_wrong_name_beats_both(run: Run, unfit: str) -> None:
    assert run("gate", unfit, "mass>=0.5").code == 1
    assert run("gate", unfit, "mass>=0.5", "afgb<=1").code == 3
    assert run("gate", unfit, "afgb<=1", "mass>=0.5").code == 3
    assert run("gate", unfit, "afgb<=1", "afbg<=1").code == 2


def test_gate_on_a_verification_that_was_not_comparable(run: Run, tmp_path: Path) -> None:
    store.save_verification(tmp_path / "unlike", make.verification(VerdictName.NOT_COMPARABLE))
    assert run("gate", "unlike", "verdict==mitigated").code == 3
    assert run("gate", "unlike", "verdict!=mitigated").code == 3
    assert run("gate", "unlike", "verdict==not comparable").code == 0


def test_gate_says_that_a_run_was_limited(run: Run, tmp_path: Path, measured: str) -> None:
    store.save_measurements(tmp_path / "part", [make.genbiaseval(limited=True)])
    answer = run("gate", "part", "afgb<=1")
    assert answer.code == 0
    assert sentences.LIMITED in answer.out
    assert run("gate", "part", "afgb<=1", "--json").json["limited"] is True
    assert sentences.LIMITED not in run("gate", measured, "afgb<=1").out


def test_compare_says_whose_words_are_hardly_used(run: Run, measured: str, unfit: str) -> None:
    answer = run("compare", unfit, measured, "--json")
    assert answer.code == 0
    (note,) = answer.json["notes"]
    assert note.startswith("Before: genbiaseval: The model hardly uses the terms")
    assert f"Note: {note}" in " ".join(run("compare", unfit, measured).out.split())
    assert run("compare", measured, measured, "--json").json["notes"] == []


def test_a_report_marks_the_figures_and_says_why(run: Run, unfit: str, measured: str) -> None:
    for folder, times in ((unfit, 1), (measured, 0)):
        assert run("report", folder, "--html", "out.html").code == 0
        page = Path("out.html").read_text(encoding="utf-8").partition("<script>")[0]
        assert page.count("The model hardly uses the terms") == times
        cells = r"<td[^>]*>[^<]*</td>\s*<td[^>]*>all</td>\s*<td>([^<]*)</td>"
        rows = re.findall(rf"<tr>\s*<th[^>]*>([^<]*)</th>\s*{cells}", page)
        assert len(rows) == 4
        marked = {html.unescape(title) for title, value in rows if value.endswith("†")}
        assert len(marked) == 3 * times, "all but the probability of the terms"
        assert "Probability of all groups' terms" not in marked
