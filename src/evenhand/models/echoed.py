"""Log-probabilities of given text from a completions server: an echoed prompt, used only after a check.

A server that supports ``echo`` returns the prompt with the log-probability of each of its tokens. Incomplete
support is common: servers shift the values by one token, give those of the answer instead, or scale them.
So before the first value is used, `check` compares the value of a generated token with the value of the same
token in an echoed prompt. Values are never estimated: a server that fails the check is refused with the
reason. A token may be a part of a character: texts are aligned by bytes, and a text whose tokens cannot be
aligned is left out, with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.decimals import fixed
from evenhand.errors import BadModel
from evenhand.models import plausible
from evenhand.models.alignment import Places, first_at, partial, places
from evenhand.models.refused import Malformed
from evenhand.records import Continuation, LogProb, Undefined

Json = Mapping[str, Any]
# Servers compute prompts and answers by different kernels in 16 bits: values differ by some hundredths.
TOLERANCE = 0.1
# The first prompt has many words that a language model predicts with near certainty: they show the base.
PROBES = (
    "Once upon a time, in a land far away, there was a little girl who lived in a house with her",
    "The weather was fine, so they went for a walk in the",
    "She opened the window and looked at the",
    "In the morning the children go to",
)
_BASES = {"2": math.log2(math.e), "10": math.log10(math.e)}
_FULL, _OVER, _CERTAIN = 0.9, 1.003, -0.02
_PLACES, _ALTERNATIVES = 6, 4
_FIRSTS, _TOGETHER = 3, 1.1  # number of different tokens with one value; largest sum with 16-bit rounding
UNALIGNED = "tokens that are parts of characters and cannot be aligned"


class Untrusted(Exception):
    """Why the server's log-probabilities cannot be used."""


class Incomplete(Untrusted):
    """The answer does not have the form of one with log-probabilities."""


class Unaligned(Exception):
    """The tokens of this text cannot be aligned with it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A token of the echoed prompt: where it may start (bytes), its text and its value in nats.

    `value` is None where the server gives none, as for the first token of a prompt. `top` holds the likeliest
    tokens at this position with their values, as far as the server gives them.
    """

    starts: frozenset[int]
    text: str
    value: float | None
    top: Mapping[str, float]


def body(model: str, prompt: str, *, echo: bool = True, top: int = 1) -> dict[str, Any]:
    """The request that echoes `prompt`; one token is generated after it, because some servers require it."""
    return {
        "model": model,
        "prompt": prompt,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": top,
        "echo": echo,
    }


def pieces(answer: Json, text: str) -> list[Piece]:
    """The tokens that make up exactly `text`, without a begin-of-text token before it and tokens after it.

    Raises:
        Untrusted: there are no log-probabilities, or the tokens do not spell `text`.
        Unaligned: they may spell it, but because of parts of characters it is not clear which of them do.
    """
    found = _table(answer)
    tokens = [token for token, _, _ in found]
    for skipped in range(min(2, len(tokens))):
        at = places(tokens[skipped:], text)
        if at is not None:
            return _covering(found[skipped:], at)
    if not text.isascii():
        raise Unaligned
    if any("".join(tokens[skipped:]).startswith(text) for skipped in range(2)):
        raise Untrusted("the end of an echoed prompt lies inside a token")
    raise Untrusted("the tokens of an echoed prompt do not spell the prompt (is `echo` ignored?)")


def _covering(found: Sequence[tuple[str, Any, Any]], at: Places) -> list[Piece]:
    return [
        Piece(starts, token, _value(value), top if isinstance(top, dict) else {})
        for starts, (token, value, top) in zip(at, found, strict=False)
    ]


def _table(answer: Json) -> list[tuple[str, Any, Any]]:
    try:
        table = answer["choices"][0]["logprobs"]
        tokens, values = list(table["tokens"]), list(table["token_logprobs"])
        top = list(table.get("top_logprobs") or [None] * len(tokens))
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Incomplete("the answer holds no log-probabilities") from None
    if not tokens:
        raise Incomplete("the answer holds no log-probabilities")
    if not len(tokens) == len(values) == len(top) or not all(isinstance(token, str) for token in tokens):
        raise Incomplete("the lists of tokens and of log-probabilities differ in length")
    return list(zip(tokens, values, top, strict=True))


