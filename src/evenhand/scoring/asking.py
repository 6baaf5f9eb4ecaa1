"""How texts are put to a model of each family: what trains or looks inside reads what the scorer reads.

A causal model reads a prompt from the left; a masked one reads a whole text in which the scored words are
masked; one with an encoder and a decoder reads a source, and writes the text or the filling of a gap.
`asking` gives the way of a model: rows, the plan of a batch, and a pass over it whose head runs in float32.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from torch import Tensor, nn

from evenhand.architectures import is_recurrent
from evenhand.records import Continuation
from evenhand.scoring.conditional import Conditional, conditional_rows, plan_conditional
from evenhand.scoring.forms import ConditionalScorer
from evenhand.scoring.forward import Padding, SelectedHead, run_rows
from evenhand.scoring.masks import Copy, plan_copies
from evenhand.scoring.plan import Plan, Row, make_plan
from evenhand.scoring.pseudo import MaskedScorer, closed
from evenhand.scoring.tokens import Encoded, Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = tuple[int, ...]
Run = Callable[[SelectedHead, Sequence[Row]], Tensor]
"""One pass over rows: the logits [R, vocabulary] after the positions wanted in each, in order."""
Short = Callable[[SelectedHead, Row, int], Tensor]
"""The shortest pass that begins like a row and gives the head so many rows: [n, vocabulary]."""
A = TypeVar("A")


class Weights(Protocol):
    """The part of an open model that is needed here; one without a `scorer` is read from the left."""

    module: nn.Module
    tokenizer: PreTrainedTokenizerBase


class Asking(Protocol, Generic[A]):
    """How one model is asked; `A` is what it makes of a request."""

    restarts: bool
    """Whether a row may begin at a block: only where a token does not see those after it."""

    def encode(self, items: Sequence[Continuation]) -> list[A]:
        """The requests in the model's tokens, in order; errors as the scorer has them."""
        ...

    def plan(self, asked: Sequence[A]) -> Plan:
        """What has to run for the requests, and where the answer to each of their tokens is read."""
        ...

    def scored(self, asked: A) -> Ids:
        """The ids of the tokens whose probability is wanted."""
        ...

    def opening(self, asked: A) -> Row:
        """The row from which the first of these tokens is predicted, and nothing after it."""
        ...

    def plain(self, texts: Sequence[str], seed: int) -> list[Row]:
        """The texts as rows to learn a language from; what is hidden in each is drawn with `seed`.

        Raises:
            BadData: a text is empty, or does not fit into the model's window.
        """
        ...

    def run(self, head: SelectedHead, rows: Sequence[Row]) -> Tensor:
        """A `Run` of whole rows."""
        ...

    def short(self, head: SelectedHead, row: Row, number: int) -> Tensor:
        """A `Short` pass."""
        ...


def asking(model: Weights) -> Asking[Any]:
    """The way in which `model` is asked, by its scorer."""
    scorer = getattr(model, "scorer", None)
    if isinstance(scorer, MaskedScorer):
        return Filling(model.module, scorer)
    if isinstance(scorer, ConditionalScorer):
        return Writing(model.module, scorer)
    return Continuing(model)


def learns(model: Weights) -> bool:
    """Whether `Asking.plain` can put texts to the model: all can but those with a decoder and no gaps."""
    scorer = getattr(model, "scorer", None)
    return not isinstance(scorer, ConditionalScorer) or scorer.gaps


def padding_of(module: nn.Module) -> Padding:
    """The side where a batch of rows from left to right is padded."""
    return "right" if is_recurrent(getattr(module, "config", None)) else "left"


def whole_rows(module: nn.Module) -> Run:
    """The plain way to run rows from left to right: padded, through all blocks."""
    padding = padding_of(module)
    return lambda head, rows: run_rows(
        module, head, [row.ids for row in rows], [row.positions for row in rows], padding=padding
    )


