"""What several benchmarks share: stable ids, requests and sums for groups."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Literal

from evenhand.errors import BadOption
from evenhand.lexicons import Attribute, Reading, language
from evenhand.records import Continuation, LogProb, Request, Sample, Value, digest
from evenhand.ties import tied

Chat = Literal["auto", "no"]  # whether a model's chat template is used where it has one
Normalise = Literal["total", "token"]  # what of two options is compared: log-probabilities, or their means
EVERY_FAMILY = ("causal", "masked", "seq2seq")
EMBEDDERS = (*EVERY_FAMILY, "encoder")  # what gives texts as vectors


@cache
def slug(text: str) -> str:
    """`text` as one part of a sample id: lower case, every run of other signs a hyphen."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def term_requests(context: str, attribute: Attribute) -> list[Continuation]:
    """One request per surface form: the groups' terms in order, then the neutral ones."""
    terms = [term for group in attribute.groups for term in group.terms]
    return [Continuation(context, term) for term in (*terms, *attribute.neutral)]


def group_values(attribute: Attribute, answers: Sequence[LogProb]) -> dict[str, Value]:
    """The answers to `term_requests` as columns ``p.<group>`` and ``neutral`` (None without a neutral form).

    A group's probability is the sum over its mutually exclusive surface forms.
    """
    probabilities = iter([math.exp(answer.value) for answer in answers])
    values: dict[str, Value] = {
        f"p.{group.name}": math.fsum(next(probabilities) for _ in group.terms) for group in attribute.groups
    }
    values["neutral"] = math.fsum(probabilities) if attribute.neutral else None
    return values


def data_digest(samples: Sequence[Sample], ask: Callable[[Sample], Sequence[Request]]) -> str:
    """SHA-256 over everything that is asked and what judges it: the samples and their requests.

    It equals `digest` of the JSON of all rows as one text, but is computed row by row: the text of a million
    rows would take gigabytes.
    """
    found = hashlib.sha256(b'["[')
    for number, s in enumerate(samples):
        asked = [_content(request) for request in ask(s)]
        content = [s.id, s.cluster, dict(s.fields), dict(s.slices), asked]
        row = json.dumps(content, sort_keys=True, default=_values)
        found.update((", " if number else "").encode() + json.dumps(row)[1:-1].encode())
    found.update(b']"]')
    return found.hexdigest()


def _content(request: Request) -> list[object]:
    """The fields of a request that are asked, in order; the use of a chat template is in the protocol."""
    kind: Any = type(request)
    return [getattr(request, name) for name in _asked(kind)]


@cache
def _asked(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.metadata.get("asked", True))


def _values(part: Any) -> list[object]:
    """The fields of a record within a request, for JSON."""
    return [getattr(part, field.name) for field in fields(part)]


def attribute_digest(attribute: Attribute, data: str) -> str:
    """`data`, the digest of what is asked, with that of the attribute's file where it comes from one."""
    return digest(data, attribute.digest) if attribute.digest else data


def check_reading(attribute: Attribute, reading: Reading) -> None:
    """Refuse a reading of the English professions where a language pack brings its own.

    Raises:
        BadOption: another reading than the default one is asked for.
    """
    if attribute.is_pack and reading != "occupation":
        raise BadOption(
            f"professions={reading} is a reading of the English professions, and {attribute.name} brings "
            f"{len(attribute.occupations)} of its own.",
            mend="Leave professions out.",
        )


def in_language(attribute: Attribute) -> str:
    """The language of the sentences, to stand after the benchmark's name in a title; empty for English."""
    return f" in {language(attribute.language).name}" if attribute.language != "en" else ""


def professions_of(attribute: Attribute) -> tuple[str, str]:
    """Where the professions are from, and the licence of everything that is asked."""
    if not attribute.is_pack:
        terms = "terms the user's own; " if attribute.digest else ""
        return "Bolukbasi et al. 2016", f"professions MIT; {terms}the rest Apache-2.0"
    if not attribute.digest:
        return "the evenhand developers", "Apache-2.0"
    if attribute.base:
        return f"the user's own file, else those of {attribute.base}", "the user's own; the rest Apache-2.0"
    return "the user's own file", "the user's own"


def about_pack(attribute: Attribute) -> str:
    """What a reader of figures of another language has to know: a sentence or more; empty for English."""
    if attribute.language == "en":
        return ""
    spoken = language(attribute.language).name
    return (
        f" The sentences are {spoken}, and the terms are {attribute.words}. A model that hardly knows "
        f"{spoken} has figures all the same: read mass first, and whether it follows the hints of "
        "genhinteval."
    )


def judge(right: float, best_wrong: float) -> tuple[Value, Value]:
    """``(correct, margin)`` from the log-probabilities (nats) of the right and of the best wrong option."""
    if tied(right, best_wrong):
        return None, None if math.isinf(right) else right - best_wrong
    margin = right - best_wrong
    return float(margin > 0), margin if math.isfinite(margin) else None
