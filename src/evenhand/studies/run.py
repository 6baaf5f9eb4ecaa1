"""From a model's name to measurements, a location, a treatment or a verdict, stored and resumable."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, NoEffect, UsageError
from evenhand.files import write_atomically
from evenhand.locators import Locator
from evenhand.mitigations import Mitigation
from evenhand.models import Model, OpenModel, open_model
from evenhand.progress import task
from evenhand.records import Attribution, Example, Measurement, Verification, digest
from evenhand.studies.cells import Cells
from evenhand.studies.families import Extent, Planned, planned
from evenhand.studies.readings import ControlModel, Margins, Readings
from evenhand.studies.store import Store, save_measurements, save_verification
from evenhand.studies.verdict import judge
from evenhand.treatments import Treatment

BIAS = ("genbiaseval", "genhinteval")
CAPABILITY = {"lab": ("facts", "perplexity:text=lab"), "hf": ("facts:set=world", "perplexity")}


@dataclass(frozen=True)
class RunOptions:
    """What every run may be told.

    Attributes:
        seed: decides every random choice.
        limit: measure only so many items of each benchmark; stamped as not reportable.
        out: the folder of the run; None for one named after what is run.
        batch_tokens: token budget of a batch; None for the device's default.
        dtype: such as ``float32``; None for the checkpoint's own.
    """

    seed: int = 0
    limit: int | None = None
    out: Path | None = None
    batch_tokens: int | None = None
    dtype: str | None = None


@dataclass(frozen=True)
class VerifyOptions(RunOptions):
    """What a verification may be told besides.

    Attributes:
        benchmarks: bias benchmarks; the first one that has examples also trains the mitigation.
        capability: capability benchmarks; empty for those that suit the model.
        locator: who chooses the block.
        control: how many control models: ``full`` (8 doses x 5 seeds a family), ``reduced``, ``none``.
        margin: largest harmless loss of accuracy (0.01 is one point).
    """

    benchmarks: tuple[str, ...] = BIAS
    capability: tuple[str, ...] = ()
    locator: str = "bmi"
    control: Extent = "full"
    margin: float = 0.01


def measure(uri: str, benchmarks: Sequence[str], options: RunOptions | None = None) -> list[Measurement]:
    """Take `benchmarks` (component specs) on the model `uri`; stored below ``options.out`` if that is given.

    Raises:
        EvenhandError: an unknown name, a model that cannot be opened or scored; see `evenhand.errors`.
    """
    options = options or RunOptions()
    loaded = [_benchmark(spec) for spec in benchmarks]
    model = _opened(uri, options)
    if options.out is None:
        from evenhand.studies.measure import take

        return [take(model, b, seed=options.seed, limit=options.limit) for b in loaded]
    taken = Cells(model, Store(options.out), options.seed, options.limit).base(loaded)
    save_measurements(options.out, taken)
    return list(taken)


def locate(uri: str, locator: str, options: VerifyOptions | None = None) -> Attribution:
    """Ask `locator` which blocks of the model carry it, on the train part of the first benchmark.

    Raises:
        EvenhandError: as for `measure`; BadModel without weights.
    """
    options = options or VerifyOptions()
    model = _opened(uri, options)
    return _locate(model, locator, _examples(_loaded(options.benchmarks)), options.seed)


def mitigate(uri: str, mitigation: str, out: Path, options: VerifyOptions | None = None) -> Mapping[str, Any]:
    """Fit `mitigation` and save the treatment into `out`; returns its summary (method, digest, proof ...).

    Raises:
        EvenhandError: as for `measure`; NoEffect when the treatment changes nothing.
    """
    options = options or VerifyOptions()
    method: Mitigation = registry.create("mitigation", mitigation)
    model = _opened(uri, options)
    examples = _examples(_loaded(options.benchmarks))
    location = _location(model, method, examples, options)
    treatment = method.fit(model, examples, sites=location, seed=options.seed)
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


def verify(uri: str, mitigation: str, options: VerifyOptions | None = None) -> Verification:
    """Before, treat, after, verdict; stored and resumable in `run_folder`.

    Raises:
        EvenhandError: as for `measure`; UsageError when a test item is among the training examples.
    """
    options = options or VerifyOptions()
    method: Mitigation = registry.create("mitigation", mitigation)
    bias, capability = _loaded(options.benchmarks), _loaded(_capability(uri, options))
    model = _opened(uri, options)
    study = _Study(model, method, bias, capability, options, run_folder(uri, mitigation, options))
    verification = study.verification(mitigation)
    save_verification(study.folder, verification)
    return verification


def run_folder(uri: str, mitigation: str, options: VerifyOptions) -> Path:
    """Where a verification lives: ``options.out``, or a folder under ``runs/`` that the command decides."""
    if options.out is not None:
        return options.out
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"verify-{uri}-{mitigation}").strip("-")[:60]
    return Path("runs") / f"{name}-{digest(uri, mitigation, replace(options, out=None))[:8]}"


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

    def verification(self, spec: str) -> Verification:
        """Every part in order; parts that the folder already holds are not made again."""
        examples = _examples(self.bias)
        _refuse_contamination(self.bias, examples)
        before = self._readings(self.cells.base)
        location = _location(self.model, self.method, examples, self.options)
        treatment = self._treatment(examples, location)
        key = treatment.digest
        after = self._readings(lambda b: self.cells.treated(b, key, lambda: treatment.applied(self.model)))
        families = self._families(treatment, examples)
        margins = Margins(accuracy=self.options.margin)
        judged = judge(before, after, families, margins=margins, seed=self.options.seed)
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
            notes=_notes(before, after),
        )

    def _readings(self, taken: Any) -> Readings:
        return Readings(tuple(taken(self.bias)), tuple(taken(self.capability)))

    def _treatment(self, examples: Sequence[Example], location: Attribution | None) -> Treatment:
        """The treatment that the folder holds if it was fitted to this model in this way, else a new one."""
        from evenhand.treatments import load

        folder = self.folder / "treatment"
        # The ranking, not the scores: rounding differs with the number of threads and decides nothing.
        sites = location.ranking() if location else None
        key = digest(self.model.spec.digest, repr(self.method), self.options.seed, list(examples), sites)
        if (folder / "key.txt").is_file() and (folder / "key.txt").read_text(encoding="utf-8") == key:
            with contextlib.suppress(UsageError):
                return load(folder)
        treatment = self.method.fit(self.model, examples, sites=location, seed=self.options.seed)
        treatment.save(folder)
        write_atomically(folder / "key.txt", key.encode())
        return treatment

    def _families(self, treatment: Treatment, examples: Sequence[Example]) -> dict[str, list[ControlModel]]:
        """The control models' readings; a dose at which a model cannot be made any more is left out."""
        if not isinstance(self.model, OpenModel):
            return {}
        plan = planned(self.model, treatment, self.options.control, self.options.seed)
        families: dict[str, list[ControlModel]] = {}
        with task("capability-matched control", len(plan), unit="model") as advance:
            for one in plan:
                with contextlib.suppress(NoEffect, BadModel):
                    readings = self._control(one, examples)
                    families.setdefault(one.family, []).append(ControlModel(one.dose, one.seed, readings))
                advance(1)
        return families

    def _control(self, one: Planned, examples: Sequence[Example]) -> Readings:
        key = digest("control", one.identity, [e.id for e in examples])

        def enter() -> AbstractContextManager[Model]:
            fitted = one.mitigation.fit(self.model, examples, sites=None, seed=one.seed)
            return fitted.applied(self.model)

        first = self.bias[:1]
        taken = self.cells.treated([*first, *self.capability], key, enter)
        return Readings(taken[: len(first)], taken[len(first) :])