class Continuing:
    """A causal model: the text follows its context, each token sees those before it."""

    restarts = True

    def __init__(self, model: Weights) -> None:
        self._module = model.module
        self._encoder = Encoder.of(model.module, model.tokenizer)
        self.run = whole_rows(model.module)

    def encode(self, items: Sequence[Continuation]) -> list[Encoded]:
        """As `Encoder.encode`."""
        return self._encoder.encode(items)

    def plan(self, asked: Sequence[Encoded]) -> Plan:
        """As `make_plan`."""
        return make_plan(asked)

    def scored(self, asked: Encoded) -> Ids:
        """The ids after the context."""
        return asked.ids[asked.start :]

    def opening(self, asked: Encoded) -> Row:
        """The context."""
        return _opened(asked)

    def plain(self, texts: Sequence[str], seed: int) -> list[Row]:
        """Whole texts, in which nothing is hidden."""
        return [
            Row(one.ids, tuple((i - 1, one.ids[i]) for i in range(one.start, len(one.ids))), 0)
            for one in self.encode([Continuation("", text) for text in texts])
        ]

    def short(self, head: SelectedHead, row: Row, number: int) -> Tensor:
        """One token."""
        padding = padding_of(self._module)
        return run_rows(self._module, head, [row.ids[:1]], [[0] * number], padding=padding)


class Filling:
    """A masked model: the words are masked in their text, and every token sees all others."""

    restarts = False

    def __init__(self, module: nn.Module, scorer: MaskedScorer) -> None:
        self._module = module
        self._masker = scorer.masker

    def encode(self, items: Sequence[Continuation]) -> list[list[Copy]]:
        """The masked copies of each, a full stop behind those that end in a word."""
        return self._masker.copies([closed(item) for item in items])

    def plan(self, asked: Sequence[list[Copy]]) -> Plan:
        """As `plan_copies`."""
        return plan_copies(asked)

    def scored(self, asked: list[Copy]) -> Ids:
        """The masked ids."""
        return tuple(copy.target for copy in asked)

    def opening(self, asked: list[Copy]) -> Row:
        """The first copy, in which all of the word is masked."""
        first = asked[0]
        return Row(first.ids, ((first.position, 0),), 0, first.ids)

    def plain(self, texts: Sequence[str], seed: int) -> list[Row]:
        """Texts with a part of their tokens masked, 15 % of them and at least one (Devlin et al. 2019)."""
        return self._masker.hidden(texts, random.Random(seed))

    def run(self, head: SelectedHead, rows: Sequence[Row]) -> Tensor:
        """Padded on the right, which moves no token."""
        ids, positions = [row.ids for row in rows], [row.positions for row in rows]
        return run_rows(self._module, head, ids, positions, padding="right")

    def short(self, head: SelectedHead, row: Row, number: int) -> Tensor:
        """One token."""
        return run_rows(self._module, head, [row.ids[:1]], [[0] * number], padding="right")


class Writing:
    """A model with an encoder and a decoder: the text is what the decoder writes after reading a source."""

    restarts = False

    def __init__(self, module: nn.Module, scorer: ConditionalScorer) -> None:
        self._module = module
        self._scorer = scorer

    def encode(self, items: Sequence[Continuation]) -> list[Conditional]:
        """Each in the form that the scorer chooses."""
        return self._scorer.requests(items)

    def plan(self, asked: Sequence[Conditional]) -> Plan:
        """As `plan_conditional`."""
        return plan_conditional(asked)

    def scored(self, asked: Conditional) -> Ids:
        """The ids of the text."""
        return asked.target.ids[asked.target.start :]

    def opening(self, asked: Conditional) -> Row:
        """What the decoder begins with."""
        return dataclasses.replace(_opened(asked.target), source=asked.source)

    def plain(self, texts: Sequence[str], seed: int) -> list[Row]:
        """Texts with a gap of one to three words, which the decoder fills."""
        chance = random.Random(seed)
        asked = [self._scorer.gap(text, chance) for text in texts]
        found = ((one.source, one.target.ids, one.target.start) for one in asked)
        return [
            Row(ids, tuple((i - 1, ids[i]) for i in range(start, len(ids))), 0, source)
            for source, ids, start in found
        ]

    def run(self, head: SelectedHead, rows: Sequence[Row]) -> Tensor:
        """Each distinct source runs through the encoder once."""
        return conditional_rows(self._module, head, rows, [row.positions for row in rows])

    def short(self, head: SelectedHead, row: Row, number: int) -> Tensor:
        """One token after a source of one token."""
        one = Row(row.ids[:1], ((0, 0),), 0, row.source[:1])
        return conditional_rows(self._module, head, [one], [[0] * number])


def _opened(asked: Encoded) -> Row:
    return Row(asked.ids[: asked.start], ((asked.start - 1, 0),), 0)
