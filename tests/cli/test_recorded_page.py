"""The examples of docs/recorded.md are run as they stand there, and give what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evenhand import registry
from evenhand.errors import BadData
from evenhand.models.recorded import RecordedModel
from evenhand.opening import open_model
from evenhand.records import Undefined
from tests.cli.conftest import Run

PAGE = (Path(__file__).parents[2] / "docs" / "recorded.md").read_text(encoding="utf-8")
ROUND_TRIP, BATCH, ARRAYS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    line.strip() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]
LINES = re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_round_trip(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(ROUND_TRIP, names)
    figure = names["taken"].metrics["stereotype_preference"]
    assert (figure.value, figure.n) == (100.0, 20)
    assert "value=100.0" in capsys.readouterr().out


def test_the_figures_on_arrays(capsys: pytest.CaptureFixture[str]) -> None:
    exec(ARRAYS, {})
    first, second, third = capsys.readouterr().out.splitlines()
    assert float(first) == 0.5
    assert second.startswith("Estimate(value=0.5, low=0.")
    assert float(third) == pytest.approx(0.26667, abs=1e-4)


def test_every_line_of_the_table_can_be_read() -> None:
    assert len(LINES) == 6
    Path("a.jsonl").write_text("\n".join(LINES))
    model = RecordedModel(Path("a.jsonl"))
    assert len(model.can) == 2


def test_a_batch_goes_out_and_comes_back(run: Run) -> None:
    Path("prompts.jsonl").write_text('{"prompt": "The nurse said"}\n{"prompt": "The doctor said"}\n')
    dry, measured, batch = (command for command in COMMANDS if "toxicity" in command)
    arguments = dry.partition(" > ")[0].split()[1:]
    Path("asked.json").write_text(run(*arguments).out)
    exec(BATCH, {})
    sent = [json.loads(line) for line in Path("batch_input.jsonl").read_text().splitlines()]
    assert [line["custom_id"] for line in sent] == ["toxicity/file/1#0", "toxicity/file/2#0"]
    assert sent[0]["body"]["messages"] == [{"role": "user", "content": "The nurse said"}]
    assert sent[0]["body"]["max_completion_tokens"] == 20

    choice = {"message": {"content": " that it was late."}, "finish_reason": "stop"}
    body = {"choices": [choice], "usage": {"completion_tokens": 5}}
    back = [
        {"custom_id": sent[0]["custom_id"], "response": {"status_code": 200, "body": body}, "error": None},
        {"custom_id": sent[1]["custom_id"], "response": None, "error": {"code": "batch_expired"}},
    ]
    Path("batch_output.jsonl").write_text("\n".join(map(json.dumps, back)))
    answer = run(*batch.split()[1:], "--json")
    assert answer.code == 0
    figure = answer.json["measurements"][0]["metrics"]["toxicity"]
    assert (figure["value"], figure["n"], figure["undefined"]) == (0.0, 1, 1)
    assert measured.replace("answers", "batch_output") == batch


def test_a_stereoset_line_is_asked_like_that() -> None:
    (line,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    command = next(command for command in COMMANDS if "stereoset" in command)
    Path("scores.jsonl").write_text(line)
    model = open_model("recorded:scores.jsonl")
    try:
        benchmark = registry.create("benchmark", command.rpartition(" ")[2])
    except BadData as absent:
        pytest.skip(str(absent))
    from evenhand.studies.measure import requests

    asked = [one for one in requests(benchmark) if one.sample == json.loads(line)["sample"]]
    assert len(asked) == 3
    answers = model.answer_placed(asked)  # type: ignore[attr-defined]
    assert not any(isinstance(answer, Undefined) for answer in answers)
