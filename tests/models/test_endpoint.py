"""An endpoint against a real server on this machine: the same numbers, and every fault that servers have."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BadModel, BadOption, EnvironmentProblem, Inconclusive, UnknownName, UsageError
from evenhand.folders import cache_folder
from evenhand.models import Model
from evenhand.models.budget import Price
from evenhand.models.causal import CausalModel
from evenhand.models.endpoint import EndpointModel, parse
from evenhand.models.refused import MALFORMED
from evenhand.models.transport import Transport, _retry_after
from evenhand.opening import open_model
from evenhand.records import Ability, Completion, Continuation, Sampling, Undefined
from evenhand.testing import tiny
from tests.support import server
from tests.support.asking import generated
from tests.support.server import KEY, State, garbage, serving, silent, slow, status, truncated

ITEMS = [
    Continuation("The nurse smiled because", " she"),
    Continuation("The nurse smiled because", " he"),
    Continuation("The carpenter sat down slowly because", " the doctor was late"),
]
SHORT = Sampling(max_tokens=4)


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return tiny.model("llama", max_position_embeddings=128)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path / "cache"))
    for name in ("EVENHAND_API_KEY", "OPENAI_API_KEY", "EVENHAND_BUDGET_REQUESTS", "EVENHAND_BUDGET_TOKENS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def served(model):
    with serving(model) as state:
        yield state


class Naps(list[float]):
    """Takes the place of sleeping: keeps the seconds."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def opened(state: State, query: str = "api=completions", naps: Naps | None = None) -> EndpointModel:
    address = parse(f"{state.url}?{query}#tiny")
    sleep = Naps() if naps is None else naps
    return EndpointModel(address, Transport(address.url, address.limits, sleep=sleep, jitter=lambda: 0.5))


def test_the_string_opens_it_and_says_what_it_can(served):
    chat, completions = (open_model(f"openai:{served.url}{q}#tiny") for q in ("", "?api=completions"))
    assert isinstance(chat, Model)
    assert chat.can == {Ability.GENERATE}
    assert completions.can == {Ability.GENERATE, Ability.LOGPROBS}
    assert served.asked == []  # opening sends nothing
    assert chat.spec.uri == f"openai:{served.url}#tiny"
    assert chat.spec.digest != completions.spec.digest


def test_log_probabilities_are_the_models_own(served, model):
    endpoint = opened(served)
    for found, expected in zip(
        endpoint.answer([*ITEMS, ITEMS[0]]), model.answer([*ITEMS, ITEMS[0]]), strict=True
    ):
        assert found.value == pytest.approx(expected.value, abs=1e-4)
        assert found.n_tokens == expected.n_tokens
    assert any("agreed within 0.000" in note for note in endpoint.notes())


def asked_prompt(body: dict[str, Any]) -> str:
    return body.get("prompt") or body["messages"][0]["content"]


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("sampling", [SHORT, Sampling(max_tokens=4, temperature=1.0, seed=3)])
def test_text_is_the_models_own(served, model, api, sampling):
    prompts = ["The nurse", "The doctor opened"]
    found = generated(opened(served, f"api={api}"), prompts, sampling)
    assert all(0 < c.n_tokens <= 4 for c in found)
    if sampling.temperature == 0:
        assert found == generated(model, prompts, sampling)
    else:  # each prompt is sent with the seed that was made for it
        seeds = {body["seed"] for body in served.asked}
        assert len(seeds) == 2
        alone = [
            generated(model, [asked_prompt(body)], replace(sampling, seed=body["seed"]))[0]
            for body in served.asked
        ]
        assert sorted(c.text for c in found) == sorted(c.text for c in alone)


def test_a_repeated_prompt_is_asked_once_when_greedy_and_drawn_twice_when_sampled(served):
    generated(opened(served, "api=chat"), ["The nurse", "The nurse"], SHORT)
    assert len(served.asked) == 1
    generated(opened(served, "api=chat"), ["The nurse", "The nurse"], Sampling(max_tokens=4, temperature=1.0))
    assert len(served.asked) == 3


def test_some_models_want_another_name_for_the_length(served):
    generated(opened(served, "length=max_completion_tokens"), ["The nurse"], SHORT)
    assert served.asked[0]["max_completion_tokens"] == 4
    assert "max_tokens" not in served.asked[0]


# -- log-probabilities that must not be believed


