"""A study cell by cell: resumed, killed, over its budget, with cells that fail."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from evenhand import stats
from evenhand.errors import BadData, EvenhandError
from evenhand.records import VerdictName
from evenhand.reports import studied
from evenhand.studies import verbs
from evenhand.studies.grid import cells, pieces, result, running, table
from evenhand.studies.grid.file import read_study
from evenhand.studies.store import load_verification
from tests.support.small_study import SMALL as HEAD

SAVED = Path(__file__).parents[2] / "golden" / "saved" / "run"


def _file(folder: Path, uri: str, text: str = HEAD) -> Path:
    path = folder / "small.toml"
    path.write_text(f'models = ["{uri}"]\n{text}')
    return path


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every verification that is run, by method and seed."""
    found: list[tuple[str, int]] = []
    real = verbs.verify

    def verify(uri: str, spec: str, options: Any) -> Any:
        found.append((spec, options.seed))
        return real(uri, spec, options)

    monkeypatch.setattr(verbs, "verify", verify)
    return found


def test_every_cell_runs_once_and_is_read_afterwards(
    uri: str, tmp_path: Path, counted: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = _file(tmp_path, uri), tmp_path / "out"
    first = running.study(file, out)
    assert first.complete
    assert first.limited
    (chosen,) = first.chosen
    spec = chosen.selection.chosen
    assert counted == [("prompt", 0), ("prompt", 1), (spec, 0), (spec, 1)]  # 2 mitigations x 2 seeds
    monkeypatch.setattr(pieces, "select", None)  # what was chosen is read
    again = running.study(file, out)
    assert len(counted) == 4
    assert [o.record for o in again.outcomes] == [o.record for o in first.outcomes]
    assert again.chosen == first.chosen
    loaded = result.load(out)
    assert loaded.study == first.study
    assert [o.record for o in loaded.outcomes] == [o.record for o in first.outcomes]
    assert table.rows(loaded.outcomes) == table.rows(first.outcomes)


def test_the_base_is_measured_once_a_seed(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evenhand.studies import cells as measured

    taken: list[str] = []
    real = measured.take

    def take(model: Any, benchmark: Any, **options: Any) -> Any:
        taken.append(model.spec.uri)
        return real(model, benchmark, **options)

    monkeypatch.setattr(measured, "take", take)
    text = HEAD.replace(
        '{with = "prompt", name = "other", text = ["Be calm.", "Be fair."]}', '"prompt:text=Be calm."'
    )
    running.study(_file(tmp_path, uri, text.replace("[0, 1]", "[0]")), tmp_path / "out")
    # one base of 2 benchmarks, 2 treated models of 2, and the texts on the base at 4 numbers of bits
    assert len(taken) == 2 + 2 * 2 + 4


def test_a_new_seed_adds_cells_and_another_limit_takes_none(
    uri: str, tmp_path: Path, counted: list[tuple[str, int]]
) -> None:
    small = HEAD.replace(', {with = "prompt", name = "other", text = ["Be calm.", "Be fair."]}', "")
    out = tmp_path / "out"
    running.study(_file(tmp_path, uri, small.replace("[0, 1]", "[0]")), out)
    running.study(_file(tmp_path, uri, small), out)
    assert counted == [("prompt", 0), ("prompt", 1)]
    running.study(_file(tmp_path, uri, small.replace("limit = 6", "limit = 5")), out)
    assert counted[2:] == [("prompt", 0), ("prompt", 1)]


def test_cells_that_leave_the_table_are_named(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(running, "say", said.append)
    small = HEAD.replace(', {with = "prompt", name = "other", text = ["Be calm.", "Be fair."]}', "")
    out = tmp_path / "out"
    running.study(_file(tmp_path, uri, small.replace("[0, 1]", "[0]")), out)
    assert not any("no longer has" in one for one in said)
    found = running.study(_file(tmp_path, uri, small.replace("[0, 1]", "[1]")), out)
    left = f"no longer has 1 done cells of an earlier study in {out} (prompt on {uri}, seed 0)"
    assert any(left in one for one in said)
    assert [o.cell.seed for o in found.outcomes] == [1]
    assert len(list(out.glob("cells/*"))) == 2


def test_another_margin_judges_again_and_measures_nothing(
    uri: str, tmp_path: Path, counted: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from evenhand.studies import cells as measured

    small = HEAD.replace(', {with = "prompt", name = "other", text = ["Be calm.", "Be fair."]}', "")
    out = tmp_path / "out"
    running.study(_file(tmp_path, uri, small), out)
    monkeypatch.setattr(measured, "take", None)  # every measurement is read
    found = running.study(_file(tmp_path, uri, small + "margins = {accuracy = 0.2}\n"), out)
    assert found.complete
    assert counted == [("prompt", 0), ("prompt", 1)] * 2


def test_a_failing_cell_is_recorded_and_the_others_go_on(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = verbs.verify

    def verify(uri: str, spec: str, options: Any) -> Any:
        if spec == "prompt" and options.seed == 1:
            raise EvenhandError("It broke.", mend="Mend it.")
        return real(uri, spec, options)

    monkeypatch.setattr(verbs, "verify", verify)
    file, out = _file(tmp_path, uri), tmp_path / "out"
    found = running.study(file, out)
    assert [o.state.state for o in found.outcomes] == ["done", "failed", "done", "done"]
    assert not found.complete
    (failed,) = found.failed
    assert (failed.cell.seed, failed.state.error, failed.state.mend) == (
        1, "EvenhandError: It broke.", "Mend it.",
    )  # fmt: skip
    (row,) = (row for row in table.rows(found.outcomes) if row["state"] == "failed")
    assert row["error"] == "EvenhandError: It broke."
    assert row["effect"] is None
    monkeypatch.setattr(verbs, "verify", real)  # a failed cell is tried again
    assert running.study(file, out).complete


def test_a_model_that_cannot_be_opened_fails_its_own_cells_only(uri: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    file = tmp_path / "two.toml"
    small = HEAD.replace("[0, 1]", "[0]")
    file.write_text(f'models = ["hf:{tmp_path}/empty", "{uri}"]\n{small}')
    found = running.study(file, tmp_path / "out")
    assert [o.state.state for o in found.outcomes] == ["failed", "failed", "done", "done"]


def test_no_cell_begins_after_the_budget(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = _file(tmp_path, uri, HEAD + "budget = 1\n"), tmp_path / "out"
    monkeypatch.setattr(running.Sitting, "_over", lambda self: len(self.outcomes) >= 1)
    found = running.study(file, out)
    assert [o.state.state for o in found.outcomes] == ["done", "missing", "missing", "missing"]
    assert not found.complete
    assert found.failed == ()
    monkeypatch.undo()
    assert running.study(file, out).complete


def test_a_damaged_cell_is_run_again(uri: str, tmp_path: Path, counted: list[tuple[str, int]]) -> None:
    file, out = _file(tmp_path, uri), tmp_path / "out"
    first = running.study(file, out)
    verification = first.outcomes[0].cell.folder / "verification.json"
    verification.write_text(verification.read_text("utf-8").replace('"sha256": "', '"sha256": "0', 1))
    del counted[:]
    assert running.study(file, out).complete
    assert counted == [("prompt", 0)]


def test_the_time_of_a_killed_sitting_counts_until_its_last_file(tmp_path: Path) -> None:
    cell = cells.Cell("m", "p", "p", 0, tmp_path)
    (tmp_path / "cell.json").write_text(
        json.dumps(
            {"state": "running", "margin": 0.01, "seconds": 5.0, "began": 100.0, "error": "", "mend": ""}
        )
    )
    (tmp_path / "last").write_text("")
    os.utime(tmp_path / "cell.json", (100, 100))
    os.utime(tmp_path / "last", (130, 130))
    assert cell.state().seconds == 5.0 + 30.0
    assert cell.record(0.01) is None


def test_the_table_is_tidy(uri: str, tmp_path: Path) -> None:
    found = running.study(_file(tmp_path, uri), tmp_path / "out")
    places = table.write(found)
    with places[0].open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    body = json.loads(places[1].read_text("utf-8"))
    assert list(rows[0]) == list(table.COLUMNS) == list(body["columns"])
    assert len(rows) == len(body["rows"])
    assert {(r["mitigation"], r["seed"], r["benchmark"], r["metric"]) for r in rows} == {
        (r["mitigation"], str(r["seed"]), r["benchmark"], r["metric"]) for r in body["rows"]
    }
    assert len({(r["mitigation"], r["seed"], r["benchmark"], r["metric"]) for r in rows}) == len(rows)
    claims = [row for row in body["rows"] if row["claim"]]
    assert {(row["benchmark"], row["metric"]) for row in claims} == {
        ("genbiaseval:split=heldout", "afgb_normalised")
    }
    assert len(claims) == 4  # one a cell
    assert [row["p_holm"] for row in claims] == list(stats.holm([row["p"] for row in claims]))
    assert all(row["p_holm"] is None for row in body["rows"] if not row["claim"])


def test_the_table_says_whether_a_verdict_could_be_judged() -> None:
    """The stored verification saw its gap fall, and had no control models."""
    record = load_verification(SAVED)
    rose = dataclasses.replace(record, reasons=("The bias did not certainly fall: ...", *record.reasons[1:]))
    for verified, judged in ((record, False), (rose, True)):
        outcome = result.Outcome(cells.Cell("m", "a", "a", 0, SAVED), cells.State("done"), verified)
        rows = table.rows([outcome])
        assert {(row["verdict"], row["judged"]) for row in rows} == {("no evidence", judged)}


def test_a_cell_that_cannot_be_compared_has_its_row_and_its_place_in_the_report(tmp_path: Path) -> None:
    record = dataclasses.replace(
        load_verification(SAVED), verdict=VerdictName.NOT_COMPARABLE, reasons=("...",), effects=()
    )
    outcome = result.Outcome(cells.Cell("m", "a", "a", 0, SAVED), cells.State("done"), record)
    (row,) = table.rows([outcome])
    assert (row["verdict"], row["state"], row["metric"]) == ("not comparable", "done", None)
    assert row["judged"] is False
    file = _file(tmp_path, "lab:causal")
    found = result.StudyResult(read_study(file), tmp_path, (outcome,))
    assert studied.holding(found) == [(None, None)]


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"There is no study\.json"):
        result.load(tmp_path)
    (tmp_path / "study.json").write_text("[]")
    with pytest.raises(BadData, match="is damaged"):
        result.load(tmp_path)


def test_an_error_before_a_setting_is_tried_is_recorded(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as data that are gone by then: the grid's cells are failed, with the reason, and not missing."""

    def gone(*_: Any) -> Any:
        raise BadData("The data are gone.", mend="Bring them back.")

    monkeypatch.setattr(pieces, "dev_of", gone)
    found = running.study(_file(tmp_path, uri), tmp_path / "out")
    failed = [outcome for outcome in found.outcomes if outcome.record is None]
    assert [outcome.cell.mitigation for outcome in failed] == ["other", "other"]
    assert {outcome.state.state for outcome in failed} == {cells.FAILED}
    assert {outcome.state.error for outcome in failed} == {"BadData: The data are gone."}
