"""A stored verification judged again, by today's rule and with other margins; no model is run.

The record of a run has the measurements before and after. Those of its control models are its cells; each
control model is known by its bias, which the record states to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from evenhand.errors import BadData, UsageError
from evenhand.files import expanded, is_folder, real_path
from evenhand.provenance import made_by
from evenhand.records import ControlPoint, FamilyResult, Measurement, Value, Verification
from evenhand.studies import primary, seeds
from evenhand.studies.control import SHAM, BiasScale
from evenhand.studies.control_models import absent_of
from evenhand.studies.distance import as_reported
from evenhand.studies.margins import Margins
from evenhand.studies.options import VerifyOptions
from evenhand.studies.pairing import ControlModel, ModelMeasurements, unlike
from evenhand.studies.store import MEASUREMENTS, VERIFICATION, Store, check_run_folder, load_verification
from evenhand.studies.verdict import Controlled, incomparable, judge

_FREE = ("margin", "out")  # the options that decide nothing that was measured


def is_verification(name: str) -> bool:
    """Whether `name`, given in place of a model, is the folder of a finished verification.

    Raises:
        BadData: it is the folder of measurements, which have no verdict.
    """
    folder = expanded(Path(name))
    if not is_folder(folder):
        return False
    if (folder / VERIFICATION).is_file():
        return True
    if (folder / MEASUREMENTS).is_file():
        raise BadData(
            f"{name} is a run that holds measurements of one model, and a verdict is about two.",
            mend="Judge two models: evenhand verify BASE --treated MODEL.",
        )
    return False


def judged_again(
    run: str, options: VerifyOptions, *, method: str | None = None, treated: str | None = None
) -> Verification:
    """The verification in the folder `run` with the verdict of today's rule; stored only in ``options.out``.

    Raises:
        BadData: the run is damaged, or cells of its control models are missing.
        UsageError: options that a stored run has decided, or an `out` that is the run itself.
    """
    folder = Path(run).expanduser()
    _check(run, options, method, treated)
    if options.out is not None:
        check_run_folder(options.out, VERIFICATION)
    stored, margins = load_verification(folder), Margins(accuracy=options.margin)
    each = [_judged(one, folder, margins) for one in seeds.load_each(folder, stored)]
    record = seeds.of_method(each) if each else _judged(stored, seeds.cells_of(folder), margins)
    if options.out is not None:
        seeds.save(options.out, record, each)
    return record


def _check(run: str, options: VerifyOptions, method: str | None, treated: str | None) -> None:
    plain = VerifyOptions(**{name: getattr(options, name) for name in _FREE})
    if options != plain or method is not None or treated is not None:
        raise UsageError(
            f"{run} is a stored run: what was measured in it, and of which models, is decided.",
            mend="Only --margin, --out and --json can be given with it; for another run, name a model.",
        )
    if options.out is not None and real_path(options.out) == real_path(Path(run).expanduser()):
        raise UsageError(
            f"--out {options.out} is the run itself, whose verdict would be lost.",
            mend="Name another folder, or leave --out away to print the new verdict only.",
        )


def _judged(stored: Verification, folder: Path, margins: Margins) -> Verification:
    before, after = _sides(stored.before), replace(_sides(stored.after), beside=stored.beside)
    metric = primary.of_measurements(before.bias, stored.primary)
    why = unlike(before, after)
    judged = incomparable(why)
    if not why:
        controls = stored.uncontrolled or _controls(stored, before, after, metric, folder)
        judged = judge(before, after, controls, margins=margins, primary=metric, seed=stored.seed)
    return replace(
        stored,
        verdict=judged.verdict,
        reasons=(*judged.reasons, *stored.remarks),
        effects=judged.effects,
        capability=judged.capability,
        guards=judged.guards,
        control=judged.control,
        notes=tuple(note for note in stored.notes if note not in judged.reasons),
        primary=metric,
        made_by=made_by(stored.model),
    )


def _sides(measured: Sequence[Measurement]) -> ModelMeasurements:
    bias, rest = ([m for m in measured if (m.role == "capability") is c] for c in (False, True))
    return ModelMeasurements(tuple(bias), tuple(rest))


def _controls(
    stored: Verification, before: ModelMeasurements, after: ModelMeasurements, metric: str, folder: Path
) -> Controlled:
    """The control models of the run, found among its cells by their bias.

    Raises:
        BadData: a control model of the record has no cells, or not all of them.
    """
    source, control = before.reporting(metric), stored.control
    if control is None or source is None:
        return Controlled()
    scale = BiasScale(source, as_reported(metric, source.metrics[metric]), after)
    wanted = (source, *before.capability)
    models = _models(Store(folder).every(), wanted, {m.model.digest for m in (*stored.before, *stored.after)})
    known = [(scale.of(one)[0], one) for one in models]
    families = {
        family.family: [
            ControlModel(
                point.dose,
                point.seed,
                _found(point, family, known, folder),
                point.size,
                family.basis == "recipe",
            )
            for point in family.points
        ]
        for family in control.families
    }
    shammed = not any(said.startswith(absent_of(SHAM)) for said in control.absent)
    return Controlled(families, shammed, control.absent, control.size)


def _models(
    cells: Iterable[Measurement], wanted: Sequence[Measurement], measured: set[str]
) -> list[ModelMeasurements]:
    """The other models whose cells cover `wanted` (bias first), measured under the same conditions."""
    found: dict[str, dict[str, Measurement]] = {}
    for cell in cells:
        if cell.model.digest not in measured and any(_alike(cell, one) for one in wanted):
            found.setdefault(cell.model.digest, {})[cell.benchmark] = cell
    whole = [one for one in found.values() if len(one) == len(wanted)]
    names = [one.benchmark for one in wanted]
    return [ModelMeasurements((m[names[0]],), tuple(m[name] for name in names[1:])) for m in whole]


def _alike(cell: Measurement, one: Measurement) -> bool:
    same = (cell.benchmark, cell.card.digest, cell.protocol, cell.n)
    return same == (one.benchmark, one.card.digest, one.protocol, one.n)


def _found(
    point: ControlPoint,
    family: FamilyResult,
    known: list[tuple[Value, ModelMeasurements]],
    folder: Path,
) -> ModelMeasurements:
    for place, (bias, _) in enumerate(known):
        if _same(bias, point.bias):
            return known.pop(place)[1]  # so that two models of equal bias are each used once
    raise BadData(
        f"{folder} lacks the cells of the control model {family.family}, dose {point.dose:g}, seed "
        f"{point.seed}, without which it cannot be judged again.",
        mend="Run the command that made it again, with the same --out: it computes only what is missing.",
    )


def _same(bias: Value, stored: Value) -> bool:
    if bias is None or stored is None:
        return bias is stored
    return math.isclose(bias, stored, rel_tol=1e-9, abs_tol=1e-12)
