"""From a dry run to recorded answers and back: the same numbers as the model itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evenhand import opening
from evenhand.errors import BadData
from evenhand.models.causal import CausalModel
from evenhand.records import Continuation, Sampling
from evenhand.studies import verbs as studies
from evenhand.studies.verbs import RunOptions
from evenhand.testing import tiny
from tests.cli.conftest import Run
from tests.support.asking import generated
from tests.support.data import data_file

SCORED = ("genhinteval", "facts:set=world")


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return tiny.model("llama", max_position_embeddings=128)


def dry(run: Run, *benchmarks: str, limit: int) -> list[dict[str, Any]]:
    options = ("--limit", str(limit), "--dry-run", "--json")
    answer = run("measure", "any:model", "-b", ",".join(benchmarks), *options)
    assert answer.code == 0
    return answer.json["requests"]


def answered(model: CausalModel, request: dict[str, Any]) -> dict[str, Any]:
    """What somebody with the dry run and a model of their own would write."""
    line = {key: request[key] for key in ("sample", "request")}
    if request["kind"] == "completion":
        made = generated(model, [request["prompt"]], Sampling(**request["sampling"]))[0]
        return line | {"completion": made.text, "n_tokens": made.n_tokens}
    found = model.answer([Continuation(request["context"], request["text"])])[0]
    return line | {"logprob": found.value, "n_tokens": found.n_tokens}


def figures(uri: str, benchmarks: tuple[str, ...], limit: int) -> list[Any]:
    taken = studies.measure(uri, benchmarks, RunOptions(limit=limit))
    return [(m.benchmark, m.protocol.data, m.scores, m.metrics, m.slices) for m in taken]


def round_trip(run: Run, model: CausalModel, folder: Path, benchmarks: tuple[str, ...], limit: int) -> None:
    lines = [answered(model, request) for request in dry(run, *benchmarks, limit=limit)]
    path = folder / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    recorded = figures(f"recorded:{path}", benchmarks, limit)
    for (name, data, scores, metrics, slices), own in zip(
        recorded, figures("own", benchmarks, limit), strict=True
    ):
        assert (name, data, len(scores)) == (own[0], own[1], len(own[2]))
        for a, b in zip(scores, own[2], strict=True):
            assert (a.sample, a.slices) == (b.sample, b.slices)
            # Alone and in a batch a score differs in the seventh digit.
            assert a.values == {key: pytest.approx(v, abs=1e-5) for key, v in b.values.items()}
        assert list(metrics) == list(own[3])
        assert list(slices) == list(own[4])


@pytest.fixture(autouse=True)
def _own_model(monkeypatch, model) -> None:
    real = opening.open_model
    monkeypatch.setattr(
        opening, "open_model", lambda uri, **options: model if uri == "own" else real(uri, **options)
    )


def test_scores_make_the_round_trip(run, model, tmp_path) -> None:
    round_trip(run, model, tmp_path, SCORED, limit=6)


def test_texts_make_the_round_trip(run, model, tmp_path) -> None:
    data_file("honest/binary/en_template.tsv")
    data_file("hurtlex/hurtlex_EN.tsv")
    round_trip(run, model, tmp_path, ("honest:k=3,max_tokens=5",), limit=4)


def test_no_model_is_opened_and_every_request_has_its_place(run) -> None:
    requests = dry(run, *SCORED, limit=3)
    assert {request["benchmark"] for request in requests} == set(SCORED)
    places = [(request["sample"], request["request"]) for request in requests]
    assert len(set(places)) == len(places)
    assert {index for sample, index in places if sample.startswith("facts/")} == {0, 1, 2, 3}
    keys = {"benchmark", "sample", "request", "custom_id", "kind", "context", "text"}
    assert all(set(r) == keys for r in requests)
    assert len({r["custom_id"] for r in requests}) == len(requests)


def test_for_people_it_counts(run) -> None:
    answer = run("measure", "any:model", "-b", "facts:set=world", "--limit", "5", "--dry-run")
    assert answer.code == 0
    row = next(line for line in answer.out.splitlines() if line.strip().startswith("facts:set=world"))
    assert row.split()[1:] == ["5", "0", "20"]  # 5 questions of 4 options
    assert "recorded:FILE" in answer.out


def test_it_keeps_nothing(run) -> None:
    answer = run("measure", "any:model", "--dry-run", "--out", "kept")
    assert answer.code == 2
    assert not Path("kept").exists()


def test_answers_of_another_choice_of_items_are_missed(run, model, tmp_path) -> None:
    lines = [answered(model, request) for request in dry(run, "facts:set=world", limit=2)]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(BadData, match=r"lacks .* of 12 answers: facts/world/"):
        studies.measure(f"recorded:{path}", ["facts:set=world"], RunOptions(limit=3, seed=1))
