"""What a study gives: its cells, how each grid was settled, and both as an index in the study's folder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.errors import BadData
from evenhand.files import parse_json, write_atomically
from evenhand.outputs import check_ours
from evenhand.records import Verification, from_json, to_json
from evenhand.records.shown import Shown
from evenhand.studies.grid.cells import FAILED, Cell, State
from evenhand.studies.grid.file import StudyFile
from evenhand.studies.grid.selection import Selection

INDEX = "study.json"
PART = "study-part-{}-of-{}.json"
_PARTS = re.compile(r"study-part-(\d+)-of-(\d+)\.json")
FORMAT = "evenhand/study/1"


@dataclass(frozen=True)
class Outcome:
    """One cell of a study and what came of it; `record` is None where it is not done."""

    cell: Cell
    state: State
    record: Verification | None = None

    @property
    def minutes(self) -> float:
        """How long all sittings at it took, in minutes."""
        return self.state.seconds / 60


@dataclass(frozen=True)
class Chosen:
    """The setting of a grid that was chosen for a model."""

    model: str
    mitigation: str
    selection: Selection


@dataclass(frozen=True, repr=False)
class StudyResult(Shown):
    """A study as it stands: its cells in the order of the file, and how each grid was settled.

    `folder` holds the table, the report and the cells. `parts` are those of which it is made, such as
    ``2/8``, where no run has gathered them yet.
    """

    study: StudyFile
    folder: Path
    outcomes: tuple[Outcome, ...]
    chosen: tuple[Chosen, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every cell is done, and gathered."""
        whole = not self.parts and len(self.outcomes) == self.study.cells
        return whole and all(o.record is not None for o in self.outcomes)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The cells that ended with an error."""
        return tuple(o for o in self.outcomes if o.record is None and o.state.state == FAILED)

    @property
    def limited(self) -> bool:
        """Whether a cell took only a part of the items, so that nothing here is reportable."""
        return self.study.options.limit is not None or any(
            o.record and o.record.limited for o in self.outcomes
        )

    def _heading(self) -> str:
        done = sum(o.record is not None for o in self.outcomes)
        return f"study in {self.folder}: {done} of {self.study.cells} cells done, {len(self.failed)} failed"

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "model": o.cell.model,
                "mitigation": o.cell.spec,
                "seed": o.cell.seed,
                "state": o.state.state,
                "verdict": None if o.record is None else str(o.record.verdict),
                "minutes": o.minutes,
            }
            for o in self.outcomes
        ]


def save(result: StudyResult, name: str = INDEX) -> Path:
    """Write the index of a study, or of a part under that part's name, into its folder; returns its path.

    Raises:
        NoSpace: the disk is full or not writable.
        BadData: there is another file of its name.
    """
    path = result.folder / name
    check_ours(path, FORMAT.encode())
    cells = [
        {
            "model": o.cell.model,
            "mitigation": o.cell.mitigation,
            "spec": o.cell.spec,
            "seed": o.cell.seed,
            "folder": o.cell.folder.relative_to(result.folder).as_posix(),
            "state": to_json(o.state),
        }
        for o in result.outcomes
    ]
    body = {
        "format": FORMAT,
        "study": to_json(result.study),
        "cells": cells,
        "chosen": to_json(result.chosen),
    }
    write_atomically(path, f"{json.dumps(body, indent=1, ensure_ascii=False)}\n".encode())
    return path


def load(folder: Path) -> StudyResult:
    """The study in `folder` as it stands, or what its parts have done so far; no model is opened.

    Raises:
        BadData: there is none, or its index is damaged.
    """
    index, parts = folder / INDEX, _parts(folder)
    if not parts:
        return _read(index)
    return _joined(folder, {part: _read(path) for part, path in parts.items()}, index)


def _parts(folder: Path) -> dict[str, Path]:
    """The indices of parts that no run has gathered yet, the one that was written last at the end."""
    index = folder / INDEX
    gathered = index.stat().st_mtime_ns if index.exists() else -1
    found = [
        (time, match, path)
        for path in folder.glob(PART.format("*", "*"))
        if (match := _PARTS.fullmatch(path.name)) and (time := path.stat().st_mtime_ns) > gathered
    ]
    return {f"{match[1]}/{match[2]}": path for _, match, path in sorted(found, key=lambda one: one[0])}


def _joined(folder: Path, parts: dict[str, StudyResult], index: Path) -> StudyResult:
    """What a gathered study and the parts after it hold of the study of the last part; a later cell wins."""
    study = list(parts.values())[-1].study
    parts = {part: found for part, found in parts.items() if found.study == study}
    every = [
        one for one in [*([_read(index)] if index.exists() else []), *parts.values()] if one.study == study
    ]
    outcomes = {(o.cell.model, o.cell.mitigation, o.cell.seed): o for found in every for o in found.outcomes}
    chosen = {(one.model, one.mitigation): one for found in every for one in found.chosen}
    return StudyResult(
        study,
        folder,
        tuple(outcomes[key] for key in study.order if key in outcomes),
        tuple(chosen[grid] for grid in study.grids if grid in chosen),
        tuple(sorted(parts, key=lambda part: [int(number) for number in part.split("/")])),
    )


def _read(path: Path) -> StudyResult:
    folder = path.parent
    try:
        body = parse_json(path.read_bytes())
        study = from_json(StudyFile, body["study"])
        chosen = from_json(tuple[Chosen, ...], body["chosen"])
        outcomes = [_outcome(one, folder, study.options.margin) for one in body["cells"]]
    except FileNotFoundError:
        raise BadData(
            f"There is no {INDEX} in {folder}.",
            mend="Name the folder of a study, or run it: evenhand study run FILE.",
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise BadData(
            f"{path} is damaged.", mend="Run the study again: it computes only what is missing."
        ) from None
    return StudyResult(study, folder, tuple(outcomes), chosen)


def _outcome(one: dict[str, object], folder: Path, margin: float) -> Outcome:
    state = from_json(State, one["state"])
    cell = Cell(
        str(one["model"]),
        str(one["mitigation"]),
        str(one["spec"]),
        int(str(one["seed"])),
        folder / str(one["folder"]),
    )
    return Outcome(cell, state, cell.record(margin))
