"""A real HTTP server on this machine that serves a model as OpenAI's interface does, with faults."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import torch

from evenhand.models.causal import CausalModel
from evenhand.records import Sampling
from tests.support.asking import generated

KEY = "sk-a-secret-of-the-tests"
Fault = Callable[["Handler"], bool]
"""Answers a request in a wrong way and returns True, or returns False to let it be answered rightly."""


@dataclass
class State:
    """What the server does, and what it was asked. `faults` are used up one a request, from the first.

    `instead`, where it is given, answers every request in the model's place.
    """

    model: CausalModel
    name: str = "tiny"
    key: str | None = None
    faults: list[Fault] = field(default_factory=list)
    instead: Fault | None = None
    garble: Callable[[list[Any]], list[Any]] = lambda values: values
    echoes: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    busiest: int = 0
    url: str = ""
    _under_way: int = 0
    _lock: Any = field(default_factory=Lock)
    _one: Any = field(default_factory=Lock)

    def table(self, text: str, new: int, top: int) -> tuple[str, list[dict[str, Any]]]:
        """The text that is written after `text`, and each token of both with its log-probability."""
        tokenizer, module = self.model.tokenizer, self.model.module
        ids = tokenizer(text)["input_ids"]
        start = len(ids)
        with self._one, torch.no_grad():
            for _ in range(new):
                ids.append(int(module(torch.tensor([ids])).logits[0, -1].argmax()))
            logps = module(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        rows = []
        for place, token in enumerate(ids):
            row: dict[str, Any] = {"token": tokenizer.decode([token]), "value": None, "top": None}
            if place:
                best = logps[place - 1].topk(top)
                row["value"] = float(logps[place - 1, token])
                row["top"] = {
                    tokenizer.decode([int(i)]): float(v)
                    for v, i in zip(best.values, best.indices, strict=True)
                }
            rows.append(row)
        return tokenizer.decode(ids[start:]), rows


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.0"
    state: State
    body: dict[str, Any]

    def log_message(self, *args: Any) -> None:
        """Tests print nothing."""

    def do_GET(self) -> None:
        self.reply(200, {"data": [{"id": self.state.name}]})

    def do_POST(self) -> None:
        state = self.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with state._lock:
            state.asked.append({**body, "path": self.path})
            state.headers.append(dict(self.headers))
            fault = state.faults.pop(0) if state.faults else state.instead
            state._under_way += 1
            state.busiest = max(state.busiest, state._under_way)
        self.body = body
        try:
            if fault is None or not fault(self):
                self._answer(body)
        finally:
            with state._lock:
                state._under_way -= 1

    def _answer(self, body: dict[str, Any]) -> None:
        state = self.state
        if state.key and self.headers.get("Authorization") != f"Bearer {state.key}":
            self.reply(401, {"error": {"message": f"Incorrect key: {self.headers.get('Authorization')}"}})
        elif body["model"] != state.name:
            self.reply(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        elif self.path.endswith("/chat/completions"):
            self._generated(body, body["messages"][-1]["content"], chat=True)
        elif body.get("logprobs"):
            self._scored(body)
        else:
            self._generated(body, body["prompt"], chat=False)

    def _generated(self, body: dict[str, Any], prompt: str, *, chat: bool) -> None:
        sampling = Sampling(
            body.get("max_tokens") or body["max_completion_tokens"],
            body.get("temperature", 1.0),
            body.get("top_p", 1.0),
            body.get("seed", 0),
        )
        with self.state._one:
            made = generated(self.state.model, [prompt], sampling)[0]
        text = {"message": {"role": "assistant", "content": made.text}} if chat else {"text": made.text}
        used = len(self.state.model.tokenizer(prompt)["input_ids"])
        usage = {"completion_tokens": made.n_tokens, "total_tokens": used + made.n_tokens}
        self.reply(200, {"model": self.state.name, "choices": [text], "usage": usage})

    def _scored(self, body: dict[str, Any]) -> None:
        echo = body.get("echo") and self.state.echoes
        text, rows = self.state.table(body["prompt"], body["max_tokens"], body["logprobs"])
        rows = rows if echo else rows[-body["max_tokens"] :]
        values = [row["value"] for row in rows]
        table = {
            "tokens": [row["token"] for row in rows],
            "token_logprobs": self.state.garble(values) if echo else values,
            "top_logprobs": [row["top"] for row in rows],
        }
        shown = body["prompt"] + text if echo else text
        self.reply(200, {"model": self.state.name, "choices": [{"text": shown, "logprobs": table}]})

    def reply(self, code: int, answer: Any, *, cut: int = 0, **headers: str) -> None:
        """Send JSON (or the bytes as they are); `cut` bytes fewer than announced."""
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data[: len(data) - cut])


def status(code: int, answer: Any = None, **headers: str) -> Fault:
    """An answer with that status, such as ``status(429, Retry_After="3")``."""

    def fault(handler: Handler) -> bool:
        handler.reply(code, answer or {"error": {"message": f"status {code}"}}, **headers)
        return True

    return fault


def truncated(handler: Handler) -> bool:
    """Half an answer, although more was announced."""
    handler.reply(200, {"choices": [{"text": "half of it"}]}, cut=20)
    return True


def dropped(handler: Handler) -> bool:
    """Half an answer, and then the connection is reset, as by a server that is killed."""
    handler.reply(200, {"choices": [{"text": "half of it"}]}, cut=20)
    handler.wfile.flush()
    # Closing with this option sends a reset in place of an end.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    return True


def garbage(handler: Handler) -> bool:
    """A whole answer that is half a JSON object."""
    handler.reply(200, b'{"choices": [{"te')
    return True


def silent(seconds: float) -> Fault:
    """Nothing for so long."""

    def fault(handler: Handler) -> bool:
        time.sleep(seconds)
        return True

    return fault


def slow(seconds: float) -> Fault:
    """The right answer, late."""

    def fault(handler: Handler) -> bool:
        time.sleep(seconds)
        return False

    return fault


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # hundreds of clients connect at once


@contextmanager
def serving(model: CausalModel, **changes: Any) -> Iterator[State]:
    """A server on 127.0.0.1 while the block lasts; `State.url` is its address."""
    state = State(model, **changes)
    handler = type("Own", (Handler,), {"state": state})
    server = Server(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