def mapped(how: Callable[[float, int], Any]) -> Callable[[list[Any]], list[Any]]:
    """`how` applied to every value but the missing one; it is also told how many follow."""
    return lambda values: [None if v is None else how(v, len(values) - 1 - i) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    ("garble", "why"),
    [
        (lambda values: [None, *values[:-1]], "when it is generated"),  # one place too late
        (lambda values: [*values[1:], -1.0], "when it is generated"),  # one place too early
        (lambda values: [-2.5] * len(values), "when it is generated"),
        (mapped(lambda v, left: v / 2.3026), "when it is generated"),  # decimal logarithms
        (mapped(lambda v, left: v - 3), "when it is generated"),
        (lambda values: values[:-1], "differ in length"),
        (mapped(lambda v, left: -v), "above 0"),
        (mapped(lambda v, left: str(v)), "is '"),
        (lambda values: [None] * len(values), "none in an echoed prompt"),
        (mapped(lambda v, left: v - 0.2 * (left - 1)), "change with what follows"),
    ],
)
def test_wrong_values_are_refused(served, garble, why):
    served.garble = garble
    with pytest.raises(BadModel, match="cannot be used") as caught:
        opened(served).answer(ITEMS)
    assert why in caught.value.what
    assert len(served.asked) <= 3  # nothing but the check was sent


def test_a_server_that_ignores_echo_is_refused(served):
    served.echoes = False
    with pytest.raises(BadModel, match="do not spell the prompt"):
        opened(served).answer(ITEMS)


def test_a_server_that_refuses_echo_is_refused_with_its_own_words(served):
    served.faults = [status(400, {"error": {"message": "echo is not supported"}})]
    with pytest.raises(BadModel, match=r"cannot be used: .*echo is not supported"):
        opened(served).answer(ITEMS)


@pytest.mark.parametrize(
    "table",
    [
        None,
        [],
        {"tokens": [], "token_logprobs": []},
        {"tokens": ["x"], "token_logprobs": None},
        {"tokens": None, "token_logprobs": [-1.0], "top_logprobs": [None]},
    ],
)
def test_no_log_probabilities_at_all(served, table):
    served.faults = [status(200, {"choices": [{"text": "x", "logprobs": table}]})]
    with pytest.raises(BadModel, match="holds no log-probabilities"):
        opened(served).answer(ITEMS)


def test_an_echo_that_cannot_be_used_is_not_kept(served, model):
    endpoint = opened(served, "api=completions&concurrency=1")
    probes = [slow(0)] * 3
    served.faults = [*probes, status(200, {"choices": [{"text": "x", "logprobs": None}]})]
    with pytest.raises(BadModel, match=r"because she', the answer holds no log-probabilities"):
        endpoint.answer(ITEMS[:1])
    (found,), (own,) = endpoint.answer(ITEMS[:1]), model.answer(ITEMS[:1])
    assert found.value == pytest.approx(own.value, abs=1e-4)
    assert len(served.asked) == 3 + 2  # the check, and each time the item


def test_a_chat_is_refused_without_asking(served):
    with pytest.raises(BadModel, match="asked as a chat"):
        opened(served, "api=chat").answer(ITEMS)
    assert served.asked == []


def test_the_first_token_of_a_text_has_no_value(served):
    with pytest.raises(BadModel, match="first token"):
        opened(served).answer([Continuation("", "The nurse smiled")])


def test_a_text_glued_to_its_context_is_refused(served):
    with pytest.raises(BadModel, match="merges the end"):
        opened(served).answer([Continuation("The nurse smiled becau", "se she")])


# -- failures that pass


def test_busy_broken_and_garbled_answers_are_asked_for_again(served, model):
    naps = Naps()
    served.faults = [status(429, Retry_After="7"), status(500), truncated, garbage]
    found = generated(opened(served, "concurrency=1", naps), ["The nurse"], SHORT)
    assert found == generated(model, ["The nurse"], SHORT)
    # The server's own 7 s, then 0.5 s doubled at each attempt, times 0.5 + jitter = 1.
    assert naps == [7.5, 1.0, 2.0, 4.0]  # 7 as asked for and the jitter, then 0.5 doubled, times 1


def test_silence_is_a_failure_that_may_pass(served, model):
    served.faults = [silent(1.0)]
    endpoint = opened(served, "timeout=0.5")
    assert generated(endpoint, ["The nurse"], SHORT) == generated(model, ["The nurse"], SHORT)
    assert len(served.asked) == 2


def test_silence_for_good_is_named(served):
    served.faults = [silent(0.3)] * 2
    with pytest.raises(EnvironmentProblem, match=r"2 attempts: no answer within 0\.1 s"):
        generated(opened(served, "timeout=0.1&retries=1"), ["The nurse"], SHORT)


def test_a_server_that_stays_broken_is_named(served):
    served.faults = [status(503)] * 3
    with pytest.raises(EnvironmentProblem, match=r"3 attempts: .* answers 503: status 503") as caught:
        generated(opened(served, "retries=2"), ["The nurse"], SHORT)
    assert caught.value.exit_code == 4


