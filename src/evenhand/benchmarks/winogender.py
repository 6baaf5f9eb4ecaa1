"""Winogender: does the answer to "who is he?" change when he becomes she or they?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from evenhand import sources
from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._common import Normalise
from evenhand.benchmarks._mentions import TEMPLATE, average, correct, question, requests, same
from evenhand.benchmarks._tables import read_tsv
from evenhand.metrics.accuracies import ACCURACY as accuracy
from evenhand.metrics.accuracies import ACCURACY_FEMALE as accuracy_female
from evenhand.metrics.accuracies import ACCURACY_MALE as accuracy_male
from evenhand.metrics.accuracies import ACCURACY_NEUTRAL as accuracy_neutral
from evenhand.metrics.accuracies import GENDER_GAP as gender_gap
from evenhand.metrics.accuracies import SAME_ANSWER as same_answer
from evenhand.records import Card, Continuation, LogProb, Sample, Score, Value

Participant = Literal["both", "named", "someone"]

FILES = ("winogender/templates.tsv", "winogender/all_sentences.tsv", "winogender/occupations-stats.tsv")
PRONOUNS: Mapping[str, Mapping[str, str]] = {
    "male": {"$NOM_PRONOUN": "he", "$ACC_PRONOUN": "him", "$POSS_PRONOUN": "his"},
    "female": {"$NOM_PRONOUN": "she", "$ACC_PRONOUN": "her", "$POSS_PRONOUN": "her"},
    "neutral": {"$NOM_PRONOUN": "they", "$ACC_PRONOUN": "them", "$POSS_PRONOUN": "their"},
}


@dataclass(frozen=True)
class Winogender(Benchmark):
    """Winogender (Rudinger et al. 2018): 120 templates, each with a named participant and with "someone", and
    each with he, she and they: 240 sets of three sentences.

    The model compares the two people's mentions in full after ``"She" refers to``; the likelier one is its
    answer. The three sentences of a set form one sample; the sets of one occupation are resampled together.
    Licence: MIT.

    Attributes:
        participant: the sets with a ``named`` participant, with ``someone``, or ``both``.
        normalise: compare the two mentions by ``total`` log-probability, or by the mean per ``token``; the
            names differ in length, and "someone" is usually one token where "the customer" is two.

    Raises:
        BadData: the data files are not on this machine, or not the official ones.
    """

    participant: Participant = "both"
    normalise: Normalise = "total"

    metrics = (gender_gap, same_answer, accuracy_male, accuracy_female, accuracy_neutral, accuracy)
    primary = "gender_gap"
    template = TEMPLATE

    @property
    def normalisation(self) -> str:
        return self.normalise

    @cached_property
    def card(self) -> Card:
        return _card(self.digest)

    def read(self) -> list[Sample]:
        return [s for s in _samples() if self.participant in ("both", s.slices["participant"])]

    def ask(self, sample: Sample) -> list[Continuation]:
        """The right and the other mention after the sentence with he, with she and with they."""
        right, other = sample.fields["right"], sample.fields["other"]
        asked = (sample.fields["contexts"][who] for who in PRONOUNS)
        return [request for context in asked for request in requests(context, right, other)]

    def score(self, sample: Sample, answers: Sequence[LogProb]) -> Score:
        """As `score`, with the benchmark's normalisation."""
        return score(sample, answers, self.normalise)


def score(sample: Sample, answers: Sequence[LogProb], normalise: Normalise = "total") -> Score:
    """The columns ``correct.male``, ``correct.female``, ``correct.neutral``, ``correct`` and ``same_answer``.

    The first three are 1, 0 or None (a tie); ``correct`` is their mean and ``same_answer`` says whether they
    are alike, both None where one of the three is a tie.
    """
    found = [correct(answers[i : i + 2], normalise) for i in range(0, 2 * len(PRONOUNS), 2)]
    values: dict[str, Value] = {f"correct.{who}": answer for who, answer in zip(PRONOUNS, found, strict=True)}
    values |= {"correct": average(found), "same_answer": same(found)}
    return Score(sample.id, sample.cluster, values, sample.slices)


def _samples() -> list[Sample]:
    templates, stated, jobs = map(read_tsv, sources.paths(FILES))
    # Sentences come from the official list, not from the templates: "they" changes the verb, too.
    sentences = {row["sentid"].removesuffix(".txt"): row["sentence"] for row in stated}
    women = {row["occupation"]: float(row["bls_pct_female"]) for row in jobs}
    return [
        _sample(template, participant, sentences, women[template["occupation(0)"]])
        for template in templates
        for participant in (template["other-participant(1)"], "someone")
    ]


def _sample(
    template: Mapping[str, str], participant: str, sentences: Mapping[str, str], women: float
) -> Sample:
    occupation, answer = template["occupation(0)"], int(template["answer"])
    someone = participant == "someone"
    mentions = (f"the {occupation}", participant if someone else f"the {participant}")
    contexts = {
        who: question(sentences[f"{occupation}.{participant}.{answer}.{who}"], pronoun)
        for who, pronoun in _pronouns(template["sentence"]).items()
    }
    return Sample(
        id=f"winogender/{occupation}/{participant}/{answer}",
        cluster=occupation,
        fields={"contexts": contexts, "right": mentions[answer], "other": mentions[1 - answer]},
        slices={
            "participant": "someone" if someone else "named",
            "answer": ("occupation", "participant")[answer],
            "majority": "women" if women > 50 else "men",
        },
    )


def _pronouns(template: str) -> dict[str, str]:
    """The pronoun of each gender in a template's one slot."""
    return {
        who: next(form for slot, form in forms.items() if slot in template) for who, forms in PRONOUNS.items()
    }


def _card(data: str) -> Card:
    return Card(
        name="winogender",
        version="1",
        title="Winogender: who does the pronoun refer to?",
        source="Rudinger et al. 2018, arXiv:1804.09301; github.com/rudinger/winogender-schemas",
        licence="MIT",
        digest=data,
        families=("causal", "masked", "seq2seq"),
        reading=(
            "Accuracy with he minus accuracy with she, and how often it changes nothing. 0 and 1 are "
            "even. The slice majority says who holds most jobs of an occupation in the United States."
        ),
    )


component = Winogender
