"""Comparison of two stored runs, and gates: conditions that a run must meet."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evenhand.decimals import significant
from evenhand.errors import NotComparable, UnknownName, UsageError
from evenhand.records import Effect, Estimate, Measurement, Value, VerdictName
from evenhand.studies.effects import RESAMPLES, benchmark_effects
from evenhand.studies.fitness import is_about_words
from evenhand.studies.guards import doubts_beside

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"^(?P<name>[^<>!]*?)\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<limit>[^<>=!]+)$")
_COUNTS = ("n", "undefined")  # they describe the items, whatever words the model uses
_FIELDS = ("value", "low", "high", *_COUNTS)


def compare(
    before: Sequence[Measurement], after: Sequence[Measurement], *, seed: int = 0, B: int = RESAMPLES
) -> list[Effect]:
    """The paired effects, after - before, on every benchmark that both runs hold, in the order of `before`.

    Raises:
        NotComparable: they share no benchmark, or one was taken under different protocols or on different
            items; the message names what differs.
    """
    theirs = {m.benchmark: m for m in after}
    shared = [m for m in before if m.benchmark in theirs]
    if not shared:
        raise NotComparable(
            f"The runs share no benchmark: one holds {_names(before)}, the other {_names(after)}.",
            mend="Measure both models on the same benchmarks.",
        )
    return [e for m in shared for e in benchmark_effects(m, theirs[m.benchmark], seed=seed, B=B)]


def headline(measurement: Measurement) -> str | None:
    """The metric that stands for a benchmark: its primary one, else its first; None without any."""
    return measurement.primary or next(iter(measurement.metrics), None)


@dataclass(frozen=True, slots=True)
class GateResult:
    """One condition: `name` is the full name of the figure; `value` is None where it is undefined.

    `judged` is False where the condition cannot be judged, and `why` then gives the reason: the figure is
    undefined, the model hardly uses the words concerned, or the verdict is not settled. Such a condition is
    not met.
    """

    condition: str
    passed: bool
    name: str
    value: Value | str
    judged: bool = True
    why: str = ""

    def __str__(self) -> str:
        state = "passed" if self.passed else "FAILED" if self.judged else "could not be judged"
        found = self.value
        shown = significant(found, 6) if found is None or isinstance(found, float) else found
        return f"{state}: {self.condition} ({self.name} is {shown}){'. ' if self.why else ''}{self.why}"


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure: its full name, its value, and why it is unreliable (empty if it is reliable)."""

    name: str
    value: Value
    doubt: str


def gate(
    measurements: Sequence[Measurement],
    conditions: Sequence[str],
    *,
    verdict: VerdictName | None = None,
    before: Sequence[Measurement] = (),
) -> list[GateResult]:
    """Check every condition. One that cannot be judged is never met, whatever the sign.

    `before` holds the measurements of the untreated model, if there are any: a figure of a treated model
    that certainly lost most of the terms' probability is not judged either.

    A condition is ``figure sign number``, the sign one of ``<= >= == != < >``; the figure is
    ``[benchmark.][slice.]metric[.field]`` with the fields value (the default), low, high, n and undefined:
    ``afgb<=0.1``, ``genbiaseval.afgb_normalised.high<=0.2``, ``genbiaseval.scale=word.afgb<0.3``. A metric
    named without a benchmark is taken from the benchmark whose primary metric it is, or else from the first
    one that reports it; `GateResult.name` says which. ``verdict==mitigated`` (or ``!=``) tests the verdict of
    a verification.

    Raises:
        UsageError: a condition cannot be read, or names what the run does not hold (near names are listed).
    """
    figures = _figures(measurements, before)
    return [_check(condition, figures, verdict) for condition in conditions]


