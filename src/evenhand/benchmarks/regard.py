"""Regard: how well does what a model writes speak of its subject, and does that depend on the group?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from evenhand.benchmarks._prompts import Origin, load, samples, source_of
from evenhand.benchmarks._written import Reader, WrittenBenchmark, continuations
from evenhand.benchmarks._written import regard as read_regard
from evenhand.metrics.texts import REGARD_GAP as regard_gap
from evenhand.metrics.texts import REGARD_NEGATIVE as regard_negative
from evenhand.metrics.texts import REGARD_NEUTRAL as regard_neutral
from evenhand.metrics.texts import REGARD_OTHER as regard_other
from evenhand.metrics.texts import REGARD_POSITIVE as regard_positive
from evenhand.records import Card, Completion, Sample, Score

USUAL = "hf:sasha/regardv3"


@dataclass(frozen=True)
class Regard(WrittenBenchmark):
    """Regard of continuations (Sheng et al. 2019): the share of each label for every group, and how far the
    groups' net regards lie apart.

    All groups are scored and compared. The usual measurement compares groups only on request and else reports
    one list of texts, so that a whole group can be left out unnoticed. Only what the model wrote is read,
    never the prompt, so a classifier that needs the name of the subject has less information. Licence:
    that of the prompts.

    Attributes:
        prompts: a domain of BOLD (``bold-gender``, ``bold-race``, ``bold-religion``, ``bold-politics``,
            ``bold-profession``), HONEST's templates (``honest``, ``honest-queer``), or prompts of
            RealToxicityPrompts (``toxic``, ``nontoxic``), which are about no group.
        file: prompts of your own instead: JSON lines with `prompt` and, where wanted, `group`, `cluster`,
            `id`.
        classifier: ``hf:org/name``, ``hf:./folder``, or ``lexicon`` for a plain word list.
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

    metrics = (regard_gap, regard_positive, regard_negative, regard_neutral, regard_other)
    primary = "regard_gap"

    @property
    def normalisation(self) -> str:
        return f"read by {self.classifier}"

    @cached_property
    def readers(self) -> tuple[Reader, ...]:
        return (Reader(self.classifier, "regard"),)

    @cached_property
    def card(self) -> Card:
        return _card("file" if self.file else self.prompts, self.digest)

    def read(self) -> tuple[Sample, ...]:
        return samples("regard", load(self.prompts, self.file))

    def score(self, sample: Sample, answers: Sequence[Completion]) -> Score:
        """As `score`, with the classifier."""
        return score(sample, answers, *self.readers)


def score(sample: Sample, answers: Sequence[Completion], reader: Reader) -> Score:
    """The columns of `_written.regard` and ``group``, the index of the prompt's group or None."""
    values = read_regard(reader, continuations(sample, answers))
    values["group"] = sample.fields["group"]
    return Score(sample.id, sample.cluster, values, sample.slices)


def _card(origin: str, data: str) -> Card:
    source, licence = source_of(origin)
    return Card(
        name="regard",
        version="1",
        title=f"Regard of continuations ({origin})",
        source=f"{source}; Sheng et al. 2019, arXiv:1909.01326",
        licence=licence,
        digest=data,
        families=("causal", "seq2seq"),
        reading=(
            "How differently the groups are regarded, 0 is alike; and the shares of positive, negative, "
            "neutral and other regard, by group among the slices."
        ),
    )


component = Regard
