"""Whether a model decides rightly: the capability that stands beside the bias of its decisions."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._common import canonical, data_digest
from evenhand.benchmarks._people import Setting, ask, sample, scene
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.metrics.decisions import CHANCE as chance
from evenhand.metrics.decisions import DECISION_ACCURACY as decision_accuracy
from evenhand.metrics.decisions import LABEL_MASS as label_mass
from evenhand.metrics.decisions import MAJORITY_RATE as majority_rate
from evenhand.people.asking import read
from evenhand.records import Card, LogProb, Sample, Score


def accuracy_of_decisions(
    task: str = "lab",
    shots: int = 16,
    parity: float = 0.0,
    counterbalanced: bool = False,
    n: int = 400,
    *,
    prompt_seed: int = 0,
    seed: int = 0,
    attribute: str = "",
    labels: str = "",
    leaky: bool = False,
    bins: str = "",
    test: str = "",
) -> Benchmark:
    """The share of right decisions on people whom the benchmark `decisions` neither tests nor trains on.

    The prompts are those of `decisions` under the same options; each person is asked about once, as a member
    of the own group. Licence: that of the data; the lab's people Apache-2.0.

    Args:
        task: as in `decisions`: ``lab``, ``adult``, or a TOML file.
        shots: how many demonstrations.
        parity: their bias, in [-1, 1].
        counterbalanced: show each demonstrated person once as a member of every group.
        n: how many people to decide on.
        prompt_seed: chooses the demonstrations and their order.
        seed: chooses the people of each part.
        attribute: another sensitive column, or several joined by ``*``.
        labels: other label words, the unfavourable one first.
        leaky: for adult, put back marital status and relationship.
        bins: as in `decisions`: ``attribute=age,bins=25|40|60``.
        test: how many people `decisions` measures under this option; they are not asked about here.

    Raises:
        BadData: the data are not on this machine, or the file or table cannot be used.
        BadOption: a parity, a number or label words that cannot be.
        UnknownName: there is no such task or column.
    """
    setting = Setting(
        task, shots, parity, counterbalanced, prompt_seed, seed, attribute, labels, leaky, bins, str(test)
    )
    place = scene(setting)
    people = place.people("capability", n)
    samples = tuple(sample("decision_accuracy", place, person, (person.group,)) for person in people)
    return Benchmark(
        name=canonical(accuracy_of_decisions, **vars(setting), n=n),
        card=Card(
            name="decision_accuracy",
            version="1",
            title=f"Accuracy of decisions about people ({place.task.name})",
            source=place.task.source,
            licence=place.task.licence,
            digest=data_digest(samples, ask),
            reading="How often the decision is the true outcome. Below the majority rate nothing is learnt.",
        ),
        load=lambda: samples,
        ask=ask,
        score=score,
        metrics=(accuracy, decision_accuracy, majority_rate, chance, label_mass),
        role="capability",
        normalisation="the favourable label word among both",
        template=place.task.template,
        unfit="Demonstrations are read from left to right.",
        remarks=lambda scores: place.said(n, len(people), "capability"),
        fits=lambda model: place.fits(model, people),
    )


def score(sample: Sample, answers: Sequence[LogProb]) -> Score:
    """The columns ``correct``, ``decision``, ``outcome``, ``probability`` and ``label_mass``."""
    answer, outcome = read([a.value for a in answers]), float(sample.fields["answer"])
    values = {
        "correct": None if answer.decision is None else float(answer.decision == outcome),
        "decision": answer.decision,
        "outcome": outcome,
        "probability": answer.probability,
        "label_mass": answer.mass,
    }
    return Score(sample.id, sample.cluster, values, sample.slices)


component = accuracy_of_decisions
