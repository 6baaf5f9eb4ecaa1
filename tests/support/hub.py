"""A model hub on this machine: repositories that exist, and others that are refused in the hub's ways."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Refusal = tuple[int, Mapping[str, str]]
REFUSALS: Mapping[str, Refusal] = {
    "org/gated": (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to it is restricted."}),
    "org/gated401": (401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to it is restricted."}),
    "org/private": (401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}),
    "org/bare401": (401, {}),
    "org/bare403": (403, {}),
    "org/expired": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
    "org/none": (404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}),
    "org/bare404": (404, {}),
}


@dataclass
class Hub:
    """What the server has, and what it was asked: `models` names folders, `wait` seconds before an answer."""

    models: Mapping[str, Path] = field(default_factory=dict)
    wait: float = 0.0
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
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
    state: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        self.state.asked.append(self.path)
        time.sleep(self.state.wait)
        path = self.path.removeprefix("/api/models").partition("?")[0].strip("/")
        name = "/".join(path.split("/")[:2])
        if not path:
            self._send(200, b"")
        elif name in REFUSALS:
            self._send(REFUSALS[name][0], b"{}", REFUSALS[name][1])
        elif name not in self.state.models:
            self._send(404, b"{}", REFUSALS["org/none"][1])
        elif self.path.startswith("/api/"):
            self._listing(self.state.models[name], path)
        else:
            self._file(self.state.models[name] / path.rpartition("/")[2])

    def _listing(self, folder: Path, path: str) -> None:
        files = [{"rfilename": f.name, "size": f.stat().st_size} for f in sorted(folder.iterdir())]
        body: Any = {"id": "/".join(path.split("/")[:2]), "sha": COMMIT, "siblings": files}
        if "/tree/" in path:
            body = [{"type": "file", "path": f["rfilename"], "size": f["size"], "oid": COMMIT} for f in files]
        self._send(200, json.dumps(body).encode())

    def _file(self, path: Path) -> None:
        if not path.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        data = path.read_bytes()
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        self._send(200, data, {"ETag": tag, "X-Repo-Commit": COMMIT})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
