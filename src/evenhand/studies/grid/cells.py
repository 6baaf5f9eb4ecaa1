"""One cell of a study on disk: a verification in a folder of its own, its state, and how long it took.

A cell's folder is named by its key, which hashes everything that decides its figures: the model's weights,
the mitigation, the cards of the benchmarks, the seed, and how many items are taken. So a study that was
killed, or whose file was changed, goes on with what is there, and never takes a stale result for a new one.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from evenhand import __version__
from evenhand.errors import BadData, EvenhandError
from evenhand.files import write_atomically
from evenhand.records import Verification, digest
from evenhand.studies.grid.file import StudyFile
from evenhand.studies.store import VERIFICATION, load_verification

STATE = "cell.json"
DONE, FAILED, RUNNING, MISSING = "done", "failed", "running", "missing"
_SLUG = 40  # signs of a folder's name that a person reads


class Known(Protocol):
    """What a cell's key holds of a model: its name, the digest of its weights, the cards of what it is
    measured on.
    """

    uri: str
    weights: str
    cards: list[str]


@dataclass(frozen=True, slots=True)
class State:
    """What stands in a cell's ``cell.json``.

    `seconds` is the time of all sittings so far, `began` when the present one began (0.0 for none). `error`
    and `mend` are those of a failed one.
    """

    state: str = MISSING
    margin: float = 0.0
    seconds: float = 0.0
    began: float = 0.0
    error: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Cell:
    """One model, one mitigation and one seed of a study, below `folder`; `spec` is the setting chosen."""

    model: str
    mitigation: str
    spec: str
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """The cell in words."""
        return f"{self.mitigation} on {self.model}, seed {self.seed}"

    def state(self) -> State:
        """The stored state; of a cell that was killed, the time until its last file is counted."""
        try:
            found = State(**json.loads((self.folder / STATE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return State()
        if found.state != RUNNING:
            return found
        last = max((path.stat().st_mtime for path in self.folder.rglob("*") if path.is_file()), default=0.0)
        return replace(found, seconds=found.seconds + max(0.0, last - found.began), began=0.0)

    def record(self, margin: float) -> Verification | None:
        """The verification, if it is whole and was judged with this margin."""
        state = self.state()
        if state.state != DONE or state.margin != margin or not (self.folder / VERIFICATION).is_file():
            return None
        with suppress(BadData):
            return load_verification(self.folder)
        return None

    @contextmanager
    def sitting(self, margin: float) -> Iterator[None]:
        """Keep the cell's state while the block works on it: done, failed, or running where it was killed.

        Errors pass through.
        """
        before, start = self.state(), time.monotonic()
        self._write(State(RUNNING, margin, before.seconds, time.time()))

        def ended(state: str, error: str = "", mend: str = "") -> None:
            seconds = before.seconds + time.monotonic() - start
            self._write(State(state, margin, seconds, 0.0, error, mend))

        try:
            yield
        except EvenhandError as error:
            ended(FAILED, f"{type(error).__name__}: {error.what}", error.mend)
            raise
        except Exception as error:
            ended(FAILED, f"{type(error).__name__}: {error}", "This may be a fault of evenhand.")
            raise
        ended(DONE)

    def lost(self, error: Exception, margin: float) -> None:
        """Note that the work on the cell ended with an error, where no process could do that itself."""
        if self.state().state != FAILED:
            with suppress(type(error)), self.sitting(margin):
                raise error

    def _write(self, state: State) -> None:
        write_atomically(self.folder / STATE, f"{json.dumps(asdict(state), indent=1)}\n".encode())


def place(study: StudyFile, model: Known, spec: str, seed: int) -> str:
    """The name of a cell's folder: words for people, then its key."""
    o = study.options
    asked = (o.control, o.primary, o.locator, o.limit, o.dtype, o.batch_tokens)
    key = digest("study/1", __version__, model.weights, model.uri, spec, seed, model.cards, asked)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", f"{spec}-{model.uri}").strip("-")[:_SLUG].strip("-")
    return f"{slug}-{seed}-{key[:12]}"
