"""The contract cases of comparisons with a twin; worked examples: `test_decisions`."""

from __future__ import annotations

import numpy as np

from evenhand.metrics import Array
from evenhand.testing import MetricCase, Swap
from tests.support.columns import PEOPLE, PRONOUNS, coins, people, pronouns


def made(n: int, seed: int) -> dict[str, Array]:
    """Decisions on two versions of a prompt, and on people with their twins."""
    rng = np.random.default_rng([seed, 4])
    versions = {"shift": rng.uniform(-1, 1, size=n), "js": rng.uniform(size=n)}
    return people(n, seed) | pronouns(n, seed) | coins(n, seed, "agreement") | versions


EXCHANGE = Swap(exchanged=PEOPLE.exchanged + PRONOUNS.exchanged, negated=("shift",))
TWINS_FLIP = [{"decision.he": 1.0, "decision.she": 0.0, "outcome": y} for y in (0.0, 1.0)]
TWINS_AGREE = [{"decision.he": 1.0, "decision.she": 1.0, "outcome": y} for y in (0.0, 1.0)]
FAVOURED, LESS = [{"p.he": 1.0, "p.she": 0.0}], [{"p.he": 0.0, "p.she": 1.0}]
CASES = (
    *(
        MetricCase(name, made, TWINS_AGREE, TWINS_FLIP, EXCHANGE)
        for name in ("counterfactual_dpd", "counterfactual_deo_sum", "flip_rate")
    ),
    MetricCase("counterfactual_gap", made, [{"p.he": 0.7, "p.she": 0.7}], FAVOURED, EXCHANGE),
    MetricCase("counterfactual_gap_signed", made, LESS, FAVOURED, EXCHANGE, "flips"),
    MetricCase("shift", made, [{"shift": -1.0}], [{"shift": 1.0}], EXCHANGE, "flips"),
    MetricCase("shift_size", made, [{"shift": 0.0}], [{"shift": -1.0}, {"shift": 1.0}], EXCHANGE),
    MetricCase("agreement", made, [{"agreement": 0.0}], [{"agreement": 1.0}], EXCHANGE),
    MetricCase("js_divergence", made, [{"js": 0.0}], [{"js": 1.0}], EXCHANGE),
)
