"""From a model's name to measurements, a location, a treatment or a verdict, stored and resumable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import UsageError
from evenhand.files import real_path
from evenhand.folders import sole_writer
from evenhand.locators import Locator
from evenhand.mitigations import Mitigation, refuse
from evenhand.models import require
from evenhand.opening import check_running
from evenhand.outputs import check_treatment_folder
from evenhand.records import (
    EVERY_KIND,
    TREATED,
    Attribution,
    Measurement,
    Verification,
    digest,
    to_json,
)
from evenhand.studies import defaults, memory, seeds
from evenhand.studies.again import is_verification, judged_again
from evenhand.studies.apart import Apart, apart_by, check_on
from evenhand.studies.cells import Cells
from evenhand.studies.defaults import BIAS, CAPABILITY
from evenhand.studies.fitting import Fitting, Treating
from evenhand.studies.given import check_treated
from evenhand.studies.given import given as given_model
from evenhand.studies.location import check_sites, locate_in, sites_for
from evenhand.studies.measure import check_family, crossed, crossing, fits_family, take
from evenhand.studies.memory import Asking
from evenhand.studies.merging import check_merging, merge_treated
from evenhand.studies.methods import check_locator, made_method
from evenhand.studies.options import (
    LOCATOR,
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
from evenhand.studies.primary import of_benchmarks
from evenhand.studies.resuming import UNFINISHED_SUFFIX, check_treatment_of, resumable
from evenhand.studies.store import (
    MEASUREMENTS,
    VERIFICATION,
    Store,
    check_run_folder,
    save_measurements,
    working_in,
)
from evenhand.studies.trained_on import EVERY_CONTROL, data_of, fitted_on, trained_on
from evenhand.studies.training_data import check_capability, training_data
from evenhand.studies.verification import Study
from evenhand.training.stacking import joined
from evenhand.workers import workers

__all__ = [
    "BIAS",
    "CAPABILITY",
    "RunOptions",
    "VerifyOptions",
    "locate",
    "measure",
    "merge",
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
    model. Every field of `RunOptions` may be given as a keyword, with or without a record. The run
    is stored below `out` if that is given. With `by`, the names of two slices or more
    (``"scale,definitional"``), their combinations become slices too.

    Raises:
        EvenhandError: an unknown name, an invalid value, a model that cannot be opened or scored; see
            `evenhand.errors`.
    """
    options = combined(RunOptions, options, given, MeasureKeywords, own=("by",))
    uri, by = model_name(uri), _names(by)
    check_running(uri, dtype=options.dtype, batch_tokens=options.batch_tokens)
    loaded = _loaded(registry.spec_texts(benchmarks) or defaults.bias(uri))
    if by:
        crossing(loaded, by)
    if options.out is None:
        with options.opened(uri) as model:
            taken = [take(model, b, seed=options.seed, limit=options.limit) for b in loaded]
        return _crossed(taken, loaded, by)
    check_run_folder(options.out, MEASUREMENTS)
    with working_in(options.out):
        with options.opened(uri) as model:
            taken = list(Cells(model, Store(options.out), options.seed, options.limit).base(loaded))
        taken = _crossed(taken, loaded, by)
        save_measurements(options.out, taken)
    return taken


def _crossed(taken: list[Measurement], loaded: Sequence[Benchmark], by: Sequence[str]) -> list[Measurement]:
    return [crossed(one, b, by) for one, b in zip(taken, loaded, strict=True)] if by else taken


def locate(
    uri: str, locator: str = "bmi", options: VerifyOptions | None = None, **given: Unpack[LocateKeywords]
) -> Attribution:
    """Locate the bias in the model's blocks with `locator`, on the train part of the first benchmark.

    ``locate("lab:causal", "ablation", seed=1)``: keywords are fields of `VerifyOptions`.

    Raises:
        EvenhandError: as for `measure`; BadModel without weights.
    """
    options, uri = combined(VerifyOptions, options, given, LocateKeywords), model_name(uri)
    made: Locator = registry.create("locator", locator)
    probes = training_data(_loaded(_bias(uri, options)), made.fits_on, locator, "locator")
    memory.check(uri, options, Asking(locator=locator))
    with options.opened(uri) as model:
        return locate_in(model, made, probes, options.seed)