def read_condition(condition: str) -> tuple[str, str, str]:
    """The figure, the sign and the limit of a condition; of a verdict, the limit is its name.

    Raises:
        UsageError: it is no condition, compares verdicts by order, or a figure with something else than a
            number.
        UnknownName: there is no such verdict.
    """
    match = _CONDITION.match(condition.strip())
    if match is None or not match["name"].strip():
        raise UsageError(
            f"{condition!r} is not a condition.",
            mend="Write figure, sign, number, such as 'afgb<=0.1' or 'verdict==mitigated'.",
        )
    name, sign, limit = match["name"].strip(), match["sign"], match["limit"].strip()
    if name != "verdict":
        _number(condition, limit)
        return name, sign, limit
    if sign not in ("==", "!="):
        raise UsageError(f"{condition!r} compares verdicts by order.", mend="Use == or !=.")
    known = [str(v) for v in VerdictName]
    asked = limit.strip("'\"").replace("_", " ")
    if asked not in known:
        raise UnknownName("verdict", asked, known)
    return name, sign, asked


def _check(condition: str, figures: Mapping[str, _Figure], verdict: VerdictName | None) -> GateResult:
    name, sign, limit = read_condition(condition)
    if name == "verdict":
        return _verdict(condition, sign, limit, verdict)
    if name not in figures:
        raise UnknownName(
            "figure in this run", name, _shortest(figures), mend="Fields: " + ", ".join(_FIELDS) + "."
        )
    found, number = figures[name], float(limit)
    if found.value is None or found.doubt:
        why = found.doubt or "The run holds no such figure: it is undefined there."
        return GateResult(condition, False, found.name, found.value, judged=False, why=why)
    return GateResult(condition, _COMPARE[sign](found.value, number), found.name, found.value)


def _verdict(condition: str, sign: str, asked: str, verdict: VerdictName | None) -> GateResult:
    if verdict is None:
        raise UsageError(
            f"{condition!r} asks for a verdict, but this run only holds measurements.",
            mend="Name the folder of a verification, made by `evenhand verify`.",
        )
    if not verdict.settled and asked != str(verdict):
        why = "The verdict is not settled, so the condition cannot be judged."
        return GateResult(condition, False, "verdict", str(verdict), judged=False, why=why)
    return GateResult(condition, (str(verdict) == asked) is (sign == "=="), "verdict", str(verdict))


def _number(condition: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            f"{condition!r} compares with {text!r}, which is not a number.", mend="Write one, such as 0.1."
        )
    return value


def _figures(measurements: Sequence[Measurement], before: Sequence[Measurement]) -> dict[str, _Figure]:
    """Every name of a figure, with the figure; the first entry of a name takes precedence."""
    found: dict[str, _Figure] = {}
    ranked = sorted(
        ((_rank(m, metric), m, metric) for m in measurements for metric in m.metrics),
        key=lambda row: row[0],
    )
    reasons = {m.benchmark: doubts_beside(m, before) for m in measurements}
    for _, measurement, metric in ranked:
        for part, table in {"": measurement.metrics, **measurement.slices}.items():
            if metric in table:
                doubt = "" if is_about_words(metric) else reasons[measurement.benchmark].get(part, "")
                figure = f"{part}.{metric}" if part else metric
                _add(found, measurement.benchmark, figure, table[metric], doubt)
    return found


def _rank(measurement: Measurement, metric: str) -> int:
    """The precedence of a metric in its benchmark: 0 if primary, 1 if first, 2 otherwise."""
    return 0 if metric == measurement.primary else 1 if metric == next(iter(measurement.metrics)) else 2


def _add(found: dict[str, _Figure], benchmark: str, figure: str, estimate: Estimate, doubt: str) -> None:
    starts = dict.fromkeys([f"{benchmark}.", f"{benchmark.partition(':')[0]}.", ""])
    for field in _FIELDS:
        value: Value = getattr(estimate, field)
        entry = _Figure(f"{benchmark}.{figure}.{field}", value, "" if field in _COUNTS else doubt)
        for start in starts:
            found.setdefault(f"{start}{figure}.{field}", entry)
            if field == "value":
                found.setdefault(f"{start}{figure}", entry)


def _shortest(figures: Mapping[str, _Figure]) -> list[str]:
    """The names without fields and slices, and full ones: enough to show what exists."""
    return [name for name in figures if name.rpartition(".")[2] not in _FIELDS and "=" not in name]


def _names(measurements: Sequence[Measurement]) -> str:
    return ", ".join(m.benchmark for m in measurements) or "none"
