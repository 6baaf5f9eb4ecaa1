"""Models: what answers requests, and what each can do. `evenhand.opening` opens them by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from evenhand.errors import BadModel
from evenhand.records import (
    Ability,
    Averaged,
    Cloze,
    Completion,
    Continuation,
    Contrast,
    Divergence,
    LogProb,
    ModelSpec,
    Recall,
    Recalled,
    Request,
    Response,
    Sampling,
    Shift,
    Undefined,
)

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from evenhand.models.layout import Layout


@runtime_checkable
class Model(Protocol):
    """Anything that answers requests. `can` says which."""

    spec: ModelSpec
    can: frozenset[Ability]

    def logprobs(self, items: Sequence[Continuation]) -> Sequence[LogProb | Undefined]:
        """Log-probabilities in nats, in the order of `items`; undefined where a request has no answer."""
        ...

    def generate(self, prompts: Sequence[str], sampling: Sampling) -> Sequence[Completion | Undefined]:
        """Text after each prompt, in the order of `prompts`; undefined where a request has no answer."""
        ...

    def notes(self) -> tuple[str, ...]:
        """What a reader of the newest answers must know, such as a fallback; usually nothing."""
        ...


class Embedder(Model, Protocol):
    """A model with `Ability.HIDDEN`: it gives texts as vectors."""

    def hidden(self, texts: Sequence[str]) -> NDArray[float64]:
        """The mean of the last hidden states of each text, [N, d], in order, not normalised."""
        ...


class Filler(Model, Protocol):
    """A model with `Ability.CLOZE`: it reads masked words."""

    def fill(self, items: Sequence[Averaged | Cloze | Contrast]) -> list[LogProb]:
        """Pseudo-log-likelihoods in nats, in the order of `items`."""
        ...


class Comparer(Model, Protocol):
    """A model that compares next-token distributions over its whole vocabulary."""

    def shifts(self, items: Sequence[Shift]) -> list[Divergence]:
        """How the distributions of each pair of contexts differ, in the order of `items`."""
        ...


class Unanchorer(Model, Protocol):
    """A model that reads a text with its start token in view of the first token alone."""

    def unanchored(self, texts: Sequence[str]) -> list[LogProb]:
        """Log-probabilities in nats, in the order of `texts`."""
        ...


class Reciter(Model, Protocol):
    """A model that says whether a text is the one it would write itself."""

    def recalls(self, items: Sequence[Recall]) -> list[Recalled]:
        """Log-probabilities in nats, and whether every token is the likeliest, in the order of `items`."""
        ...


@runtime_checkable
class Chatter(Model, Protocol):
    """A model that answers a prompt as a user's message, where it has a chat template."""

    @property
    def chat_template(self) -> str | None:
        """The template (Jinja), None where there is none."""
        ...

    def reply(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion]:
        """The answer to each prompt, in the order of `prompts`."""
        ...


LONGEST_ID = 64  # characters that every batch service takes


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a benchmark with its place: number `index` (from 0) of the sample `sample`."""

    sample: str
    index: int
    request: Request

    @property
    def custom_id(self) -> str:
        """The place as one string, such as ``honest/binary/0#2``, of at most `LONGEST_ID` characters.

        Batch services match answers by such an id (OpenAI's `custom_id`). A sample's name that is too long
        is cut and told apart by a checksum.
        """
        whole = f"{self.sample}#{self.index}"
        if len(whole) <= LONGEST_ID:
            return whole
        mark = f"~{hashlib.sha256(self.sample.encode()).hexdigest()[:16]}#{self.index}"
        return self.sample[: LONGEST_ID - len(mark)] + mark


@runtime_checkable
class Keyed(Model, Protocol):
    """A model whose answers may belong to a sample instead of to a text: answers collected elsewhere."""

    def answers(self, asked: Iterable[Asked]) -> list[Response]:
        """The answer to each request, in the order of `asked`."""
        ...


@runtime_checkable
class OpenModel(Model, Protocol):
    """A model whose weights are in hand."""

    module: nn.Module
    tokenizer: PreTrainedTokenizerBase
    layout: Layout

    def logprobs(self, items: Sequence[Continuation]) -> Sequence[LogProb]:
        """Log-probabilities in nats, in the order of `items`: weights in hand answer every request."""
        ...


def described(spec: ModelSpec) -> str:
    """What a model is by its family, with its article: "a masked model"."""
    if spec.family == "encoder":
        return "an encoder without a language-model head"
    return f"a {spec.family} model"


def require(model: Model, needs: frozenset[Ability], *, of: str, instead: str) -> None:
    """Refuse a model that lacks one of `needs`; `of` is what needs it, `instead` what works on any model.

    Raises:
        BadModel: it does.
    """
    lacks = ", ".join(sorted(needs - model.can))
    if not lacks:
        return
    if model.spec.family == "causal":
        raise BadModel(
            f"{model.spec.uri} lacks {lacks}, which {of} needs.",
            mend=f"Use a model whose weights are in hand (hf: or lab:), or `{instead}`.",
        )
    raise BadModel(
        f"{model.spec.uri} is {described(model.spec)}, and {of} needs {lacks}, which only causal models give "
        "here.",
        mend=f"Use a causal model, or `{instead}`."
        if Ability.LOGPROBS in model.can
        else "Use a causal model.",
    )


def every_logprob(model: Model, items: Sequence[Continuation]) -> list[LogProb]:
    """The answer to each of `items`, for work that cannot do without one of them, such as a fit.

    Raises:
        BadModel: the model has no answer to some; the message counts them by reason.
        EvenhandError: as for the model's `logprobs`.
    """
    answers = model.logprobs(items)
    known = [answer for answer in answers if not isinstance(answer, Undefined)]
    if len(known) < len(answers):
        reasons = sorted({answer.reason for answer in answers if isinstance(answer, Undefined)})
        raise BadModel(
            f"{model.spec.uri} has no answer to {len(answers) - len(known)} of {len(answers)} requests "
            f"({', '.join(reasons)}), all of which are needed here.",
            mend="Take the items with these prompts out of the data, or use a model that answers them.",
        )
    return known
