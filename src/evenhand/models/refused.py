"""What a server's error concerns: this one prompt, a parameter that it does not accept, or the whole run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from evenhand.errors import BadModel
from evenhand.files import parse_json

Json = Mapping[str, Any]
FILTERED, TOO_LONG = "content_filter", "context_length_exceeded"
MALFORMED = "malformed answer, also when it was requested again"
PARAMETERS = ("seed", "top_p", "temperature")
"""The sampling parameters of a request that a server may not accept."""
_ABOUT_ONE_PROMPT = frozenset({400, 403, 413, 422})
# Codes and types, in small letters without underscores, of OpenAI, Azure, vLLM, llama.cpp and gateways.
_CODES: Mapping[str, str] = {
    "contentfilter": FILTERED,
    "contentpolicyviolation": FILTERED,
    "responsibleaipolicyviolation": FILTERED,
    "datainspectionfailed": FILTERED,
    "moderationblocked": FILTERED,
    "contextlengthexceeded": TOO_LONG,
    "contextwindowexceeded": TOO_LONG,
    "exceedcontextsizeerror": TOO_LONG,
    "stringabovemaxlength": TOO_LONG,
}
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"content management policy|content[ _-]filter|flagged (as|for)|(violat\w+|against) \w+ "
            r"(usage|content) polic|safety system",
            re.IGNORECASE,
        ),
        FILTERED,
    ),
    (
        re.compile(
            r"(maximum|max) (context|model|sequence) length|context (length|window|size)|"
            r"(prompt|input)s? (is|are) too long|inputs` tokens \+|"
            # vLLM, of a prompt that fills the context: it leaves no room for the one token asked for.
            r"max_tokens must be at least 1, got (0|-\d+)",
            re.IGNORECASE,
        ),
        TOO_LONG,
    ),
)
_SHOWN = 300


class Malformed(BadModel):
    """An answer does not have the expected form; alone among good ones it concerns one prompt only."""


def reason(status: int, text: str) -> str | None:
    """Why the server has no answer to this prompt; None if the error concerns more than this prompt."""
    if status not in _ABOUT_ONE_PROMPT:
        return None
    for code in _codes(_parsed(text)):
        if found := _CODES.get(re.sub(r"[^a-z]", "", code.lower())):
            return found
    said = cleaned(text, None)
    return next((found for words, found in _WORDS if words.search(said)), None)


def mend(text: str, body: Json | None) -> str | None:
    """The option that mends what the error names: a parameter that was sent, or a template that is missing.

    None if it names neither.
    """
    if body is None:
        return None
    if "messages" in body and re.search(r"chat[ _]template", text):
        return "Write ?api=completions before the # of the model's name: this model has no template of chats."
    if "max_completion_tokens" in text and "max_tokens" in body:
        return "Write ?length=max_completion_tokens before the # of the model's name."
    named = [name for name in PARAMETERS if name in body and re.search(rf"(?<!\w){name}(?!\w)", text)]
    if not named:
        return None
    which = f"{' and '.join(named)}, or one of them" if len(named) > 1 else named[0]
    return f"Leave out {which}: write ?leave_out={','.join(named)} before the # of the model's name."


def cleaned(text: str, key: str | None) -> str:
    """The server's message, short, in one line, and without the key, which some servers repeat."""
    text = _message(_parsed(text)) or text
    if key:
        text = text.replace(key, "***")
    return one_line(text).rstrip(".")


def _message(answer: Any) -> str | None:
    """The message inside an error: OpenAI's, older vLLM's (no ``error`` around it) or FastAPI's ``detail``.

    None if it has none of these forms.
    """
    if not isinstance(answer, dict):
        return None
    inner = answer.get("error") or answer
    if not isinstance(inner, dict):
        return str(inner)
    for name in ("message", "detail"):
        if isinstance(said := inner.get(name), str) and said:
            return said
    return None


def one_line(text: str) -> str:
    """A server's message, short and in one line, so that it fits inside a sentence of this program."""
    return " ".join(text.split())[:_SHOWN]


def _parsed(text: str) -> Any:
    try:
        return parse_json(text, repair=True)
    except ValueError:
        return None


def _codes(value: Any, depth: int = 4) -> Iterator[str]:
    """Every code and type in an error, also in an inner one."""
    if depth and isinstance(value, dict):
        for name, inner in value.items():
            if name in ("code", "type") and isinstance(inner, str):
                yield inner
            yield from _codes(inner, depth - 1)
