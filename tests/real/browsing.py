"""A page in a real browser without a window: its elements once its scripts ran, and every request it made."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def drawn(browser: str, page: Path, width: int, profile: Path, *more: str) -> tuple[str, str]:
    """The page as the browser has it once its scripts ran, and what it logged.

    No name is looked up, unless a proxy is named in `more`: that one then hears of every request.
    """
    proxied = any(option.startswith("--proxy-server") for option in more)
    printed = any(option.startswith("--print-to-pdf") for option in more)
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            f"--user-data-dir={profile}",
            f"--window-size={width},900",
            *(() if proxied else ("--host-resolver-rules=MAP * ~NOTFOUND",)),
            "--enable-logging=stderr",
            "--virtual-time-budget=30000",
            *more,
            *(() if printed else ("--dump-dom",)),
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return done.stdout, done.stderr


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A proxy that answers nothing: its address, and the first line of everything that asked it."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    asked.append(connection.recv(4096).decode("latin-1").split("\r\n")[0])

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", asked


def with_script(page: Path, script: str) -> Path:
    """The page with one more script at its end, which acts as a reader would."""
    acting = page.with_name(f"acting-{page.name}")
    text = page.read_text(encoding="utf-8")
    acting.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return acting
