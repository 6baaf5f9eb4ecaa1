"""How far a change moved what a model expects next: over its whole vocabulary, and without groups' words.

Accuracy on questions sees answers that become wrong. A model whose every other word died, or whose head
became flat, may still answer every question, so its distributions are compared with the base's too: after
ordinary text, after the prompts of the bias benchmark, after hints, and after the openings of questions about
the professions. One pass over the base's contexts is kept, and every changed model is read beside it.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel
from evenhand.lexicons import everyday, subject_questions
from evenhand.models import Model, OpenModel, gives_weights
from evenhand.provenance import made_by
from evenhand.records import Card, GuardName, Measurement, Protocol, Score, Value, digest

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.treatments import Treatment

NAME = "shift"
TEXT = "text"
POSITIONS = 256  # of neutral text at most
FLAT = 0.02  # how far the fitted temperature may be from 1 before the bias is read at it as well
PROMPTS = 200  # of each other kind at most
ROOM = 256 * 2**20  # bytes of the base's distributions at most
_COLUMNS = ("kl", "kl.rest", "entropy.before", "entropy.after")
_CARD = Card(
    NAME,
    "1",
    "How far the next-word distributions moved",
    "the evenhand developers",
    "Apache-2.0",
    reading="KL divergences from base to changed model in nats, with and without the groups' words.",
)


_UNREAD = "Its answers are compared, and how far it moved is not."


class NoShift(BadModel):
    """A changed model whose next words cannot be compared with the base's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """A beginning after which the next word is asked for: its kind, and the cluster that it is from."""

    kind: str
    cluster: str
    text: str


def at_most(vocabulary: int) -> tuple[int, int]:
    """The contexts of a `Shift` and its neutral texts, at the most, for a `vocabulary` of tokens."""
    fitting = _fitting(vocabulary)
    return min(fitting, POSITIONS + 3 * PROMPTS), min(fitting, POSITIONS)


