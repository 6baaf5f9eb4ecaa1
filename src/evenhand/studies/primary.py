"""The metric that a verdict is about, and its benchmark: chosen before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from evenhand.benchmarks import Benchmark
from evenhand.errors import UsageError
from evenhand.records import Measurement, Verification
from evenhand.studies.defaults import BIAS
from evenhand.studies.pairing import ModelMeasurements

Offer = tuple[str, str | None, Sequence[str]]
"""A bias benchmark: its name, its primary metric, and its metrics that have an ideal."""


def of_benchmarks(bias: Sequence[Benchmark], asked: str | None, giver: str = "") -> str:
    """The metric `asked` for, else the primary one of the benchmark `giver` that gave the training examples.

    Where that has none, the first of the run's bias benchmarks that has one decides.

    Raises:
        UsageError: no bias benchmark reports the metric asked for with an ideal, or none has a primary one.
    """
    first = [b for b in (*(b for b in bias if b.name == giver), *bias) if b.role == "bias"]
    offers = [(b.name, b.primary, [m.name for m in b.metrics if m.ideal is not None]) for b in first]
    return _chosen(offers, asked)


def of_measurements(measurements: Iterable[Measurement], asked: str | None) -> str:
    """As `of_benchmarks`, from what was measured: the metric asked for, else the first primary one.

    Raises:
        UsageError: as for `of_benchmarks`.
    """
    return _chosen([_offer(m) for m in measurements if m.role == "bias"], asked)


def _offer(m: Measurement) -> Offer:
    return m.benchmark, m.primary, [name for name, found in m.metrics.items() if found.ideal is not None]


def _chosen(offers: Sequence[Offer], asked: str | None) -> str:
    names = ", ".join(dict.fromkeys(name for name, _, _ in offers))
    if not offers:
        raise UsageError(
            "A verdict needs a benchmark of bias, and this run has none.",
            mend=f"Add one, such as -b {BIAS[0]}.",
        )
    if asked is None:
        found = next((primary for _, primary, _ in offers if primary is not None), None)
        if found is None:
            raise UsageError(
                f"A verdict needs a primary metric, and {names} names none.",
                mend=f"Add a bias benchmark that does, such as -b {BIAS[0]}{_or_ask(offers)}.",
            )
        return found
    if not any(asked in metrics for _, _, metrics in offers):
        raise UsageError(
            f"A verdict cannot be about {asked!r}: no bias benchmark of this run reports such a metric with "
            "an ideal.",
            mend=f"There are: {_listed({name: metrics for name, _, metrics in offers})}.",
        )
    return asked


def _or_ask(offers: Sequence[Offer]) -> str:
    metrics = next((metrics for _, _, metrics in offers if metrics), ())
    return f", or choose one with --primary, such as {metrics[0]}" if metrics else ""


def _listed(offers: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(metrics) or 'none'}" for name, metrics in offers.items())


def subject(record: Verification) -> tuple[str, str] | None:
    """Benchmark and metric that a verification is about; None where its measurements have no such metric."""
    bias = tuple(m for m in record.before if m.role == "bias")
    metric = record.primary or next((m.primary for m in bias if m.primary is not None), None)
    if metric is None:
        return None
    source = ModelMeasurements(bias).reporting(metric)
    return None if source is None else (source.benchmark, metric)
