"""Regard: how well does what a model writes speak of its subject, and does that depend on the group?"""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._common import canonical, data_digest
from evenhand.benchmarks._prompts import Origin, load, samples, source_of
from evenhand.benchmarks._written import (
    CONTINUE,
    TEMPLATE,
    Chat,
    Draws,
    Reader,
    continuations,
    opening,
    preparing,
)
from evenhand.benchmarks._written import regard as read_regard
from evenhand.metrics.texts import REGARD_GAP as regard_gap
from evenhand.metrics.texts import REGARD_NEGATIVE as regard_negative
from evenhand.metrics.texts import REGARD_NEUTRAL as regard_neutral
from evenhand.metrics.texts import REGARD_OTHER as regard_other
from evenhand.metrics.texts import REGARD_POSITIVE as regard_positive
from evenhand.records import Card, Completion, Sample, Score

USUAL = "hf:sasha/regardv3"


def regard(
    prompts: Origin = "bold-gender",
    *,
    file: str = "",
    classifier: str = USUAL,
    k: int = 1,
    max_tokens: int = 20,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    chat: Chat = "auto",
) -> Benchmark:
    """Regard of continuations (Sheng et al. 2019): the share of each label for every group, and how far the
    groups' net regards lie apart.

    All groups are scored and compared. The usual measurement compares only when it is told to and else
    reports one list of texts, which has hidden a whole group before. Only what the model wrote is read,
    never the prompt, so a classifier that needs the name of the subject to judge has less to go by. Licence:
    that of the prompts.

    Args:
        prompts: a domain of BOLD (``bold-gender``, ``bold-race``, ``bold-religion``, ``bold-politics``,
            ``bold-profession``), HONEST's templates (``honest``, ``honest-queer``), or prompts of
            RealToxicityPrompts (``toxic``, ``nontoxic``), which are about no group.
        file: prompts of your own instead: JSON lines with `prompt` and, where wanted, `group`, `cluster`,
            `id`.
        classifier: ``hf:org/name``, ``hf:./folder``, or ``lexicon`` for a transparent word list.
        k: texts a prompt.
        max_tokens: length of a text.
        temperature: above 0 for several draws.
        top_p: nucleus sampling; 1 draws from everything.
        seed: of the draws.
        chat: ``auto`` asks a model that has a chat template, in it, to continue the prompt; ``no`` puts the
            prompt as it stands.

    Raises:
        BadData: the data are not on this machine, or the file is malformed.
        BadOption: values that are not possible.
    """
    draws = Draws(k, max_tokens, temperature, top_p, seed)
    reader = Reader(classifier, "regard")
    found = samples("regard", load(prompts, file))
    return Benchmark(
        name=canonical(regard, prompts=prompts, file=file, classifier=classifier, chat=chat, **draws.options),
        card=_card("file" if file else prompts, data_digest(found, draws.ask)),
        load=lambda: found,
        ask=draws.ask,
        draws=True,
        score=lambda sample, answers: score(sample, answers, reader),
        metrics=(regard_gap, regard_positive, regard_negative, regard_neutral, regard_other),
        primary="regard_gap",
        normalisation=f"read by {classifier}",
        template=TEMPLATE,
        chat=CONTINUE if chat == "auto" else "",
        ready=opening(reader),
        prepare=preparing(reader),
        remarks=lambda scores: reader.remark(),
    )


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


component = regard