def mitigate(
    uri: str,
    mitigation: str | Sequence[str],
    out: Path | str,
    options: VerifyOptions | None = None,
    *,
    merged: Path | str | None = None,
    **given: Unpack[MitigateKeywords],
) -> Mapping[str, Any]:
    """Fit `mitigation` and save the treatment into `out`; returns its summary (method, digest, proof ...).

    ``mitigate("lab:causal", "lftf", "treated", locator="ablation")``: keywords are fields of `VerifyOptions`.
    Several methods are fitted in order, each to the model that the ones before it treated, and saved as one
    treatment: ``["lftf", "thresholds"]`` or ``"lftf + thresholds"``. With `merged`, a folder, the treated
    model is written there as well, as a plain model that transformers opens.

    Raises:
        EvenhandError: as for `measure`; NoEffect when the treatment changes nothing; before the model is
            opened, BadData or UsageError when `out` may not be replaced (see `evenhand.folders`), and
            BadModel for `merged` where a method changes no weights.
    """
    options = combined(VerifyOptions, options, given, MitigateKeywords, own=("merged",))
    uri, mitigation, out = model_name(uri), joined(mitigation), folder(out)
    check_running(uri, dtype=options.dtype, batch_tokens=options.batch_tokens)
    check_locator(mitigation, given.get("locator"))
    made = made_method(mitigation)
    plain = None if merged is None else check_merging(folder(merged), out, made, mitigation)
    registry.create("locator", options.locator)  # a wrong name is reported before the model is opened
    check_treatment_folder(out, beside=UNFINISHED_SUFFIX if getattr(made, "resume", None) == "" else "")
    examples = data_of(uri, _loaded(_bias(uri, options)), made, mitigation)
    refuse(made, None, examples)
    place = real_path(out)
    memory.check(uri, options, Asking(method=made, locator=options.locator))
    with sole_writer(out), options.opened(uri) as model:
        refuse(made, model, examples)
        check_sites(model, made, examples, options)
        site = sites_for(model, made, examples, options)
        with resumable(made, place.with_name(place.name + UNFINISHED_SUFFIX)) as told:
            treatment = told.fit(model, examples, sites=site, seed=options.seed)
            treatment.save(out)
        if plain is not None:
            merge_treated(model, treatment, plain)
    about = treatment.about
    return {
        "method": about.method,
        "model": uri,
        "base": about.base,
        "digest": treatment.digest,
        "seed": about.seed,
        "details": dict(about.details),
        "proof": dict(about.proof),
        "made_by": about.made_by,
        "location": site,
        "out": str(out),
    }


def merge(uri: str, out: Path | str, options: RunOptions | None = None) -> str:
    """Write the model that `uri` names, with what its ``+`` signs put on it, as a plain model into `out`.

    ``merge("hf:./base+treated", "merged")``: safetensors, configuration and tokenizer, which transformers
    opens and which answer alike. Returns the digest of its weights.

    Raises:
        EvenhandError: as for `measure`; BadModel where something was put on it that is no change of weights.
    """
    options, uri, out = options or RunOptions(), model_name(uri), folder(out)
    check_treatment_folder(out)
    with sole_writer(out), options.opened(uri) as model:
        merge_treated(model, None, out)
        return model.spec.digest


def verify(
    uri: str,
    mitigation: str | Sequence[str] | None = None,
    options: VerifyOptions | None = None,
    *,
    treated: str | None = None,
    on: str | None = None,
    **given: Unpack[VerifyKeywords],
) -> Verification:
    """Measure before, treat, measure after, give a verdict; stored and resumable in `run_folder`.

    ``verify("lab:causal", "lftf", control="reduced", seed=1)``: keywords are fields of `VerifyOptions`.
    Several methods are fitted in order, as by `mitigate`.
    ``verify("hf:./base", treated="hf:./ours")`` judges a model that was treated already: any model, or the
    folder of a saved treatment or of an adapter for this base. Benchmarks are those of the base.

    With ``seeds=5`` the method is judged, not one model: 5 are fitted, with `seed` and the 4 after it, and
    the weakest of their verdicts is the method's (`Verification.seeds`).

    `on` names who makes the control models, such as ``ray`` (see `evenhand.workers`): the families at the
    same time, with the figures that they have by default, one after the other in this process.

    If no bias benchmark has training examples, the mitigation's default benchmark gives them, and a note says
    so. A default capability benchmark that does not fit the model's family is left out.

    ``verify("runs/stored", margin=0.02)``, the folder of a finished verification in place of a model, judges
    it again by today's rule without running a model; nothing is stored unless `out` names another folder.

    Raises:
        EvenhandError: as for `measure`; UsageError when a test item is among the training examples, no
            benchmark reports the metric that the verdict is to be about, or options exclude each other.
    """
    options, uri = (
        combined(VerifyOptions, options, given, VerifyKeywords, own=("treated", "on")),
        model_name(uri),
    )
    mitigation = None if mitigation is None else joined(mitigation)
    check_on(uri, on, options)
    if is_verification(uri):
        return judged_again(uri, options, method=mitigation, treated=treated)
    if treated is None:
        check_running(uri, dtype=options.dtype, batch_tokens=options.batch_tokens)
        made, said = made_method(mitigation), str(mitigation)  # type: ignore[arg-type]  # None is refused
        check_locator(said, given.get("locator"))
        registry.create("locator", options.locator)  # a wrong name is reported before the model is opened
    else:
        chosen = options.locator if options.locator != LOCATOR else given.get("locator")
        check_treated(treated, mitigation, chosen, options.seeds)
        made, said = None, TREATED + treated
    place = run_folder(uri, said, options)
    check_run_folder(place, VERIFICATION)
    if made is not None:
        for one in (place, *_further(place, options).values()):
            check_treatment_of(one)
    with workers(on) as doing, working_in(place):
        apart = None if on is None else apart_by(doing, uri, options, made)
        each = _verified(uri, made, said, place, options, apart=apart)
        verification = seeds.of_method(each) if len(each) > 1 else each[0]
        seeds.save(place, verification, each if len(each) > 1 else ())
    return verification


