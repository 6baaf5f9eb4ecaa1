"""Exchanges with servers that others wrote: recorded from a running one, and played again without it.

Between the client and the server stands a server of this module. It passes every request on and keeps what
was answered, or it answers from a file that was kept before. What the file does not hold is answered with a
status that ends the run, so a request that changes its form is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.support.server import Server

Answer = Callable[[str, str, bytes | None], tuple[int, bytes]]
"""A method, a path below the address and a body; what is answered: a status and a text."""
UNKNOWN = 418


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server on this machine that answers so; its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Tests print nothing."""

        def _answer(self) -> None:
            length = self.headers.get("Content-Length")
            code, data = answer(self.command, self.path, self.rfile.read(int(length)) if length else None)
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def recording(upstream: str, path: Path) -> Iterator[str]:
    """Passes requests on to `upstream` (an address without ``/v1``), and writes `path` at the end."""
    kept: dict[str, dict[str, Any]] = {}
    lock = Lock()

    def answer(method: str, place: str, body: bytes | None) -> tuple[int, bytes]:
        request = Request(f"{upstream}{place}", body, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=300) as reply:
                code, data = reply.status, reply.read()
        except HTTPError as error:
            code, data = error.code, error.read()
        asked = _asked(method, place, body)
        with lock:
            kept[json.dumps(asked, sort_keys=True)] = {**asked, "status": code, "answer": data.decode()}
        return code, data

    with answering(answer) as address:
        yield address
    lines = [json.dumps(kept[key], ensure_ascii=False, sort_keys=True) for key in sorted(kept)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def replaying(path: Path) -> Iterator[str]:
    """Answers what `path` holds."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = {_key(line): (line["status"], line["answer"].encode()) for line in lines}

    def answer(method: str, place: str, body: bytes | None) -> tuple[int, bytes]:
        asked = _asked(method, place, body)
        why = {"error": {"message": f"{path.name} holds no answer to {json.dumps(asked)}"}}
        return kept.get(_key(asked), (UNKNOWN, json.dumps(why).encode()))

    with answering(answer) as address:
        yield address


def _asked(method: str, place: str, body: bytes | None) -> dict[str, Any]:
    return {"method": method, "path": place, "body": None if body is None else json.loads(body)}


def _key(line: dict[str, Any]) -> str:
    return json.dumps({name: line[name] for name in ("method", "path", "body")}, sort_keys=True)
