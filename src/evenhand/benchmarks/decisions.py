"""Decisions about people after demonstrations whose labels may be biased: FairCon's experiment, corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._common import canonical, data_digest
from evenhand.benchmarks._people import Scene, Setting, ask, group_remarks, sample, scene, staged
from evenhand.errors import BadOption
from evenhand.metrics import Metric
from evenhand.metrics.calibration import CALIBRATION_GAP as calibration_gap
from evenhand.metrics.counterfactual import COUNTERFACTUAL_DEO_SUM as counterfactual_deo_sum
from evenhand.metrics.counterfactual import COUNTERFACTUAL_DPD as counterfactual_dpd
from evenhand.metrics.counterfactual import COUNTERFACTUAL_GAP as counterfactual_gap
from evenhand.metrics.counterfactual import COUNTERFACTUAL_GAP_SIGNED as counterfactual_gap_signed
from evenhand.metrics.counterfactual import FLIP_RATE as flip_rate
from evenhand.metrics.decisions import CHANCE as chance
from evenhand.metrics.decisions import DECISION_ACCURACY as decision_accuracy
from evenhand.metrics.decisions import LABEL_MASS as label_mass
from evenhand.metrics.decisions import MAJORITY_RATE as majority_rate
from evenhand.metrics.group_fairness import DEO_MAX as deo_max
from evenhand.metrics.group_fairness import DEO_MEAN as deo_mean
from evenhand.metrics.group_fairness import DEO_SUM as deo_sum
from evenhand.metrics.group_fairness import DISPARATE_IMPACT as disparate_impact
from evenhand.metrics.group_fairness import DPD as dpd
from evenhand.metrics.group_fairness import EQUAL_OPPORTUNITY as equal_opportunity
from evenhand.metrics.group_fairness import ERROR_GAP as error_gap
from evenhand.people.asking import read
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
BESIDE = (decision_accuracy, majority_rate, chance, label_mass)


def decisions(
    task: str = "lab",
    shots: int = 16,
    parity: float = 0.0,
    counterbalanced: bool = False,
    n: int = PEOPLE,
    *,
    prompt_seed: int = 0,
    seed: int = 0,
    attribute: str = "",
    labels: str = "",
    leaky: bool = False,
    test_parity: float | None = None,
    train: int = 400,
    dev: int = 200,
    bins: str = "",
    test: str = "",
) -> Benchmark:
    """Decisions about people: how far they depend on a sensitive attribute, in fact and for counterfactual
    twins, beside how often they are right.

    Every prompt begins with the same demonstrations, whose labels lean to a group by the parity asked for.
    People who are tested, shown, trained on and held out have neither an id nor a text in common. Licence:
    that of the data; the lab's people Apache-2.0.

    Args:
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
            or ``all``, those who read alike included. Empty keeps a quarter for it, one of each text, of whom
            `n` are taken. The others are kept for demonstrations, training and `decision_accuracy`; with
            ``all`` there are none, so that it needs shots=0.

    Raises:
        BadData: the data are not on this machine, or the file or table cannot be used.
        BadOption: a parity, a number or label words that cannot be.
        UnknownName: there is no such task or column.
    """
    setting = Setting(
        task, shots, parity, counterbalanced, prompt_seed, seed, attribute, labels, leaky, bins, str(test)
    )
    return _benchmark(scene(setting), n, test_parity, train, dev)


def of_people(
    population: Population,
    setting: Setting | None = None,
    *,
    n: int = PEOPLE,
    test_parity: float | None = None,
    train: int = 400,
    dev: int = 200,
) -> Benchmark:
    """The benchmark `decisions` on people in memory, such as `evenhand.people.tables.from_frame` gives.

    `setting` holds shots, parity, counterbalanced, prompt_seed, seed and test (None for the defaults); what
    it says of the task is not looked at. The rest is as in `decisions`.

    Raises:
        BadOption: a parity or a number that cannot be.
    """
    own = replace(
        setting or Setting(), task=population.task.name, attribute="", labels="", leaky=False, bins=""
    )
    return _benchmark(staged(own, population), n, test_parity, train, dev)


def _benchmark(place: Scene, n: int, test_parity: float | None, train: int, dev: int) -> Benchmark:
    setting = place.setting
    people = _measured(place, n, test_parity)
    groups = place.task.group_names
    samples = tuple(sample("decisions", place, person, range(len(groups))) for person in people)
    return Benchmark(
        name=canonical(decisions, **vars(setting), n=n, test_parity=test_parity, train=train, dev=dev),
        card=_card(place, data_digest(samples, ask)),
        load=lambda: samples,
        ask=ask,
        score=lambda sample, answers: score(sample, answers, groups),
        metrics=_metrics(len(groups)),
        primary="counterfactual_gap",
        guards={GuardName.MASS: "label_mass"},
        examples=lambda: examples(place, train, dev),
        normalisation="the favourable label word among both",
        template=place.task.template,
        groups=groups,
        unfit="Demonstrations are read from left to right.",
        remarks=lambda scores: [
            *place.said(0 if place.setting.test else n, len(people)),
            *group_remarks(scores, groups),
        ],
        fits=lambda model: place.fits(model, people),
    )


def _measured(place: Scene, n: int, parity: float | None) -> tuple[Person, ...]:
    """Who is asked about: `n` people of the test part, or with the option `test` all of it."""
    if not place.setting.test:
        return place.people("test", n, parity)
    if n != PEOPLE or parity is not None:
        raise BadOption(
            f"test={place.setting.test} says how many people are measured, and so does "
            f"{'test_parity' if parity is not None else f'n={n}'}.",
            mend="Leave one of the two away.",
        )
    return place.people("test", max(1, len(place.parts["test"])))


def score(sample: Sample, answers: Sequence[LogProb], groups: Sequence[str]) -> Score:
    """The columns that `evenhand.metrics._people` names, ``correct``, and ``label_mass``.

    ``probability`` and ``decision`` are the person's own, ``p.<group>`` and ``decision.<group>`` those with
    the attribute set to the group.
    """
    logs = [answer.value for answer in answers]
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


def examples(place: Scene, train: int, dev: int) -> list[PersonExample]:
    """The train people, then the held-out ones, with the prompts of the tested people's form."""
    asker = place.asker
    return [
        *(asker.decision(person, "train") for person in place.people("train", train)),
        *(asker.decision(person, "dev") for person in place.people("dev", dev)),
    ]


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
            "A model that gives everybody one answer has no gap: read them beside accuracy, majority rate "
            "and chance."
        ),
    )


component = decisions
