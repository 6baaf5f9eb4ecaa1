"""Post-processing: decide by a rule on a model's scores, without changing the model.

``thresholds`` gives each group its own threshold so that a chosen rate is equal in all groups;
``calibration`` gives each group its own curve so that a probability means the same in all of them. Both are
fitted on held-out people, saved as JSON, and applied to scores from any source; torch is not needed. ::

    from evenhand.postprocessing import fit_thresholds, save_rule

    rule = fit_thresholds(scores, labels, groups, constraint="equalized_odds")
    rule.expected(scores, groups)             # probability of a favourable decision
    rule.decide(scores, groups, people=ids)   # 1 or 0, the same for the same person every time
    save_rule(rule, Path("rule.json"))
"""

from __future__ import annotations

from evenhand.postprocessing.calibration import fit_calibration
from evenhand.postprocessing.rules import Calibration, Rule, Thresholds, load_rule, save_rule
from evenhand.postprocessing.thresholds import fit_thresholds

__all__ = [
    "Calibration",
    "Rule",
    "Thresholds",
    "fit_calibration",
    "fit_thresholds",
    "load_rule",
    "save_rule",
]