def _further(place: Path, options: VerifyOptions) -> dict[int, Path]:
    """The folders of the treated models after the first, by their seeds."""
    first = options.seed
    return {seed: seeds.folder_of(place, seed) for seed in range(first + 1, first + options.seeds)}


def _verified(
    uri: str,
    made: Mitigation | None,
    said: str,
    folder: Path,
    options: VerifyOptions,
    *,
    apart: Apart | None,
) -> tuple[Verification, ...]:
    """One verdict a seed, on the method `made`, whose spec is `said`; without one, on what `said` names."""
    bias, capability = _loaded(_bias(uri, options)), _loaded(_capability(uri, options))
    data = (
        trained_on(uri, bias, EVERY_KIND, EVERY_CONTROL) if made is None else fitted_on(uri, bias, made, said)
    )
    primary = of_benchmarks(bias, options.primary, data.benchmark)
    check_capability(capability)
    if made is not None:
        refuse(made, None, data.examples)
    memory.check(uri, options, Asking(measures=True, method=made, locator=options.locator, compares=True))
    with options.opened(uri) as model:
        if not options.capability:
            capability = [b for b in capability if fits_family(model, b)]
        for benchmark in (*bias, *capability):
            check_family(model, benchmark)
        left_out = "" if options.capability else defaults.left_out(uri, _bias(uri, options))
        notes = tuple(note for note in (data.note, left_out) if note)
        treating: Treating
        further: dict[int, Treating] = {}
        if made is None:
            ready = given_model(said.removeprefix(TREATED), uri, model, options)
            treating, notes = ready, (*ready.notes, *(() if ready.uncontrolled else notes))
        else:
            require(model, made.needs, of=said, instead="--with prompt")
            treating = Fitting(made, said, model, data.examples, options, folder)
            further = {
                seed: replace(treating, options=replace(options, seed=seed, seeds=1), folder=place)
                for seed, place in _further(folder, options).items()
            }
        study = Study(
            model, treating, bias, capability, options, folder, data, primary, notes, further, apart
        )
        return study.verifications()


def run_folder(uri: str, treatment: str, options: VerifyOptions) -> Path:
    """The folder of a verification: ``options.out``, or one under ``runs/`` derived from the arguments.

    `treatment` is the mitigation, or `TREATED` and the name of a treated model.
    """
    if options.out is not None:
        return options.out
    chosen = replace(options, out=None, benchmarks=_bias(uri, options))
    asked = to_json(chosen)
    del asked["budget"]  # how long it may take is no part of what is asked
    if chosen.primary is None:  # so that a run stored before the option existed is found again
        del asked["primary"]
    if chosen.seeds == 1:
        del asked["seeds"]
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"verify-{uri}-{treatment}").strip("-")[:60]
    return Path("runs") / f"{name}-{digest(uri, treatment, asked)[:8]}"


def _loaded(specs: Sequence[str]) -> list[Benchmark]:
    return [registry.create("benchmark", spec) for spec in specs]


def _names(texts: Specs) -> tuple[str, ...]:
    """Names from one text or several, separated by commas, each once."""
    several = [texts] if isinstance(texts, str) else texts
    if not isinstance(several, Sequence) or not all(isinstance(text, str) for text in several):
        raise UsageError(f"by={texts!r} names no slices.", mend="Write their names, such as 'task,domain'.")
    return tuple(dict.fromkeys(filter(None, (n.strip() for text in several for n in text.split(",")))))


def _capability(uri: str, options: VerifyOptions) -> Sequence[str]:
    return options.capability or defaults.capability(uri, _bias(uri, options))


def _bias(uri: str, options: VerifyOptions) -> tuple[str, ...]:
    return tuple(options.benchmarks) or defaults.treated_bias(uri)
