"""Receivers of messages for the tests: a web server and a mail server of their own."""

from __future__ import annotations

import contextlib
import socketserver
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Hook:
    """A web server; `codes` are its answers in turn, then 200."""

    address: str = ""
    codes: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextlib.contextmanager
def hook() -> Iterator[Hook]:
    """A server that keeps what is posted to it."""
    own = Hook()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            own.got.append(({name.lower(): text for name, text in self.headers.items()}, body))
            code = own.codes.pop(0) if own.codes else 200
            self.send_response(code)
            if 300 <= code < 400:
                self.send_header("Location", own.address)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    own.address = f"http://127.0.0.1:{server.server_port}/hook?key=canary-of-the-address"
    with _running(server):
        yield own


@dataclass
class Post:
    """A mail server: `refuse` is what it says to the next receivers instead of 250."""

    port: int = 0
    refuse: list[str] = field(default_factory=list)
    got: list[tuple[list[str], str]] = field(default_factory=list)


@contextlib.contextmanager
def post() -> Iterator[Post]:
    """A server that keeps the mails it takes: envelope and text."""
    own = Post()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            said: list[str] = []
            self._say("220 here")
            while line := self.rfile.readline().decode().rstrip("\r\n"):
                word = line.partition(" ")[0].upper()
                if word == "DATA":
                    self._say("354 go on")
                    lines = iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), ".")
                    own.got.append((said, "\n".join(lines)))
                elif word in ("MAIL", "RCPT"):
                    if word == "RCPT" and own.refuse:
                        self._say(own.refuse.pop(0))
                        continue
                    said.append(line)
                self._say("221 bye" if word == "QUIT" else "250 well")
                if word == "QUIT":
                    return

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

    server = Server(("127.0.0.1", 0), Handler)
    own.port = server.server_address[1]
    with _running(server):
        yield own


@contextlib.contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
