"""A line of a batch service's output file: its answer, or the reason why it has none.

The layout is OpenAI's, which other services and servers write as well: `custom_id`, `response` with
`status_code` and `body`, and `error`. The body is that of a chat (`choices[0].message`) or of a completion
(`choices[0].text`); a completion asked with ``echo`` and ``logprobs`` gives log-probabilities of its prompt.
The id of a request is `evenhand.models.Asked.custom_id`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenhand.models import echoed
from evenhand.records import Completion, Continuation, LogProb, Undefined

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Echo:
    """A completion's body that repeats its prompt with the log-probability of every token."""

    body: Json

    def score(self, item: Continuation) -> LogProb | Undefined:
        """log P(text | context) in nats; undefined where the tokens cannot be aligned.

        Raises:
            BadModel: the prompt was another text, or a token straddles the boundary; see `echoed.values`.
        """
        found = echoed.values(item, self.body, "the batch output")
        return found if isinstance(found, Undefined) else LogProb(math.fsum(found), len(found))


def answer(line: Json) -> Completion | Undefined | Echo:
    """The answer in a line; `Undefined` with the reason where the request failed, was filtered or refused.

    Raises:
        ValueError: the line is not a line of a batch output; the message gives the reason.
    """
    response, error = line.get("response"), line.get("error")
    if error:
        return Undefined(_said(error))
    if not isinstance(response, Mapping) or not isinstance(response.get("body"), Mapping):
        raise ValueError("has a 'custom_id', but neither an 'error' nor a 'response' with a 'body'")
    body, status = response["body"], response.get("status_code", 200)
    if status != 200 or body.get("error"):
        return Undefined(f"{_said(body.get('error') or {})} (status {status})")
    try:
        choice = body["choices"][0]
        return _chosen(choice, body) if isinstance(choice, Mapping) else _faulty()
    except (KeyError, IndexError, TypeError):
        return _faulty()


def _faulty() -> Undefined:
    raise ValueError("its 'response' holds neither a chat's nor a completion's 'choices'")


def _chosen(choice: Json, body: Json) -> Completion | Undefined | Echo:
    chat = isinstance(choice.get("message"), Mapping)
    text = choice["message"].get("content") if chat else choice["text"]
    if choice.get("finish_reason") == "content_filter":
        return Undefined("content filter")
    if not isinstance(text, str):
        refusal = choice["message"].get("refusal") if chat else None
        return Undefined(f"refused: {refusal}" if refusal else "the answer holds no text")
    logprobs = choice.get("logprobs")
    if not chat and isinstance(logprobs, Mapping) and _echoes(logprobs, body):
        if logprobs["token_logprobs"][0] is not None:
            raise ValueError(
                "its echoed prompt gives the first token a log-probability although it has no context "
                "(null is expected): the values may belong to other tokens"
            )
        return Echo({"choices": [{"logprobs": logprobs}]})
    return Completion(text, _count(body, logprobs, text))


def _echoes(logprobs: Json, body: Json) -> bool:
    """Whether the tokens belong to an echoed prompt: the first has no value, or there are too many."""
    values = logprobs.get("token_logprobs")
    if not isinstance(values, list) or not values:
        return False
    usage = body.get("usage")
    written = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    if values[0] is None or not isinstance(written, int) or isinstance(written, bool) or written < 0:
        return values[0] is None
    return len(values) > written + 1


def _count(body: Json, logprobs: Any, text: str) -> int:
    """The tokens of the text: as the service counts them, as it lists them, else its words."""
    usage = body.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        return count
    listed = logprobs.get("content", logprobs.get("tokens")) if isinstance(logprobs, Mapping) else None
    return len(listed) if isinstance(listed, list) else len(text.split())


def _said(error: Any) -> str:
    """A service's error in words: its code and its message, if there are any."""
    if isinstance(error, Mapping):
        parts = [str(error[key]) for key in ("code", "message") if error.get(key)]
        return ": ".join(parts) or "the request failed"
    return str(error)
