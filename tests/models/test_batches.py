"""Output files of a batch service, read as they are: texts, log-probabilities, answers that never came."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from evenhand import registry
from evenhand.errors import BadData, BadModel
from evenhand.models import LONGEST_ID, Asked
from evenhand.models.recorded import RecordedModel
from evenhand.opening import open_model
from evenhand.records import Ability, Completion, Continuation, Generation, LogProb, Undefined
from evenhand.studies.measure import requests, take

TEXT, SCORE = Generation("The nurse said"), Continuation("The nurse left because", " she did")
FILTERED = {"code": "content_filter", "message": "The response was filtered."}


def line(custom_id: str, body: Any, status: int = 200, error: Any = None) -> dict[str, Any]:
    response = None if body is None else {"status_code": status, "request_id": "r", "body": body}
    return {"id": "batch_req_1", "custom_id": custom_id, "response": response, "error": error}


def chat(content: str | None, finish: str = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "refusal": more.pop("refusal", None)}
    choice = {"index": 0, "message": message, "logprobs": more.pop("logprobs", None), "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice], **more}


def completion(text: str, logprobs: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": "length"}
    return {"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice], **more}


def echoed(tokens: list[str], values: list[float | None]) -> dict[str, Any]:
    offsets = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
    return {"tokens": tokens, "token_logprobs": values, "top_logprobs": None, "text_offset": offsets}


def written(path: Path, *lines: dict[str, Any]) -> RecordedModel:
    path.write_text("\n".join(map(json.dumps, lines)))
    return RecordedModel(path)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (chat(" Hello.", usage={"completion_tokens": 3}), Completion(" Hello.", 3)),
        (chat("Two words", logprobs={"content": [{"token": "Two"}] * 4}), Completion("Two words", 4)),
        (chat("Two words"), Completion("Two words", 2)),
        (chat("cut o", finish="length", usage={"completion_tokens": 2}), Completion("cut o", 2)),
        (chat("", usage={"completion_tokens": 0}), Completion("", 0)),
        (completion(" that it", usage={"completion_tokens": 2}), Completion(" that it", 2)),
        (completion(" that", {"tokens": [" that"], "token_logprobs": [-0.5]}), Completion(" that", 1)),
        (chat(None, refusal="I cannot."), Undefined("refused: I cannot.")),
        (chat(None), Undefined("the answer holds no text")),
        (chat("half a", finish="content_filter"), Undefined("content filter")),
    ],
)
def test_what_a_body_says(body: Any, answer: Any, tmp_path: Path) -> None:
    model = written(tmp_path / "a.jsonl", line("b/1#0", body))
    assert model.answer_placed([Asked("b/1", 0, TEXT)]) == [answer]
    assert Ability.GENERATE in model.can


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (
            line("b/1#0", None, error={"code": "batch_expired", "message": "Too late."}),
            "batch_expired: Too late.",
        ),
        (line("b/1#0", {"error": FILTERED}, 400), "content_filter: The response was filtered. (status 400)"),
        (line("b/1#0", {}, 500), "the request failed (status 500)"),
        (line("b/1#0", {"error": "busy"}, 200), "busy (status 200)"),
    ],
)
def test_a_request_that_failed_is_undefined_with_its_reason(
    failed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    model = written(tmp_path / "a.jsonl", failed)
    assert model.answer_placed([Asked("b/1", 0, TEXT), Asked("b/1", 0, SCORE)]) == [Undefined(reason)] * 2


def test_an_echoed_prompt_gives_log_probabilities(tmp_path: Path) -> None:
    tokens = ["The", " nurse", " left", " because", " she", " did", "!"]
    table = echoed(tokens, [None, -3.0, -2.0, -1.0, -0.5, -0.25, -4.0])
    path = tmp_path / "a.jsonl"
    model = written(path, line("b/1#0", completion("The nurse left because she did!", table)))
    assert model.can == {Ability.LOGPROBS}
    assert model.answer_placed([Asked("b/1", 0, SCORE)]) == [LogProb(-0.75, 2)]
    with pytest.raises(BadModel, match="do not spell the prompt"):
        model.answer_placed([Asked("b/1", 0, Continuation("Another", " text"))])
    with pytest.raises(BadData, match="lacks 1 of 1 answers"):
        model.answer_placed([Asked("b/1", 0, TEXT)])  # a score is no text


def test_requests_are_told_apart_by_the_id_that_the_dry_run_prints(tmp_path: Path) -> None:
    long = "bold/" + "x" * 80
    places = [Asked(sample, i, TEXT) for sample in ("b/1", "b/2#1", long, long + "y") for i in (0, 1, 12)]
    ids = [place.custom_id for place in places]
    assert ids[:2] == ["b/1#0", "b/1#1"]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) == LONGEST_ID
    model = written(tmp_path / "a.jsonl", *[line(key, chat(f"answer {n}")) for n, key in enumerate(ids)])
    assert [answer.text for answer in model.answer_placed(places[::-1])] == [
        f"answer {n}" for n in range(11, -1, -1)
    ]


def test_a_samples_only_request_needs_no_number(tmp_path: Path) -> None:
    model = written(tmp_path / "a.jsonl", line("b/1", chat("yes")))
    assert model.answer_placed([Asked("b/1", 0, TEXT)]) == [Completion("yes", 1)]
    with pytest.raises(BadData, match="b/1, request 1") as caught:
        model.answer_placed([Asked("b/1", 1, TEXT)])
    assert "custom_id" in caught.value.mend


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (line("b/2#0", None), "neither an 'error' nor a 'response'"),
        (line("b/2#0", {"object": "list"}), "neither a chat's nor a completion's"),
        (line("b/2#0", {"choices": []}), "neither a chat's nor a completion's"),
        (line("b/2#0", {"choices": ["x"]}), "neither a chat's nor a completion's"),
        (line("b/1#0", chat("twice")), "answers the custom_id 'b/1#0' again"),
        ({**line("x", chat("y")), "custom_id": 3}, "'custom_id' is 3"),
    ],
)
def test_lines_that_are_no_batch_output(bad: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="line 2") as caught:
        written(tmp_path / "a.jsonl", line("b/1#0", chat("once")), bad)
    assert message in caught.value.what


def test_a_batch_measures_and_what_failed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prompts = [{"prompt": f"The {who} said", "group": who} for who in ("man", "woman")]
    Path("prompts.jsonl").write_text("\n".join(map(json.dumps, prompts * 3)))
    benchmark = registry.create("benchmark", "toxicity:file=prompts.jsonl,classifier=lexicon")
    asked = requests(benchmark)
    lines = [line(one.custom_id, chat("a fine day")) for one in asked[:-1]]
    written(Path("out.jsonl"), *lines, line(asked[-1].custom_id, {"error": FILTERED}, 400))
    taken = take(open_model("recorded:out.jsonl"), benchmark)
    figure = taken.metrics["toxicity"]
    assert (figure.value, figure.n, figure.undefined) == (0.0, 5, 1)
    assert set(taken.scores[-1].values) == set(taken.scores[0].values)
    assert set(taken.scores[-1].values.values()) == {None}


def test_a_pair_without_both_answers_is_undefined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("pairs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sent_more", "sent_less", "stereo_antistereo", "bias_type"])
        rows.writerows([[f"She {i}.", f"He {i}.", "stereo", "gender"] for i in range(4)])
    lines = [{"sample": f"crows_pairs/{i}", "logprobs": [-3.0, -4.0]} for i in range(3)]
    lost = [
        {"sample": "crows_pairs/3", "logprob": -3.0},
        {"sample": "crows_pairs/3", "request": 1, "error": "timeout"},
    ]
    written(Path("out.jsonl"), *lines, *lost)
    taken = take(open_model("recorded:out.jsonl"), registry.create("benchmark", "crows_pairs:file=pairs.csv"))
    figure = taken.metrics["stereotype_preference"]
    assert (figure.value, figure.n, figure.undefined) == (100.0, 3, 1)


@pytest.mark.parametrize("first", [0.0, -1.5])
def test_an_echo_whose_first_token_has_a_number_is_refused_by_its_cause(tmp_path, first):
    table = echoed(["The", " nurse", " left", "."], [first, -3.0, -2.0, -1.0])
    body = completion("The nurse left.", table, usage={"completion_tokens": 1})
    with pytest.raises(BadData, match="line 1: its echoed prompt gives the first token a log-probability"):
        written(tmp_path / "a.jsonl", line("x", body))


def test_tokens_of_a_written_text_are_no_echo(tmp_path):
    table = {"tokens": [" that", " it"], "token_logprobs": [-0.5, -1.0]}
    body = completion(" that it", table, usage={"completion_tokens": True})
    model = written(tmp_path / "a.jsonl", line("b/1", body))
    assert model.answer_placed([Asked("b/1", 0, TEXT)]) == [Completion(" that it", 2)]
