"""Group thresholds after the fact: each group its own cut, so that a chosen rate is alike in all groups.

Fitted on held-out people alone (part ``dev``), by fairlearn's ThresholdOptimizer (Hardt, Price and Srebro
2016), with precision parity beside it; see `evenhand.postprocessing.thresholds`. The model is left as it is,
so this works on anything that gives log-probabilities, an endpoint included.

The rule must know a person's group when it decides, which is not lawful or wanted everywhere. Where the
constraint asks for it, some decisions are left to chance, with a seed: the same person always gets the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evenhand.mitigations import _rules
from evenhand.postprocessing.prompts import Answers
from evenhand.postprocessing.thresholds import Constraint, Objective, fit_thresholds, require_extra
from evenhand.records import Ability, Attribution, Kinds, PersonExample, to_json
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class GroupThresholds:
    """Give each group its own threshold.

    Attributes:
        constraint: which rate shall be alike: ``demographic_parity`` (selection),
            ``true_positive_rate_parity``, ``false_positive_rate_parity`` (and their complements),
            ``equalized_odds`` (both), or ``precision_parity``.
        objective: what is best among the rules that meet it, ``accuracy`` or ``balanced_accuracy``.
        answers: the treated model gives the favourable word all of the label words' probability or none of it
            (``decided``), or the rule's probability of favour (``expected``).
    """

    constraint: Constraint = "equalized_odds"
    objective: Objective = "accuracy"
    answers: Answers = "decided"

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.LOGPROBS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (PersonExample,)

    def fit(
        self, model: Model, examples: Sequence[PersonExample], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Fit the thresholds on the held-out people among `examples`; `seed` is that of chance decisions.

        The details tell each group's rule, and its rates on the held-out people before (favoured above one
        half) and after (expected). They are the people it was fitted on: measure it on others. Of what is
        left to chance they tell the share of people whose decision is not certain, and the share of decisions
        that are expected to fall against the likelier one.

        Raises:
            BadModel: the model gives no log-probabilities.
            BadData: nobody is held out, a group has one true outcome only, or nothing tells groups apart.
            MissingExtra: fairlearn is not installed.
            NoEffect: the rule leaves every answer as it was.
        """
        require_extra(self.constraint)
        found = _rules.scored(model, examples)
        rule = fit_thresholds(
            found.scores,
            found.labels,
            found.groups,
            constraint=self.constraint,
            objective=self.objective,
            seed=seed,
        )
        after = rule.expected(found.scores, found.groups)
        details = {
            "fitted_on": len(found.people),
            "rules": {
                name: to_json(mixture) for name, mixture in zip(rule.groups, rule.mixtures, strict=True)
            },
            "before": _rules.rates((found.scores > 0.5).astype(float), found.labels, found.groups),
            "after": _rules.rates(after, found.labels, found.groups),
            "left_to_chance": {
                "people": float(np.mean((after > 0) & (after < 1))),
                "decisions": float(np.mean(np.minimum(after, 1 - after))),
            },
        }
        return _rules.treated(model, rule, found, self.answers, (spec_of("thresholds", self), seed, details))


component = GroupThresholds
