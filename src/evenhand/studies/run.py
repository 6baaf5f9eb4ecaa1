"""From a model's name to measurements, a location, a treatment or a verdict, stored and resumable."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, NoEffect, UsageError
from evenhand.files import real_path
from evenhand.folders import sole_writer
from evenhand.locators import Locator
from evenhand.mitigations import Mitigation
from evenhand.models import Model, OpenModel, require
from evenhand.opening import open_model
from evenhand.outputs import check_treatment_folder
from evenhand.progress import task
from evenhand.records import (
    Attribution,
    Measurement,
    TrainingExample,
    Verification,
    digest,
)
from evenhand.studies import defaults
from evenhand.studies.cells import Cells
from evenhand.studies.control_models import Planned, planned
from evenhand.studies.defaults import BIAS, CAPABILITY
from evenhand.studies.measure import check_family, crossed, crossing, fits_family, take
from evenhand.studies.methods import made_method
from evenhand.studies.options import (
    LocateKeywords,
    MeasureKeywords,
    MitigateKeywords,
    RunOptions,
    Specs,
    VerifyKeywords,
    VerifyOptions,
    combined,
    folder,
    model_name,
)
from evenhand.studies.readings import ControlModel, Margins, Readings
from evenhand.studies.resuming import BESIDE, check_treatment_of, kept_treatment, resumable
from evenhand.studies.store import (
    MEASUREMENTS,
    VERIFICATION,
    Store,
    check_run_folder,
    save_measurements,
    save_verification,
    working_in,
)
from evenhand.studies.training_data import (
    check_apart,
    check_capability,
    nothing_to_locate,
    primary,
    training_data,
    usable,
)
from evenhand.studies.verdict import judge

if TYPE_CHECKING:
    from evenhand.treatments import Treatment

__all__ = [
    "BIAS",
    "CAPABILITY",
    "RunOptions",
    "VerifyOptions",
    "locate",
    "measure",
    "mitigate",
    "run_folder",
    "verify",
]


def measure(
    uri: str,
    benchmarks: Specs = (),
    options: RunOptions | None = None,
    *,
    by: Specs = (),
    **given: Unpack[MeasureKeywords],
) -> list[Measurement]:
    """Take `benchmarks` on the model `uri`: ``measure("lab:causal", "facts,perplexity", limit=50, seed=1)``.

    Benchmarks are component specs, in one text or in several; without any, the bias benchmarks that suit the
    model. Every field of `RunOptions` may be given as a keyword, beside a record or instead of one. The run
    is stored below `out` if that is given. With `by`, the names of two slices or more
    (``"scale,definitional"``), their combinations become slices too.

    Raises:
        EvenhandError: an unknown name, a value that cannot be, a model that cannot be opened or scored; see
            `evenhand.errors`.
    """
    options = combined(RunOptions, options, given, MeasureKeywords, own=("by",))
    uri, by = model_name(uri), _names(by)
    loaded = _loaded(registry.spec_texts(benchmarks) or defaults.bias(uri))
    if by:
        crossing(loaded, by)
    if options.out is None:
        model = _opened(uri, options)
        taken = [take(model, b, seed=options.seed, limit=options.limit) for b in loaded]
        return _crossed(taken, loaded, by)
    check_run_folder(options.out, MEASUREMENTS)
    with working_in(options.out):
        model = _opened(uri, options)
        taken = list(Cells(model, Store(options.out), options.seed, options.limit).base(loaded))
        taken = _crossed(taken, loaded, by)
        save_measurements(options.out, taken)
    return taken


def _crossed(taken: list[Measurement], loaded: Sequence[Benchmark], by: Sequence[str]) -> list[Measurement]:
    return [crossed(one, b, by) for one, b in zip(taken, loaded, strict=True)] if by else taken


def locate(
    uri: str, locator: str = "bmi", options: VerifyOptions | None = None, **given: Unpack[LocateKeywords]
) -> Attribution:
    """Ask `locator` which blocks of the model carry it, on the train part of the first benchmark.

    ``locate("lab:causal", "ablation", seed=1)``: keywords are fields of `VerifyOptions`.

    Raises:
        EvenhandError: as for `measure`; BadModel without weights.
    """
    options, uri = combined(VerifyOptions, options, given, LocateKeywords), model_name(uri)
    made: Locator = registry.create("locator", locator)
    probes = training_data(_loaded(_bias(uri, options)), made.fits_on, locator, "locator")
    return _locate(_opened(uri, options), made, probes, options.seed)


def mitigate(
    uri: str,
    mitigation: str,
    out: Path | str,
    options: VerifyOptions | None = None,
    **given: Unpack[MitigateKeywords],
) -> Mapping[str, Any]:
    """Fit `mitigation` and save the treatment into `out`; returns its summary (method, digest, proof ...).

    ``mitigate("lab:causal", "lftf", "treated", locator="ablation")``: keywords are fields of `VerifyOptions`.

    Raises:
        EvenhandError: as for `measure`; NoEffect when the treatment changes nothing; before the model is
            opened, BadData or UsageError when `out` may not be replaced (see `evenhand.folders`).
    """
    options, uri = combined(VerifyOptions, options, given, MitigateKeywords), model_name(uri)
    out = folder(out)
    made = made_method(mitigation)
    registry.create("locator", options.locator)  # a wrong name must not wait for the model
    check_treatment_folder(out, beside=BESIDE if getattr(made, "resume", None) == "" else "")
    examples = training_data(_loaded(_bias(uri, options)), made.fits_on, mitigation)
    place = real_path(out)
    with sole_writer(out):
        model = _opened(uri, options)
        location = _location(model, made, examples, options)
        with resumable(made, place.with_name(place.name + BESIDE)) as told:
            treatment = told.fit(model, examples, sites=location, seed=options.seed)
            treatment.save(out)
    about = treatment.about
    return {
        "method": about.method,
        "model": uri,
        "base": about.base,
        "digest": treatment.digest,
        "seed": about.seed,
        "details": dict(about.details),
        "proof": dict(about.proof),
        "location": location,
        "out": str(out),
    }


def verify(
    uri: str, mitigation: str, options: VerifyOptions | None = None, **given: Unpack[VerifyKeywords]
) -> Verification:
    """Before, treat, after, verdict; stored and resumable in `run_folder`.

    ``verify("lab:causal", "lftf", control="reduced", seed=1)``: keywords are fields of `VerifyOptions`.

    A capability benchmark that suits the model's kind in general, but not its family, is left out where the
    user named none.

    Raises:
        EvenhandError: as for `measure`; UsageError when a test item is among the training examples.
    """
    options, uri = combined(VerifyOptions, options, given, VerifyKeywords), model_name(uri)
    made, place = made_method(mitigation), run_folder(uri, mitigation, options)
    registry.create("locator", options.locator)  # a wrong name must not wait for the model
    check_run_folder(place, VERIFICATION)
    check_treatment_of(place)
    with working_in(place):
        verification = _verified(uri, made, mitigation, place, options)
        save_verification(place, verification)
    return verification


def _verified(uri: str, made: Mitigation, spec: str, folder: Path, options: VerifyOptions) -> Verification:
    bias, capability = _loaded(_bias(uri, options)), _loaded(_capability(uri, options))
    examples = training_data(bias, made.fits_on, spec)
    check_capability(capability)
    model = _opened(uri, options)
    if not options.capability:
        capability = [b for b in capability if fits_family(model, b)]
    for benchmark in (*bias, *capability):
        check_family(model, benchmark)
    require(model, made.needs, of=spec, instead="--with prompt")
    return _Study(model, made, bias, capability, options, folder).verification(spec, examples)


def run_folder(uri: str, mitigation: str, options: VerifyOptions) -> Path:
    """Where a verification lives: ``options.out``, or a folder under ``runs/`` that the command decides."""
    if options.out is not None:
        return options.out
    chosen = replace(options, out=None, benchmarks=_bias(uri, options))
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"verify-{uri}-{mitigation}").strip("-")[:60]
    return Path("runs") / f"{name}-{digest(uri, mitigation, chosen)[:8]}"


@dataclass(frozen=True)
class _Study:
    """One verification: its model, its method, its benchmarks, and the folder where its parts are kept."""

    model: Model
    method: Mitigation
    bias: Sequence[Benchmark]
    capability: Sequence[Benchmark]
    options: VerifyOptions
    folder: Path

    @property
    def cells(self) -> Cells:
        return Cells(self.model, Store(self.folder), self.options.seed, self.options.limit)

    def verification(self, spec: str, examples: Sequence[TrainingExample]) -> Verification:
        """Every part in order; parts that the folder already holds are not made again."""
        check_apart([*self.bias, *self.capability], examples)
        before = self._readings(self.cells.base)
        location = _location(self.model, self.method, examples, self.options)
        treatment = self._treatment(examples, location)
        key = treatment.digest
        after = self._readings(lambda b: self.cells.treated(b, key, lambda: treatment.applied(self.model)))
        metric = primary(self.bias, self.method.fits_on)
        families = self._families(treatment, examples, before.reporting(metric))
        margins = Margins(accuracy=self.options.margin)
        judged = judge(before, after, families, margins=margins, primary=metric, seed=self.options.seed)
        return Verification(
            verdict=judged.verdict,
            reasons=judged.reasons,
            model=self.model.spec,
            treatment=str(registry.parse(spec)),
            seed=self.options.seed,
            before=(*before.bias, *before.capability),
            after=(*after.bias, *after.capability),
            effects=judged.effects,
            capability=judged.capability,
            guards=judged.guards,
            control=judged.control,
            location=location,
            proof={**treatment.about.proof, "details": dict(treatment.about.details), "digest": key},
            limited=any(m.protocol.limited for m in before.bias),
            notes=tuple(note for note in _notes(before, after) if note not in judged.reasons),
        )

    def _readings(self, taken: Any) -> Readings:
        return Readings(tuple(taken(self.bias)), tuple(taken(self.capability)))

    def _treatment(self, examples: Sequence[TrainingExample], location: Attribution | None) -> Treatment:
        """The treatment that the folder holds if it was fitted to this model in this way, else a new one."""
        # The ranking, not the scores: rounding differs with the number of threads and decides nothing.
        sites = location.ranking() if location else None
        key = digest(self.model.spec.digest, repr(self.method), self.options.seed, list(examples), sites)
        return kept_treatment(
            self.folder,
            key,
            self.method,
            lambda method: method.fit(self.model, examples, sites=location, seed=self.options.seed),
        )

    def _families(
        self, treatment: Treatment, examples: Sequence[TrainingExample], source: Measurement | None
    ) -> dict[str, list[ControlModel]]:
        """The control models' readings on the benchmark of `source`, the one that the verdict is about.

        A dose at which a model cannot be made any more is left out, and so is a family that cannot be fitted
        on `examples`.
        """
        if not isinstance(self.model, OpenModel) or source is None:
            return {}
        every = planned(self.model, treatment, self.options.control, self.options.seed)
        plan = [one for one in every if usable(one.control, examples)]
        if not plan:
            return {}
        first = [b for b in self.bias if b.name == source.benchmark]
        families: dict[str, list[ControlModel]] = {}
        with task("capability-matched control", len(plan), unit="model") as advance:
            for one in plan:
                with contextlib.suppress(NoEffect, BadModel):
                    readings = self._control(one, examples, first)
                    families.setdefault(one.family, []).append(ControlModel(one.dose, one.seed, readings))
                advance(1)
        return families

    def _control(
        self, one: Planned, examples: Sequence[TrainingExample], first: Sequence[Benchmark]
    ) -> Readings:
        key = digest("control", one.identity, [e.id for e in examples])

        def enter() -> AbstractContextManager[Model]:
            assert isinstance(self.model, OpenModel)  # no control model is planned for others
            return one.made(self.model, examples).applied(self.model)

        taken = self.cells.treated([*first, *self.capability], key, enter)
        return Readings(taken[: len(first)], taken[len(first) :])


def _opened(uri: str, options: RunOptions) -> Model:
    return open_model(uri, dtype=options.dtype, batch_tokens=options.batch_tokens)


def _loaded(specs: Sequence[str]) -> list[Benchmark]:
    return [registry.create("benchmark", spec) for spec in specs]


def _names(texts: Specs) -> tuple[str, ...]:
    """Names in one text or in several, with commas between, each once."""
    several = [texts] if isinstance(texts, str) else texts
    if not isinstance(several, Sequence) or not all(isinstance(text, str) for text in several):
        raise UsageError(f"by={texts!r} names no slices.", mend="Write their names, such as 'task,domain'.")
    return tuple(dict.fromkeys(filter(None, (n.strip() for text in several for n in text.split(",")))))


def _capability(uri: str, options: VerifyOptions) -> Sequence[str]:
    return options.capability or defaults.capability(uri, _bias(uri, options))


def _bias(uri: str, options: VerifyOptions) -> tuple[str, ...]:
    return tuple(options.benchmarks) or defaults.bias(uri)


def _location(
    model: Model, method: Mitigation, examples: Sequence[TrainingExample], options: VerifyOptions
) -> Attribution | None:
    """Where the locator points; None for a method that then treats every block, or wants no location."""
    locator: Locator = registry.create("locator", options.locator)
    if not method.wants_sites or not isinstance(model, OpenModel) or not usable(locator, examples):
        return None
    return _locate(model, locator, examples, options.seed)


def _locate(model: Model, locator: Locator, examples: Sequence[TrainingExample], seed: int) -> Attribution:
    if not isinstance(model, OpenModel):
        raise nothing_to_locate(model)
    return locator.locate(model, [e for e in examples if not e.keep], None, seed=seed)


def _notes(*readings: Readings) -> tuple[str, ...]:
    """Every note of the measurements once, and where before and after differ, of which it is."""
    said = [dict.fromkeys(note for m in (*r.bias, *r.capability) for note in m.notes) for r in readings]
    common = [note for note in said[0] if all(note in other for other in said)]
    own = [
        f"{when}: {note}"
        for when, notes in zip(("Before", "After"), said, strict=True)
        for note in notes
        if note not in common
    ]
    return (*common, *own)
