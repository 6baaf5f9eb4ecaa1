"""The monitor's service in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.ports import free_port


@contextlib.contextmanager
def started(*options: str, log: Path | None = None, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """A service with these options of ``monitor serve``, perhaps not ready yet; its address."""
    port = free_port()
    command = [sys.executable, "-m", "evenhand", "monitor", "serve", "--port", str(port), *options]
    with contextlib.ExitStack() as stack:
        said = subprocess.DEVNULL if log is None else stack.enter_context(log.open("w"))
        running = subprocess.Popen(command, env={**os.environ, **(env or {})}, stderr=said)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()
            assert running.wait(60) == 0


def wait(address: str) -> None:
    """Return once the service answers.

    Raises:
        AssertionError: it does not within a minute.
    """
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/health", timeout=2).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"{address} did not start")


@contextlib.contextmanager
def served(*options: str) -> Iterator[str]:
    """A service that answers; its address."""
    with started(*options) as address:
        wait(address)
        yield address