def test_a_long_pause_ends_the_run_and_does_not_lose_it(served):
    endpoint = opened(served, "concurrency=1")
    served.faults = [slow(0), status(429, Retry_After="86400")]
    with pytest.raises(Inconclusive, match="pause of 86 400 s"):
        generated(endpoint, ["The nurse", "The doctor"], SHORT)
    before = len(served.asked)
    generated(opened(served, "concurrency=1"), ["The nurse", "The doctor"], SHORT)
    assert len(served.asked) == before + 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("-1", 0.0), ("soon", None), (None, None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)
def test_retry_after_in_all_its_forms(value, seconds):
    assert _retry_after(value) == seconds


# -- failures that do not pass


def test_nobody_at_the_address(model):
    with serving(model) as state:
        pass
    naps = Naps()
    with pytest.raises(EnvironmentProblem, match="cannot be reached") as caught:
        generated(opened(state, "api=chat", naps), ["x"], SHORT)
    assert (caught.value.exit_code, naps) == (4, [])


def test_an_unknown_model_lists_the_known_ones(served):
    served.name = "big"
    with pytest.raises(BadModel, match="does not exist") as caught:
        generated(opened(served), ["x"], SHORT)
    assert "Its models: big." in caught.value.mend


def test_a_redirect_is_not_followed(served):
    served.faults = [status(307, Location="http://127.0.0.1:9/v1")]
    with pytest.raises(BadModel, match="answers 307"):
        generated(opened(served), ["x"], SHORT)


@pytest.mark.parametrize("answer", [{"choices": []}, {"result": "x"}, {"choices": [{"message": None}]}])
def test_an_answer_of_another_shape_is_named(served, answer):
    served.faults = [status(200, answer)]
    with pytest.raises(BadModel, match="no text in its choices"):
        generated(opened(served, "api=chat"), ["x"], SHORT)


def test_an_answer_of_another_shape_is_not_kept(served, model):
    served.faults = [status(200, {"choices": [{"message": {"content": "x"}}]})]  # a chat's
    with pytest.raises(BadModel, match="no text in its choices"):
        generated(opened(served), ["The nurse"], SHORT)
    assert generated(opened(served), ["The nurse"], SHORT) == generated(model, ["The nurse"], SHORT)
    assert len(served.asked) == 2


def test_a_kept_answer_of_another_shape_is_asked_for_again(served):
    generated(opened(served), ["The nurse"], SHORT)
    (kept,) = (path for path in cache_folder().rglob("*.json"))
    kept.write_text('{"choices": []}')
    again = opened(served)
    generated(again, ["The nurse"], SHORT)
    assert (len(served.asked), again.transport.reused) == (2, 0)


def test_an_error_under_status_200_may_pass(served, model):
    served.faults = [status(200, {"error": {"message": "upstream is busy"}})]
    endpoint = opened(served)
    assert generated(endpoint, ["The nurse"], SHORT) == generated(model, ["The nurse"], SHORT)
    served.faults = [status(200, {"error": {"message": f"upstream is busy {KEY}"}})] * 2
    with pytest.raises(EnvironmentProblem, match=r"2 attempts: it answers 200 with an error: upstream"):
        generated(opened(served, "api=completions&retries=1"), ["The doctor"], SHORT)


def test_an_empty_answer_is_counted(served):
    served.faults = [status(200, {"choices": [{"message": {"content": None}}]})]
    endpoint = opened(served, "api=chat")
    assert generated(endpoint, ["x"], SHORT) == [Completion("", 0)]
    assert any("1 answers held no text" in note for note in endpoint.notes())


# -- prompts that are refused, and parameters

FILTERED = {"error": {"message": "no", "code": "content_filter"}}
TOO_LONG = {"error": {"message": "This model's maximum context length is 8 tokens."}}
DRAWN = Sampling(max_tokens=4, temperature=1.0)


def test_a_refused_prompt_is_an_answer_that_is_kept(served, model):
    served.faults = [slow(0), status(400, FILTERED), status(400, TOO_LONG)]
    prompts = ["The nurse", "The doctor", "The carpenter", "The teacher"]
    first = opened(served, "concurrency=1")
    found = generated(first, prompts, SHORT)
    own = generated(model, prompts, SHORT)
    assert found == [own[0], Undefined("content_filter"), Undefined("context_length_exceeded"), own[3]]
    asked = len(served.asked)
    again = opened(served, "concurrency=1")
    assert generated(again, prompts, SHORT) == found
    assert (len(served.asked), again.transport.reused) == (asked, 4)


def test_a_refused_prompt_is_left_out_of_the_scores_as_well(served, model):
    endpoint = opened(served, "api=completions&concurrency=1")
    served.faults = [slow(0), slow(0), slow(0), status(400, TOO_LONG)]  # the check passes
    found = endpoint.answer(ITEMS)
    assert found[0] == Undefined("context_length_exceeded")
    assert found[1].value == pytest.approx(model.answer(ITEMS)[1].value, abs=1e-4)


