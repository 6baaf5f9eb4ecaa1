"""Calibration within groups by post-processing: a probability of 0.7 means the same in every group.

Fitted on held-out people only (part ``dev``); see `evenhand.postprocessing.calibration` for the curves. The
model is not changed, so this works on any model that gives log-probabilities, including an endpoint. The rule
must know a person's group when it is applied. It calibrates scores; it does not make decisions equal: where
base rates differ, calibration within groups and equal error rates exclude each other in general.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from evenhand.mitigations import _rules
from evenhand.mitigations._shams import Sham
from evenhand.postprocessing.calibration import (
    INCOMPATIBLE,
    Method,
    check_options,
    cross_fitted,
    errors_by_group,
    fit_calibration,
    group_weight,
    kinds_of,
)
from evenhand.postprocessing.prompts import held_out, own_groups
from evenhand.records import Ability, Attribution, Kinds, PersonExample, to_json
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class GroupCalibration:
    """Calibrate the probability of the favourable decision in each group.

    Attributes:
        method: ``platt``, ``temperature`` or ``isotonic``; ``auto`` is isotonic for groups of 1000 people or
            more and Platt's for the others.
        shrink: the group size at which a group's own curve and everyone's have equal weight.
    """

    method: Method = "auto"
    shrink: float = 20.0

    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.LOGPROBS})
    wants_sites: ClassVar[bool] = False
    fits_on: ClassVar[Kinds] = (PersonExample,)

    def check(self, model: Model | None, examples: Sequence[PersonExample]) -> None:
        """Refuse curves that groups of these sizes do not allow, and people on whom no rule can be fitted.

        Raises:
            BadOption, BadModel, BadData: as for `fit`.
        """
        self._check_curves(examples)
        _rules.check(model, examples)

    def _check_curves(self, examples: Sequence[PersonExample]) -> None:
        check_options(self.method, self.shrink)
        kinds_of(self.method, own_groups(held_out(examples)))

    def fit(
        self, model: Model, examples: Sequence[PersonExample], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Fit a curve for each group on the held-out people among `examples`.

        The details hold each group's curve, its weight against everyone's, and its calibration error before
        and after, the latter by curves that were fitted without the person (cross-fitted; None where a group
        is too small for that). `seed` determines the folds.

        Raises:
            BadModel: the model gives no log-probabilities.
            BadData: no people are held out, a group has only one true outcome, or the groups cannot be
                distinguished.
            BadOption: isotonic curves for a group that is too small.
            NoEffect: the curves leave every answer as it was.
        """
        return self._fitted(model, examples, sites, seed)

    def sham(self, *, seed: int) -> Sham:
        """The curves of groups among which the held-out people were dealt out at random."""
        return Sham(spec_of("calibration", self), self, seed, partial(self._fitted, sham=seed))

    def _fitted(
        self,
        model: Model,
        examples: Sequence[PersonExample],
        sites: Attribution | None,
        seed: int,
        sham: int | None = None,
    ) -> Treatment:
        self._check_curves(examples)
        found = _rules.scored(model, examples)
        if sham is not None:
            found = _rules.mixed(found, sham)
        people = (found.scores, found.labels, found.groups)
        rule = fit_calibration(*people, method=self.method, shrink=self.shrink)
        crossed = cross_fitted(*people, method=self.method, shrink=self.shrink, seed=seed)
        before = errors_by_group(*people)
        after = None if crossed is None else errors_by_group(crossed, found.labels, found.groups)
        details = {
            "fitted_on": len(found.people),
            "curves": {
                name: {
                    "method": method,
                    "weight": group_weight(before[name]["n"], self.shrink),
                    **to_json(curve),
                }
                for name, method, curve in zip(rule.groups, rule.methods, rule.curves, strict=True)
            },
            "before": before,
            "after_cross_fitted": after,
            "remark": INCOMPATIBLE,
        }
        return _rules.treated(model, rule, found, "expected", (spec_of("calibration", self), seed, details))


component = GroupCalibration
