"""Log-probabilities of given text from a completions server: an echoed prompt, believed only after a check.

A server that knows ``echo`` repeats the prompt with the log-probability of each of its tokens. Servers that
half know it are common: they shift the values by one token, give those of the answer instead, or scale them.
So before the first value is used, `check` compares what the server says while it writes with what it says
about the same token in an echoed prompt. Nothing is estimated from anything else: a server that fails is
refused with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.errors import BadModel
from evenhand.records import Continuation, LogProb

Json = Mapping[str, Any]
# Servers compute prompts and answers by different kernels in 16 bits: a value differs by some hundredths.
TOLERANCE = 0.1
PROBES = (
    "The weather was fine, so they went for a walk in the",
    "She opened the window and looked at the",
    "In the morning the children go to",
)
_SLACK = 1e-3


class Untrusted(Exception):
    """Why the server's log-probabilities cannot be used."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A token of the echoed prompt: where it starts (characters), its text and its value in nats.

    `value` is None where the server gives none, as for the first token of a prompt. `top` holds the likeliest
    tokens at this place with their values, as far as the server tells.
    """

    start: int
    text: str
    value: float | None
    top: Mapping[str, float]


def body(model: str, prompt: str, *, echo: bool = True, top: int = 1) -> dict[str, Any]:
    """The request that has `prompt` echoed; one token is written after it, because some servers insist."""
    return {
        "model": model,
        "prompt": prompt,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": top,
        "echo": echo,
    }


def pieces(answer: Json, text: str) -> list[Piece]:
    """The tokens that make up exactly `text`; a beginning mark before it and what follows it are left out.

    Raises:
        Untrusted: there are no log-probabilities, or the tokens do not spell `text`.
    """
    found = _table(answer)
    tokens = [token for token, _, _ in found]
    for skipped in range(min(2, len(tokens))):
        if "".join(tokens[skipped:]).startswith(text):
            return _covering(found[skipped:], text)
    raise Untrusted("the tokens of an echoed prompt do not spell the prompt (is `echo` ignored?)")


def _covering(found: Sequence[tuple[str, Any, Any]], text: str) -> list[Piece]:
    made: list[Piece] = []
    place = 0
    for token, value, top in found:
        if place == len(text):
            break
        made.append(Piece(place, token, _value(value), top if isinstance(top, dict) else {}))
        place += len(token)
    if place != len(text):
        raise Untrusted("the end of an echoed prompt stands inside a token")
    return made


def _table(answer: Json) -> list[tuple[str, Any, Any]]:
    try:
        table = answer["choices"][0]["logprobs"]
        tokens, values = list(table["tokens"]), list(table["token_logprobs"])
        top = list(table.get("top_logprobs") or [None] * len(tokens))
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Untrusted("the answer carries no log-probabilities") from None
    if not tokens:
        raise Untrusted("the answer carries no log-probabilities")
    if not len(tokens) == len(values) == len(top) or not all(isinstance(token, str) for token in tokens):
        raise Untrusted("the lists of tokens and of log-probabilities differ in length")
    return list(zip(tokens, values, top, strict=True))


def _value(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Untrusted(f"a log-probability is {value!r}")
    if value > _SLACK:
        raise Untrusted(f"a log-probability is {value}, which is above 0")
    return min(0.0, float(value))


def echoed(answer: Json, text: str, server: str) -> list[Piece]:
    """The tokens of `text` in the answer that echoes it.

    Raises:
        BadModel: they are not there, or a value cannot be one.
    """
    try:
        return pieces(answer, text)
    except Untrusted as why:
        raise _refused(server, f"for {text[-60:]!r}, {why}") from None


def score(item: Continuation, answer: Json, server: str) -> LogProb:
    """log P(text | context) from the echo of context + text: the sum over the tokens that start in the text.

    Raises:
        BadModel: as for `echoed`; a token straddles the boundary, or the first token of an empty context has
            no value.
    """
    found = echoed(answer, item.context + item.text, server)
    if len(item.context) not in {piece.start for piece in found}:
        raise BadModel(
            f"The tokenizer of {server} merges the end of {item.context[-60:]!r} with {item.text!r}, so the "
            "text has no probability of its own.",
            mend="Use a prompt that ends with a whole word, or another model.",
        )
    values = [piece.value for piece in found if piece.start >= len(item.context)]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        raise BadModel(
            f"{server} gives no probability of a text's first token, which scoring {item.text[:60]!r} "
            "without a context needs.",
            mend="Use a benchmark whose texts follow a context, or score the weights themselves (hf:).",
        )
    return LogProb(math.fsum(known), len(known))


def check(ask: Callable[[Json], Json], model: str, server: str) -> float:
    """Compare written with echoed values; returns the largest difference in nats, at most `TOLERANCE`.

    Raises:
        BadModel: the values cannot be used; the message says why.
    """
    why = "every probe's answer merges with its prompt"
    for prompt in PROBES:
        try:
            return _compare(ask, model, prompt)
        except _Merged:
            continue
        except Untrusted as reason:
            why = str(reason)
            break
        except BadModel as refusal:
            why = refusal.what
            break
    raise _refused(server, why)


class _Merged(Exception):
    """The token that was written is no token of its own once it is part of a prompt."""


def _compare(ask: Callable[[Json], Json], model: str, prompt: str) -> float:
    token, written, top = _table(ask(body(model, prompt, echo=False, top=5)))[0]
    value = _value(written)
    if value is None:
        raise Untrusted("the token that it writes has no log-probability")
    _check_top(top)
    before = pieces(ask(body(model, prompt)), prompt)
    after = pieces(ask(body(model, prompt + token, top=5)), prompt + token)
    if after[-1].text != token or len(after) != len(before) + 1:
        raise _Merged
    for piece in after:
        _check_top(piece.top)
    last = after[-1].value
    if last is None or abs(last - value) > TOLERANCE:
        raise Untrusted(
            f"the token {token!r} has log-probability {value:.3f} while it is written and "
            f"{'none' if last is None else f'{last:.3f}'} in an echoed prompt"
        )
    pairs = [(a.value, b.value) for a, b in zip(before, after, strict=False)]
    gaps = [abs(a - b) for a, b in pairs if a is not None and b is not None]
    if not gaps or max(gaps) > TOLERANCE:
        raise Untrusted("the values of a prompt change with what follows it")
    return max(*gaps, abs(last - value))


def _check_top(top: Any) -> None:
    """Probabilities of different tokens at one place may not exceed 1 together: they would be scaled."""
    known = [_value(value) for value in top.values()] if isinstance(top, dict) else []
    if math.fsum(math.exp(value) for value in known if value is not None) > 1 + 0.02:
        raise Untrusted("the likeliest tokens at one place have more than all probability together")


def _refused(server: str, why: str) -> BadModel:
    return BadModel(
        f"The log-probabilities of {server} cannot be used: {why}.",
        mend="Use a benchmark of generated text there, or score the weights themselves (hf:).",
    )
