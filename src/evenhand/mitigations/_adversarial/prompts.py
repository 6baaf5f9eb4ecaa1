"""The effect of a text in front of every prompt on decisions, for any model that gives log-probabilities.

The text is tokenised together with the prompts, as in ordinary use. Prefixes are judged by these scores: what
a search or an adversary computed on token ids counts only if the text has the same effect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.mitigations._adversarial.distances import Distance, accuracy, distances, gaps, task_loss
from evenhand.mitigations._adversarial.panel import check_people
from evenhand.models import every_logprob
from evenhand.records import Ability, Continuation, PersonExample

if TYPE_CHECKING:
    from evenhand.models import Model


@dataclass(frozen=True)
class PromptScore:
    """Figures of the decisions about some people after one text.

    Attributes:
        text: the text in front of every prompt; empty for none.
        distance: mean distance between twins, in the units of its kind (nats).
        gap: counterfactual gap, the mean absolute difference of the favourable label's share, 0..1.
        task: cross-entropy of the true label word, nats.
        accuracy: share of correct decisions about the people with their own attribute.
        n: number of people.
    """

    text: str
    distance: float
    gap: float
    task: float
    accuracy: float
    n: int

    def figures(self) -> dict[str, float | int | str]:
        """As JSON values."""
        return asdict(self)


def read(model: Model, people: Sequence[PersonExample], text: str = "") -> Tensor:
    """Log-probabilities [N, k, L] of every label word after `text` and every twin's prompt, float64, nats.

    Raises:
        BadModel: the model gives no log-probabilities, lacks one, or one of them is no finite number.
    """
    check_people(people)
    if Ability.LOGPROBS not in model.can:
        raise BadModel(
            f"{model.spec.uri} gives no log-probabilities of label words.", mend="Use a model that does."
        )
    asked = [Continuation(text + r.context, r.text) for person in people for r in person.requests()]
    values = [answer.value for answer in every_logprob(model, asked)]
    wrong = sum(not math.isfinite(value) for value in values)
    if wrong:
        raise BadModel(
            f"{model.spec.uri} gives {wrong} of {len(values)} label words no probability above 0, so "
            "decisions have no log-odds.",
            mend="Use label words that the model can generate.",
        )
    return torch.tensor(values, dtype=torch.float64).view(len(people), len(people[0].groups), -1)


def score(
    model: Model, people: Sequence[PersonExample], text: str = "", distance: Distance = "log_odds"
) -> PromptScore:
    """Judge one text on `people`.

    Raises:
        BadOption, BadData, BadModel: see `read`; ``vocabulary`` cannot be computed from label words alone.
    """
    log_p = read(model, people, text)
    groups = torch.tensor([person.group for person in people])
    labels = torch.tensor([person.label for person in people])
    return PromptScore(
        text,
        float(distances(distance, log_p).mean()),
        float(gaps(log_p).mean()),
        float(task_loss(log_p, groups, labels)),
        accuracy(log_p, groups, labels),
        len(people),
    )


def transfer(
    models: Mapping[str, Model] | Sequence[str],
    people: Sequence[PersonExample],
    texts: Sequence[str],
    distance: Distance = "log_odds",
) -> dict[str, list[PromptScore]]:
    """How far prefixes found on one model work on others: the score of "" and of each text, by model.

    `models` are URIs, or names with opened models; only what is opened here is closed again. The first score
    of each list is the one without a text.

    Raises:
        BadData: no model is named.
        EvenhandError: a model cannot be opened or scored.
    """
    from evenhand.opening import opened

    if not models:
        raise BadData("There is no model to transfer to.", mend="Name at least one, such as lab:decisions.")
    with ExitStack() as stack:
        given = models if isinstance(models, Mapping) else {}
        ready = given or {uri: stack.enter_context(opened(uri)) for uri in models}
        return {
            name: [score(model, people, text, distance) for text in ("", *texts)]
            for name, model in ready.items()
        }