def _fitting(vocabulary: int) -> int:
    return max(1, ROOM // (4 * vocabulary))


def contexts(model: Model, source: Benchmark | None, bias: Iterable[Benchmark], seed: int) -> list[Context]:
    """What is asked: neutral text, prompts of `source` and of hints among `bias`, openings of questions."""
    found = _neutral(model, () if source is None else terms_of(source))
    if source is not None:
        found += _drawn("bias", source, seed)
    for benchmark in bias:
        if GuardName.HINTS in benchmark.guards:
            found += _drawn("hints", benchmark, seed)
    if not model.spec.uri.startswith("lab:"):  # the lab's language has none of these words
        every = [Context("subjects", q.about, q.prompts[0]) for q in subject_questions()]
        found += random.Random(seed).sample(every, min(PROMPTS, len(every)))
    return found


def _neutral(model: Model, terms: Sequence[str]) -> list[Context]:
    """Beginnings of sentences without a word of the groups' `terms`, spread evenly over these."""
    avoided = {word.lower() for term in terms for word in term.split()}
    if model.spec.uri.startswith("lab:"):
        from evenhand.lab.facts import neutral_sentences

        sentences: Sequence[str] = neutral_sentences("held-out")
    else:
        sentences = everyday()
    every = [
        Context(TEXT, f"{TEXT}/{number}", " ".join(words[:end]))
        for number, sentence in enumerate(sentences)
        for words in [sentence.split()]
        if avoided.isdisjoint(word.strip(",.").lower() for word in words)
        for end in range(1, len(words))
    ]
    return every[:: max(1, math.ceil(len(every) / POSITIONS))]


def _drawn(kind: str, benchmark: Benchmark, seed: int) -> list[Context]:
    asked = {
        context: sample.cluster
        for sample in benchmark.load()
        for request in benchmark.ask(sample)
        for context in [getattr(request, "context", "")]
        if context  # what follows nothing is no prompt
    }
    chosen = sorted(asked)
    if len(chosen) > PROMPTS:
        chosen = random.Random(seed).sample(chosen, PROMPTS)
    return [Context(kind, asked[text], text) for text in chosen]


class Shift:
    """What a base model expects after fixed contexts, beside which changed models are measured.

    `terms` are the groups' words, each with its leading space. Contexts are thinned where the distributions
    would take more than 256 MB. The base is asked by `ready`, once, and only where something is to be
    measured: a run whose readings are stored needs nothing but the `digest`.

    Raises:
        BadModel: the model has no language-model head.
    """

    def __init__(self, model: OpenModel, asked: Sequence[Context], terms: Sequence[str] = ()) -> None:
        from evenhand.scoring.distributions import vocabulary

        runs: Any = model
        self._asked = list(asked[:: max(1, math.ceil(len(asked) / _fitting(vocabulary(runs))))])
        self._terms = terms
        self._words: list[int] = []
        self._answers: Tensor | None = None
        self.digest = digest("shift/1", [dataclasses.astuple(one) for one in self._asked], list(terms))
        self._model = model

    def ready(self) -> Self:
        """Ask the base, while nothing is applied to it; a second time nothing is asked."""
        from evenhand.scoring.distributions import distributions, first_tokens

        if self._answers is None:
            runs: Any = self._model
            self._answers = distributions(runs, [one.text for one in self._asked])
            self._words = first_tokens(runs, self._asked[0].text, self._terms) if self._terms else []
        return self

    @property
    def asked(self) -> Sequence[Context]:
        """The contexts, after they were thinned."""
        return self._asked

    @property
    def terms(self) -> Sequence[str]:
        """The groups' words."""
        return self._terms

    @property
    def _base(self) -> Tensor:
        """What the base expects, [contexts, vocabulary]."""
        assert self._answers is not None, "a changed model cannot be the base that it is compared with"
        return self._answers

    def size(self, changed: Model) -> Value:
        """d: the root of the mean KL divergence, base to changed, after neutral text; in root nats.

        Raises:
            NoShift: as for `of`.
        """
        return size_of(self.of(changed, (TEXT,), fitted=False))

    def protocol(self) -> Protocol:
        """The conditions of what `of` gives."""
        return Protocol(self.digest, scorer="next-word/1", dtype=self._model.spec.dtype)

    def card(self) -> Card:
        """The card of what `of` gives."""
        return dataclasses.replace(_CARD, digest=self.digest)

    def of(self, changed: Model, kinds: Sequence[str] = (), *, fitted: bool = True) -> Measurement:
        """Each context's divergences and entropies for a changed model; of some `kinds`, else of all.

        The columns ``kl``, ``kl.rest`` (over everything but the groups' words, renormalised),
        ``entropy.before`` and ``entropy.after``, in nats; after neutral text also ``temperature``, the one T
        by which the changed model's logits have to be divided to come closest to the base's (None where it is
        not to be `fitted`).

        Raises:
            NoShift: it gives no weights, or has other tokens than the base.
        """
        from evenhand.scoring import distributions as d

        blocks = self._read(changed)
        rows = [i for i, one in enumerate(self._asked) if not kinds or one.kind in kinds]
        text = {place: n for n, place in enumerate(p for p, i in enumerate(rows) if self._is_text(i))}
        columns: dict[str, list[float]] = {name: [0.0] * len(rows) for name in _COLUMNS}
        expected = self._base.new_empty(len(text), self._base.shape[1])  # after neutral text
        for places, after in blocks([self._asked[i].text for i in rows]):
            own = self._base[[rows[place] for place in places]]  # [n, vocabulary], as `after`
            for name, values in zip(_COLUMNS, self._moved(own, after), strict=True):
                for place, value in zip(places, values.tolist(), strict=True):
                    columns[name][place] = value
            for row, place in enumerate(places):
                if place in text:
                    expected[text[place]] = after[row]
        before = self._base[[rows[place] for place in text]]
        T = d.temperature(before, expected) if text and fitted else None
        scores = tuple(
            self._score(self._asked[i], i, {name: column[place] for name, column in columns.items()}, T)
            for place, i in enumerate(rows)
        )
        return Measurement(
            changed.spec, NAME, self.card(), self.protocol(), len(scores), {}, {}, scores, made_by=made_by()
        )

    def _read(self, changed: Model) -> Callable[[list[str]], Iterator[tuple[list[int], Tensor]]]:
        """What gives the distributions after contexts, block by block."""
        from evenhand.models.digests import tokenizer_digest
        from evenhand.scoring.distributions import in_blocks, vocabulary
        from evenhand.treatments.decoding import ReweightedModel
        from evenhand.treatments.prompt import PromptedModel

        own: Model = changed
        joined: Callable[[str], str] = str
        if isinstance(changed, PromptedModel):
            own, joined = changed.prompted, changed.joined
        elif isinstance(changed, ReweightedModel):
            own = changed.reweighted
        runs: Any = own
        if not gives_weights(own):
            raise NoShift(f"{changed.spec.uri} does not give what it expects next.", mend=_UNREAD)
        ours, theirs = self._model.tokenizer, runs.tokenizer
        same = theirs is ours or tokenizer_digest(theirs) == tokenizer_digest(ours)
        if not same or vocabulary(runs) != self._base.shape[1]:
            raise NoShift(f"{changed.spec.uri} has other tokens than its base.", mend=_UNREAD)
        if isinstance(changed, ReweightedModel):
            return changed.in_blocks
        return lambda texts: in_blocks(runs, [joined(text) for text in texts])

    def _is_text(self, number: int) -> bool:
        return self._asked[number].kind == TEXT

    def _moved(self, before: Tensor, after: Tensor) -> tuple[Tensor, ...]:
        """The `_COLUMNS` [n] of one block of distributions, both [n, vocabulary]."""
        from evenhand.scoring import distributions as d

        rest = (d.without(one, self._words) for one in (before, after))
        return d.divergence(before, after), d.divergence(*rest), d.entropies(before), d.entropies(after)

    @staticmethod
    def _score(context: Context, number: int, values: Mapping[str, float], temperature: Value) -> Score:
        own: dict[str, Value] = dict(values)
        own["temperature"] = temperature if context.kind == TEXT else None
        return Score(f"{NAME}/{context.kind}/{number}", context.cluster, own, {"kind": context.kind})


def terms_of(benchmark: Benchmark) -> tuple[str, ...]:
    """The groups' words that a benchmark about gaps of words asks for; empty for any other."""
    about = getattr(benchmark, "about", None)
    groups = getattr(about, "groups", ())
    return tuple(term for group in groups for term in group.terms)


@contextmanager
def tempered(treatment: Treatment, model: OpenModel, temperature: float) -> Iterator[Model]:
    """The treated model with its logits divided by `temperature`, after its last norm.

    Where a head has a bias of its own, or caps its logits, this is that temperature to first order.

    Raises:
        NoShift: the treated model does not give its weights.
    """
    from evenhand.hooks import patch

    with treatment.applied(model) as treated:
        if not gives_weights(treated) or "norm" not in treated.layout.sites():
            raise NoShift(f"{treated.spec.uri} has no head to make flatter.", mend=_UNREAD)
        view = copy.copy(treated)
        view.spec = dataclasses.replace(
            treated.spec, digest=digest(treated.spec.digest, "temperature", temperature)
        )
        with patch(view, "norm", lambda output, _: output / temperature):
            yield view


def size_of(shift: Measurement) -> Value:
    """d(M): the root of the mean KL divergence after neutral text."""
    found = [kl for s in of_kind(shift, TEXT) if (kl := s.values["kl"]) is not None]
    return math.sqrt(sum(found) / len(found)) if found else None


def temperature_of(shift: Measurement) -> Value:
    """The temperature at which the changed model's expectations come closest to the base's."""
    return next((s.values["temperature"] for s in of_kind(shift, TEXT)), None)


def of_kind(shift: Measurement, kind: str) -> list[Score]:
    """The scores of one kind of context."""
    return [score for score in shift.scores if score.slices["kind"] == kind]


def kinds_of(shift: Measurement) -> tuple[str, ...]:
    """The kinds of context, in order."""
    return tuple(dict.fromkeys(score.slices["kind"] for score in shift.scores))