def _opened(uri: str, options: RunOptions) -> Model:
    return open_model(uri, dtype=options.dtype, batch_tokens=options.batch_tokens)


def _benchmark(spec: str) -> Benchmark:
    made: Benchmark = registry.create("benchmark", spec)
    return made


def _loaded(specs: Sequence[str]) -> list[Benchmark]:
    return [_benchmark(spec) for spec in specs]


def _capability(uri: str, options: VerifyOptions) -> Sequence[str]:
    return options.capability or CAPABILITY.get(uri.partition(":")[0], CAPABILITY["hf"])


def _examples(benchmarks: Sequence[Benchmark]) -> Sequence[Example]:
    """The training examples of the first benchmark that has any, then its anchors.

    Raises:
        UsageError: none of them has.
    """
    for benchmark in benchmarks:
        if benchmark.examples is not None:
            return [*benchmark.examples(), *(benchmark.anchors() if benchmark.anchors else ())]
    raise UsageError(
        f"None of {', '.join(b.name for b in benchmarks)} has a train part to learn from.",
        mend="Add one that has, such as -b genbiaseval.",
    )


def _refuse_contamination(benchmarks: Sequence[Benchmark], examples: Sequence[Example]) -> None:
    trained = {example.id for example in examples}
    for benchmark in benchmarks:
        shared = [sample.id for sample in benchmark.load() if sample.id in trained]
        if shared:
            raise UsageError(
                f"{benchmark.name} would be measured on {len(shared)} prompts that the mitigation is trained "
                f"on, such as {shared[0]}.",
                mend="Measure a part that is not trained on (part=test or part=dev).",
            )


def _location(
    model: Model, method: Mitigation, examples: Sequence[Example], options: VerifyOptions
) -> Attribution | None:
    if not method.wants_sites or not isinstance(model, OpenModel):
        return None
    return _locate(model, options.locator, examples, options.seed)


def _locate(model: Model, locator: str, examples: Sequence[Example], seed: int) -> Attribution:
    made: Locator = registry.create("locator", locator)
    if not isinstance(model, OpenModel):
        raise BadModel(
            f"{model.spec.uri} does not give access to its weights, so nothing can be located in it.",
            mend="Use a model whose weights are in hand (hf: or lab:).",
        )
    return made.locate(model, [e for e in examples if not e.keep], None, seed=seed)


def _notes(*readings: Readings) -> tuple[str, ...]:
    """Every note of the measurements, once."""
    taken = [m for r in readings for m in (*r.bias, *r.capability)]
    return tuple(dict.fromkeys(note for m in taken for note in m.notes))
