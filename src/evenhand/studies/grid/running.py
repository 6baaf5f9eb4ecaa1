"""A study, run cell by cell: what is stored is not run again, and a failing cell stops no other."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand import registry
from evenhand.errors import BadData, BadOption, EvenhandError, NoSpace
from evenhand.opening import opened
from evenhand.outputs import check_output_folder
from evenhand.progress import Advance, say, task
from evenhand.studies import defaults
from evenhand.studies.grid import cells as kept
from evenhand.studies.grid import pieces
from evenhand.studies.grid.candidates import Entry
from evenhand.studies.grid.cells import Cell, State
from evenhand.studies.grid.checking import Checked, benchmarks, checked
from evenhand.studies.grid.file import StudyFile
from evenhand.studies.grid.planning import refusals, sentence, study_plan
from evenhand.studies.grid.result import INDEX, PART, Chosen, Outcome, StudyResult, load, save
from evenhand.studies.grid.selection import Selection
from evenhand.studies.memory import taken
from evenhand.studies.methods import made_method
from evenhand.studies.options import folder as as_folder
from evenhand.studies.store import working_in
from evenhand.workers import Ended, Piece, Workers, workers

CELLS, SELECTED = "cells", "selected"
Part = tuple[int, int]
WHOLE: Part = (1, 1)


def study_folder(study: StudyFile, out: Path | str | None) -> Path:
    """`out`, or the folder below ``runs`` that is named after the study's file."""
    return Path("runs") / f"study-{study.name}" if out is None else as_folder(out)


def study(
    file: Path | str, out: Path | str | None = None, *, on: str | None = None, part: str | None = None
) -> StudyResult:
    """Run the study in the TOML `file`, and give its cells; the same call resumes.

    Results are stored in the folder `out` (by default ``runs/study-NAME``). Cells that are stored there are
    not run again, cells that failed are tried again, and a cell that fails now is recorded with its error
    while the others go on: see `StudyResult.complete`.

    `on` names who runs them, such as ``ray`` (see `evenhand.workers`); by default this process, one after the
    other. ``part="2/8"`` runs every eighth cell, from the second on, beside other processes that run the
    other parts into the same folder; the call without it then gathers them all.

    Raises:
        BadData: the file is no usable study; all its problems at once, before a model is opened.
        BadOption: `on` or `part` cannot be used as written.
        NoSpace: the disk is full or not writable.
    """
    own = parse_part(part)
    found = checked(Path(file))
    place = study_folder(found.study, out)
    check_output_folder(place)
    with workers(on) as doing, working_in(place) if own == WHOLE else nullcontext():
        if own == WHOLE and not (place / INDEX).exists():
            _forecast(found)
        return Sitting(found.study, place, doing, own).result()


def parse_part(text: str | None) -> Part:
    """Which part of how many ``2/8`` is; None is the whole.

    Raises:
        BadOption: it is not written so, or there is no such part.
    """
    if text is None:
        return WHOLE
    read = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if read is None or not 1 <= int(read[1]) <= int(read[2]):
        raise BadOption(f"part={text!r} is no part.", mend="Write one such as 2/8: the second of eight.")
    return int(read[1]), int(read[2])


def _forecast(found: Checked) -> None:
    """Say how long it will take; a model that cannot be opened is no error yet."""
    with suppress(EvenhandError):
        planned = study_plan(found)
        say(sentence(planned, len(found.study.seeds)))
        for refusal in refusals(planned):
            say(refusal)


@dataclass(frozen=True)
class _Job:
    """A cell to verify, or the grid of `entry` to settle; both are worked on in the folder of `cell`."""

    entry: Entry
    cell: Cell
    settles: bool = False


