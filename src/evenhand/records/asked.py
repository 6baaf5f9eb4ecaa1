"""What is asked of a model, what it must be able to do for it, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Literal, TypeVar

__all__ = [
    "Ability", "Averaged", "Cloze", "Completion", "ContextPair", "Continuation", "Contrast", "Divergence",
    "Embedding", "Generation", "GreedyMatch", "LogProb", "MatchedLogProb", "Request", "Response", "Sampling",
    "Unanchored", "Undefined", "Until", "Vector", "answer_in_groups",
]  # fmt: skip

Kind = TypeVar("Kind", bound=Hashable)


class Ability(StrEnum):
    """What a model lets us do; a method and a kind of request state what they need, a model what it `can`.

    ``cloze`` is reading masked words with the text on both sides in view; ``hidden`` also gives embeddings;
    ``next`` is the whole distribution of the next token after any text, which only causal weights give.
    """

    LOGPROBS = "logprobs"
    GENERATE = "generate"
    HIDDEN = "hidden"
    GRADIENTS = "gradients"
    WEIGHTS = "weights"
    CLOZE = "cloze"
    NEXT = "next"

    @property
    def gives(self) -> str:
        """What a model gives with it, in words: "log-probabilities"."""
        return _GIVES.get(self, str(self))

    @property
    def lacks(self) -> str:
        """What a model without it does not do, in words: "gives no log-probabilities"."""
        return "writes no text" if self is Ability.GENERATE else f"gives no {self.gives}"


# Where the name alone does not say it.
_GIVES: Mapping[Ability, str] = {
    Ability.LOGPROBS: "log-probabilities",
    Ability.GENERATE: "generated text",
    Ability.CLOZE: "probabilities of masked words",
    Ability.HIDDEN: "hidden states",
    Ability.NEXT: "whole distributions of the next token",
}


@dataclass(frozen=True, slots=True)
class LogProb:
    """Answer to a `Continuation`: `value` in nats summed over `n_tokens` tokens.

    `kind` is ``true`` for a left-to-right likelihood, ``pseudo`` for a masked model's pseudo-likelihood and
    ``mean`` for a mean per token or another score that is no text's probability (recorded answers only).
    No figure is made of several kinds.
    """

    value: float
    n_tokens: int
    kind: Literal["true", "pseudo", "mean"] = "true"


@dataclass(frozen=True, slots=True)
class Completion:
    """Generated text without its prompt."""

    text: str
    n_tokens: int


@dataclass(frozen=True, slots=True)
class MatchedLogProb:
    """Answer to a `GreedyMatch`: `value` in nats summed over `n_tokens` tokens.

    `greedy` says whether each of them is the likeliest at its place; of equal ones the first counts.
    """

    value: float
    n_tokens: int
    greedy: bool


@dataclass(frozen=True, slots=True)
class Vector:
    """Answer to an `Embedding`: `values` [d], as they come (not normalised)."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Answer to a `ContextPair`: the Jensen-Shannon divergence over the whole vocabulary, in bits (0 to 1).

    `agree` says whether the likeliest token is the same, None where it is not one token alone.
    """

    bits: float
    agree: bool | None


@dataclass(frozen=True, slots=True)
class Undefined:
    """Answer to a request that was made and has none, such as a prompt that a server's filter refused.

    `reason` is a few words without a full stop, the same for all answers that are missing for one cause: they
    are counted by it (``content_filter``, ``context_length_exceeded``).
    """

    reason: str


# Requests. `needs` is the ability that one takes; `blank` is an answer of the right type with made-up values.


@dataclass(frozen=True, slots=True)
class Continuation:
    """Ask for log P(text | context); `text` usually starts with a space, `context` never ends with one."""

    needs: ClassVar[Ability] = Ability.LOGPROBS
    blank: ClassVar[LogProb] = LogProb(-1.0, 1)
    context: str
    text: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How text is generated; `temperature` 0 is greedy decoding."""

    max_tokens: int = 40
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Until(Sampling):
    """Of the text only the part before the first of `stop` counts.

    A model may end its text once it holds one of them; whoever reads the text cuts it there.
    """

    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """Ask for text after `prompt`, which never ends with a space.

    With `chat` the prompt is a user's message in the model's chat template, and the text is the answer to it.
    """

    needs: ClassVar[Ability] = Ability.GENERATE
    blank: ClassVar[Completion] = Completion("", 0)
    prompt: str
    sampling: Sampling = Sampling()
    chat: bool = field(default=False, metadata={"asked": False})  # the protocol's template says it


