"""Chromium without a window, for pictures of plots: the one program here that draws them outside a page."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from evenhand.errors import EnvironmentProblem

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 300  # after which a browser that does not end is given up
_MEND = (
    "Install chromium (`apt-get install chromium`), or open the report in a browser and print it: it is laid "
    "out for paper."
)


def found() -> str:
    """The path of the browser.

    Raises:
        EnvironmentProblem: there is none on this machine.
    """
    path = next((path for name in NAMES if (path := shutil.which(name))), None)
    if path is None:
        raise EnvironmentProblem(
            f"Pictures are drawn by Chromium, and none of {', '.join(NAMES)} is installed here.", mend=_MEND
        )
    return path


def dom(page: Path, work: Path) -> str:
    """The page's elements after its scripts ran; `work` is a folder for the browser's own files.

    Raises:
        EnvironmentProblem: there is no browser, or it failed.
    """
    return _run(page, work, "--virtual-time-budget=120000", "--dump-dom")


def print_pdf(page: Path, pdf: Path, work: Path) -> None:
    """Print the page into the file `pdf`.

    Raises:
        EnvironmentProblem: there is no browser, or it failed.
    """
    _run(page, work, "--no-pdf-header-footer", f"--print-to-pdf={pdf}")
    if not pdf.is_file():
        raise EnvironmentProblem("Chromium wrote no PDF.", mend=_MEND)


def _run(page: Path, work: Path, *options: str) -> str:
    command = [
        found(),
        "--headless",
        "--no-sandbox",  # the page is our own, and containers have no sandbox
        "--disable-gpu",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={work / 'profile'}",
        *options,
        page.as_uri(),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(f"Chromium did not end within {SECONDS} s.", mend=_MEND) from None
    if done.returncode != 0:
        why = " ".join(done.stderr.split()[-40:])
        raise EnvironmentProblem(f"Chromium failed with {done.returncode}: {why}", mend=_MEND)
    return done.stdout