class Sitting:
    """One sitting at a study: when it began, what `workers` do now, and what was found so far.

    The first cell of a model and a seed is run before the others of both: they need not measure the base.
    """

    def __init__(self, asked: StudyFile, folder: Path, workers: Workers, part: Part = WHOLE) -> None:
        self.asked, self.folder, self.workers, self.part = asked, folder, workers, part
        self.began = time.monotonic()
        self.chosen: dict[tuple[str, str], Chosen] = {}  # by model and mitigation
        self.outcomes: dict[tuple[str, str, int], Outcome] = {}  # by model, mitigation and seed
        self._own = {
            key
            for number, key in enumerate(asked.order)
            if number % part[1] == part[0] - 1
        }  # fmt: skip
        self._advance: Advance = lambda amount: None
        self._known: dict[str, _Model] = {}
        self._models = iter(dict.fromkeys(uri for uri in asked.models if any(k[0] == uri for k in self._own)))
        self._ready: deque[_Job] = deque()
        self._running: dict[str, _Job] = {}  # by the folder of the cell
        self._bases: dict[tuple[str, int], Path] = {}  # a done cell of each model and seed
        self._held: dict[tuple[str, int], list[_Job]] = {}  # what waits for the first of its model and seed

    def result(self) -> StudyResult:
        """Every cell, run where it is not done and there is time.

        What the folder's earlier study had and this one does not name stays in the folder, and is said.
        """
        before = _done(self.folder) if self.part == WHOLE else set()
        if self.part != WHOLE:
            self._saved()  # the part has begun
        with task("the study", len(self._own), unit="cell") as self._advance:
            while True:
                while len(self._running) < self.workers.slots and (job := self._next()) is not None:
                    self._begin(job)
                if not self._running:
                    break
                self._end(self.workers.ended())
        if left := before - {outcome.cell.name for outcome in self.outcomes.values()}:
            named = "; ".join(sorted(left)[:3]) + ("; ..." if len(left) > 3 else "")
            say(
                f"The table no longer has {len(left)} done cells of an earlier study in {self.folder} "
                f"({named}). They are kept, and come back with a file that names them; another study is "
                "better run into another folder."
            )
        return self._saved()

    def _saved(self) -> StudyResult:
        """What was found so far, in the order of the file; a part has an index of its own."""
        outcomes = tuple(self.outcomes[key] for key in self.asked.order if key in self.outcomes)
        chosen = tuple(self.chosen[grid] for grid in self.asked.grids if grid in self.chosen)
        found = StudyResult(self.asked, self.folder, outcomes, chosen)
        save(found, INDEX if self.part == WHOLE else PART.format(*self.part))
        return found

    def _next(self) -> _Job | None:
        """The next job that nothing holds; models are opened when their turn comes."""
        while not self._ready:
            uri = next(self._models, None)
            if uri is None:
                return None
            self._ready.extend(self._jobs(uri))
        return self._ready.popleft()

    def _jobs(self, uri: str) -> Iterator[_Job]:
        """What one model is to be given; all its cells fail where it cannot be opened."""
        entries = [e for e in self.asked.mitigations if any(k[:2] == (uri, e.name) for k in self._own)]
        try:
            model = self._known[uri] = _Model(self.asked, uri, self.folder)
        except NoSpace:
            raise
        except Exception as error:
            failed = State(kept.FAILED, error=f"{type(error).__name__}: {error}")
            for entry in entries:
                self._unsettled(Cell(uri, entry.name, entry.specs[0], 0, self.folder), entry, failed)
            return
        for entry in entries:
            if entry.is_grid:
                first = self.asked.seeds[0]
                yield _Job(entry, model.cell(entry, ",".join(entry.specs), first, SELECTED), settles=True)
            else:
                yield from self._cells(model, entry, entry.specs[0])

    def _cells(self, model: _Model, entry: Entry, spec: str) -> Iterator[_Job]:
        for seed in self._seeds(model.uri, entry):
            yield _Job(entry, model.cell(entry, spec, seed))

    def _seeds(self, uri: str, entry: Entry) -> Iterator[int]:
        return (seed for seed in self.asked.seeds if (uri, entry.name, seed) in self._own)

    def _begin(self, job: _Job) -> None:
        """Take what is stored, else let it be worked on where there is time, else hold it."""
        cell, margin = job.cell, self.asked.options.margin
        if job.settles:
            found = pieces.chosen(cell, margin)
            if found is not None:
                self._settled(job, found)
            elif self._over():
                self._unsettled(cell, job.entry, State())
            else:
                self._start(job, pieces.choose, job.entry.specs)
            return
        base = cell.model, cell.seed
        if cell.record(margin) is not None or self._over():
            self._note(cell)
        elif base in self._held:
            self._held[base].append(job)
        else:
            if base not in self._bases:
                self._held[base] = []
            self._start(job, pieces.verify, self._bases.get(base))

    def _start(self, job: _Job, function: Any, further: Any) -> None:
        key, cell = str(job.cell.folder), job.cell
        self._running[key] = job
        self.workers.begin(Piece(key, cell.name, function, (self.asked, cell, further), self._memory(job)))

    def _memory(self, job: _Job) -> int | None:
        """What its verification takes of the memory, where several are worked on at a time."""
        if self.workers.slots == 1:
            return None
        options, spec = self.asked.options, job.entry.specs[0] if job.settles else job.cell.spec
        return taken(job.cell.model, options, made_method(spec), options.locator)

    def _end(self, ended: Ended) -> None:
        job = self._running.pop(str(ended.key))
        cell, margin = job.cell, self.asked.options.margin
        if isinstance(ended.error, NoSpace):
            raise ended.error
        if ended.error is not None:
            say(f"{cell.name} failed: {ended.error}")
            cell.lost(ended.error, margin)
        if job.settles:
            found = pieces.chosen(cell, margin)
            if found is None:
                self._unsettled(cell, job.entry, cell.state())
            else:
                self._settled(job, found)
            return
        self._note(cell)
        self._ready.extendleft(reversed(self._held.pop((cell.model, cell.seed), [])))

    def _settled(self, job: _Job, found: Selection) -> None:
        """The cells of a grid come next, with the setting that was chosen."""
        uri, entry = job.cell.model, job.entry
        self.chosen[uri, entry.name] = Chosen(uri, entry.name, found)
        self._ready.extendleft(reversed(list(self._cells(self._known[uri], entry, found.chosen))))

    def _unsettled(self, at: Cell, entry: Entry, state: State) -> None:
        """The cells of `entry` on a model have this state, since none of them can be run."""
        for seed in self._seeds(at.model, entry):
            model = self._known.get(at.model)
            spec = entry.specs[0]
            cell = (
                Cell(at.model, entry.name, spec, seed, self.folder)
                if model is None
                else model.cell(entry, spec, seed)
            )
            self.outcomes[at.model, entry.name, seed] = Outcome(cell, state)
            self._advance(1)
        self._saved()

    def _note(self, cell: Cell) -> None:
        """Take up what a cell holds."""
        record = cell.record(self.asked.options.margin)
        if record is not None:
            self._bases[cell.model, cell.seed] = cell.folder
        self.outcomes[cell.model, cell.mitigation, cell.seed] = Outcome(cell, cell.state(), record)
        self._saved()
        self._advance(1)

    def _over(self) -> bool:
        budget = self.asked.budget
        return budget is not None and time.monotonic() - self.began > 60 * budget


def _done(folder: Path) -> set[str]:
    """The names of the cells that the study in `folder` holds; none where there is no study yet."""
    try:
        return {outcome.cell.name for outcome in load(folder).outcomes if outcome.record is not None}
    except BadData:
        return set()


class _Model:
    """One model of a study: its identity, and the cards of what it is measured on."""

    def __init__(self, asked: StudyFile, uri: str, folder: Path) -> None:
        self.asked, self.uri, self.folder = asked, uri, folder
        bias = benchmarks(asked, uri)
        specs = asked.options.capability or defaults.capability(uri, [b.name for b in bias])
        made = [*bias, *(registry.create("benchmark", spec) for spec in specs)]
        self.cards = [f"{b.name}/{b.card.version}/{b.card.digest}" for b in made]
        with opened(uri, dtype=asked.options.dtype, batch_tokens=asked.options.batch_tokens) as model:
            self.weights = model.spec.identity

    def cell(self, entry: Entry, spec: str, seed: int, kind: str = CELLS) -> Cell:
        """The cell of a mitigation, in its folder."""
        name = kept.place(self.asked, self, spec, seed)
        return Cell(self.uri, entry.name, spec, seed, self.folder / kind / name)
