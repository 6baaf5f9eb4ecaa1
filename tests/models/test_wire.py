"""An exchange ends in its time and within its size, whatever the server on this machine does."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from urllib.error import URLError
from urllib.request import Request

import pytest

from evenhand.models.wire import Late, TooLong, Wire

Talk = Callable[[socket.socket, Event], None]
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """A server that says to each connection what `talk` sends; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                try:
                    talk(connection, over)
                except OSError:
                    continue  # the other side is gone

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def dribble(first: bytes, byte: bytes = b" ") -> Talk:
    """`first`, then a byte every 0.02 s for as long as anybody listens."""

    def talk(connection: socket.socket, over: Event) -> None:
        connection.sendall(first)
        while not over.wait(0.02):
            connection.sendall(byte)

    return talk


@pytest.mark.parametrize(
    "talk",
    [
        dribble(HEAD + b"Content-Length: 1000\r\n\r\n{"),
        dribble(HEAD + b"\r\n{"),  # no length: the end of the connection is the end of the answer
        dribble(HEAD + b"X-Slow: ", b"x"),  # the head itself
        dribble(b"", b"H"),
        dribble(b"HTTP/1.0 500 Broken\r\nContent-Length: 1000\r\n\r\n{"),
    ],
)
def test_a_byte_now_and_then_does_not_outlive_the_timeout(talk):
    with talking(talk) as address:
        start = time.monotonic()
        with pytest.raises(Late):
            Wire().exchange(Request(address), 0.3)
        assert 0.25 < time.monotonic() - start < 2


@pytest.mark.parametrize("announced", [True, False])
def test_no_more_is_read_than_the_bound(announced):
    sent = []

    def talk(connection: socket.socket, over: Event) -> None:
        connection.sendall(HEAD + (b"Content-Length: 300000000\r\n\r\n" if announced else b"\r\n"))
        while not over.is_set() and len(sent) < 300:
            connection.sendall(b"x" * 1_000_000)
            sent.append(1)

    with talking(talk) as address, pytest.raises(TooLong):
        Wire().exchange(Request(address), 30, most=2_000_000)
    assert len(sent) < 30


def test_an_answer_that_is_shorter_than_announced_broke_off():
    def talk(connection: socket.socket, over: Event) -> None:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n{}")

    with talking(talk) as address, pytest.raises(Exception, match="fewer bytes than announced"):
        Wire().exchange(Request(address), 5)


def test_a_whole_answer_comes_with_its_status_and_its_head():
    def talk(connection: socket.socket, over: Event) -> None:
        connection.sendall(b"HTTP/1.0 404 Not here\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}")

    with talking(talk) as address:
        reply = Wire().exchange(Request(address), 5)
    assert (reply.status, reply.headers["Retry-After"], reply.body) == (404, "7", b"{}")


def test_nobody_there_is_no_lateness():
    with talking(lambda connection, over: None) as address:
        pass
    with pytest.raises(URLError):
        Wire().exchange(Request(address), 5)
