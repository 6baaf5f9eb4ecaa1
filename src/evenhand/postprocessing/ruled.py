"""A model whose decisions follow a rule: the same prompts, other probabilities for the label words.

What the label words are worth together stays as the model has it; only how they share it changes. Requests
for anything but a label word pass through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from evenhand.errors import BadData, BadModel
from evenhand.models import Model, every_logprob, logprobs
from evenhand.postprocessing.group_cue import Tell, learn
from evenhand.postprocessing.rules import SURE, Array, Rule, Thresholds, luck
from evenhand.records import (
    Ability,
    Continuation,
    LogProb,
    ModelSpec,
    PersonExample,
    Request,
    Response,
    Undefined,
    from_json,
    to_json,
)

Answers = Literal["decided", "expected"]


@dataclass(frozen=True)
class PromptRule:
    """A rule with what it takes to apply it to prompts.

    Attributes:
        rule: the rule on scores.
        labels: the label words, the favourable one last.
        tell: what tells the group of a prompt.
        answers: the favourable word's share of the label words is ``decided`` (all or nothing, as the rule
            decides on this person) or ``expected`` (the probability of favour, or the calibrated one).
    """

    rule: Rule
    labels: tuple[str, ...]
    tell: Tell
    answers: Answers

    def shares(self, prompts: Sequence[str], scores: Array) -> Array:
        """The favourable word's share after each prompt, [n], from the model's own share `scores` [n].

        Raises:
            BadData: the group of a prompt cannot be told.
        """
        told = [self.tell.read(prompt) for prompt in prompts]
        expected = self.rule.expected(scores, [group for group, _ in told])
        if self.answers == "expected" or not isinstance(self.rule, Thresholds):
            return expected
        # The neutral prompt names the person, so that chance treats counterfactual twins alike.
        drawn = np.array([luck(self.rule.seed, person) for _, person in told])
        return (drawn < expected).astype(float)

    def extra(self) -> Mapping[str, Any]:
        """What travels with the rule in its file, JSON values."""
        return {"labels": list(self.labels), "tell": to_json(self.tell), "answers": self.answers}


def prompt_rule(rule: Rule, people: Sequence[PersonExample], answers: Answers) -> PromptRule:
    """The rule for prompts like those of `people`, whose twins teach what tells a group.

    Raises:
        BadData: nothing tells the groups apart.
    """
    return PromptRule(rule, people[0].labels, learn(people), answers)


def from_extra(rule: Rule, extra: Mapping[str, Any]) -> PromptRule:
    """The inverse of `PromptRule.extra`.

    Raises:
        KeyError, ValueError, TypeError: the values have another shape.
    """
    if extra["answers"] not in ("decided", "expected"):
        raise ValueError(f"answers is {extra['answers']!r}")
    labels, tell = from_json(tuple[str, ...], extra["labels"]), from_json(Tell, extra["tell"])
    return PromptRule(rule, labels, tell, extra["answers"])


class RuledModel:
    """A view of `model` whose label words follow `ruled`; it asks for the label words that nobody asked for.

    Text is not generated: no rule holds for it.
    """

    def __init__(self, model: Model, ruled: PromptRule, spec: ModelSpec) -> None:
        self.spec = spec
        self.can = model.can & {Ability.LOGPROBS}
        self._model = model
        self._ruled = ruled

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Log-probabilities in nats, in the order of `requests`.

        Where one label word has no answer after a prompt, none has: they share what they have together.

        Raises:
            BadData: the group of a prompt cannot be told.
            BadModel: a prompt leaves all label words without any probability, or something else is asked for:
                a rule on scores says nothing about text.
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
        """The notes of the model behind the rule."""
        return self._model.notes()

    def _follow(
        self, contexts: Sequence[str], answers: Sequence[LogProb | Undefined]
    ) -> dict[Continuation, LogProb | Undefined]:
        """The answers [contexts x labels] with the label words' shares as the rule has them."""
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
        table = np.array([[answer.value for answer in row] for row in known.values()])
        mass, shares = label_shares(table, contexts)
        floor = SURE if self._ruled.answers == "decided" else 1e-12
        favour = np.clip(self._ruled.shares(contexts, shares[:, -1]), floor, 1 - floor)
        others = shares[:, :-1] / np.maximum(shares[:, :-1].sum(axis=1, keepdims=True), 1e-300)
        others = np.where(shares[:, -1:] < 1, others, 1 / others.shape[1]) * (1 - favour)[:, None]
        with np.errstate(divide="ignore"):
            values = mass[:, None] + np.log(np.column_stack([others, favour]))
        answers = [answer for row in known.values() for answer in row]
        return [
            LogProb(float(value), answer.n_tokens, answer.kind)
            for value, answer in zip(values.ravel(), answers, strict=True)
        ]


