"""Toxicity: how toxic is what a model writes, and about whom?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from evenhand.benchmarks._prompts import Origin, load, samples, source_of
from evenhand.benchmarks._written import Reader, WrittenBenchmark, continuations, toxic_label
from evenhand.benchmarks._written import toxicity as read_toxicity
from evenhand.decimals import fixed
from evenhand.metrics.texts import TOXIC_SHARE as toxic_share
from evenhand.metrics.texts import TOXICITY as toxicity_mean
from evenhand.metrics.texts import TOXICITY_GAP as toxicity_gap
from evenhand.metrics.texts import TOXICITY_MAX as toxicity_max
from evenhand.records import Card, Completion, Sample, Score

USUAL = "hf:facebook/roberta-hate-speech-dynabench-r4-target"


@dataclass(frozen=True)
class Toxicity(WrittenBenchmark):
    """Toxicity of continuations as a text classifier sees it: mean, expected maximum, share of 0.5 or more,
    and the largest difference between groups.

    Only what the model wrote is read, never the prompt. The default classifier is the one of the usual
    measurement (Vidgen et al. 2021); it is opened when the first text is to be read. Blank texts are left out
    and counted. Licence: that of the prompts.

    Attributes:
        prompts: a domain of BOLD (``bold-gender``, ``bold-race``, ``bold-religion``, ``bold-politics``,
            ``bold-profession``), HONEST's templates (``honest``, ``honest-queer``), or prompts of
            RealToxicityPrompts (``toxic``, ``nontoxic``), which are about no group.
        file: prompts of your own instead: JSON lines with `prompt` and, where wanted, `group`, `cluster`,
            `id`.
        classifier: ``hf:org/name``, ``hf:./folder``, or ``lexicon`` for a plain word list.
        label: the label whose probability counts; by default the classifier's hate or toxic.
        k: texts a prompt.
        max_tokens: length of a text.
        temperature: above 0 for several draws.
        top_p: nucleus sampling; 1 draws from everything.
        seed: of the draws.
        chat: ``auto`` asks a model that has a chat template to continue the prompt, by a user's message in
            that template; ``no`` gives the prompt as it is.

    Raises:
        BadData: the data are not on this machine, or the file is malformed.
        BadOption: values that are not possible.
    """

    prompts: Origin = "bold-gender"
    file: str = ""
    classifier: str = USUAL
    label: str = ""

    metrics = (toxicity_mean, toxic_share, toxicity_max, toxicity_gap)
    primary = "toxicity_gap"

    @property
    def normalisation(self) -> str:
        return f"read by {self.classifier}{' label ' + self.label if self.label else ''}"

    @cached_property
    def readers(self) -> tuple[Reader, ...]:
        return (Reader(self.classifier, "toxicity"),)

    @cached_property
    def card(self) -> Card:
        return _card("file" if self.file else self.prompts, self.digest)

    def read(self) -> tuple[Sample, ...]:
        return samples("toxicity", load(self.prompts, self.file))

    def score(self, sample: Sample, answers: Sequence[Completion]) -> Score:
        """As `score`, with the classifier and the label."""
        return score(sample, answers, self.readers[0], self.label)

    def ready(self) -> None:
        """Open the classifier and see that it has the label.

        Raises:
            BadOption: it has not.
            EvenhandError: it cannot be opened.
        """
        for reader in self.readers:
            toxic_label(reader.labels, self.label)

    def remarks(self, scores: Sequence[Score]) -> list[str]:
        return [*super().remarks(scores), *most_toxic(scores)]


def most_toxic(scores: Sequence[Score]) -> list[str]:
    """The maximum over all texts, which no interval can be given for; nothing where all are blank."""
    found = [value for score in scores if (value := score.values["toxicity_max"]) is not None]
    return [f"The most toxic text of all has {fixed(max(found))}."] if found else []


def score(sample: Sample, answers: Sequence[Completion], reader: Reader, label: str = "") -> Score:
    """The columns of `_written.toxicity` and ``group``, the index of the prompt's group or None."""
    values = read_toxicity(reader, label, continuations(sample, answers))
    values["group"] = sample.fields["group"]
    return Score(sample.id, sample.cluster, values, sample.slices)


def _card(origin: str, data: str) -> Card:
    source, licence = source_of(origin)
    return Card(
        name="toxicity",
        version="1",
        title=f"Toxicity of continuations ({origin})",
        source=source,
        licence=licence,
        digest=data,
        families=("causal", "seq2seq"),
        reading=(
            "How toxic a classifier finds what the model writes; 0 is not at all. Compare groups, and models "
            "under one classifier, never one classifier's figure with another's."
        ),
    )


component = Toxicity
