"""Treatments by a rule on scores: the same prompts, other probabilities for the label words.

The total probability of the label words stays that of the model; only each word's share of it changes.
Requests for other texts than label words are passed to the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evenhand.errors import BadModel
from evenhand.folders import replace_folder
from evenhand.models import Model, every_logprob, logprobs
from evenhand.postprocessing.prompts import PromptRule, from_extra, label_shares
from evenhand.postprocessing.rules import SURE, Array, read_rule, save_rule
from evenhand.records import (
    Ability,
    Continuation,
    LogProb,
    ModelSpec,
    PersonExample,
    Request,
    Response,
    Undefined,
    digest,
)
from evenhand.treatments._base import (
    CARD,
    KIND,
    About,
    Kind,
    Treatment,
    Weightless,
    check_base,
    damaged,
    treated_spec,
    write_card,
)

RULE = "rule.json"


@dataclass(frozen=True)
class RuleTreatment(Weightless):
    """A rule on the label words' scores; no weight changes, so it works wherever log-probabilities do."""

    about: About
    ruled: PromptRule

    @property
    def digest(self) -> str:
        """SHA-256 of the rule, the label words and the phrases that identify a prompt's group."""
        return digest("rule", self.ruled.rule, self.ruled.extra())

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """A view of the model whose label words follow the rule.

        Raises:
            BadModel: the model's weights are known, and the rule was fitted to another model's scores.
        """
        if Ability.WEIGHTS in model.can:  # the digest of an endpoint or a file does not identify weights
            check_base(self.about, model.spec)
        yield RuledModel(model, self.ruled, treated_spec(model.spec, self))

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json``, and ``rule.json``, which `evenhand.postprocessing` reads too."""
        with replace_folder(folder, kind=KIND) as temporary:
            save_rule(self.ruled.rule, temporary / RULE, self.ruled.extra())
            write_card(temporary, "rule", self.about, {"digest": self.digest})


class RuledModel:
    """A view of `model` whose label words follow `ruled`; it also scores label words that were not requested.

    It does not generate text, because the rule does not apply to text.
    """

    def __init__(self, model: Model, ruled: PromptRule, spec: ModelSpec) -> None:
        self.spec = spec
        self.can = model.can & {Ability.LOGPROBS}
        self._model = model
        self._ruled = ruled

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Log-probabilities in nats, in the order of `requests`.

        If one label word has no answer after a prompt, none has, because the rule needs all of them.

        Raises:
            BadData: the group of a prompt cannot be recognised.
            BadModel: after a prompt all label words have probability 0, or another kind of request is given,
                to which a rule on scores does not apply.
        """
        items = [one for one in requests if isinstance(one, Continuation)]
        if len(items) < len(requests):
            raise BadModel(
                f"{self.spec.uri} decides by a rule on scores, which does not hold for generated text.",
                mend="Ask for the label words' probabilities, or generate with the model itself.",
            )
        labels = self._ruled.labels
        contexts = list(dict.fromkeys(item.context for item in items if item.text in labels))
        asked = [Continuation(context, label) for context in contexts for label in labels]
        others = [item for item in items if item.text not in labels]
        answers = logprobs(self._model, [*asked, *others])
        answered = self._follow(contexts, answers[: len(asked)])
        rest = iter(answers[len(asked) :])
        return [answered[item] if item.text in labels else next(rest) for item in items]

    def notes(self) -> tuple[str, ...]:
        """The notes of the underlying model."""
        return self._model.notes()

    def _follow(
        self, contexts: Sequence[str], answers: Sequence[LogProb | Undefined]
    ) -> dict[Continuation, LogProb | Undefined]:
        """The answers [contexts x labels] with the label words' shares given by the rule."""
        labels = self._ruled.labels
        found: dict[Continuation, LogProb | Undefined] = {}
        known: dict[str, list[LogProb]] = {}
        for number, context in enumerate(contexts):
            row = answers[number * len(labels) : (number + 1) * len(labels)]
            missing = next((answer for answer in row if isinstance(answer, Undefined)), None)
            if missing is None:
                known[context] = [answer for answer in row if not isinstance(answer, Undefined)]
            else:
                found |= {Continuation(context, label): missing for label in labels}
        asked = [Continuation(context, label) for context in known for label in labels]
        return found | dict(zip(asked, self._ruled_values(known), strict=True))

    def _ruled_values(self, known: Mapping[str, Sequence[LogProb]]) -> list[LogProb]:
        """The label words' log-probabilities after each context, context by context."""
        if not known:
            return []
        contexts = list(known)
        table = np.array([[answer.value for answer in row] for row in known.values()])  # [n contexts, L]
        mass, shares = label_shares(table, contexts)  # [n], [n, L]
        floor = SURE if self._ruled.answers == "decided" else 1e-12
        favour = np.clip(self._ruled.shares(contexts, shares[:, -1]), floor, 1 - floor)
        # The other words divide what the favourable one leaves, [n, L - 1]; equally if they had nothing.
        others = shares[:, :-1] / np.maximum(shares[:, :-1].sum(axis=1, keepdims=True), 1e-300)
        others = np.where(shares[:, -1:] < 1, others, 1 / others.shape[1]) * (1 - favour)[:, None]
        with np.errstate(divide="ignore"):
            values = mass[:, None] + np.log(np.column_stack([others, favour]))
        answers = [answer for row in known.values() for answer in row]
        return [
            LogProb(float(value), answer.n_tokens, answer.kind)
            for value, answer in zip(values.ravel(), answers, strict=True)
        ]


def favourable_scores(model: Model, people: Sequence[PersonExample]) -> Array:
    """The favourable word's share of the label words after each person's own prompt, [n] in [0, 1].

    Raises:
        BadModel: after a prompt all label words have probability 0, or a prompt has no answer.
    """
    prompts = [person.contexts[person.group] for person in people]
    asked = [
        Continuation(prompt, label)
        for prompt, person in zip(prompts, people, strict=True)
        for label in person.labels
    ]
    table = np.array([answer.value for answer in every_logprob(model, asked)]).reshape(len(people), -1)
    return label_shares(table, prompts)[1][:, -1]


def _load(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    rule, extra = read_rule(folder / RULE)
    try:
        treatment = RuleTreatment(about, from_extra(rule, extra))
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(folder, f"{RULE}: {str(error).splitlines()[0]}") from None
    if treatment.digest != card.get("digest"):
        raise damaged(folder, f"{RULE} does not have the digest that {CARD} states")
    return treatment


component = Kind(RuleTreatment, _load)
