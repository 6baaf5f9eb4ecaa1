"""How what pages name is started: programs of ours in this process, the others in processes of their own."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from evenhand.cli import main
from tests.support.pages import BEFORE, ROOT
from tests.support.ports import free_port
from tests.support.scripts import script

SERVERS = {"transformers": "/health"}
"""Programs of others that serve until they are stopped, and the address that says that they are ready."""
MODULES = {"pytest": "pytest", "transformers": "transformers.cli.transformers", "ray": "ray.scripts.scripts"}
"""Programs that are started as modules of this Python, so that they need not be on the path."""
TOKEN = "0123456789abcdef" * 4  # of a cluster that listens to this machine alone
PATIENCE = 300  # seconds until a server has to be ready


def is_here(program: str) -> bool:
    """Whether this machine can start a program."""
    if program in ("evenhand", "python", "python3"):
        return True
    if program in MODULES:
        needed = "openai" if program in SERVERS else MODULES[program].partition(".")[0]  # the extra `servers`
        return importlib.util.find_spec(needed) is not None
    return shutil.which(program) is not None


def started(words: list[str]) -> int:
    """The exit code of a program with its words."""
    program = words[0]
    if "|" in words:
        ours = f'evenhand() {{ {shlex.quote(sys.executable)} -m evenhand "$@"; }}'
        line = shlex.join(words).replace("'|'", "|")
        return _waited(["bash", "-o", "pipefail", "-c", f"{ours}\n{line}"])
    if program in SERVERS:
        return _served(words)
    if program in MODULES:
        return _waited([sys.executable, "-m", MODULES[program], *words[1:]])
    if program == "evenhand" and any("tp=auto" in word for word in words):  # one process alone is refused
        return _waited([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", *words])
    if program == "evenhand":
        # What Ray starts would outlast the command in this process.
        return _waited([sys.executable, "-m", *words]) if "--on" in words else main(words[1:])
    if program == "python" and words[1:3] != ["-m", "pytest"]:
        return _scripted(words[1:])
    return _waited([sys.executable if program.startswith("python") else program, *words[1:]])


def _waited(words: list[str]) -> int:
    """Of a process whose output goes where this one's goes, also where that is no file of the system's."""
    told = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=told)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def _scripted(words: list[str]) -> int:
    """A module or a script of ours, in this process."""
    own = words[1:] if words[0] == "-m" else words
    module = importlib.import_module(own[0]) if words[0] == "-m" else script(own[0])
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{own[0]}.__main__")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", own)
        return int(module.main() or 0)


def _served(words: list[str]) -> int:
    """0 where a server says that it is ready, after which it is stopped; else its exit code."""
    port = free_port()
    whole = [sys.executable, "-m", MODULES[words[0]], *words[1:], "--port", str(port)]
    with _running(whole, {"HF_HUB_OFFLINE": "1"}) as process:
        for _ in range(10 * PATIENCE):
            if (code := process.poll()) is not None:
                return code or 1
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}{SERVERS[words[0]]}", timeout=5).close()
                return 0
            time.sleep(0.1)
    return 1


@contextlib.contextmanager
def _running(words: list[str], told: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end, with those that it started."""
    process = subprocess.Popen(
        words,
        env={**os.environ, **told},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """A Ray cluster on this machine that clients may connect to: their address.

    This process belongs to it while the context lasts, and whatever it starts.
    """
    place = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # Ray's sockets have to have short names
    port, own = free_port(), free_port()
    told = {"RAY_TMPDIR": str(place), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    head = ["start", "--head", "--block", "--num-cpus=2", "--include-dashboard=false"]
    ports = [f"--port={own}", f"--ray-client-server-port={port}", "--node-ip-address=127.0.0.1"]
    whole = [sys.executable, "-m", MODULES["ray"], *head, *ports, f"--temp-dir={place}"]
    try:
        more = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT / "src")}
        more["RAY_worker_niceness"] = "0"  # by default its workers wait for every other process
        with _running(whole, told | more), pytest.MonkeyPatch.context() as patch:
            for name, value in told.items():
                patch.setenv(name, value)
            _until_open(port)
            yield f"ray://127.0.0.1:{port}"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _until_open(port: int) -> None:
    import socket

    for _ in range(10 * PATIENCE):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens at {port}")


@cache
def recipe(target: str) -> tuple[str, ...]:
    """The commands of a target of the Makefile, but those that only install what it needs."""
    marks = [
        f"-o.venv/{one}" for one in (".ready", ".lm-eval", ".browser", ".notebooks", ".servers", ".spark")
    ]
    told = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "-C", str(ROOT), *marks, target],
        check=True,
        capture_output=True,
        text=True,
        env=told,
    )
    return tuple(BEFORE.sub("", line, count=1) for line in done.stdout.splitlines())