def test_a_check_that_is_refused_is_no_check(served):
    served.faults = [status(400, FILTERED)]
    with pytest.raises(BadModel, match="refuses a prompt of evenhand's own check: content_filter"):
        opened(served).answer(ITEMS)


def test_only_what_differs_from_the_default_is_sent(served):
    sampled = {"temperature", "top_p", "seed"}

    def sent(query: str, sampling: Sampling) -> set[str]:
        generated(opened(served, f"cache=no{query}"), ["The nurse"], sampling)
        return sampled & set(served.asked[-1])

    assert sent("", SHORT) == {"temperature"}
    assert sent("", DRAWN) == set()
    assert sent("", replace(DRAWN, temperature=0.7)) == {"temperature"}
    assert sent("", replace(DRAWN, top_p=0.9)) == {"top_p"}
    assert sent("", replace(DRAWN, seed=1)) == {"seed"}
    assert sent("&leave_out=seed,top_p", replace(DRAWN, seed=1, top_p=0.9, temperature=0.7)) == {
        "temperature"
    }
    assert sent("&send=seed,top_p,temperature", DRAWN) == sampled
    assert sent("&send=seed", SHORT) == {"temperature"}  # greedy text has no draws
    assert sent("&leave_out=temperature", SHORT) == set()


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_further_fields_are_sent_and_stay_in_the_name(served, api):
    endpoint = opened(served, f"api={api}&also=top_k:0,min_p:0.0,mirostat:false,mode:plain")
    generated(endpoint, ["The nurse"], SHORT)
    sent = {name: served.asked[0][name] for name in ("top_k", "min_p", "mirostat", "mode")}
    assert sent == {"top_k": 0, "min_p": 0.0, "mirostat": False, "mode": "plain"}
    assert "also=min_p:0.0,mirostat:false,mode:plain,top_k:0#tiny" in endpoint.spec.uri
    assert parse(endpoint.spec.uri.removeprefix("openai:")).also == endpoint.address.also
    if api == "completions":  # what is scored is not drawn
        endpoint.answer(ITEMS)
        assert all("top_k" not in body for body in served.asked[1:])


def test_what_was_not_sent_is_said(served):
    endpoint = opened(served, "leave_out=temperature")
    generated(endpoint, ["The nurse"], SHORT)
    assert any(note.startswith("Left out of the requests: temperature.") for note in endpoint.notes())
    assert "leave_out=temperature" in endpoint.spec.uri  # other figures, another name
    drawn = opened(served)
    generated(drawn, ["The nurse"], DRAWN)
    assert any("?send=seed,top_p,temperature" in note for note in drawn.notes())
    told = opened(served, "send=seed,top_p,temperature")
    generated(told, ["The nurse"], DRAWN)
    assert not any("write ?send" in note for note in told.notes())


def test_draws_without_a_seed_are_draws_of_their_own_and_kept_apart(served):
    prompts = ["The nurse", "The nurse", "The doctor"]
    query = "leave_out=seed"
    first = opened(served, query)
    found = [generated(first, prompts, replace(DRAWN, seed=seed)) for seed in (0, 1)]
    assert len(served.asked) == 6
    assert not any("seed" in body for body in served.asked)
    again = opened(served, query)
    assert [generated(again, prompts, replace(DRAWN, seed=seed)) for seed in (0, 1)] == found
    assert len(served.asked) == 6


