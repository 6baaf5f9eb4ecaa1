"""The training data of a verification: examples of a benchmark that it measures, else default ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.mitigations import Mitigation
from evenhand.records import Kinds, TrainingExample
from evenhand.studies import defaults
from evenhand.studies.training_data import source, training_data
from evenhand.training.stacking import Stack

EVERY_CONTROL = "every control model"  # what is fitted where the treated model is given


@dataclass(frozen=True)
class TrainedOn:
    """The `examples`, the `benchmark` that gave them, and a note if the run does not measure it, or if its
    test shares professions or templates with them.
    """

    examples: Sequence[TrainingExample]
    benchmark: str
    note: str = ""


def fitted_on(uri: str, bias: Sequence[Benchmark], method: Mitigation, said: str) -> TrainedOn:
    """The training data of a method: of a stack, that of each of its methods, together.

    Raises:
        UsageError: as for `trained_on`.
    """
    if not isinstance(method, Stack):
        return trained_on(uri, bias, method.fits_on, said)
    each = zip(method.methods, method.specs, strict=True)
    found = [trained_on(uri, bias, one.fits_on, spec) for one, spec in each]
    examples = dict.fromkeys(example for data in found for example in data.examples)
    notes = dict.fromkeys(data.note for data in found if data.note)
    return TrainedOn(list(examples), found[0].benchmark, " ".join(notes))


def data_of(uri: str, bias: Sequence[Benchmark], method: Mitigation, said: str) -> Sequence[TrainingExample]:
    """What `mitigate` fits the method on: as `fitted_on` for a stack, else examples of `bias` alone.

    Raises:
        UsageError: as for `training_data` and `trained_on`.
    """
    if isinstance(method, Stack):
        return fitted_on(uri, bias, method, said).examples
    return training_data(bias, method.fits_on, said)


def trained_on(uri: str, bias: Sequence[Benchmark], kinds: Kinds, mitigation: str) -> TrainedOn:
    """The training data of `mitigation`, which fits on examples of `kinds`, in a run that measures `bias`.

    The first benchmark with such examples gives them. If no benchmark has any examples, the default benchmark
    of the first kind that has one gives them.

    Raises:
        UsageError: the benchmarks have examples, but none of these kinds, or no benchmark has any of them;
            the message says what fits.
    """
    default = next((kind.given_by for kind in kinds if kind.given_by), "")
    if default and not any(benchmark.examples() for benchmark in bias):
        given = registry.create("benchmark", defaults.training(uri, default))
        note = (
            f"No bias benchmark of this run has a train part, so {mitigation} was fitted on that of "
            f"{given.name}, which was not measured."
        )
        return TrainedOn(training_data([given], kinds, mitigation), given.name, note)
    found = source(bias, kinds)
    examples = training_data(bias, kinds, mitigation)
    return TrainedOn(examples, found.name, found.in_distribution) if found else TrainedOn(examples, "")
