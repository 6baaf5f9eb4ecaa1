"""A study, run cell by cell: what is stored is not run again, and a failing cell stops no other."""

from __future__ import annotations

import dataclasses
import json
import time
from contextlib import suppress
from pathlib import Path

from evenhand import registry
from evenhand.errors import BadData, EvenhandError, NoSpace
from evenhand.files import parse_json, write_atomically
from evenhand.opening import opened
from evenhand.outputs import check_output_folder
from evenhand.progress import Advance, say, task
from evenhand.records import Verification, from_json, to_json
from evenhand.studies import defaults, quantised, verbs
from evenhand.studies.grid import cells as kept
from evenhand.studies.grid.candidates import Entry
from evenhand.studies.grid.cells import Cell, State
from evenhand.studies.grid.checking import Checked, benchmarks, checked, source
from evenhand.studies.grid.file import StudyFile
from evenhand.studies.grid.planning import sentence, study_plan
from evenhand.studies.grid.result import INDEX, Chosen, Outcome, StudyResult, load, save
from evenhand.studies.grid.selection import Selection, dev_of, select
from evenhand.studies.options import folder as as_folder
from evenhand.studies.store import Store, cell_key, working_in

CELLS, SELECTED, SELECTION = "cells", "selected", "selection.json"


def study_folder(study: StudyFile, out: Path | str | None) -> Path:
    """`out`, or the folder below ``runs`` that is named after the study's file."""
    return Path("runs") / f"study-{study.name}" if out is None else as_folder(out)


def study(file: Path | str, out: Path | str | None = None) -> StudyResult:
    """Run the study in the TOML `file`, and give its cells; the same call resumes.

    Results are stored in the folder `out` (by default ``runs/study-NAME``). Cells that are stored there are
    not run again, cells that failed are tried again, and a cell that fails now is recorded with its error
    while the others go on: see `StudyResult.complete`.

    Raises:
        BadData: the file is no usable study; all its problems at once, before a model is opened.
        NoSpace: the disk is full or not writable.
    """
    found = checked(Path(file))
    place = study_folder(found.study, out)
    check_output_folder(place)
    with working_in(place):
        if not (place / INDEX).exists():
            _forecast(found)
        return Sitting(found.study, place).result()


def _forecast(found: Checked) -> None:
    """Say how long it will take; a model that cannot be opened is no error yet."""
    with suppress(EvenhandError):
        say(sentence(study_plan(found), len(found.study.seeds)))


