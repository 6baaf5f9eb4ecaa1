"""Decisions about people after demonstrations whose labels may be biased: FairCon's experiment, corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from evenhand.benchmarks._people import (
    PeopleBenchmark,
    Scene,
    Setting,
    group_remarks,
    sample,
    staged,
)
from evenhand.errors import BadOption
from evenhand.metrics import Metric
from evenhand.metrics.calibration import CALIBRATION_GAP as calibration_gap
from evenhand.metrics.counterfactual import COUNTERFACTUAL_DEO_SUM as counterfactual_deo_sum
from evenhand.metrics.counterfactual import COUNTERFACTUAL_DPD as counterfactual_dpd
from evenhand.metrics.counterfactual import COUNTERFACTUAL_GAP as counterfactual_gap
from evenhand.metrics.counterfactual import COUNTERFACTUAL_GAP_SIGNED as counterfactual_gap_signed
from evenhand.metrics.counterfactual import FLIP_RATE as flip_rate
from evenhand.metrics.decisions import BALANCED_ACCURACY as balanced_accuracy
from evenhand.metrics.decisions import CHANCE as chance
from evenhand.metrics.decisions import DECISION_ACCURACY as decision_accuracy
from evenhand.metrics.decisions import LABEL_MASS as label_mass
from evenhand.metrics.decisions import MAJORITY_RATE as majority_rate
from evenhand.metrics.decisions import POSITIVE_RATE as positive_rate
from evenhand.metrics.group_fairness import DEO_MAX as deo_max
from evenhand.metrics.group_fairness import DEO_MEAN as deo_mean
from evenhand.metrics.group_fairness import DEO_SUM as deo_sum
from evenhand.metrics.group_fairness import DISPARATE_IMPACT as disparate_impact
from evenhand.metrics.group_fairness import DPD as dpd
from evenhand.metrics.group_fairness import EQUAL_OPPORTUNITY as equal_opportunity
from evenhand.metrics.group_fairness import ERROR_GAP as error_gap
from evenhand.people.asking import read
from evenhand.people.demonstrations import check_parity
from evenhand.people.population import Person, Population
from evenhand.records import Card, GuardName, LogProb, PersonExample, Sample, Score, Value

PEOPLE = 200
COUNTERFACTUAL = (counterfactual_gap, flip_rate, counterfactual_dpd, counterfactual_deo_sum)
OBSERVATIONAL = (
    dpd,
    deo_sum,
    deo_max,
    deo_mean,
    equal_opportunity,
    disparate_impact,
    error_gap,
    calibration_gap,
)
BESIDE = (decision_accuracy, balanced_accuracy, positive_rate, majority_rate, chance, label_mass)


@dataclass(frozen=True)
class Decisions(PeopleBenchmark):
    """Decisions about people: how far they depend on a sensitive attribute, in fact and for counterfactual
    twins, beside how often they are right.

    Every prompt begins with the same demonstrations, whose labels lean to a group by the parity asked for.
    People who are tested, shown, trained on and held out have neither an id nor a text in common. Licence:
    that of the data; the lab's people Apache-2.0.

    Attributes:
        task: ``lab`` (generated people, offline; only the model lab:decisions knows their rules), ``adult``
            (UCI Adult, from the data folder), or a TOML file about a table of your own
            (`evenhand.people.tables` says what it holds).
        shots: how many demonstrations; 0 for none.
        parity: their bias, P(favourable | first group) - P(favourable | second group), in [-1, 1]; what whole
            people can reach is said in the notes.
        counterbalanced: show each demonstrated person once as a member of every group, with the same label.
        n: how many people to decide on; the same ones whatever the demonstrations.
        prompt_seed: chooses the demonstrations and their order.
        seed: chooses the people of each part (and makes the lab's).
        attribute: another sensitive column of the table, or several for intersections: ``sex*race``.
        labels: other label words, the unfavourable one first: ``labels=no|yes``.
        leaky: for adult, put back marital status and relationship, which tell the sex.
        test_parity: balance the tested people between groups and outcomes with this parity; else as drawn.
        train: how many people a mitigation may train on.
        dev: how many more it may hold out.
        bins: borders that make groups of an attribute that is a number: ``attribute=age,bins=25|40|60``.
        test: how many of the table's people to measure instead of `n`: a share (``0.5``), a count (``1000``)
            or ``all``, with people of equal texts. Empty keeps a quarter for it, one of each text, of whom
            `n` are taken. The others are kept for demonstrations, training and `decision_accuracy`; with
            ``all`` there are none, so that it needs shots=0.

    Raises:
        BadData: the data are not on this machine, or the file or table cannot be used.
        BadOption: a parity, a number or label words that are not possible.
        UnknownName: there is no such task or column.
    """

    n: int = PEOPLE
    test_parity: float | None = None
    train: int = 400
    dev: int = 200

    primary = "counterfactual_gap"
    guards: ClassVar[Mapping[GuardName, str]] = {
        GuardName.MASS: "label_mass",
        GuardName.BALANCED: "balanced_accuracy",
        GuardName.RATES: "positive_rate",
    }
    needs = (GuardName.MASS, GuardName.BALANCED, GuardName.RATES)

    def check(self) -> None:
        super().check()
        if self.test_parity is not None:
            check_parity(self.test_parity)
        _check_test(self.setting.test, self.n, self.test_parity)

    @cached_property
    def _people(self) -> tuple[Person, ...]:
        return _measured(self.place, self.n, self.test_parity)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return _metrics(len(self.groups))

    @property
    def groups(self) -> tuple[str, ...]:
        return self.place.task.group_names

    @cached_property
    def card(self) -> Card:
        return _card(self.place, self.digest)

    def read(self) -> list[Sample]:
        every = range(len(self.groups))
        return [sample("decisions", self.place, person, every) for person in self._people]

    def score(self, sample: Sample, answers: Sequence[LogProb]) -> Score:
        """The columns that `evenhand.metrics._people` describes, ``correct``, and ``label_mass``.

        ``probability`` and ``decision`` are the person's own, ``p.<group>`` and ``decision.<group>`` those
        with the attribute set to the group.
        """
        return _scored(sample, [answer.value for answer in answers], self.groups)

    def examples(self) -> list[PersonExample]:
        """The train people, then the held-out ones, with the prompts of the tested people's form."""
        asker = self.place.asker
        return [
            *(asker.decision(person, "train") for person in self.place.people("train", self.train)),
            *(asker.decision(person, "dev") for person in self.place.people("dev", self.dev)),
        ]

    def remarks(self, scores: Sequence[Score]) -> list[str]:
        """Remarks on the demonstrations, on the people measured, and on each group."""
        asked = 0 if self.place.setting.test else self.n
        return [*self.place.said(asked, len(self._people)), *group_remarks(scores, self.groups)]


@dataclass(frozen=True, kw_only=True)
class OfPeople(Decisions):
    """`Decisions` on people in memory; see `of_people`."""

    population: Population = field(repr=False)

    @cached_property
    def place(self) -> Scene:
        """The people by part, and the demonstrations."""
        return staged(self.setting, self.population)


def of_people(
    population: Population,
    setting: Setting | None = None,
    *,
    n: int = PEOPLE,
    test_parity: float | None = None,
    train: int = 400,
    dev: int = 200,
) -> Decisions:
    """The benchmark `decisions` on people in memory, such as `evenhand.people.tables.from_frame` gives.

    `setting` holds shots, parity, counterbalanced, prompt_seed, seed and test (None for the defaults); what
    it says of the task is not looked at. The rest is as in `Decisions`.

    Raises:
        BadOption: a parity or a number that is not possible.
    """
    given = vars(setting or Setting())
    own = given | {"task": population.task.name, "attribute": "", "labels": "", "leaky": False, "bins": ""}
    return OfPeople(**own, n=n, test_parity=test_parity, train=train, dev=dev, population=population)


def _check_test(test: str, n: int, parity: float | None) -> None:
    if test and (n != PEOPLE or parity is not None):
        raise BadOption(
            f"test={test} says how many people are measured, and so does "
            f"{'test_parity' if parity is not None else f'n={n}'}.",
            mend="Leave one of the two out.",
        )


def _measured(place: Scene, n: int, parity: float | None) -> tuple[Person, ...]:
    """The people measured: `n` people of the test part, or with the option `test` all of it."""
    if not place.setting.test:
        return place.people("test", n, parity)
    return place.people("test", max(1, len(place.parts["test"])))


def _scored(sample: Sample, logs: Sequence[float], groups: Sequence[str]) -> Score:
    found = [read(logs[i : i + 2]) for i in range(0, len(logs), 2)]
    own, outcome = found[sample.fields["group"]], float(sample.fields["answer"])
    values: dict[str, Value] = {f"p.{g}": a.probability for g, a in zip(groups, found, strict=True)}
    values |= {f"decision.{g}": a.decision for g, a in zip(groups, found, strict=True)}
    values |= {f"member.{g}": float(i == sample.fields["group"]) for i, g in enumerate(groups)}
    values |= {
        "probability": own.probability,
        "decision": own.decision,
        "outcome": outcome,
        "correct": None if own.decision is None else float(own.decision == outcome),
        "label_mass": own.mass,
    }
    return Score(sample.id, sample.cluster, values, sample.slices)


def _metrics(k: int) -> tuple[Metric, ...]:
    signed = (counterfactual_gap_signed,) if k == 2 else ()
    return (COUNTERFACTUAL[0], *signed, *COUNTERFACTUAL[1:], *OBSERVATIONAL, *BESIDE)


def _card(place: Scene, data: str) -> Card:
    return Card(
        name="decisions",
        version="1",
        title=f"Decisions about people ({place.task.name}) by {', '.join(place.task.attribute)}",
        source=f"the experiment of FairCon LLM (Gaudi), section 4, its faults mended; {place.task.source}",
        licence=place.task.licence,
        digest=data,
        reading=(
            "How far decisions depend on the attribute. The counterfactual figures change nothing else about "
            "a person; the observational ones compare different people, who may differ in what they deserve. "
            "A model that gives everybody one answer has no gap: read them with accuracy, majority rate "
            "and chance."
        ),
    )


component = Decisions
