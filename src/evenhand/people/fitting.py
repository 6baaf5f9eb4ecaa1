"""Whether a model can be asked a decision task: its label words and the length of its prompts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from evenhand.errors import BadModel
from evenhand.people.task import DecisionTask
from evenhand.records import Continuation

_LONGEST = 8  # queries with the most characters: the one with the most tokens is among them, or near it


def check(model: Any, task: DecisionTask, blocks: Sequence[str], queries: Sequence[str]) -> None:
    """Check that the label words differ in their first token and every prompt fits the model's window.

    `blocks` are the demonstrations, `queries` the people to decide on, as text. A model without a tokenizer
    at hand (an endpoint, recorded answers) is not checked.

    Raises:
        BadModel: the label words share their first token, or the prompts are too long; the message says how
            many demonstrations fit.
    """
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None or not queries:
        return
    from evenhand.architectures import window
    from evenhand.scoring.tokens import Encoder, embedding_rows

    encoder = Encoder(tokenizer, rows=embedding_rows(getattr(model, "module", None)))
    _check_labels(tokenizer, encoder, task, task.prompt(blocks, queries[0]))
    limit = window(getattr(getattr(model, "module", None), "config", None))
    if limit is None:
        return
    longest = sorted(queries, key=len)[-_LONGEST:]

    def size(shots: int) -> int:
        contexts = [task.prompt(blocks[:shots], query) for query in longest]
        return max(
            len(e.ids) for e in encoder.encode([Continuation(c, w) for c in contexts for w in task.labels])
        )

    needed = size(len(blocks))
    if needed > limit:
        most = bisect_right(range(len(blocks)), limit, key=size) - 1  # every demonstration adds tokens
        so_many = (
            f"{most} demonstrations fit" if most >= 0 else "not even one person without demonstrations fits"
        )
        raise BadModel(
            f"{len(blocks)} demonstrations and a person to decide on take {needed} tokens, more than the "
            f"window of {limit} of {model.spec.uri}: {so_many}.",
            mend=f"Write shots={most}."
            if most >= 0
            else "Shorten the template, or use a model that reads more.",
        )


def _check_labels(tokenizer: Any, encoder: Any, task: DecisionTask, context: str) -> None:
    first, second = (e.ids[e.start] for e in encoder.encode([Continuation(context, w) for w in task.labels]))
    if first == second:
        token = tokenizer.convert_ids_to_tokens(first)
        other = "0|1" if task.labels == (" no", " yes") else "no|yes"
        raise BadModel(
            f"The label words {task.labels[0]!r} and {task.labels[1]!r} begin with the same token {token!r} "
            "for this model's tokenizer, so that the next token does not decide between them.",
            mend=f"Choose label words that begin differently in its vocabulary, such as labels={other}.",
        )