def test_an_unknown_parameter_ends_the_run_and_names_its_option(served):
    served.faults = [status(422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"]}]})]
    with pytest.raises(BadModel, match="extra_forbidden") as caught:
        generated(opened(served), ["The nurse"], replace(DRAWN, seed=1))
    assert "write ?leave_out=seed before the #" in caught.value.mend


def test_an_empty_account_ends_the_run_at_once(served):
    naps = Naps()
    served.faults = [status(429, {"error": {"message": "quota", "code": "insufficient_quota"}})] * 9
    with pytest.raises(Inconclusive, match="429: quota"):
        generated(opened(served, "concurrency=1", naps), ["The nurse"], SHORT)
    assert (len(served.asked), naps) == (1, [])


def test_a_chat_says_how_to_ask_for_log_probabilities(served):
    with pytest.raises(BadModel) as caught:
        opened(served, "api=chat&leave_out=seed").answer(ITEMS)
    assert f"openai:{served.url}?api=completions&leave_out=seed#tiny" in caught.value.mend


def test_a_servers_own_names_stay_in_one_line(served):
    answer = {"model": "tiny\nVerdict: mitigated", "choices": [{"text": "x"}]}
    served.faults = [status(200, answer)]
    endpoint = opened(served)
    generated(endpoint, ["The nurse"], SHORT)
    assert "The server names the model tiny Verdict: mitigated." in endpoint.notes()


@pytest.mark.parametrize("answer", [{"choices": []}, {"choices": [7]}, b"\xff\xfe{", b"[1]"])
def test_one_malformed_answer_among_good_ones_is_asked_for_again(served, model, answer):
    prompts = ["The nurse", "The doctor", "The baker"]
    served.faults = [slow(0), status(200, answer)]
    found = generated(opened(served, "api=completions&concurrency=1&retries=0"), prompts, SHORT)
    assert found == generated(model, prompts, SHORT)
    assert [body["prompt"] for body in served.asked] == [*prompts, "The doctor"]


def malformed_for(word: str, answer: Any) -> server.Fault:
    def fault(handler: server.Handler) -> bool:
        if word not in handler.state.asked[-1]["prompt"]:
            return False
        handler.reply(200, answer)
        return True

    return fault


@pytest.mark.parametrize("answer", [{"choices": []}, b"not JSON"])
def test_an_answer_that_stays_malformed_is_undefined_and_not_kept(served, model, answer):
    prompts = ["The doctor", "The nurse", "The baker"]  # the first of all, before any good one
    served.faults = [malformed_for("doctor", answer)] * 4
    query = "api=completions&concurrency=1&retries=0"
    found = generated(opened(served, query), prompts, SHORT)
    assert found == [Undefined(MALFORMED), *generated(model, prompts[1:], SHORT)]
    served.faults = []
    assert generated(opened(served, query), prompts, SHORT) == generated(model, prompts, SHORT)


def test_an_echo_that_stays_without_log_probabilities_is_undefined(served):
    served.faults = [malformed_for("doctor", {"choices": [{"text": "x", "logprobs": None}]})] * 9
    found = opened(served, "api=completions&concurrency=1").answer(ITEMS)
    assert [isinstance(one, Undefined) for one in found] == [False, False, True]


@pytest.mark.parametrize(("good", "most"), [(0, 3), (1, 8)])
def test_a_server_that_answers_no_more_ends_the_run(served, good, most):
    served.faults = [slow(0)] * good + [status(200, {"choices": []})] * 40
    with pytest.raises(BadModel, match="no text in its choices"):
        generated(opened(served, "api=completions&concurrency=1"), [f"Text {i}" for i in range(40)], SHORT)
    assert good + most <= len(served.asked) <= good + most + 2  # those under way


def test_a_key_that_an_answer_repeats_is_neither_shown_nor_kept(served, monkeypatch):
    monkeypatch.setenv("EVENHAND_API_KEY", KEY)
    said = f"Bearer {KEY}"
    served.faults = [status(200, {"model": said, "headers": said, "choices": [{"text": "a doctor"}]})]
    endpoint = opened(served)
    assert generated(endpoint, ["The nurse"], SHORT) == [Completion("a doctor", 2)]
    kept = [path.read_text() for path in cache_folder().rglob("*.json")]
    assert kept
    assert not any(KEY in text for text in (*kept, *endpoint.notes()))


def test_a_short_key_is_no_secret_that_would_change_an_answer(served, monkeypatch):
    monkeypatch.setenv("EVENHAND_API_KEY", "none")
    served.faults = [status(200, {"choices": [{"text": "there is none"}]})]
    assert generated(opened(served), ["The nurse"], SHORT) == [Completion("there is none", 3)]


# -- size and time


def test_an_answer_without_end_is_not_kept(served, monkeypatch):
    monkeypatch.setattr("evenhand.models.wire.Wire.exchange.__defaults__", (10_000,))
    served.faults = [status(200, b'{"choices": [{"text": "' + b"x" * 20_000 + b'"}]}')]
    with pytest.raises(BadModel, match="more than 32 MB"):
        generated(opened(served), ["The nurse"], SHORT)
    assert not list(cache_folder().rglob("*.json"))


def test_a_byte_now_and_then_does_not_outlive_the_timeout(served):
    def dribble(handler: server.Handler) -> bool:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
        return True

    served.faults = [dribble]
    start = time.monotonic()
    with pytest.raises(EnvironmentProblem, match=r"no answer within 0\.3 s"):
        generated(opened(served, "api=completions&timeout=0.3&retries=0"), ["The nurse"], SHORT)
    assert time.monotonic() - start < 1.5


# -- the key


@pytest.mark.parametrize("name", ["EVENHAND_API_KEY", "OPENAI_API_KEY"])
def test_the_key_is_sent_and_kept_nowhere(served, monkeypatch, caplog, tmp_path, name):
    caplog.set_level(logging.DEBUG)
    served.key = KEY
    monkeypatch.setenv(name, KEY)
    endpoint = opened(served)
    generated(endpoint, ["The nurse"], SHORT)
    assert served.headers[0]["Authorization"] == f"Bearer {KEY}"
    kept = [path.read_text() for path in cache_folder().rglob("*") if path.is_file()]
    assert kept
    assert not any(KEY in text for text in (*kept, str(endpoint.spec), repr(endpoint.notes()), caplog.text))


def test_a_wrong_key_is_named_without_showing_it(served, monkeypatch):
    served.key = "another"
    monkeypatch.setenv("EVENHAND_API_KEY", KEY)
    with pytest.raises(EnvironmentProblem, match="answers 401: Incorrect key") as caught:
        generated(opened(served), ["x"], SHORT)
    assert KEY not in str(caught.value)
    assert "EVENHAND_API_KEY" in caught.value.mend


def test_a_key_that_cannot_be_sent_is_not_shown(served, monkeypatch):
    monkeypatch.setenv("EVENHAND_API_KEY", "sk-line\nbreak")
    with pytest.raises(BadOption, match="characters") as caught:
        generated(opened(served), ["x"], SHORT)
    assert "sk-line" not in str(caught.value)


def test_the_general_key_goes_over_https_or_to_this_machine_only(monkeypatch):
    from evenhand.models.transport import api_key

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert api_key("http://elsewhere.example/v1") is None
    assert api_key("https://elsewhere.example/v1") == api_key("http://localhost:1/v1") == KEY
    monkeypatch.setenv("EVENHAND_API_KEY", "own")
    assert api_key("http://elsewhere.example/v1") == "own"


# -- the budget and the cache


def test_a_budget_of_requests_is_hard_and_resumes(served, model):
    prompts = [f"The nurse {i}" for i in range(6)]
    with pytest.raises(Inconclusive, match="budget of 4 requests") as caught:
        generated(opened(served, "requests=4"), prompts, SHORT)
    assert (len(served.asked), caught.value.exit_code) == (4, 3)
    again = opened(served, "requests=4")
    assert generated(again, prompts, SHORT) == generated(model, prompts, SHORT)
    assert len(served.asked) == 6
    assert any("4 answers were kept" in note for note in again.notes())


def test_a_budget_of_tokens_is_never_exceeded(served):
    # "The nurse 0" has 11 bytes, as JSON 13, and 4 tokens are asked for: a request is charged at most 17.
    with pytest.raises(Inconclusive, match="budget of 40 tokens"):
        generated(
            opened(served, "api=completions&tokens=40&concurrency=1"),
            [f"The nurse {i}" for i in range(9)],
            SHORT,
        )
    used = sum(len(tiny.tokenizer()(f"The nurse {i}")["input_ids"]) + 4 for i in range(len(served.asked)))
    assert 40 - 17 < used <= 40


def test_a_refused_request_costs_no_tokens(served):
    served.faults = [status(429)] * 3
    endpoint = opened(served, "api=completions&tokens=20&concurrency=1")
    generated(endpoint, ["The nurse 0"], SHORT)
    assert endpoint.transport.budget.requests == 4
    assert endpoint.transport.budget.tokens.total <= 17


def test_a_request_that_failed_on_the_way_stays_booked(served):
    # 17 as above; what a broken or late answer has cost, nobody knows.
    for failure, booked in ((status(500), 17), (truncated, 17), (status(400, FILTERED), 3)):
        served.faults = [failure]
        endpoint = opened(served, "api=completions&tokens=1000&retries=1&cache=no")
        generated(endpoint, ["The nurse 0"], SHORT)
        used = len(tiny.tokenizer()("The nurse 0")["input_ids"]) + 4
        assert endpoint.transport.budget.tokens.total == (booked if booked == 3 else booked + used)


def test_a_server_that_counts_nothing_spends_the_budget_still(served):
    answer = {"choices": [{"text": "one two three four"}], "usage": {"total_tokens": 0}}
    served.faults = [status(200, answer)] * 9
    with pytest.raises(Inconclusive, match="budget of 40 tokens"):
        generated(
            opened(served, "api=completions&tokens=40&concurrency=1"),
            [f"The nurse {i}" for i in range(9)],
            SHORT,
        )
    assert len(served.asked) < 6  # three words asked and four written, each time


@pytest.mark.parametrize("total", [-1000, True, "4", None])
def test_a_count_that_cannot_be_one_gives_no_tokens_back(served, total):
    # 13 bytes and 4 tokens, as above: two requests fit into 40 and a third does not.
    answer = {"choices": [{"text": "x"}], "usage": {"total_tokens": total}}
    served.faults = [status(200, answer)] * 9
    with pytest.raises(Inconclusive, match="budget of 40 tokens"):
        generated(
            opened(served, "api=completions&tokens=40&concurrency=1"),
            [f"The nurse {i}" for i in range(9)],
            SHORT,
        )
    assert len(served.asked) == 2


def test_without_a_cache_nothing_is_said_to_be_kept(served):
    with pytest.raises(Inconclusive, match="With cache=no nothing is kept"):
        generated(opened(served, "cache=no&requests=1"), ["a", "b"], SHORT)


def test_the_budget_may_stand_in_the_environment(served, monkeypatch):
    monkeypatch.setenv("EVENHAND_BUDGET_REQUESTS", "1")
    with pytest.raises(Inconclusive):
        generated(opened(served), ["a", "b"], SHORT)
    assert len(served.asked) == 1


def test_kept_answers_are_private(served):
    generated(opened(served), ["The nurse"], SHORT)
    (kept,) = cache_folder().rglob("*.json")
    modes = [path.stat().st_mode & 0o777 for path in (kept, kept.parent, kept.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_a_kept_answer_that_was_changed_is_asked_for_again(served, model):
    generated(opened(served), ["The nurse"], SHORT)
    (kept,) = cache_folder().rglob("*.json")
    answer = json.loads(kept.read_text())
    answer["choices"][0]["text"] = " nothing of the kind"
    kept.write_text(json.dumps(answer))
    assert generated(opened(served), ["The nurse"], SHORT) == generated(model, ["The nurse"], SHORT)
    assert len(served.asked) == 2


def test_kept_answers_need_no_server_and_no_second_check(model):
    with serving(model) as state:
        first = opened(state).answer(ITEMS)
        asked = len(state.asked)
    again = opened(state)  # nobody listens any more
    assert again.answer(ITEMS) == first
    assert (len(state.asked), again.transport.reused) == (asked, len(ITEMS))


def test_a_damaged_or_unwanted_cache_is_not_read(served):
    generated(opened(served), ["The nurse"], SHORT)
    (kept,) = (path for path in cache_folder().rglob("*.json"))
    kept.write_text('{"choices": [{')
    generated(opened(served), ["The nurse"], SHORT)
    assert len(served.asked) == 2
    assert json.loads(Path(kept).read_text())["model"] == "tiny"
    generated(opened(served, "cache=no"), ["The nurse"], SHORT)
    assert len(served.asked) == 3


def test_several_requests_are_under_way_at_once_but_not_more_than_told(served):
    served.faults = [slow(0.05)] * 8
    generated(opened(served, "concurrency=3"), [f"The nurse {i}" for i in range(8)], SHORT)
    assert 1 < served.busiest <= 3


# -- through the whole house


def test_measuring_an_endpoint_is_measuring_its_model(served, model, tmp_path):
    from evenhand.benchmarks.counterfactual import Counterfactual
    from evenhand.benchmarks.toxicity import Toxicity
    from evenhand.studies.measure import take

    own_prompts = tmp_path / "prompts.jsonl"
    own_prompts.write_text(
        "".join(f'{{"prompt": "The {who} is"}}\n' for who in ("nurse", "cook", "pilot", "vet"))
    )
    text = Toxicity(classifier="lexicon", file=str(own_prompts), max_tokens=4, temperature=0)
    for benchmark in (Counterfactual(), text):
        own = take(model, benchmark, limit=4)
        found = take(opened(served), benchmark, limit=4)
        for a, b in zip(own.scores, found.scores, strict=True):
            assert a.sample == b.sample
            assert b.values == {name: pytest.approx(value, abs=1e-4) for name, value in a.values.items()}
        assert any("known to its server only" in note for note in found.notes)


@pytest.mark.parametrize(
    ("uri", "code", "said"),
    [
        ("openai:http://127.0.0.1:9/v1?retries=0#m", 4, "cannot be reached"),
        ("openai:{url}?requests=1#tiny", 3, "budget of 1 requests"),
        ("openai:{url}#other", 2, "Its models: tiny."),
        ("openai:http://h/v1?key=s3cret#m", 2, "no option 'key'"),
    ],
)
def test_the_command_line_says_what_to_do(served, capsys, uri, code, said):
    from evenhand.cli import main
    from tests.support.data import data_file

    data_file("hurtlex/hurtlex_EN.tsv")
    argv = [
        "measure",
        uri.format(url=served.url),
        "-b",
        "honest:k=1,max_tokens=4,temperature=0",
        "--limit",
        "3",
    ]
    assert main(argv) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert "s3cret" not in shown


# -- the name


def test_the_name_is_read():
    found = parse("https://host:8/v1/?api=completions&requests=5&timeout=2.5&cache=no#org/a%2Bb")
    assert (found.url, found.model, found.api) == ("https://host:8/v1", "org/a+b", "completions")
    assert (found.limits.requests, found.limits.tokens, found.limits.timeout) == (5, None, 2.5)
    assert not found.limits.cache
    assert (found.limits.cost, found.limits.price) == (None, None)
    paid = parse("https://host/v1?price=0.15,0.6&cost=2#m")
    assert (paid.limits.cost, paid.limits.price) == (2.0, Price(0.15, 0.6))
    assert paid.uri == "openai:https://host/v1#m"  # what is spent changes no answer
    assert found.uri == "openai:https://host:8/v1?api=completions#org/a+b"


def test_options_may_stand_after_the_name_as_well():
    before, after, both = (
        parse(f"http://h/v1{rest}")
        for rest in (
            "?api=completions&requests=5&leave_out=seed#m",
            "#m?api=completions&requests=5&leave_out=seed",
            "?requests=5#m?leave_out=seed&api=completions",
        )
    )
    assert before == after == both
    assert before.uri == "openai:http://h/v1?api=completions&leave_out=seed#m"
    assert parse("http://h/v1#org/m%3Fx").model == "org/m?x"


@pytest.mark.parametrize(
    ("rest", "error", "message"),
    [
        ("http://host/v1#m%0AVerdict: mitigated", UsageError, "cannot be seen"),
        ("http://host/v1#?api=completions", UsageError, "an address and a model"),
        ("http://host/v1#m?speed=9", BadOption, "no option 'speed'"),
        ("http://host/v1?api=chat&api=completions#m", BadOption, "given 2 times"),
        ("http://host/v1?timeout=9#m?timeout=9", BadOption, "given 2 times"),
        ("http://host/v1?leave_out=top_k#m", BadOption, "leave_out=top_k"),
        ("http://host/v1?leave_out=seed&send=seed#m", BadOption, "in leave_out and in send"),
        ("http://host/v1", UsageError, "an address and a model"),
        ("host/v1#m", UsageError, "an address and a model"),
        ("http://me:pass@host/v1#m", UsageError, "password"),
        ("http://host:port/v1#m", UsageError, "host, its port or its path cannot be read"),
        ("http://host:99999/v1#m", UsageError, "host, its port or its path cannot be read"),
        ("http://[::1/v1#m", UsageError, "host, its port or its path cannot be read"),
        ("http://my host/v1#m", UsageError, "host, its port or its path cannot be read"),
        ("http://a..b/v1#m", UsageError, "host, its port or its path cannot be read"),
        (f"http://{'x' * 64}.org/v1#m", UsageError, "host, its port or its path cannot be read"),
        ("http://host/v 1#m", UsageError, "host, its port or its path cannot be read"),
        ("http://host/v\u00e9#m", UsageError, "host, its port or its path cannot be read"),
        ("http://host/v1?api_key=sk-1#m", BadOption, "no option 'api_key'"),
        ("http://host/v1?api=speech#m", BadOption, "api=speech"),
        ("http://host/v1?retries=1.5#m", BadOption, "retries=1.5"),
        ("http://host/v1?timeout=0#m", BadOption, "timeout=0"),
        ("http://host/v1?requests=0#m", BadOption, "requests=0"),
        ("http://host/v1?tokens=many#m", BadOption, "tokens=many"),
        ("http://host/v1?cost=2#m", BadOption, "no price is given"),
        ("http://host/v1?cost=0&price=1,2#m", BadOption, "cost=0"),
        ("http://host/v1?also=top_k#m", BadOption, "also=top_k is not valid"),
        ("http://host/v1?also=top_k:1,top_k:2#m", BadOption, "also=top_k:1,top_k:2 is not valid"),
        ("http://host/v1?also=x:{}#m", BadOption, "is not valid"),
        ("http://host/v1?also=temperature:0#m", BadOption, "temperature, which evenhand sets itself"),
        ("http://host/v1?also=stream:true#m", BadOption, "stream, which evenhand sets itself"),
        ("http://host/v1?price=0.15#m", BadOption, "price=0.15"),
        ("http://host/v1?price=0.15,nan#m", BadOption, "price=0.15,nan"),
        ("http://host/v1?price=-1,2#m", BadOption, "price=-1,2"),
    ],
)
def test_a_name_that_cannot_be_read(rest, error, message):
    with pytest.raises(error, match=message) as caught:
        open_model(f"openai:{rest}")
    assert not any(secret in str(caught.value) for secret in ("sk-1", "me:pass"))


def test_the_scheme_is_listed():
    with pytest.raises(UnknownName, match="openai"):
        open_model("opnai:http://host/v1#m")


def test_the_server_of_these_tests_is_a_real_one(served):
    from urllib.request import urlopen

    with urlopen(f"{served.url}/models", timeout=5) as response:
        assert json.load(response) == {"data": [{"id": "tiny"}]}
    assert isinstance(served, server.State)
