"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port


@dataclass
class Server:
    """A server that can be stopped and started again."""

    programs: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Of the server; a base's name follows."""
        return f"postgresql://auditor@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        import psycopg

        options = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)]
        self.process = subprocess.Popen(
            [self.programs / "postgres", *options, "-h", "127.0.0.1", "-c", "fsync=off"],
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            **_user(),
        )
        for _ in range(300):
            try:
                psycopg.connect(f"{self.address}/postgres").close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
        pytest.fail("the server did not start")

    def stop(self) -> None:
        """Stop it at once; its clients lose their connections."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # PostgreSQL's immediate shutdown
            self.process.wait(30)
            self.process = None


def _user() -> dict[str, Any]:
    """The server refuses to run for root; the system's user nobody will do."""
    return {"user": "nobody"} if os.getuid() == 0 else {}


def _place() -> str:
    """Memory, where there is enough of it: removing hundreds of bases from a disk takes minutes."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 2**30 else "/tmp"


def programs_here() -> Path | None:
    """The folder of PostgreSQL's programs, where this machine has them."""
    found = Path(shutil.which("initdb") or "")  # it may be a link to where the others lie
    folders = [found.resolve().parent, found.parent, *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    return next((one for one in folders if (one / "initdb").is_file()), None)


ABSENT = "the programs of PostgreSQL are not on this machine"


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server with an empty cluster; skips where its programs are missing."""
    pytest.importorskip("psycopg")
    if (programs := programs_here()) is None:
        pytest.skip(ABSENT)
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="evenhand-postgres-", dir=_place()))
    if _user():
        shutil.chown(folder, "nobody")
    subprocess.run(
        [programs / "initdb", "-D", str(folder / "data"), "-U", "auditor", "--auth=trust", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
        **_user(),
    )
    server = Server(programs, folder, port)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