class Sitting:
    """One sitting at a study: when it began, and what it found so far."""

    def __init__(self, asked: StudyFile, folder: Path) -> None:
        self.asked, self.folder = asked, folder
        self.began = time.monotonic()
        self.chosen: list[Chosen] = []
        self.outcomes: list[Outcome] = []

    def result(self) -> StudyResult:
        """Every cell, run where it is not done and there is time.

        What the folder's earlier study had and this one does not name stays in the folder, and is said.
        """
        before = _done(self.folder)
        with task("the study", self.asked.cells, unit="cell") as advance:
            for uri in self.asked.models:
                self._model(uri, advance)
        if left := before - {outcome.cell.name for outcome in self.outcomes}:
            named = "; ".join(sorted(left)[:3]) + ("; ..." if len(left) > 3 else "")
            say(
                f"The table no longer has {len(left)} done cells of an earlier study in {self.folder} "
                f"({named}). They are kept, and come back with a file that names them; another study is "
                "better run into another folder."
            )
        return self._saved()

    def _saved(self) -> StudyResult:
        found = StudyResult(self.asked, self.folder, tuple(self.outcomes), tuple(self.chosen))
        save(found)
        return found

    def _model(self, uri: str, advance: Advance) -> None:
        """Every cell of one model, each stored when it ends; all of them fail where it cannot be opened."""
        try:
            model = _Model(self.asked, uri, self.folder)
        except NoSpace:
            raise
        except Exception as error:
            failed = State(kept.FAILED, error=f"{type(error).__name__}: {error}")
            cells = [
                Cell(uri, e.name, e.specs[0], n, self.folder)
                for e in self.asked.mitigations
                for n in self.asked.seeds
            ]
            self.outcomes += [Outcome(cell, failed) for cell in cells]
            advance(len(cells))
            return
        for entry in self.asked.mitigations:
            spec = self._setting(model, entry)
            for seed in self.asked.seeds:
                cell = model.cell(entry, entry.specs[0] if isinstance(spec, State) else spec, seed)
                self.outcomes.append(
                    Outcome(cell, spec) if isinstance(spec, State) else self._cell(model, cell)
                )
                self._saved()
                advance(1)

    def _setting(self, model: _Model, entry: Entry) -> str | State:
        """The spec to verify, chosen on dev items from several; a failed or a missing state without one."""
        if not entry.is_grid:
            return entry.specs[0]
        cell = model.cell(entry, ",".join(entry.specs), self.asked.seeds[0], SELECTED)
        found = _stored(cell, self.asked.options.margin)
        if found is None and self._over():
            return State()
        try:
            found = found or model.selection(cell, entry)
        except NoSpace:
            raise
        except Exception as error:
            say(f"{cell.name} failed: {error}")
            return cell.state()
        self.chosen.append(Chosen(model.uri, entry.name, found))
        return found.chosen

    def _over(self) -> bool:
        budget = self.asked.budget
        return budget is not None and time.monotonic() - self.began > 60 * budget

    def _cell(self, model: _Model, cell: Cell) -> Outcome:
        """The cell's outcome; it is run where it is not done and there is time."""
        margin = self.asked.options.margin
        record = cell.record(margin)
        if record is None and not self._over():
            try:
                with cell.sitting(margin):
                    record = model.verified(cell)
            except NoSpace:
                raise
            except Exception as error:
                say(f"{cell.name} failed: {error}")
        if record is not None:
            model.earlier[cell.seed] = (cell.folder, record)
        return Outcome(cell, cell.state(), record)


def _done(folder: Path) -> set[str]:
    """The names of the cells that the study in `folder` holds; none where there is no study yet."""
    try:
        return {outcome.cell.name for outcome in load(folder).outcomes if outcome.record is not None}
    except BadData:
        return set()


class _Model:
    """One model of a study: its identity, the cards of what it is measured on, its base figures."""

    def __init__(self, asked: StudyFile, uri: str, folder: Path) -> None:
        self.asked, self.uri, self.folder = asked, uri, folder
        self.earlier: dict[int, tuple[Path, Verification]] = {}  # by seed
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

    def selection(self, cell: Cell, entry: Entry) -> Selection:
        """The setting of a grid, chosen on dev items with the first seed, and stored in the cell's folder."""
        options = dataclasses.replace(self.asked.options, seed=self.asked.seeds[0])
        with cell.sitting(options.margin):
            dev = dev_of(*source(self.asked, self.uri))
            with opened(self.uri, dtype=options.dtype, batch_tokens=options.batch_tokens) as model:
                found = select(model, entry.specs, dev, options, cell.folder)
            write_atomically(cell.folder / SELECTION, json.dumps(to_json(found), indent=1).encode())
        return found

    def verified(self, cell: Cell) -> Verification:
        """The verification of a cell; what the base gave in another cell of its seed is not taken again."""
        if cell.seed in self.earlier:
            folder, record = self.earlier[cell.seed]
            store = Store(cell.folder)
            for m in record.before:
                key = cell_key(
                    weights=m.model.identity, treatment=None, card=m.card, protocol=m.protocol, seed=cell.seed
                )
                store.put(key, m)
            quantised.carry_over(record, Store(folder), store)
        options = dataclasses.replace(self.asked.options, seed=cell.seed, out=cell.folder, budget=None)
        return verbs.verify(self.uri, cell.spec, options)


def _stored(cell: Cell, margin: float) -> Selection | None:
    """A selection that is done under this margin."""
    state = cell.state()
    if state.state != kept.DONE or state.margin != margin:
        return None
    try:
        return from_json(Selection, parse_json((cell.folder / SELECTION).read_bytes()))
    except (OSError, ValueError):
        return None
