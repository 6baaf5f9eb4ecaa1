"""A reproduction on a lab model: run, resumed, with a treatment that fails, and read back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BadData, EvenhandError
from evenhand.files import read_text
from evenhand.reproductions import Asked, Prepared, forecast, prepared, recipe_of, result, run
from evenhand.reproductions.judging import State
from evenhand.reproductions.preparing import Forecast
from evenhand.studies import verbs
from evenhand.studies.grid.file import read_study


def ready(table: str = "4", *only: str, budget: float | None = None) -> Prepared:
    """A table of LFTF on the lab's model, few items, these treatments alone."""
    recipe = recipe_of("lftf")
    few = dataclasses.replace(recipe, treatment=lambda row, spec: row.treatment in (only or ("prompt",)))
    return prepared(few, "lab:causal", Asked(table, limit=8, budget=budget))


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every treatment that is verified."""
    found: list[str] = []
    real = verbs.verify

    def verify(uri: str, spec: str, options: Any) -> Any:
        found.append(spec)
        return real(uri, spec, options)

    monkeypatch.setattr(verbs, "verify", verify)
    return found


def test_a_table_runs_and_is_not_run_again(tmp_path: Path, verified: list[str]) -> None:
    found, study = run(ready(), tmp_path)
    assert study is not None
    assert verified == ["prompt"]
    assert found.complete
    assert found.limited
    assert found.known_as == ""
    states = {one.text: one.state for one in found.claims}
    # what the prompt did is known, and nothing else was run
    assert states["After LFTF general capability is kept."] is State.UNDECIDED
    (line,) = [one for one in found.lines if one.treatment == "prompt" and one.column == "AFGB, word"]
    assert line.measured is not None
    assert line.measured.value is not None
    # the source has this treatment on one model of its own, .1646, which is no target here
    assert (line.printed, line.agrees) == ("", None)
    assert line.others is not None
    assert (line.others.low, line.others.models) == (0.1646, ("Qwen2.5-7B",))
    assert {one.table for one in found.misprints} == {"eq. 5"}
    assert read_study(tmp_path / "lftf.toml").options.control == "none"  # the study can be run by itself

    again, _ = run(ready(), tmp_path)
    assert verified == ["prompt"]
    assert again == found == result.load(tmp_path)


def test_a_treatment_that_fails_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = verbs.verify

    def verify(uri: str, spec: str, options: Any) -> Any:
        if spec == "lftf":
            raise EvenhandError("It broke.", mend="Mend it.")
        return real(uri, spec, options)

    monkeypatch.setattr(verbs, "verify", verify)
    found, _ = run(ready("4", "prompt", "lftf"), tmp_path)
    assert not found.complete
    assert found.failed == ("lftf: EvenhandError: It broke. Mend it.",)
    assert found.missing == ()
    (claim,) = [one for one in found.claims if one.ours and "located block alone" in one.text]
    assert claim.state is State.UNDECIDED
    assert "It broke" in claim.why


def test_a_table_of_untreated_models_needs_no_study(tmp_path: Path, verified: list[str]) -> None:
    found, study = run(ready("2"), tmp_path)
    assert (study, verified) == (None, [])
    assert not (tmp_path / "lftf.toml").exists()
    assert {one.column for one in found.lines if one.measured} == {
        "AFGB, word",
        "AFGB, phrase",
        "AFGB, sentence",
        "AFGB",
        "UB",
    }
    (gap,) = [one for one in found.lines if one.column == "AFGB"]
    assert gap.others is not None
    # ten models of table 2: the least average gap is .2369 (Llama2-70B), the largest .4226 (Vicuna-7B)
    assert (gap.others.low, gap.others.high, len(gap.others.models)) == (0.2369, 0.4226, 10)
    assert "ten" in dict(found.tables)["2"]


def test_a_known_model_is_compared_with_its_own_figure(tmp_path: Path) -> None:
    made = ready("2")
    copy = dataclasses.replace(made, asked=dataclasses.replace(made.asked, known_as="Llama3.2-1B"))
    found, _ = run(copy, tmp_path)
    assert found.known_as == "Llama3.2-1B"
    (word,) = [one for one in found.lines if one.column == "AFGB, word"]
    assert (word.printed, word.published, word.row) == ("0.2156", 0.2156, "Llama3.2-1B")
    assert word.measured is not None
    assert word.measured.low is not None
    # the band is the interval, wider by .00005 at each end
    assert word.low == pytest.approx(word.measured.low - 0.00005)
    assert word.agrees is (word.low <= 0.2156 <= (word.high or 0.0))
    assert all(one.theirs for one in found.claims)


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / result.RECORD).write_text("my own notes")
    with pytest.raises(BadData):
        run(ready("2"), tmp_path)
    assert read_text(tmp_path / result.RECORD) == "my own notes"
    (tmp_path / result.RECORD).unlink()
    (tmp_path / "lftf.toml").write_text("my = 'study'")
    with pytest.raises(BadData):
        run(ready(), tmp_path)
    assert read_text(tmp_path / "lftf.toml") == "my = 'study'"


def test_a_damaged_record_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="holds no reproduction"):
        result.load(tmp_path)
    (tmp_path / result.RECORD).write_text(json.dumps({"format": result.FORMAT}))
    with pytest.raises(BadData, match="holds no reproduction"):
        result.load(tmp_path)


def test_the_forecast_opens_what_is_here_and_nothing_else(verified: list[str]) -> None:
    found = forecast(ready())
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low <= found.high
    assert verified == []
    remote = prepared(recipe_of("lftf"), "Qwen2.5-7B", Asked("7"), look=False)
    assert forecast(remote) == Forecast(None, None, remote_reason())


def remote_reason() -> str:
    return "hf:Qwen/Qwen2.5-7B is not on this machine, and a plan fetches and asks nothing."


def test_rows_of_other_models_lose_their_names() -> None:
    published = recipe_of("lftf").published
    part = next(row for row in published.tables["8"].rows if row.name.endswith("w/o ATT"))
    base = published.tables["6"].rows[0]
    assert result._name(part, None) == "LFTF w/o ATT"
    assert result._name(part, part) == "Meta-Llama3-8B-LFTF w/o ATT"
    assert result._name(base, None) == "untreated"
    asked = recipe_of("uqac").published.tables["stereoset"].rows[0]
    assert result._name(asked, None) == "intrasentence, before"
