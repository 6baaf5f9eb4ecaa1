"""The command line hides the warnings of other packages; in Python they are shown as usual.

A user of a command can do nothing about a deprecation in a library, and relevant problems become errors of
evenhand. With ``EVENHAND_DEBUG=1``, or with Python's own warning options (``-W``, ``PYTHONWARNINGS``),
everything is shown.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from evenhand.cli import console

DEBUG = "EVENHAND_DEBUG"
OWN = Path(__file__).parents[1]
LIBRARIES = (
    "accelerate", "datasets", "evaluate", "fairlearn", "filelock", "fsspec", "httpx", "huggingface_hub",
    "lm_eval", "peft", "sklearn", "torch", "transformers", "urllib3",
)  # fmt: skip
# Read by the libraries when they are imported; the user's own settings take precedence.
SETTINGS = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "true",  # the default, but said: a fork is then not warned of
}


@contextlib.contextmanager
def third_parties() -> Iterator[None]:
    """Inside, only evenhand's own warnings and log lines below an error are shown."""
    if os.environ.get(DEBUG) or sys.warnoptions:
        yield
        return
    with warnings.catch_warnings(), _environment(), _loggers():
        warnings.showwarning = _show
        yield


def _show(message: Warning | str, category: type[Warning], filename: str, *_: object, **__: object) -> None:
    """Replaces `warnings.showwarning`: shows warnings of evenhand's own code as a line of its output."""
    if Path(filename).is_relative_to(OWN):
        console.warn(console.one_paragraph(f"Note: {message}"))


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    added = [name for name in SETTINGS if name not in os.environ]
    os.environ.update({name: SETTINGS[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _loggers() -> Iterator[None]:
    """Filter the handlers of libraries, and Python's last-resort handler for libraries without one."""
    before = {name: logging.getLogger(name).level for name in LIBRARIES}
    last = logging.lastResort
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
    if last is not None:
        last.addFilter(_is_own)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        if last is not None:
            last.removeFilter(_is_own)


def _is_own(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or record.name.partition(".")[0] == "evenhand"