def _value(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Untrusted(f"a log-probability is {value!r}")
    if (why := plausible.impossible_token(float(value))) is not None:
        raise Untrusted(why)
    return min(0.0, float(value))


def echoed(answer: Json, text: str, server: str) -> list[Piece] | Undefined:
    """The tokens of `text` in the answer that echoes it, undefined where they cannot be aligned.

    Raises:
        Malformed: the answer holds no log-probabilities.
        BadModel: the tokens are missing, or a value cannot be a log-probability.
    """
    try:
        return pieces(answer, text)
    except Incomplete as why:
        refusal = plausible.refused(server, f"for {text[-60:]!r}, {why}")
        raise Malformed(refusal.what, mend=refusal.mend) from None
    except Untrusted as why:
        raise plausible.refused(server, f"for {text[-60:]!r}, {why}") from None
    except Unaligned:
        return Undefined(UNALIGNED)


def values(item: Continuation, answer: Json, server: str) -> list[float] | Undefined:
    """The log-probability of each token of the text after its context, from the echo of both.

    Raises:
        BadModel: as for `echoed`; a token straddles the boundary, or the first token of an empty context has
            no value.
    """
    found = echoed(answer, item.context + item.text, server)
    if isinstance(found, Undefined):
        return found
    boundary = len(item.context.encode("utf-8", "surrogatepass"))
    first = first_at([piece.starts for piece in found], boundary)
    if first is None and any(boundary in piece.starts for piece in found):
        return Undefined(UNALIGNED)
    if first is None:
        raise BadModel(
            f"The tokenizer of {server} merges the end of {item.context[-60:]!r} with {item.text!r}, so the "
            "text has no probability of its own.",
            mend="Use a prompt that ends with a whole word, or another model.",
        )
    given = [piece.value for piece in found[first:]]
    if not item.context and given and given[0] == 0:
        given[0] = None  # no model is certain of how a text begins: 0 is a placeholder for a missing value
    known = [value for value in given if value is not None]
    if len(known) < len(given):
        raise BadModel(
            f"{server} gives no probability of a text's first token, which scoring {item.text[:60]!r} "
            "without a context needs.",
            mend="Use a benchmark whose texts follow a context, or score the weights themselves (hf:).",
        )
    return known


def scores(
    items: Sequence[Continuation], answers: Sequence[Json | Undefined], server: str
) -> list[LogProb | Undefined]:
    """log P(text | context) of each item from the echo of context + text, the sum over the text's tokens.

    An item is undefined where the server has no answer to it, or its tokens cannot be aligned.

    Raises:
        BadModel: as for `values`, or the values as a whole cannot be log-probabilities.
    """
    found = [
        answer if isinstance(answer, Undefined) else values(item, answer, server)
        for item, answer in zip(items, answers, strict=True)
    ]
    known = {
        item: row for item, row in zip(items, found, strict=True) if not isinstance(row, Undefined) and row
    }
    _check_firsts(items, answers, server)
    plausible.check_tokens([(f"{item.context}{item.text}", row) for item, row in known.items()], server)
    summed = {item: LogProb(math.fsum(row), len(row)) for item, row in known.items()}
    plausible.check(summed.items(), server)
    return [row if isinstance(row, Undefined) else LogProb(math.fsum(row), len(row)) for row in found]


def _check_firsts(items: Sequence[Continuation], answers: Sequence[Json | Undefined], server: str) -> None:
    """Refuse values of first tokens that cannot be a distribution over the first token of a text.

    They have no context, so a token has the same value in all texts, different tokens have different values,
    and their probabilities sum to at most 1.

    Raises:
        BadModel: one of these does not hold.
    """
    seen: dict[str, set[float]] = {}
    for item, answer in zip(items, answers, strict=True):
        found = () if item.context or isinstance(answer, Undefined) else echoed(answer, item.text, server)
        if isinstance(found, Undefined) or not found or found[0].value is None:
            continue
        seen.setdefault(found[0].text, set()).add(found[0].value)
    for token, those in seen.items():
        if max(those) - min(those) > TOLERANCE:
            low, high = fixed(min(those)), fixed(max(those))
            why = f"the first token {token!r} has {low} in one text and {high} in another"
            raise plausible.refused(server, why)
    if len(seen) >= _FIRSTS and len(set().union(*seen.values())) == 1:
        raise plausible.refused(server, f"{len(seen)} different first tokens of texts have the same value")
    if math.fsum(math.exp(max(those)) for those in seen.values()) > _TOGETHER:
        raise plausible.refused(server, "the probabilities of the first tokens of texts sum to more than 1")


def check(ask: Callable[[Json], Json], model: str, server: str) -> float:
    """Compare generated with echoed values; returns the largest difference in nats, at most `TOLERANCE`.

    Raises:
        BadModel: the values cannot be used; the message gives the reason.
    """
    why = "every probe's answer merges with its prompt"
    for prompt in PROBES:
        try:
            return _compare(ask, model, prompt)
        except (_Merged, Unaligned):
            continue
        except Untrusted as reason:
            why = str(reason)
            break
        except BadModel as refusal:
            why = refusal.what.rstrip(".")
            break
    raise plausible.refused(server, why)


class _Merged(Exception):
    """The generated token is merged with others when it is part of a prompt."""


def _compare(ask: Callable[[Json], Json], model: str, prompt: str) -> float:
    token, written, top = _table(ask(body(model, prompt, echo=False, top=5)))[0]
    value = _value(written)
    if value is None:
        raise Untrusted("the token that it generates has no log-probability")
    _check_top(top)
    if partial(token):
        raise _Merged
    before = pieces(ask(body(model, prompt)), prompt)
    after = pieces(ask(body(model, prompt + token, top=5)), prompt + token)
    if after[-1].text != token or len(after) != len(before) + 1:
        raise _Merged
    for piece in after:
        _check_top(piece.top)
    last = after[-1].value
    if last is None or abs(last - value) > TOLERANCE:
        raise Untrusted(
            f"the token {token!r} has log-probability {fixed(value)} when it is generated and "
            f"{'none' if last is None else fixed(last)} in an echoed prompt{_base_of(last, value)}"
        )
    _check_base([piece.top for piece in after])
    pairs = [(a.value, b.value) for a, b in zip(before, after, strict=False)]
    gaps = [abs(a - b) for a, b in pairs if a is not None and b is not None]
    if not gaps or max(gaps) > TOLERANCE:
        raise Untrusted("the values of a prompt change with what follows it")
    return max(*gaps, abs(last - value))


def _base_of(echoed: float | None, written: float) -> str:
    """A remark if the two values of one token differ like logarithms to two bases; else empty."""
    if not echoed or not written:
        return ""
    for base, factor in _BASES.items():
        if any(abs(ratio / factor - 1) < 0.02 for ratio in (echoed / written, written / echoed)):
            return f" (one of the two looks like a logarithm to base {base})"
    return ""


def _check_base(tops: Sequence[Mapping[str, Any]]) -> None:
    """Refuse logarithms to base 2, as far as the likeliest tokens show them.

    Where the listed tokens hold nearly all probability, the powers of 2 of natural logarithms sum to more
    than 1 (x^0.69 > x), those of logarithms to base 2 never do. So if they nearly reach 1 at some positions
    and exceed it at none, the base is 2; positions where one token is certain give no information.
    """
    sums = []
    for top in tops:
        known = _listed(top)
        if len(known) >= _ALTERNATIVES and max(known) < _CERTAIN:
            sums.append(math.fsum(2**value for value in known))
    full = [total for total in sums if total > _FULL]
    if len(full) >= _PLACES and max(full) <= _OVER:
        raise Untrusted(
            f"they look like logarithms to base 2: at {len(full)} positions the likeliest tokens' powers of "
            "2 sum to nearly 1, and at none to more"
        )


def _check_top(top: Any) -> None:
    """Check that the probabilities of different tokens at one position do not sum to more than 1."""
    if math.fsum(math.exp(value) for value in _listed(top)) > 1 + 0.02:
        raise Untrusted("the probabilities of the likeliest tokens at one position sum to more than 1")


def _listed(top: Any) -> list[float]:
    """The values of the likeliest tokens at one position, without a server's placeholders in a short list."""
    given = top.values() if isinstance(top, dict) else ()
    numbers = (v for v in given if not (isinstance(v, float) and v <= plausible.STAND_IN))
    return [value for entry in numbers if (value := _value(entry)) is not None]
