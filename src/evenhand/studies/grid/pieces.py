"""The pieces of a study that can be done apart: verifying a cell, and choosing the setting of a grid.

A piece is given by what it works on, and stores what it finds in the folder of its cell. So another process,
on another machine too, may do it, and one that was killed goes on when it is begun again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from evenhand.files import parse_json, write_atomically
from evenhand.records import from_json, to_json
from evenhand.studies import quantised, verbs
from evenhand.studies.grid.cells import DONE, Cell
from evenhand.studies.grid.checking import source
from evenhand.studies.grid.file import StudyFile
from evenhand.studies.grid.selection import Selection, dev_of, select
from evenhand.studies.store import Store, cell_key, load_verification, working_in

SELECTION = "selection.json"


def verify(asked: StudyFile, cell: Cell, earlier: Path | None) -> None:
    """Verify a cell into its folder; what the base gave in `earlier` is not taken again.

    `earlier` is the folder of a cell of the same model and seed that is done.

    Raises:
        EvenhandError: as for `evenhand.studies.verbs.verify`.
    """
    with cell.sitting(asked.options.margin):
        if earlier is not None:
            _carry_base(earlier, cell)
        options = dataclasses.replace(asked.options, seed=cell.seed, out=cell.folder, budget=None)
        verbs.verify(cell.model, cell.spec, options)


def _carry_base(earlier: Path, cell: Cell) -> None:
    """Store in a cell what the base gave in the folder `earlier`."""
    record, store = load_verification(earlier), Store(cell.folder)
    for m in record.before:
        key = cell_key(
            weights=m.model.identity, treatment=None, card=m.card, protocol=m.protocol, seed=cell.seed
        )
        store.put(key, m)
    quantised.carry_over(record, Store(earlier), store)


def choose(asked: StudyFile, cell: Cell, specs: Sequence[str]) -> None:
    """Choose one of `specs` on dev items and store which; another process that chooses it as well waits.

    Raises:
        EvenhandError: no setting could be fitted and measured.
    """
    options = dataclasses.replace(asked.options, seed=cell.seed)
    with working_in(cell.folder):
        if chosen(cell, options.margin) is not None:
            return
        with cell.sitting(options.margin):
            dev = dev_of(*source(asked, cell.model))
            with options.opened(cell.model) as model:
                found = select(model, specs, dev, options, cell.folder)
            write_atomically(cell.folder / SELECTION, json.dumps(to_json(found), indent=1).encode())


def chosen(cell: Cell, margin: float) -> Selection | None:
    """What `choose` stored, if it is done under this margin."""
    state = cell.state()
    if state.state != DONE or state.margin != margin:
        return None
    try:
        return from_json(Selection, parse_json((cell.folder / SELECTION).read_bytes()))
    except (OSError, ValueError):
        return None
