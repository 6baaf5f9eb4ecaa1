"""Models: they answer requests; `can` lists their abilities. `evenhand.opening` opens them by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeGuard, cast, runtime_checkable

from evenhand.errors import BadModel
from evenhand.records import (
    Ability,
    Continuation,
    LogProb,
    ModelSpec,
    Request,
    Response,
    Undefined,
)

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from evenhand.models.layout import Layout


@runtime_checkable
class Model(Protocol):
    """Anything that answers requests. `can` lists the kinds of requests."""

    spec: ModelSpec
    can: frozenset[Ability]

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """The answers to requests of any kinds, in order; undefined where a request has no answer.

        Each kind of request states the abilities that it `needs`.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """Notes for the reader of the newest answers, such as a fallback; usually empty."""
        ...


@runtime_checkable
class Chatter(Model, Protocol):
    """A model that may have a chat template: a `Generation` may then be a user's message in it."""

    @property
    def chat_template(self) -> str | None:
        """The template (Jinja), None where there is none."""
        ...


LONGEST_ID = 64  # characters that every batch service accepts


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
        is cut and made unique by a checksum.
        """
        whole = f"{self.sample}#{self.index}"
        if len(whole) <= LONGEST_ID:
            return whole
        mark = f"~{hashlib.sha256(self.sample.encode()).hexdigest()[:16]}#{self.index}"
        return self.sample[: LONGEST_ID - len(mark)] + mark


@runtime_checkable
class Keyed(Model, Protocol):
    """A model whose answers may belong to a sample instead of a text, such as recorded answers."""

    def answer_placed(self, asked: Sequence[Asked]) -> list[Response]:
        """The answer to each request, in the order of `asked`."""
        ...


@runtime_checkable
class OpenModel(Model, Protocol):
    """A model whose weights can be read and changed in this process."""

    module: nn.Module
    tokenizer: PreTrainedTokenizerBase
    layout: Layout


def gives_weights(model: Model) -> TypeGuard[OpenModel]:
    """Whether a model is an `OpenModel`, by what it can do.

    `isinstance` would look up its `layout`, which raises where its blocks cannot be found.
    """
    return Ability.WEIGHTS in model.can


def described(spec: ModelSpec) -> str:
    """The model's family in words, with an article: "a masked model"."""
    if spec.family == "encoder":
        return "an encoder without a language-model head"
    return f"a {spec.family} model"


def require(model: Model, needs: frozenset[Ability], *, of: str, instead: str) -> None:
    """Refuse a model that lacks one of `needs`; `of` names what needs it, `instead` what works on any model.

    Raises:
        BadModel: the model lacks one.
    """
    lacks = ", ".join(sorted(needs - model.can))
    if not lacks:
        return
    if model.spec.family == "causal":
        raise BadModel(
            f"{model.spec.uri} lacks {lacks}, which {of} needs.",
            mend=f"Use a model with access to its weights (hf: or lab:), or `{instead}`.",
        )
    raise BadModel(
        f"{model.spec.uri} is {described(model.spec)}, which does not give {lacks} here, and {of} needs it.",
        mend=f"Use a causal model, or `{instead}`."
        if Ability.LOGPROBS in model.can
        else "Use a causal model.",
    )


def ask(model: Model, asked: Sequence[Asked]) -> list[Response]:
    """The answers to a benchmark's requests, in order; only a `Keyed` model uses their places.

    Raises:
        EvenhandError: as for the model's `answer`.
    """
    if isinstance(model, Keyed):
        return model.answer_placed(asked)
    return model.answer([one.request for one in asked])


def logprobs(model: Model, items: Sequence[Continuation]) -> list[LogProb | Undefined]:
    """Log-probabilities in nats, in the order of `items`; undefined where a request has no answer.

    Raises:
        EvenhandError: as for the model's `answer`.
    """
    return cast(list[LogProb | Undefined], model.answer(items))


def every_logprob(model: Model, items: Sequence[Continuation]) -> list[LogProb]:
    """The answer to each of `items`, for work that needs every one of them, such as a fit.

    Raises:
        BadModel: the model has no answer to some; the message counts them by reason.
        EvenhandError: as for the model's `answer`.
    """
    answers = logprobs(model, items)
    known = [answer for answer in answers if not isinstance(answer, Undefined)]
    if len(known) < len(answers):
        reasons = sorted({answer.reason for answer in answers if isinstance(answer, Undefined)})
        raise BadModel(
            f"{model.spec.uri} has no answer to {len(answers) - len(known)} of {len(answers)} requests "
            f"({', '.join(reasons)}), all of which are needed here.",
            mend="Take the items with these prompts out of the data, or use a model that answers them.",
        )
    return known
