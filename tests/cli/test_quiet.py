"""Nothing of other packages on the terminal of a command, everything of ours, and Python users untouched."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import evenhand
from evenhand.studies import verbs
from tests.cli.conftest import Library, Run
from tests.support import records_factory as make

NOISE = """
import logging, os, sys, warnings
os.environ.pop("EVENHAND_DEBUG", None)
os.environ.update({changes})
from evenhand.cli import main
from evenhand.studies import measure
def noisy(*_, **__):
    warnings.warn("a library's future", FutureWarning)
    warnings.warn("a library's deprecation", DeprecationWarning, stacklevel=1)
    warnings.warn_explicit("a warning of ours", UserWarning, {own!r}, 1)
    import transformers
    transformers.utils.logging.get_logger("transformers.x").warning("transformers talks")
    for name in ("huggingface_hub.x", "peft.tuners", "unheard.of"):
        logging.getLogger(name).warning("%s talks", name)
    logging.getLogger("evenhand.scoring").warning("evenhand talks")
    logging.getLogger("unheard.of").error("a failure")
    return []
measure.requests = noisy
sys.exit(main(["measure", "lab:causal", "-b", "facts", "--dry-run", "--json"]))
"""


def _noisy(**changes: str) -> str:
    code = NOISE.format(changes=changes, own=str(Path(evenhand.__file__).parent / "lab" / "cache.py"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_only_our_own_lines_reach_the_terminal() -> None:
    assert _noisy().splitlines() == ["Note: a warning of ours", "evenhand talks", "a failure"]


def test_debugging_shows_everything() -> None:
    said = _noisy(EVENHAND_DEBUG="1")
    for line in ("a library's future", "transformers talks", "peft.tuners talks", "evenhand talks"):
        assert line in said


def test_python_users_are_left_as_they_were(
    run: Run, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY", raising=False)
    during = []

    def look(*_: object, **__: object) -> list[object]:
        during.append((os.environ.get("TRANSFORMERS_VERBOSITY"), logging.getLogger("peft").level))
        return [make.genbiaseval()]

    monkeypatch.setattr(verbs, "measure", look)
    before = (warnings.showwarning, logging.getLogger("peft").level, len(logging.lastResort.filters))  # type: ignore[union-attr]
    run("measure", "lab:causal")
    after = (warnings.showwarning, logging.getLogger("peft").level, len(logging.lastResort.filters))  # type: ignore[union-attr]
    assert during == [("error", logging.ERROR)]
    assert before == after
    assert "TRANSFORMERS_VERBOSITY" not in os.environ
