"""Reading a server's answer: the text of its first choice, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evenhand.models.refused import FILTERED, Malformed
from evenhand.records import Completion, Undefined
from evenhand.thinking import UNCLOSED

Json = Mapping[str, Any]
CUT_OFF = "cut off before any text"
_REASONING = ("reasoning_content", "reasoning")  # where servers put a model's thinking


def completion(answer: Json, *, chat: bool, server: str) -> Completion | Undefined:
    """The answer's text with the number of its tokens, as the server counts them (else its words).

    Undefined if the server's filter stopped it, or if the token limit was reached before any text appeared.
    A refusal that the model writes is a text; an answer without text and without a reason is empty.

    Raises:
        Malformed: it is not an answer of an OpenAI-compatible server.
    """
    choice, message = _parts(answer, chat=chat, server=server)
    ended = choice.get("finish_reason")
    if ended == "content_filter":
        return Undefined(FILTERED)
    text, thought = _text(message.get("content") if chat else choice.get("text"))
    if not text and chat and isinstance(said := message.get("refusal"), str):
        text = said
    if not text and ended == "length":
        thought = thought or any(message.get(name) for name in _REASONING)
        return Undefined(UNCLOSED if thought else CUT_OFF)
    return Completion(text, _written(answer, text))


def _parts(answer: Json, *, chat: bool, server: str) -> tuple[Json, Json]:
    """The first choice and, of a chat, its message."""
    try:
        choice = answer["choices"][0]
        message = choice["message"] if chat else {}
        fine = isinstance(choice, Mapping) and isinstance(message, Mapping) and (chat or "text" in choice)
    except (KeyError, IndexError, TypeError):
        fine = False
    if not fine:
        raise Malformed(
            f"{server} does not answer as an OpenAI-compatible server: there is no text in its choices.",
            mend="Check the address, and ?api=chat or ?api=completions before the # of the model's name.",
        )
    return choice, message


def _text(content: Any) -> tuple[str, bool]:
    """The text of an answer's content, and whether it also holds thinking; other parts are ignored."""
    if isinstance(content, str):
        return content, False
    texts, thought = [], False
    for part in content if isinstance(content, Sequence) else ():
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping):
            kind = str(part.get("type", "text"))
            thought = thought or kind.startswith(("thinking", "reasoning"))
            said = part.get("text") if kind in ("text", "output_text") else part.get("refusal")
            texts.append(said if isinstance(said, str) else "")
    return "".join(texts), thought


def _written(answer: Json, text: str) -> int:
    usage = answer.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        return count
    return len(text.split())
