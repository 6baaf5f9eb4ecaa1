"""The contract case of decision accuracy; its prompts are those of `test_decisions`."""

from __future__ import annotations

from evenhand.testing import BenchmarkCase

CASE = BenchmarkCase(
    "decision_accuracy",
    {
        "right": {"accuracy": 1, "decision_accuracy": 1},
        "wrong": {"accuracy": 0, "decision_accuracy": 0},
        "uniform": {"accuracy": None, "chance": None, "label_mass": 1},
    },
    variants=("decision_accuracy:n=50,shots=2",),
)
