"""Judging the population: one reading a run, appended as a line of JSON, so that a run can be interrupted."""

from __future__ import annotations

import gzip
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from evenhand import registry, stats
from evenhand.benchmarks import Benchmark
from evenhand.controls import Control
from evenhand.errors import BadData, EvenhandError
from evenhand.files import lines
from evenhand.models import OpenModel
from evenhand.opening import opened
from evenhand.records import EVERY_KIND, Ability, Measurement, Verification, to_json
from evenhand.studies import control_models, defaults
from evenhand.studies.distance import distance
from evenhand.studies.fitting import Found
from evenhand.studies.measure import take
from evenhand.studies.options import VerifyOptions
from evenhand.studies.trained_on import EVERY_CONTROL, trained_on
from evenhand.studies.verification import Study
from evenhand.training.parameters import require_open
from evenhand.treatments import About, Treatment
from evenhand.treatments.weights import WeightTreatment

if TYPE_CHECKING:
    from torch import Tensor

from .population import BASES, KINDS, SEEDS, Kind, block_of, draws, removed, rounded, without_they

EXACT = (("exact_removal", 1.0), ("half_removed", 0.5), ("fifth_removed", 0.2))
TWIN = "planted/"  # in the key of a removal in part whose weights are those of a twin with less planted
WITHOUT_THEY = "without_they"  # the bias removed, and " they" made rare by a factor exp(dose)
NOTHING = ("nothing_done", "fewer_bits", "another_training")
DAMAGE = {kind.name: kind for kind in KINDS}
BITS = (4, 5, 6, 8)  # the fewest that leave the perplexity as it is
UNCHANGED = 0.005  # in log-perplexity
Fall = tuple[float, float, float] | None
PRIMARY = "afgb_normalised"
STRONGER = 1.5  # a dose without a certain, relevant fall is followed by so many times it
WEIGHTS = frozenset({Ability.WEIGHTS})


@dataclass(frozen=True)
class Ready:
    """A treatment in hand, in the place of one that is fitted."""

    found: Treatment
    said: str
    uncontrolled: str = ""

    def check(self, tested: object) -> None:
        """Nothing to refuse."""

    def treatment(self) -> Found:
        """The treatment, as it is."""
        return self.found, None

    def remarks(self, families: object) -> tuple[str, ...]:
        """None."""
        return ()


@contextmanager
def without(family: str) -> Iterator[None]:
    """No control models of `family` while the context lasts."""
    every = control_models.installed

    def fewer() -> Mapping[str, Control]:
        return {name: control for name, control in every().items() if name != family}

    control_models.installed = fewer
    try:
        yield
    finally:
        control_models.installed = every


def verdict_on(model: OpenModel, uri: str, treatment: Treatment, name: str, seed: int) -> Verification:
    """The verdict on a treatment in hand, by the defaults of `verify`."""
    options = VerifyOptions(seed=seed)
    bias, capability = (
        [registry.create("benchmark", spec) for spec in specs]
        for specs in (defaults.treated_bias(uri), defaults.capability(uri))
    )
    data = trained_on(uri, bias, EVERY_KIND, EVERY_CONTROL)
    with TemporaryDirectory() as folder:
        study = Study(model, Ready(treatment, name), bias, capability, options, Path(folder), data, PRIMARY)
        return study.verification()


def fall(before: Measurement, model: OpenModel, benchmark: Benchmark, treatment: Treatment) -> Fall:
    """T, its lower bound, and delta; None where the bias is undefined. `before` is the base's measurement."""
    with treatment.applied(model) as changed:
        after = take(changed, benchmark)
    metric = registry.get("metric", PRIMARY)
    change = stats.paired_change(metric, before.scores, after.scores)
    value = before.metrics[PRIMARY].value
    if change.value is None or change.high is None or value is None:
        return None
    return -change.value, -change.high, max(0.1 * value, distance(metric, value).step)


