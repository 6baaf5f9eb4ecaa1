"""Two stored runs beside each other, and gates: conditions that a run must meet."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evenhand.errors import NotComparable, UnknownName, UsageError
from evenhand.records import Effect, Estimate, Measurement, Value, VerdictName
from evenhand.studies.effects import RESAMPLES, benchmark_effects

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"^(?P<name>[^<>!]*?)\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<limit>[^<>=!]+)$")
_FIELDS = ("value", "low", "high", "n", "undefined")


def compare(
    before: Sequence[Measurement], after: Sequence[Measurement], *, seed: int = 0, B: int = RESAMPLES
) -> list[Effect]:
    """The paired effects, after - before, on every benchmark that both runs hold, in the order of `before`.

    Raises:
        NotComparable: they share no benchmark, or one was taken under unlike protocols or on other items;
            the message names what differs.
    """
    theirs = {m.benchmark: m for m in after}
    shared = [m for m in before if m.benchmark in theirs]
    if not shared:
        raise NotComparable(
            f"The runs share no benchmark: one holds {_names(before)}, the other {_names(after)}.",
            mend="Measure both models on the same benchmarks.",
        )
    return [e for m in shared for e in benchmark_effects(m, theirs[m.benchmark], seed=seed, B=B)]


@dataclass(frozen=True, slots=True)
class GateResult:
    """One condition: `name` is what it was found to mean, in full; `value` is None where undefined."""

    condition: str
    passed: bool
    name: str
    value: Value | str

    def __str__(self) -> str:
        shown = "undefined" if self.value is None else self.value
        return f"{'passed' if self.passed else 'FAILED'}: {self.condition} ({self.name} is {shown})"


def gate(
    measurements: Sequence[Measurement], conditions: Sequence[str], *, verdict: VerdictName | None = None
) -> list[GateResult]:
    """Check every condition; an undefined figure never passes, whatever the sign.

    A condition is ``figure sign number``, the sign one of ``<= >= == != < >``; the figure is
    ``[benchmark.][slice.]metric[.field]`` with the fields value (the default), low, high, n and undefined:
    ``afgb<=0.1``, ``genbiaseval.afgb_normalised.high<=0.2``, ``genbiaseval.scale=word.afgb<0.3``. A metric
    without its benchmark is that of the benchmark whose primary metric it is, or else of the first that
    reports it; `GateResult.name` says which. ``verdict==mitigated`` (or ``!=``) asks for the verdict of a
    verification.

    Raises:
        UsageError: a condition cannot be read, or names what the run does not hold (near names are listed).
    """
    figures = _figures(measurements)
    return [_check(condition, figures, verdict) for condition in conditions]


def _check(
    condition: str, figures: Mapping[str, tuple[str, Value]], verdict: VerdictName | None
) -> GateResult:
    match = _CONDITION.match(condition.strip())
    if match is None or not match["name"].strip():
        raise UsageError(
            f"{condition!r} is not a condition.",
            mend="Write figure, sign, number, such as 'afgb<=0.1' or 'verdict==mitigated'.",
        )
    name, sign, limit = match["name"].strip(), match["sign"], match["limit"].strip()
    if name == "verdict":
        return _verdict(condition, sign, limit, verdict)
    if name not in figures:
        raise UnknownName(
            "figure in this run", name, _shortest(figures), mend="Fields: " + ", ".join(_FIELDS) + "."
        )
    full, value = figures[name]
    passed = value is not None and _COMPARE[sign](value, _number(condition, limit))
    return GateResult(condition, passed, full, value)


def _verdict(condition: str, sign: str, wanted: str, verdict: VerdictName | None) -> GateResult:
    if sign not in ("==", "!="):
        raise UsageError(f"{condition!r} puts verdicts in an order.", mend="Ask with == or !=.")
    known = [str(v) for v in VerdictName]
    asked = wanted.strip("'\"").replace("_", " ")
    if asked not in known:
        raise UnknownName("verdict", asked, known)
    if verdict is None:
        raise UsageError(
            f"{condition!r} asks for a verdict, but this run only holds measurements.",
            mend="Name the folder of a verification, made by `evenhand verify`.",
        )
    return GateResult(condition, (str(verdict) == asked) is (sign == "=="), "verdict", str(verdict))


def _number(condition: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            f"{condition!r} compares with {text!r}, which is no number.", mend="Write one, such as 0.1."
        )
    return value


def _figures(measurements: Sequence[Measurement]) -> dict[str, tuple[str, Value]]:
    """Every way to name a figure, with its full name and its value; the first entry of a name stands."""
    found: dict[str, tuple[str, Value]] = {}
    ranked = sorted(
        ((list(m.metrics).index(metric) > 0, m, metric) for m in measurements for metric in m.metrics),
        key=lambda row: row[0],
    )
    for _, measurement, metric in ranked:
        tables = [("", measurement.metrics), *((f"{s}.", t) for s, t in measurement.slices.items())]
        for part, table in tables:
            if metric in table:
                _add(found, measurement.benchmark, part + metric, table[metric])
    return found


def _add(found: dict[str, tuple[str, Value]], benchmark: str, figure: str, estimate: Estimate) -> None:
    starts = dict.fromkeys([f"{benchmark}.", f"{benchmark.partition(':')[0]}.", ""])
    for field in _FIELDS:
        full = f"{benchmark}.{figure}.{field}"
        value: Value = getattr(estimate, field)
        for start in starts:
            found.setdefault(f"{start}{figure}.{field}", (full, value))
            if field == "value":
                found.setdefault(f"{start}{figure}", (full, value))


def _shortest(figures: Mapping[str, tuple[str, Value]]) -> list[str]:
    """The names without fields and slices, and full ones: enough to show what exists."""
    return [name for name in figures if name.rpartition(".")[2] not in _FIELDS and "=" not in name]


def _names(measurements: Sequence[Measurement]) -> str:
    return ", ".join(m.benchmark for m in measurements) or "none"
