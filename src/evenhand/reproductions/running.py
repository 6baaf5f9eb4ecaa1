"""Running a recipe: the untreated model is measured, a study runs the treatments, and the figures are judged.

All of it resumes: what `measured` and `study` below the folder hold is not made again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from evenhand.errors import UnknownName
from evenhand.files import write_atomically
from evenhand.outputs import check_ours, check_output_folder
from evenhand.provenance import made_by
from evenhand.records import Measurement
from evenhand.reproductions import faircon, lftf, result, uqac
from evenhand.reproductions.evidence import Evidence
from evenhand.reproductions.preparing import Prepared
from evenhand.reproductions.recipe import Recipe, on_lab
from evenhand.reproductions.result import Reproduction
from evenhand.studies import verbs
from evenhand.studies.grid import running, table
from evenhand.studies.grid.result import StudyResult
from evenhand.studies.options import RunOptions

RECIPES = {one.name: one for one in (lftf.RECIPE, faircon.RECIPE, uqac.RECIPE)}
MEASURED, STUDY = "measured", "study"
SIGN = "# A study of evenhand reproduce"


def recipe_of(name: str) -> Recipe:
    """The recipe of a source.

    Raises:
        UnknownName: there is none of that name.
    """
    if name not in RECIPES:
        raise UnknownName("source to reproduce", name, RECIPES)
    return RECIPES[name]


def run(ready: Prepared, folder: Path) -> tuple[Reproduction, StudyResult | None]:
    """Run what was prepared, in `folder`, and give what was found, with the study of its treatments.

    Raises:
        BadData: the folder cannot be used, or holds a file of another origin under one of the names.
        EvenhandError: the untreated model cannot be measured. A treatment that fails stops no other.
    """
    check_output_folder(folder)
    check_ours(folder / result.RECORD, result.FORMAT.encode())
    began = time.monotonic()
    taken = _measured(ready, folder)
    study = _studied(ready, folder, (time.monotonic() - began) / 60)
    found = _found(ready, taken, study)
    result.save(found, folder)
    return found, study


def _measured(ready: Prepared, folder: Path) -> Sequence[Measurement]:
    if not ready.measured:
        return ()
    options = RunOptions(limit=ready.asked.limit, out=folder / MEASURED)
    return verbs.measure(ready.model.uri, ready.measured, options)


def _studied(ready: Prepared, folder: Path, spent: float) -> StudyResult | None:
    """The study of the treatments; its file can be run alone, and one treatment is begun in every sitting."""
    text = ready.study_text(spent)
    if not text:
        return None
    path = folder / f"{ready.recipe.name}.toml"
    check_ours(path, SIGN.encode())
    write_atomically(path, f"{SIGN} {ready.recipe.name}\n{text}".encode())
    found = running.study(path, folder / STUDY)
    table.write(found)
    return found


def _found(ready: Prepared, taken: Sequence[Measurement], study: StudyResult | None) -> Reproduction:
    outcomes = {} if study is None else {one.cell.spec: one for one in study.outcomes}
    published = ready.recipe.published
    evidence = Evidence(published, outcomes, taken, ready.places, ready.absent, lab=on_lab(ready.model))
    names = {table.name for table in ready.tables}
    failed = (
        []
        if study is None
        else [f"{o.cell.spec}: {o.state.error} {o.state.mend}".strip() for o in study.failed]
    )
    done = {o.cell.spec for o in outcomes.values() if o.record is not None or (study and o in study.failed)}
    model = next((m.model for m in taken), ready.model)
    return Reproduction(
        recipe=ready.recipe.name,
        source=published.source,
        model=ready.model,
        known_as=ready.known_as,
        tables=tuple((table.name, table.title) for table in ready.tables),
        lines=tuple(result.lines(ready, evidence)),
        claims=tuple(result.judged(ready, evidence)),
        misprints=tuple(
            m for m in published.misprints if m.table in names or m.table not in published.tables
        ),
        differs=ready.recipe.differs,
        control=ready.asked.control,
        failed=tuple(failed),
        missing=tuple(spec for spec in ready.treatments if spec not in done),
        limited=any(m.protocol.limited for m in taken) or (study is not None and study.limited),
        made_by=made_by(model),
    )
