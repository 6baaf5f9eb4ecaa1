"""Answers collected elsewhere: exact look-up, and every fault of a file at once."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from evenhand.errors import BadData, BadModel
from evenhand.models import Asked, Model
from evenhand.models.recorded import RecordedModel
from evenhand.opening import open_model
from evenhand.records import Ability, Completion, Continuation, Generation, LogProb, Sampling, Undefined
from tests.support.asking import generated

SHE = {"context": "The nurse left because", "text": " she", "logprob": -0.7, "n_tokens": 1}
HE = {"context": "The nurse left because", "text": " he", "logprob": -1.5}
SAID = {"prompt": "The nurse said", "completion": " hello", "n_tokens": 2}


def write(path, *records):
    lines = [r if isinstance(r, (str, bytes)) else json.dumps(r) for r in records]
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines))
    return path


def ask(record) -> Continuation:
    return Continuation(record["context"], record["text"])


def test_answers_come_back_to_the_letter(tmp_path):
    model = open_model(f"recorded:{write(tmp_path / 'a.jsonl', SHE, HE, SAID)}")
    assert isinstance(model, Model)
    assert model.can == {Ability.LOGPROBS, Ability.GENERATE}
    assert model.answer([ask(HE), ask(SHE), ask(HE)]) == [
        LogProb(-1.5, 1),
        LogProb(-0.7, 1),
        LogProb(-1.5, 1),
    ]
    assert generated(model, ["The nurse said"], Sampling(seed=9)) == [Completion(" hello", 2)]


def test_the_spec_is_the_files(tmp_path):
    path = write(tmp_path / "a.jsonl", SHE)
    model = RecordedModel(path)
    assert model.spec.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.spec.uri == f"recorded:{path}"


def test_pseudo_likelihoods_are_marked(tmp_path):
    model = RecordedModel(write(tmp_path / "a.jsonl", {**SHE, "kind": "pseudo"}))
    assert model.answer([ask(SHE)])[0].kind == "pseudo"


def test_a_byte_order_mark_blank_lines_and_equal_repeats_do_no_harm(tmp_path):
    path = write(tmp_path / "a.jsonl", b"\xef\xbb\xbf" + json.dumps(SHE).encode(), "", "  ", SHE)
    assert RecordedModel(path).answer([ask(SHE)]) == [LogProb(-0.7, 1)]


def test_all_problems_are_listed_with_their_lines(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        SHE,
        "{not json",
        {"context": "x", "logprob": -1},
        {**SHE, "logprob": -0.9},
        '{"context": "x", "text": " y", "logprob": NaN}',
    )
    with pytest.raises(BadData) as caught:
        RecordedModel(path)
    what = caught.value.what
    assert "line 1" not in what
    assert "line 2: not JSON" in what
    assert "line 3: has no 'text'" in what
    assert "line 4: repeats a context and text with another answer" in what
    assert "line 5: 'logprob' is nan" in what


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "not a JSON object"),
        ({**SHE, "logprob": 0.1}, "at most 0"),
        ({**SHE, "logprob": "-1"}, "'logprob' is '-1'"),
        ({**SHE, "logprob": True}, "'logprob' is True"),
        ('{"context": "x", "text": " y", "logprob": -Infinity}', "'logprob' is -inf"),
        ({**SHE, "n_tokens": -1}, "'n_tokens' is -1"),
        ({**SHE, "n_tokens": 1.5}, "'n_tokens' is 1.5"),
        ({**SHE, "n_tokens": 0}, "'n_tokens' is 0, and a text"),
        ({"sample": "b/1", "logprobs": [-1, -2], "n_tokens": [1, 0]}, "'n_tokens' is 0, and a text"),
        ({**SHE, "kind": "guess"}, "'kind' is 'guess'"),
        ({"prompt": "x"}, "has no 'completion'"),
        ({"completion": "x"}, "has no 'prompt'"),
        ({"context": 3, "text": " y", "logprob": -1}, "'context' is 3"),
        (b'{"context": "caf\xe9", "text": " y", "logprob": -1}', "not UTF-8"),
        ("{}", "has no 'context'"),
    ],
)
def test_each_fault_is_named(tmp_path, line, message):
    with pytest.raises(BadData, match="line 2") as caught:
        RecordedModel(write(tmp_path / "a.jsonl", SHE, line))
    assert message in caught.value.what


def test_many_problems_are_counted(tmp_path):
    with pytest.raises(BadData, match=r"line 20: .*; and 7 more"):
        RecordedModel(write(tmp_path / "a.jsonl", *["?"] * 27))


@pytest.mark.parametrize(
    "line", ["1" * 5000, '{"context": "a", "text": " b", "logprob": -1' + "0" * 400 + "}"]
)
def test_numbers_that_nothing_can_hold(tmp_path, line):
    with pytest.raises(BadData, match="line 2: ") as caught:
        RecordedModel(write(tmp_path / "a.jsonl", SHE, line))
    assert "not readable" in caught.value.what or "not a finite number" in caught.value.what


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_refused(tmp_path, content):
    with pytest.raises(BadData, match="is empty"):
        RecordedModel(write(tmp_path / "a.jsonl", content))


@pytest.mark.parametrize("name", ["missing.jsonl", ""])
def test_an_unreadable_file_is_refused(tmp_path, name):
    with pytest.raises(BadData, match="cannot be read"):
        RecordedModel(tmp_path / name)


def test_requests_that_were_not_recorded_are_named(tmp_path):
    model = RecordedModel(write(tmp_path / "a.jsonl", SHE, SAID))
    missing = [Continuation("The nurse left because", text) for text in (" he", " they")]
    with pytest.raises(BadData, match="lacks 2 of 3 answers: ' he' after 'The nurse left because'"):
        model.answer([ask(SHE), *missing])
    with pytest.raises(BadData, match="lacks 1 of 1 answers: 'The doctor said'"):
        generated(model, ["The doctor said"], Sampling())


def test_a_file_of_one_kind_cannot_serve_the_other(tmp_path):
    scores, texts = write(tmp_path / "a.jsonl", SHE), write(tmp_path / "b.jsonl", SAID)
    assert RecordedModel(scores).can == {Ability.LOGPROBS}
    with pytest.raises(BadModel, match="no completions"):
        generated(RecordedModel(scores), ["x"], Sampling())
    with pytest.raises(BadModel, match="no log-probabilities"):
        RecordedModel(texts).answer([ask(SHE)])


def test_a_name_with_a_plus_is_a_file(tmp_path):
    path = write(tmp_path / "a+b.jsonl", SHE)
    assert open_model(f"recorded:{path}").answer([ask(SHE)]) == [LogProb(-0.7, 1)]


def asked(sample: str, index: int, request) -> Asked:
    return Asked(sample, index, request)


def test_answers_are_found_by_sample_and_request(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        {"sample": "b/1", "completion": " first", "n_tokens": 1},
        {"sample": "b/1", "request": 1, "completion": " second"},
        {"sample": "b/2", "logprobs": [-0.5, -1.5], "n_tokens": [1, 2]},
        {"sample": "b/2", "request": 2, "logprob": -3.0, "kind": "pseudo"},
    )
    model = RecordedModel(path)
    assert model.can == {Ability.LOGPROBS, Ability.GENERATE}
    text, score = Generation("same prompt"), Continuation("same", " text")
    assert model.answer_placed(
        [asked("b/2", 1, score), asked("b/1", 1, text), asked("b/1", 0, text), asked("b/2", 2, score)]
    ) == [LogProb(-1.5, 2), Completion(" second", 1), Completion(" first", 1), LogProb(-3.0, 1, "pseudo")]


def test_an_answer_by_text_serves_every_sample_that_asks_it_but_one_by_sample_goes_first(tmp_path):
    path = write(tmp_path / "a.jsonl", SAID, {"sample": "b/2", "completion": " own"})
    text = Generation("The nurse said")
    found = RecordedModel(path).answer_placed([asked("b/1", 0, text), asked("b/2", 0, text)])
    assert found == [Completion(" hello", 2), Completion(" own", 1)]


def test_several_texts_after_one_prompt(tmp_path):
    line = {"prompt": "The nurse left because", "logprobs": {" she": -0.7, " he": -1.5}}
    model = RecordedModel(write(tmp_path / "a.jsonl", line))
    assert model.answer([ask(HE), ask(SHE)]) == [LogProb(-1.5, 1), LogProb(-0.7, 1)]


def test_everything_wrong_with_samples_is_listed_at_once(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        {"sample": "b/1", "completion": "x"},
        {"sample": "b/1", "completion": "x"},
        {"sample": "b/2", "logprobs": [-1, -2]},
        {"sample": "b/2", "request": 1, "logprob": -2},
        {"sample": "b/3", "logprobs": [-1, 0.5]},
        {"sample": "b/4", "logprobs": [-1], "n_tokens": [1, 2]},
    )
    with pytest.raises(BadData) as caught:
        RecordedModel(path)
    assert "line 2: answers request 0 of 'b/1' again" in caught.value.what
    assert "line 4: answers request 1 of 'b/2' again" in caught.value.what
    assert "line 5: 'logprob' is 0.5" in caught.value.what
    assert "line 6: 'logprobs' and 'n_tokens'" in caught.value.what


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"sample": 3, "completion": "x"}, "'sample' is 3"),
        ({"sample": "b/1"}, "has no 'logprobs'"),
        ({"sample": "b/1", "request": -1, "completion": "x"}, "'request' is -1"),
        ({"sample": "b/1", "completion": None}, "'completion' is None"),
        ({"sample": "b/1", "logprobs": []}, "of at least 1"),
        ({"prompt": "x", "logprobs": [-1]}, r"'logprobs' is \[-1\]"),
        ({"logprobs": {" a": -1}}, "has no 'prompt'"),
    ],
)
def test_lines_by_sample_are_checked(tmp_path, line, message):
    with pytest.raises(BadData, match=message):
        RecordedModel(write(tmp_path / "a.jsonl", line))


def test_samples_without_an_answer_are_listed(tmp_path):
    model = RecordedModel(write(tmp_path / "a.jsonl", {"sample": "b/1", "completion": "x"}, SHE))
    text, score = Generation("p"), Continuation("p", " q")
    with pytest.raises(BadData, match="lacks 3 of 4 answers: b/1, request 1") as caught:
        model.answer_placed(
            [asked("b/1", i, text) for i in (0, 1)] + [asked("b/2", 0, score), asked("b/1", 0, score)]
        )
    assert "b/2, request 0 (' q' after 'p')" in caught.value.what  # a text is no answer to a score


def test_a_line_is_let_go_once_it_is_read(tmp_path):
    talk = "x" * 2000  # what a collector may have kept beside the answer
    lines = [{"sample": f"b/{i}", "logprob": -1.0, "talk": talk} for i in range(2000)]
    path = write(tmp_path / "a.jsonl", *lines)
    tracemalloc.start()
    try:
        RecordedModel(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 4


def test_an_answer_that_is_none_says_why(tmp_path):
    path = write(tmp_path / "a.jsonl", {"sample": "b/1", "error": "refused"})
    model = RecordedModel(path)
    assert model.can == {Ability.LOGPROBS, Ability.GENERATE}
    found = model.answer_placed([asked("b/1", 0, Generation("p")), asked("b/1", 0, Continuation("p", " q"))])
    assert found == [Undefined("refused")] * 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"sample": "b/1", "error": " "}, "'error' is empty"),
        ({"sample": "b/1", "error": None}, "'error' is None"),
        ({"sample": "b/1", "request": 10**12, "logprob": -1}, "'request' is 1000000000000"),
    ],
)
def test_lines_without_an_answer_are_checked(tmp_path, line, message):
    with pytest.raises(BadData, match=message):
        RecordedModel(write(tmp_path / "a.jsonl", line))


@pytest.mark.slow
def test_a_hundred_thousand_pairs_need_less_than_500_megabytes():
    script = Path(__file__).parents[2] / "perf" / "recorded.py"
    command = [sys.executable, str(script), "--rows", "100000", "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["rows"] == 100_000
    assert found["peak_mb"] - found["bare_mb"] < 500
    value, low, high = found["figure"]
    assert low < value < high


def test_torch_is_not_needed(tmp_path):
    path = write(tmp_path / "a.jsonl", SHE)
    program = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from evenhand.opening import open_model; from evenhand.records import Continuation\n"
        f"m = open_model('recorded:{path}')\n"
        "print(m.answer([Continuation('The nurse left because', ' she')])[0].value)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "-0.7"
