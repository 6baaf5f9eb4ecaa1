"""Benchmarks: one file each, found by walking this folder.

A benchmark turns its data into samples, each sample into requests, and the answers into one `Score` of
named per-item values. It never touches a model: `evenhand.studies` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evenhand.metrics import Metric
from evenhand.records import Card, Example, GuardName, Material, Request, Sample, Score


@dataclass(frozen=True)
class Benchmark:
    """A benchmark with all its options fixed.

    Attributes:
        name: the canonical spec, such as ``genbiaseval:split=profession``.
        load: the samples to measure, in a fixed order.
        ask: the requests of one sample, in the order in which `score` wants the answers.
        score: one sample's answers (a `LogProb` for each `Continuation`, a `Completion` for each
            `Generation`) as per-item values.
        metrics: what to report.
        primary: the metric that a verdict on this benchmark is about; None for one that no verdict is about.
        guards: which of its figures plays which part in a verdict: ``mass`` is the probability of the words
            that its gaps are between, ``hints`` how far explicit hints are followed, ``rest`` a figure whose
            ideal is an end of its range and whose loss the primary metric must not be bought with.
        role: ``bias`` or ``capability``: a study reads it to know which side a figure belongs to.
        examples: what a mitigation may fit on (disjoint from `load`), or None when there is nothing.
        anchors: prompts whose answers a mitigation should leave alone (`Example.keep`), or None.
        normalisation, template: parts of the measurement's protocol.
        unfit: why families that the card does not name are refused, one sentence or more.
        ready: opens what scoring needs besides the answers, such as a classifier, so that a missing one is
            found before anything is asked.
        prepare: what to do once with all answers, in the shape in which they were asked, before the first
            `score`; a classifier reads all texts at once here.
        fits: refuses a model that cannot be asked, before anything is asked; None fits all of its families.
        remarks: what to say of the scores beside the figures, such as a test's p-values; each one paragraph.
        chat: the user's message for a model with a chat template, where ``{prompt}`` stands for the prompt of
            a `Generation`; empty where prompts are put as they stand, whatever the model.
        groups: the groups' names, in the order of the score columns; empty for capability.
        draws: whether all requests of a sample are draws of one prompt, so that `score` takes any number of
            answers, one at least: those that have none are left out.
    """

    name: str
    card: Card
    load: Callable[[], Sequence[Sample]]
    ask: Callable[[Sample], Sequence[Request]]
    score: Callable[[Sample, Sequence[Any]], Score]
    metrics: tuple[Metric, ...]
    primary: str | None = None
    guards: Mapping[GuardName, str] = field(default_factory=dict)
    role: str = "bias"
    examples: Callable[[], Sequence[Material]] | None = None
    anchors: Callable[[], Sequence[Example]] | None = None
    normalisation: str = "none"
    template: str = ""
    groups: tuple[str, ...] = field(default=())
    unfit: str = ""
    remarks: Callable[[Sequence[Score]], Sequence[str]] | None = None
    prepare: Callable[[Sequence[Sequence[Any]]], None] | None = None
    ready: Callable[[], None] | None = None
    fits: Callable[[Any], None] | None = None
    draws: bool = False
    chat: str = ""