def reading(record: Verification, about: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict and the figures behind it, without measurements."""
    effect = next(e for e in record.effects if e.metric == PRIMARY)
    checks = (*record.capability.checks, *record.guards)
    control = record.control
    return {
        **about,
        "verdict": record.verdict.value,
        "effect": to_json(effect),
        "capability": record.capability.kept,
        "checks": [
            {"name": c.name, "kept": c.kept, "loss": c.loss.value, "high": c.loss.high, "margin": c.margin}
            for c in checks
        ],
        "control": None
        if control is None
        else {
            "reduced": control.reduced,
            "size": control.size,
            "total": control.total.value,
            "least": control.least,
            "delta": control.delta,
            "absent": list(control.absent),
            "families": [
                {
                    "family": f.family,
                    "models": len(f.points),
                    "state": f.state,
                    "basis": f.basis,
                    "dose": f.dose,
                    "specific": f.specific.value,
                    "p": f.p_value,
                    "limit": f.p_limit,
                }
                for f in control.families
            ],
        },
    }


def made(kind: Kind, model: OpenModel, dose: float, seed: int, examples: Any) -> Treatment:
    """The damage of that kind."""
    if kind.change is not None:
        weights = dict(kind.change(model, dose, seed))
        return WeightTreatment(About(f"damage: {kind.name}", model.spec.digest, seed), weights)
    control = registry.create("control", kind.name)
    parameters = dict(model.module.named_parameters())
    same = {name: parameters[name].detach().float().clone() for name in block_of(model, seed)}
    beside = WeightTreatment(About("unchanged", model.spec.digest, seed), same)
    found: Treatment = control.damage(model, beside, dose, examples=examples, seed=10_000 + seed)
    return found


@dataclass(frozen=True)
class Asked:
    """Which runs are judged: so many of each kind, drawn with this seed, but none of the kinds in `skip`.

    Of `part` (2, 3) every third run from the second on. `bases` are the labs of damage; None for all.
    """

    runs: int
    seed: int = 0
    part: tuple[int, int] = (1, 1)
    skip: Sequence[str] = ()
    bases: Sequence[str] | None = None

    def jobs(self) -> Iterator[dict[str, Any]]:
        """The runs of this part, kinds in turn."""
        kinds: Sequence[Kind] = KINDS
        if self.bases is not None:
            kinds = tuple(replace(kind, bases=tuple(self.bases)) for kind in KINDS)
        for number, job in enumerate(_jobs(kinds, self.runs, self.seed)):
            if number % self.part[1] == self.part[0] - 1 and job["kind"] not in self.skip:
                yield job


def run(folders: Sequence[Path], minutes: float, asked: Asked) -> None:
    """Judge damage and treatments in turn until the time is over, into the first of the `folders`.

    What one of them has was judged before, and is not again.
    """
    folder = folders[0]
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * minutes
    done = {line["key"] for line in lines_in(folders)}
    with (folder / f"readings-{asked.part[0]}.jsonl").open("a", encoding="utf-8") as out:
        for job in asked.jobs():
            if job["key"] in done:
                continue
            if time.monotonic() > end:
                return
            with suppress(EvenhandError):
                out.write(json.dumps(judged(job), separators=(",", ":")) + "\n")
                out.flush()


def lines_in(folders: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The readings of the folders, in order; a line that was cut off is none.

    Those that a run writes are text; those that are kept for good may be packed by gzip.
    """
    for path in (path for folder in folders for path in sorted(folder.glob("readings-*.jsonl*"))):
        packed = path.read_bytes()
        text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8")
        for line in lines(text):
            with suppress(json.JSONDecodeError):
                yield json.loads(line)


def _jobs(kinds: Sequence[Kind], runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Every run to judge, kinds in turn, so that any beginning of the list has all of them."""
    every = [list(draws(kind, runs, seed)) for kind in kinds]
    for number in range(runs):
        for kind, drawn in zip(kinds, every, strict=True):
            base, dose, own = drawn[number]
            for inside in (True, False) if kind.family else (False,):
                key = f"{kind.name}/{'inside' if inside else 'outside'}/{base}/{dose}/{own}"
                yield {
                    "key": key, "kind": kind.name, "family": kind.family, "held_out": kind.held_out,
                    "inside": inside, "base": base, "dose": dose, "seed": own,
                }  # fmt: skip
        for name, share in EXACT:
            base = BASES[number % len(BASES)]
            about = {"kind": name, "base": base, "dose": share, "seed": seed + number}
            yield {"key": f"{name}/{TWIN if share < 1.0 else ''}{base}/{number}", **about}
        base, dose = BASES[(11 * number) % len(BASES)], (1.5, 3.0, 6.0)[number % 3]
        about = {"kind": WITHOUT_THEY, "base": base, "dose": dose, "seed": seed + number}
        yield {"key": f"{WITHOUT_THEY}/{base}/{dose}/{number}", **about}
        base = BASES[(7 * number) % len(BASES)]
        for name in NOTHING:
            key = f"nothing/{base}" if name == NOTHING[0] else f"{name}/{base}"
            yield {"key": key, "kind": name, "base": base, "dose": 0.0, "seed": seed}


def judged(job: dict[str, Any]) -> dict[str, Any]:
    """The reading of one run; without a verdict where the fall is not certain or less than delta."""
    start = time.process_time()
    with opened(job["base"]) as given:
        model = require_open(given, WEIGHTS)
        if job["kind"] == "fewer_bits":
            job = {**job, "dose": fewest_bits(model)}
        bias = registry.create("benchmark", defaults.treated_bias(job["base"])[0])
        examples = [*bias.examples(), *bias.anchors()]
        treatment = treatment_of(job, model, examples)
        if job["kind"] in DAMAGE:
            high = DAMAGE[job["kind"]].high
            before = take(model, bias)
            found = fall(before, model, bias, treatment)
            while (found is None or found[1] <= 0 or found[0] < found[2]) and job["dose"] < high:
                job = {**job, "dose": float(f"{min(high, STRONGER * job['dose']):.3g}")}
                treatment = treatment_of(job, model, examples)
                found = fall(before, model, bias, treatment)
            if found is None or found[1] <= 0 or found[0] < found[2]:
                return {**job, "counted": False, "fall": found}
        with without("" if job.get("inside", True) else job.get("family", "")):
            record = verdict_on(model, job["base"], treatment, job["kind"], job["seed"])
    return {**reading(record, job), "counted": True, "seconds": round(time.process_time() - start, 1)}


def treatment_of(job: Mapping[str, Any], model: OpenModel, examples: Any) -> Treatment:
    """The treatment that a job or its reading names, fitted or computed anew."""
    if job["kind"] in DAMAGE:
        return made(DAMAGE[job["kind"]], model, job["dose"], job["seed"], examples)
    about = About(job["kind"], model.spec.digest, job["seed"])
    if job["kind"] in NOTHING:
        return WeightTreatment(about, dict(_nothing(job, model)))
    share = dict(EXACT).get(job["kind"], 1.0)
    twin = f"lab:causal?planted=none&seed={job['base'].partition('seed=')[2]}"
    if share < 1.0:
        twin = f"{job['base']}&strength={1 - share:g}"
    with opened(twin) as other:
        weights = removed(model, require_open(other, WEIGHTS))
    if job["kind"] == WITHOUT_THEY:
        weights = {**weights, **without_they(model, job["dose"])}
    return WeightTreatment(about, weights)


def _nothing(job: Mapping[str, Any], model: OpenModel) -> Mapping[str, Tensor]:
    """One of the base's own weights; all with fewer bits; those of another training seed."""
    if job["kind"] == "fewer_bits":
        return rounded(model, job["dose"])
    if job["kind"] == "nothing_done":
        name, value = next(iter(model.module.named_parameters()))
        return {name: value.detach().float().clone()}
    recipe, _, seed = job["base"].rpartition("seed=")
    with opened(f"{recipe}seed={len(SEEDS) + int(seed)}") as other:
        again = require_open(other, WEIGHTS).module.named_parameters()
        return {n: p.detach().float().clone() for n, p in again}


def fewest_bits(model: OpenModel) -> int:
    """The smallest of `BITS` at which the model's perplexity stays as it is.

    Raises:
        BadData: it changes at every one of them.
    """
    text = registry.create("benchmark", "perplexity:text=lab")
    before = _log_perplexity(take(model, text))
    for bits in BITS:
        about = About(f"{bits} bits", model.spec.digest, 0)
        treatment = WeightTreatment(about, dict(rounded(model, bits)))
        with treatment.applied(model) as changed:
            after = _log_perplexity(take(changed, text))
        if abs(after - before) < UNCHANGED:
            return bits
    raise BadData(f"No number of bits in {BITS} leaves the perplexity as it is.", mend="Leave the run out.")


def _log_perplexity(measured: Measurement) -> float:
    value = measured.metrics["perplexity"].value
    assert value is not None  # the lab's text has tokens
    return math.log(value)