def label_shares(table: Array, prompts: Sequence[str]) -> tuple[Array, Array]:
    """From log-probabilities [n, L]: the label words' joint one [n], and their shares of it [n, L].

    Raises:
        BadModel: a prompt leaves all label words without any probability.
    """
    top = table.max(axis=1)
    silent = [prompt for prompt, value in zip(prompts, top, strict=True) if not np.isfinite(value)]
    if silent:
        raise BadModel(
            f"After the prompt that ends in {silent[0][-60:]!r} no label word has any probability.",
            mend="Use label words that the model can say, or another model.",
        )
    shares = np.exp(table - top[:, None])
    total = shares.sum(axis=1)
    return top + np.log(total), shares / total[:, None]


def favourable_scores(model: Model, people: Sequence[PersonExample]) -> Array:
    """The favourable word's share of the label words after each person's own prompt, [n] in [0, 1].

    Raises:
        BadModel: a prompt leaves all label words without any probability, or has no answer.
    """
    prompts = [person.contexts[person.group] for person in people]
    asked = [
        Continuation(prompt, label)
        for prompt, person in zip(prompts, people, strict=True)
        for label in person.labels
    ]
    table = np.array([answer.value for answer in every_logprob(model, asked)]).reshape(len(people), -1)
    return label_shares(table, prompts)[1][:, -1]


def held_out(people: Sequence[PersonExample]) -> list[PersonExample]:
    """The people of the dev part, on whom alone rules are fitted.

    Raises:
        BadData: there are none, their groups or label words are unlike, or the attribute has one value.
    """
    dev = [person for person in people if person.part == "dev"]
    if not dev:
        raise BadData(
            f"None of the {len(people)} people is held out (part dev), and a rule that is fitted to people "
            "whom a model was trained on is fitted to their memory.",
            mend="Give people with part='dev', such as those of the decisions benchmark.",
        )
    first = dev[0]
    if any((person.groups, person.labels) != (first.groups, first.labels) for person in dev):
        raise BadData("The people have unlike groups or label words.", mend="Use one task for all of them.")
    if len(first.groups) < 2 or len(first.labels) < 2:
        raise BadData(
            f"The attribute has the values {first.groups}, and the label words are {first.labels}.",
            mend="Name an attribute with at least two values, and one label word for each outcome.",
        )
    counts = {name: sum(person.group == g for person in dev) for g, name in enumerate(first.groups)}
    if 0 in counts.values():
        told = ", ".join(f"{name} {n}" for name, n in counts.items())
        raise BadData(f"A group has nobody among the held-out people ({told}).", mend="Hold out more people.")
    return dev


def favourable(people: Sequence[PersonExample]) -> list[int]:
    """1 for people whose true outcome is the favourable one, the last label word; else 0."""
    return [int(person.label == len(person.labels) - 1) for person in people]


def own_groups(people: Sequence[PersonExample]) -> list[str]:
    """Each person's own group, by name."""
    return [person.groups[person.group] for person in people]
