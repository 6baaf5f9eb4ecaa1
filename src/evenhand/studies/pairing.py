"""What was measured on one model, and whether the measurements of two models can be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.errors import NotComparable, UsageError
from evenhand.records import Measurement, Score, Value
from evenhand.stats import aligned


@dataclass(frozen=True)
class ModelMeasurements:
    """All measurements of one model: those of bias and those of capability, each in the order of the run.

    `beside` are further readings of a treated model: how far it moved (`evenhand.studies.shift`), and the
    benchmark that the verdict is about at the base's temperature.
    """

    bias: tuple[Measurement, ...]
    capability: tuple[Measurement, ...] = ()
    beside: tuple[Measurement, ...] = ()

    def reporting(self, metric: str) -> Measurement | None:
        """The bias measurement that reports `metric`, preferably as its primary metric; None if none does."""
        holders = [m for m in self.bias if metric in m.metrics]
        primary = [m for m in holders if m.primary == metric]
        return next(iter(primary + holders), None)


@dataclass(frozen=True)
class ControlModel:
    """A model with a control treatment that carries no signal about the attribute, at one dose and seed.

    A larger `dose` (> 0) means more of the treatment; dose 0 is the untreated model and is never given.
    `size` is the size of the change (`evenhand.studies.shift`), None where it was not measured. `by_recipe`
    says that it was made as the treatment was, with no dose to choose.
    """

    dose: float
    seed: int
    measured: ModelMeasurements
    size: Value = None
    by_recipe: bool = False


def partner(measurement: Measurement, among: Sequence[Measurement]) -> Measurement:
    """The measurement of the same benchmark in `among`.

    Raises:
        NotComparable: there is none.
    """
    found = next((m for m in among if m.benchmark == measurement.benchmark), None)
    if found is None:
        raise NotComparable(
            f"{measurement.benchmark} was measured on one model only.",
            mend="Measure both models on the same benchmarks.",
        )
    return found


def paired_scores(before: Measurement, after: Measurement) -> tuple[Sequence[Score], Sequence[Score]]:
    """The per-item scores of both, in the order of `before`.

    Raises:
        NotComparable: they were taken under different protocols or on different items; the message names
            what differs.
        UsageError: a measurement does not hold its per-item scores.
    """
    check_protocols(before, after)
    for measurement in (before, after):
        if len(measurement.scores) != measurement.n:
            raise UsageError(
                f"The measurement of {measurement.benchmark} on {measurement.model.uri} came without its "
                "per-item scores.",
                mend="Load it with its parquet file, or measure again.",
            )
    return before.scores, aligned(before.scores, after.scores)


def check_protocols(before: Measurement, after: Measurement) -> None:
    """Refuse two measurements that were not taken alike.

    Raises:
        NotComparable: the first field that differs, with both values.
    """
    ours, theirs = _conditions(before), _conditions(after)
    for field, value in ours.items():
        if value != theirs[field]:
            raise NotComparable(
                f"The measurements of {before.benchmark} differ in {field}: {value!r} and {theirs[field]!r}.",
                mend="Open both in one precision, such as --dtype float32."
                if field == "protocol.dtype"
                else "Measure both models under the same conditions.",
            )


def unlike(before: ModelMeasurements, after: ModelMeasurements) -> str:
    """Why two models cannot be judged together, with what to do; empty where they can.

    They were not measured alike, or a figure per token of one counts other tokens than that of the other.
    """
    try:
        for one in (*before.bias, *before.capability):
            other = partner(one, (*after.bias, *after.capability))
            check_protocols(one, other)
            _check_tokens(one, other)
    except NotComparable as error:
        return str(error)
    return ""


def _check_tokens(before: Measurement, after: Measurement) -> None:
    ours, theirs = ({s.sample: s.values.get("tokens") for s in one.scores} for one in (before, after))
    differ = [name for name, n in ours.items() if None not in (n, theirs.get(name)) and n != theirs[name]]
    if differ:
        raise NotComparable(
            f"The tokenizers cut {len(differ)} of {before.n} items of {before.benchmark} into other numbers "
            "of tokens, and its figure is a mean over tokens.",
            mend=f"Leave {before.benchmark} out (--capability names those to take), or compare models with "
            "one tokenizer.",
        )


def _conditions(measurement: Measurement) -> dict[str, object]:
    card, protocol = measurement.card, measurement.protocol
    return {
        "benchmark": measurement.benchmark,
        "card.version": card.version,
        "card.digest": card.digest,
        "model.family": measurement.model.family,
        **{f"protocol.{f.name}": getattr(protocol, f.name) for f in dataclasses.fields(protocol)},
        "number of items": measurement.n,
    }
