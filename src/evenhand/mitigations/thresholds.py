"""Group thresholds by post-processing: a threshold for each group, so that a chosen rate is equal in all.

Fitted on held-out people only (part ``dev``), by fairlearn's ThresholdOptimizer (Hardt, Price and Srebro
2016), or for precision parity by our own search; see `evenhand.postprocessing.thresholds`. The model is not
changed, so this works on any model that gives log-probabilities, including an endpoint.

The rule must know a person's group when it decides, which is not lawful or wanted everywhere. Where the
constraint needs it, some decisions are random, with a seed: the same person always gets the same decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evenhand.mitigations import _rules
from evenhand.mitigations._shams import Sham
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
        constraint: which rate must be equal: ``demographic_parity`` (selection),
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

    def check(self, model: Model | None, examples: Sequence[PersonExample]) -> None:
        """Refuse a constraint that needs what is not installed, and people on whom no rule can be fitted.

        Raises:
            MissingExtra, BadModel, BadData: as for `fit`.
        """
        require_extra(self.constraint)
        _rules.check(model, examples)

    def fit(
        self, model: Model, examples: Sequence[PersonExample], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Fit the thresholds on the held-out people among `examples`; `seed` is that of random decisions.

        The details hold each group's rule, and its rates on the held-out people before (favoured above one
        half) and after (expected). These people are those of the fit: measure the rule on others. For random
        decisions the details hold the share of people whose decision is not certain, and the expected share
        of decisions that differ from the more probable one.

        Raises:
            BadModel: the model gives no log-probabilities.
            BadData: no people are held out, a group has only one true outcome, or the groups cannot be
                distinguished.
            MissingExtra: fairlearn is not installed.
            NoEffect: the rule leaves every answer as it was.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The thresholds of groups among which the held-out people were dealt out at random."""
        return Sham(spec_of("thresholds", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[PersonExample],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        require_extra(self.constraint)
        found = _rules.scored(model, examples)
        if sham is not None:
            found = _rules.mixed(found, sham)
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
