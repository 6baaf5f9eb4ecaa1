"""A model hub on this machine that takes uploads: the few addresses that a commit needs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Receiver:
    """What the server was asked, and what it holds: private or not, and the files, by repository."""

    token: str = "hf_test"
    asked: list[str] = field(default_factory=list)
    private: dict[str, bool] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    url: str = ""


@contextmanager
def receiving(hub: Receiver) -> Iterator[Receiver]:
    """The hub at `hub.url` until the context ends."""

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: Receiver

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        self.state.asked.append(f"{self.command} {path}")
        if self.headers.get("Authorization") != f"Bearer {self.state.token}":
            self._send(401, {"error": "Invalid credentials in Authorization header"})
        elif path == "/api/whoami-v2":
            self._send(200, {"type": "user", "name": "me", "orgs": [], "auth": {}})
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path.startswith("/api/models/"):
            name = "/".join(path.split("/")[3:5])
            self._model(name, path, body)
        else:
            self._send(404, {"error": "no such address"})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = "/".join([wanted.get("organization") or "me", wanted["name"]])
        if name in self.state.private:
            self._send(
                409, {"error": "You already created this model repo", "url": f"{self.state.url}/{name}"}
            )
            return
        self.state.private[name] = wanted.get("private") is True or wanted.get("visibility") == "private"
        self.state.files[name] = {}
        self._send(200, {"url": f"{self.state.url}/{name}", "name": name})

    def _model(self, name: str, path: str, body: bytes) -> None:
        if name not in self.state.private:
            self._send(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            plain = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
            self._send(200, {"files": plain})
        elif "/commit/" in path:
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    self.state.files[name][value["path"]] = base64.b64decode(value["content"])
            self._send(
                200, {"commitUrl": f"{self.state.url}/{name}/commit/{'a' * 40}", "commitOid": "a" * 40}
            )
        else:
            held = {"id": name, "sha": "a" * 40, "private": self.state.private[name], "siblings": []}
            self._send(200, held)

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
