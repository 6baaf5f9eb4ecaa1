"""What is asked of a model, and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Continuation:
    """Ask for log P(text | context); `text` usually starts with a space, `context` never ends with one."""

    context: str
    text: str


@dataclass(frozen=True, slots=True)
class LogProb:
    """Answer to a `Continuation`: `value` in nats summed over `n_tokens` tokens.

    `kind` is ``true`` for a left-to-right likelihood, ``pseudo`` for a masked model's pseudo-likelihood and
    ``mean`` for a mean per token or another score that is no text's probability (recorded answers only);
    they never mix in one figure.
    """

    value: float
    n_tokens: int
    kind: Literal["true", "pseudo", "mean"] = "true"


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
class Completion:
    """Generated text without its prompt."""

    text: str
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Undefined:
    """Answer to a request that was made and has none, such as a prompt that a server's filter refused.

    `reason` is a few words without a full stop, the same for all answers that are missing for one cause: they
    are counted by it (``content_filter``, ``context_length_exceeded``).
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Generation:
    """Ask for text after `prompt`, which never ends with a space."""

    prompt: str
    sampling: Sampling = Sampling()


@dataclass(frozen=True, slots=True)
class Cloze:
    """Ask a masked model for the pseudo-log-likelihood of ``text[start:end]`` given the rest of `text`.

    `start` and `end` count characters and stand at word boundaries. The character ranges in `hidden` stay
    masked throughout: as many masks as they have tokens. Answered by a `LogProb` of kind ``pseudo``.
    """

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

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unanchored:
    """Ask for log P(text) from a causal model with the start token in view of the first token alone.

    The other tokens follow the text before them and nothing else, as in StereoSet's published code. Answered
    by a `LogProb`.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Contrast:
    """Ask a masked model for the pseudo-log-likelihood of the tokens that `text` shares with `other`.

    With `part` ``changed`` it is of the tokens of `text` that `other` has not. Which they are, the model's
    own tokenizer says; each is masked alone, all others stay visible. The two texts are aligned once, the one
    whose request says `first` before the other: the alignment is not symmetric, and the requests of both
    sides must read the same tokens. Answered by a `LogProb` of kind ``pseudo``.
    """

    text: str
    other: str
    part: Literal["shared", "changed"] = "shared"
    first: bool = True


@dataclass(frozen=True, slots=True)
class Recall:
    """Ask for log P(text | context), as a `Continuation` does, and whether the model would write `text`."""

    context: str
    text: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """Answer to a `Recall`: `value` in nats summed over `n_tokens` tokens.

    `greedy` says whether each of them is the likeliest at its place; of equal ones the first counts.
    """

    value: float
    n_tokens: int
    greedy: bool


@dataclass(frozen=True, slots=True)
class Embedding:
    """Ask for `text` as one vector: the mean of the model's last hidden states over all its tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class Vector:
    """Answer to an `Embedding`: `values` [d], as they come (not normalised)."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """Ask how the next-token distribution after `context` differs from the one after `other`."""

    context: str
    other: str


@dataclass(frozen=True, slots=True)
class Divergence:
    """Answer to a `Shift`: the Jensen-Shannon divergence over the whole vocabulary, in bits (0 to 1).

    `agree` says whether the likeliest token is the same, None where it is not one token alone.
    """

    bits: float
    agree: bool | None


Request = Continuation | Generation | Averaged | Cloze | Contrast | Embedding | Recall | Shift | Unanchored
Response = LogProb | Completion | Recalled | Vector | Divergence | Undefined
