"""Pulls against a real server on this machine: whole, resumed, wrong, missing, cut off."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evenhand import sources
from evenhand.errors import BadData, EnvironmentProblem, UsageError
from evenhand.sources import Entry, pulling

BODY = bytes(range(256)) * 1000
SHA = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `body` at ``/file``; `mode` says how, `ranges` keeps what was asked for."""

    daemon_threads = True
    body = BODY
    mode = "ranges"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []

    def entry(self, path: str = "file", sha256: str = SHA) -> Entry:
        url = f"http://127.0.0.1:{self.server_address[1]}/{path}"
        return Entry("set/file.bin", "A set", url, "CC0", len(BODY), sha256)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.path != "/file":
            self.send_error(404, "Not Found")
            return
        body, mode, start = self.server.body, self.server.mode, 0
        if asked and mode == "refuses":
            self.send_error(416)
            return
        if asked and mode != "whole":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = start + 100_000 if mode == "cut" else len(body)
        self.wfile.write(body[start:end])

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("EVENHAND_CACHE", str(tmp_path))
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def target(suffix: str = "") -> Path:
    return sources.pulled_folder() / f"set/file.bin{suffix}"


def left_over(data: bytes) -> Path:
    part = target(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(data)
    return part


def test_a_file_lands_whole(server: Server) -> None:
    place = pulling.pull(server.entry())
    assert place == target()
    assert place.read_bytes() == BODY
    assert [p.name for p in place.parent.iterdir()] == ["file.bin"]
    assert server.ranges == [None]


def test_a_file_that_is_there_is_not_fetched_again(server: Server) -> None:
    pulling.pull(server.entry())
    pulling.pull(server.entry())
    assert len(server.ranges) == 1


def test_an_interrupted_pull_resumes(server: Server) -> None:
    left_over(BODY[:70_000])
    assert pulling.pull(server.entry()).read_bytes() == BODY
    assert server.ranges == ["bytes=70000-"]


def test_a_server_that_cannot_resume_sends_all(server: Server) -> None:
    server.mode = "whole"
    left_over(b"x" * 70_000)
    assert pulling.pull(server.entry()).read_bytes() == BODY


def test_a_refused_range_starts_again(server: Server) -> None:
    server.mode = "refuses"
    left_over(BODY[:70_000])
    assert pulling.pull(server.entry()).read_bytes() == BODY
    assert server.ranges == ["bytes=70000-", None]


def test_a_finished_part_needs_no_connection(server: Server) -> None:
    left_over(BODY)
    assert pulling.pull(server.entry()).read_bytes() == BODY
    assert server.ranges == []


def test_a_connection_that_is_cut_keeps_what_came(server: Server) -> None:
    server.mode = "cut"
    with pytest.raises(EnvironmentProblem, match=r"set/file.bin .*(ended|broke)") as caught:
        pulling.pull(server.entry())
    assert "goes on where it stopped" in caught.value.mend
    assert not target().exists()
    kept = target(".part").stat().st_size
    assert 0 < kept <= 100_000
    server.mode = "ranges"
    assert pulling.pull(server.entry()).read_bytes() == BODY
    assert server.ranges[-1] == f"bytes={kept}-"


@pytest.mark.parametrize("body", [b"?" * len(BODY), BODY + b"and more"])
def test_a_wrong_file_is_quarantined_and_named(server: Server, body: bytes) -> None:
    server.body = body
    with pytest.raises(BadData, match="not the file set/file") as caught:
        pulling.pull(server.entry())
    assert "file.bin.quarantined" in caught.value.what
    assert not target().exists()
    assert target(sources.ASIDE).exists()
    assert not target(".part").exists()
    server.body = BODY  # mended at the source: the same command now works
    assert pulling.pull(server.entry()).read_bytes() == BODY


def test_a_wrong_beginning_is_found_out(server: Server) -> None:
    left_over(b"x" * 70_000)
    with pytest.raises(BadData, match="SHA-256"):
        pulling.pull(server.entry())
    assert pulling.pull(server.entry()).read_bytes() == BODY


def test_a_wrong_file_in_the_cache_is_set_aside(server: Server) -> None:
    pulling.pull(server.entry()).write_bytes(b"damaged")
    with pytest.raises(BadData, match="quarantined"):
        pulling.pull(server.entry())
    assert pulling.pull(server.entry()).read_bytes() == BODY


def test_an_address_without_the_file(server: Server) -> None:
    with pytest.raises(EnvironmentProblem, match="404") as caught:
        pulling.pull(server.entry("gone"))
    assert "EVENHAND_DATA" in caught.value.mend
    assert not target().parent.exists()  # nothing came, so nothing is left


def test_nobody_answers(server: Server) -> None:
    entry = server.entry()
    server.server_close()
    with pytest.raises(EnvironmentProblem, match="cannot be fetched"):
        pulling.pull(entry)


@pytest.mark.parametrize("url", ["http://example.org/file", "file:///etc/hostname"])
def test_only_https_is_spoken(server: Server, url: str) -> None:
    with pytest.raises(UsageError, match="not an HTTPS address"):
        pulling.pull(Entry("set/file.bin", "A set", url, "CC0", 5, SHA))
