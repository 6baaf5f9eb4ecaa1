"""What a verification would run: cells (a benchmark on a model), rows, models, and how long it takes.

All but the time is computed without a model. `timed_plan` opens one that lies on this machine and measures
some items of each benchmark; what comes over a network is not fetched, and nobody's endpoint is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.errors import EvenhandError
from evenhand.files import written_as_path
from evenhand.mitigations import refuse
from evenhand.models import Model, gives_weights, require
from evenhand.records import EVERY_KIND, TREATED, TrainingExample, Value
from evenhand.records.shown import Shown
from evenhand.studies import control_models, defaults
from evenhand.studies.fitting import Fitting
from evenhand.studies.forecast import span
from evenhand.studies.given import check_treated, is_model
from evenhand.studies.given import given as given_model
from evenhand.studies.measure import check_family, fits_family
from evenhand.studies.memory import Asking, Memory, estimated
from evenhand.studies.methods import made_method
from evenhand.studies.options import METHOD, PlanKeywords, VerifyOptions, combined, model_name
from evenhand.studies.primary import of_benchmarks
from evenhand.studies.trained_on import EVERY_CONTROL, fitted_on, trained_on
from evenhand.studies.training_data import check_capability

if TYPE_CHECKING:
    from evenhand.studies.ahead import Sampled
    from evenhand.studies.forecast import Forecast
    from evenhand.studies.options import Extent


@dataclass(frozen=True, slots=True)
class PlannedBenchmark:
    """One benchmark of the plan: its `items`, the distinct `rows` to score, and the number of `models`."""

    benchmark: str
    role: str
    items: int
    rows: int
    models: int


@dataclass(frozen=True, slots=True, repr=False)
class Plan(Shown):
    """What `verify` would run at most: finished cells are not run again.

    `control` counts the control models of each family at most, `least` at the first look, after which none is
    added where the figures are clear; the base and the treated model are not among them. `mitigation`
    is the method, or `TREATED` and the name of a model that was treated already. `primary` is the metric that
    the verdict would be about. `fits` is how many treated models of a method are fitted.

    `memory` is what it takes at the most, known without reading weights; None where it was not computed
    (`unsized` says why).

    `seconds` is the least and the most time, the base included, None where it was not forecast (`untimed`
    says why). `smallest` is the smallest fall of the primary metric that its items could show with certainty
    and a probability of 80 %, control models aside. `note` says what the default benchmarks leave out.
    """

    uri: str
    mitigation: str
    limited: bool
    control: Mapping[str, int]
    benchmarks: tuple[PlannedBenchmark, ...]
    primary: str
    least: Mapping[str, int] = field(default_factory=dict)
    fits: int = 1
    seconds: tuple[float, float] | None = None
    untimed: str = ""
    smallest: Value = None
    note: str = ""
    memory: Memory | None = None
    unsized: str = ""

    @property
    def models(self) -> tuple[int, int]:
        """How many models are measured at the least and at the most: base, treated, and control models."""
        return tuple(1 + self.fits + sum(made.values()) for made in (self.least, self.control))  # type: ignore[return-value]

    @property
    def cells(self) -> int:
        """The number of cells: a benchmark on a model."""
        return sum(line.models for line in self.benchmarks)

    @property
    def rows(self) -> int:
        """The total number of rows to score."""
        return sum(line.models * line.rows for line in self.benchmarks)

    def _heading(self) -> str:
        least, most = self.models
        return f"{self.uri} with {self.mitigation}: {span(least, most)} models, at most {self.rows} rows"

    def _rows(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in self.benchmarks]


@dataclass(frozen=True)
class Parts:
    """What a plan was made of: the method (None for a model that is treated already), what is measured, and
    the examples that the method would be fitted on.
    """

    method: Any
    bias: tuple[Benchmark, ...]
    capability: tuple[Benchmark, ...]
    examples: Sequence[TrainingExample]
    shammed: bool = True  # whether there is a sham among the controls

    def check(self, model: Model, said: str, options: VerifyOptions) -> None:
        """Refuse an open model as `verify` does before it measures; `said` is the method's spec.

        Raises:
            EvenhandError: the method, its locator, a benchmark or a control cannot be used with it.
        """
        kept = [one for one in self.capability if options.capability or fits_family(model, one)]
        tested = [*self.bias, *kept]
        for benchmark in tested:
            check_family(model, benchmark)
        if self.method is not None:
            require(model, self.method.needs, of=said, instead="--with prompt")
            Fitting(self.method, said, model, self.examples, options, Path()).check(tested)
            if gives_weights(model):
                control_models.check(model, options.control, self.examples)

    def sampled(self, model: Model, primary: str, options: VerifyOptions) -> Sampled:
        """What a few items of each benchmark tell of the model.

        Raises:
            EvenhandError: it cannot be asked.
        """
        from evenhand.studies.ahead import sampled

        return sampled(model, self.bias, self.capability, primary, options)

    def ahead(self, measured: float, extent: Extent, fits: int = 1) -> Forecast:
        """What follows a base that took `measured` seconds."""
        from evenhand.studies.ahead import ahead

        both = [*self.bias, *self.capability]
        controls = control_models.Asked(extent, self.shammed)
        return ahead(measured, both, self.examples, method=self.method, controls=controls, fits=fits)


def plan(
    uri: str,
    with_: str | None = None,
    options: VerifyOptions | None = None,
    *,
    treated: str | None = None,
    **given: Unpack[PlanKeywords],
) -> Plan:
    """What ``verify(uri, with_, ...)`` would run under the same options; by default with ``lftf``.

    With `treated`, what ``verify(uri, treated=...)`` would run. Where that model turns out to give no
    weights, no control model is run.

    Raises:
        EvenhandError: what `verify` would refuse before it opens the model: an unknown name, an invalid
            option, a mitigation that cannot be fitted on what the bias benchmarks give.
    """
    return planned(
        uri, with_, combined(VerifyOptions, options, given, PlanKeywords, own=("treated",)), treated
    )[0]


def timed_plan(
    uri: str, with_: str | None = None, options: VerifyOptions | None = None, *, treated: str | None = None
) -> Plan:
    """The `plan`, with the time that it takes and the smallest effect where the model lies on this machine.

    Raises:
        EvenhandError: as for `plan`, and where the method refuses the model that lies here.
    """
    options = options or VerifyOptions()
    made, parts = _sized(uri, with_, options, treated)
    why = elsewhere(uri)
    if why:
        return replace(made, untimed=why)
    with ExitStack() as stack:
        try:
            model = stack.enter_context(options.opened(uri))
        except EvenhandError as error:
            return replace(made, untimed=error.what)
        parts.check(model, made.mitigation, options)
        if treated is not None and not (is_model(treated, uri) and elsewhere(treated)):
            ready = given_model(treated, uri, model, options)
            if gives_weights(model) and not ready.uncontrolled:
                control_models.check(model, options.control, parts.examples)
        try:
            found = parts.sampled(model, made.primary, options)
        except EvenhandError as error:
            return replace(made, untimed=error.what)
    rest = parts.ahead(found.seconds, options.control, options.seeds)
    whole = found.seconds + rest.low, found.seconds + rest.high
    return replace(made, seconds=whole, smallest=found.smallest)


def sized_plan(
    uri: str, with_: str | None = None, options: VerifyOptions | None = None, *, treated: str | None = None
) -> Plan:
    """The `plan`, with the memory that it takes where the model is described on this machine.

    Raises:
        EvenhandError: as for `plan`.
    """
    return _sized(uri, with_, options or VerifyOptions(), treated)[0]


def _sized(uri: str, with_: str | None, options: VerifyOptions, treated: str | None) -> tuple[Plan, Parts]:
    made, parts = planned(uri, with_, options, treated)
    locator = options.locator if parts.method is not None else None
    rows = sum(line.rows for line in made.benchmarks)
    asked = Asking(True, parts.method, locator, parts.examples, rows, compares=True)
    found = estimated(made.uri, options, asked)
    sized = {"unsized": found} if isinstance(found, str) else {"memory": found}
    return replace(made, **sized), parts


def elsewhere(uri: str) -> str:
    """Why a model is not opened for a forecast, a sentence; empty for one on this machine."""
    scheme, _, rest = uri.partition(":")
    if scheme == "lab":
        return ""
    place = rest.partition("+")[0].partition("?")[0]
    if scheme in ("hf", "gguf") and (written_as_path(place) or Path(place).exists()):
        return ""
    return f"{uri} is not on this machine, and a plan fetches and asks nothing."


def planned(
    uri: str, with_: str | None, options: VerifyOptions, treated: str | None = None
) -> tuple[Plan, Parts]:
    """The `plan`, and what it was made of, as a forecast needs it.

    Raises:
        EvenhandError: as for `plan`.
    """
    uri = model_name(uri)
    method, said = None, with_ or METHOD
    if treated is None:
        method = made_method(said)
        registry.create("locator", options.locator)  # a wrong name is reported now, as `verify` does
    else:
        check_treated(treated, with_, None, options.seeds)
        said = TREATED + treated
    bias = options.benchmarks or defaults.treated_bias(uri)
    made = [registry.create("benchmark", spec) for spec in bias]
    data = (
        trained_on(uri, made, EVERY_KIND, EVERY_CONTROL)
        if method is None
        else fitted_on(uri, made, method, said)
    )
    primary = of_benchmarks(made, options.primary, data.benchmark)
    if method is not None:
        refuse(method, None, data.examples)
    shammed = treated is None or not is_model(treated, uri)
    counts = control_models.counts(options.control, shammed=shammed)
    # At the most every fit has control models of its own, at the least all share them.
    control = {family: most * options.seeds for family, (_, most) in counts.items()}
    least = {family: number for family, (number, _) in counts.items()}
    alone = 1 + options.seeds
    models = alone + sum(control.values())
    capability = options.capability or defaults.capability(uri, bias)
    kept = [registry.create("benchmark", spec) for spec in capability]
    check_capability(kept)
    source = _source(made, primary)
    lines = [_line(one, options.limit, models) for one in (made[source], *kept)]
    lines += [_line(one, options.limit, alone) for i, one in enumerate(made) if i != source]
    found = Plan(uri, said, options.limit is not None, control, tuple(lines), primary, least, options.seeds)
    if not options.capability:
        found = replace(found, note=defaults.left_out(uri, bias))
    return found, Parts(method, tuple(made), tuple(kept), data.examples, shammed)


def _source(bias: Sequence[Benchmark], primary: str) -> int:
    """The index of the benchmark that the verdict is about, on which control models are also measured."""
    holders = [i for i, one in enumerate(bias) if primary in (m.name for m in one.metrics)]
    return next((i for i in holders if bias[i].primary == primary), holders[0])


def _line(made: Benchmark, limit: int | None, models: int) -> PlannedBenchmark:
    """The cost of one benchmark: equal requests are scored once, and a limit scales the number of rows."""
    samples = made.load()
    rows = len({request for sample in samples for request in made.ask(sample)})
    items = len(samples) if limit is None else min(limit, len(samples))
    return PlannedBenchmark(made.name, made.role, items, round(rows * items / max(1, len(samples))), models)