@dataclass(frozen=True, slots=True)
class Cloze:
    """Ask a masked model for the pseudo-log-likelihood of ``text[start:end]`` given the rest of `text`.

    `start` and `end` count characters and stand at word boundaries. The character ranges in `hidden` stay
    masked throughout: as many masks as they have tokens. Answered by a `LogProb` of kind ``pseudo``.
    """

    needs: ClassVar[Ability] = Ability.CLOZE
    blank: ClassVar[LogProb] = LogProb(-1.0, 1, "pseudo")
    text: str
    start: int
    end: int
    hidden: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Averaged:
    """Ask a masked model for the mean probability of the tokens of ``text[start:end]``, StereoSet's way.

    A token is masked with the earlier ones in view and the later ones taken out of the text. Answered by a
    `LogProb` of kind ``pseudo`` whose value is the logarithm of the mean, not a sum.
    """

    needs: ClassVar[Ability] = Ability.CLOZE
    blank: ClassVar[LogProb] = LogProb(-1.0, 1, "pseudo")
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unanchored:
    """Ask for log P(text) from a causal model with the start token in view of the first token alone.

    The other tokens follow the text before them and nothing else, as in StereoSet's published code. Answered
    by a `LogProb`.
    """

    needs: ClassVar[Ability] = Ability.NEXT
    blank: ClassVar[LogProb] = LogProb(-1.0, 1)
    text: str


@dataclass(frozen=True, slots=True)
class Contrast:
    """Ask a masked model for the pseudo-log-likelihood of the tokens that `text` shares with `other`.

    With `part` ``changed`` it is of the tokens of `text` that `other` does not have, by the model's own
    tokenizer. Each token is masked alone, all others stay visible. The two texts are aligned once, with the
    text of the request that has `first` in the first place: the alignment is not symmetric, and the requests
    of both texts must read the same tokens. Answered by a `LogProb` of kind ``pseudo``.
    """

    needs: ClassVar[Ability] = Ability.CLOZE
    blank: ClassVar[LogProb] = LogProb(-1.0, 1, "pseudo")
    text: str
    other: str
    part: Literal["shared", "changed"] = "shared"
    first: bool = True


@dataclass(frozen=True, slots=True)
class GreedyMatch:
    """Ask for log P(text | context), as a `Continuation` does, and whether the model would write `text`."""

    needs: ClassVar[Ability] = Ability.NEXT
    blank: ClassVar[MatchedLogProb] = MatchedLogProb(-1.0, 1, False)
    context: str
    text: str


@dataclass(frozen=True, slots=True)
class Embedding:
    """Ask for `text` as one vector: the mean of the model's last hidden states over all its tokens."""

    needs: ClassVar[Ability] = Ability.HIDDEN
    blank: ClassVar[Vector] = Vector((1.0,))
    text: str


@dataclass(frozen=True, slots=True)
class ContextPair:
    """Ask how the next-token distribution after `context` differs from the one after `other`."""

    needs: ClassVar[Ability] = Ability.NEXT
    blank: ClassVar[Divergence] = Divergence(0.0, None)
    context: str
    other: str


Request = (
    Continuation
    | Generation
    | Averaged
    | Cloze
    | Contrast
    | Embedding
    | GreedyMatch
    | ContextPair
    | Unanchored
)
Response = LogProb | Completion | MatchedLogProb | Vector | Divergence | Undefined


def answer_in_groups(
    requests: Sequence[Request],
    kind: Callable[[Request], Kind],
    run: Callable[[Kind, list[Request]], Sequence[Response]],
) -> list[Response]:
    """The answers in the order of `requests`; those of one `kind` are run in one call, first come first."""
    places: dict[Kind, list[int]] = {}
    for i, request in enumerate(requests):
        places.setdefault(kind(request), []).append(i)
    found: dict[int, Response] = {}
    for one, members in places.items():
        found.update(zip(members, run(one, [requests[i] for i in members]), strict=True))
    return [found[i] for i in range(len(requests))]
