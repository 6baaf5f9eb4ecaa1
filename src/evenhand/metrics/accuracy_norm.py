"""The share of questions answered correctly when a long answer is not held against it."""

from __future__ import annotations

from evenhand.metrics import mean_metric

component = mean_metric(
    "accuracy_norm",
    "Accuracy, answers compared per character",
    per_item=lambda table: table["correct.norm"],
    unit="share of items",
    ideal=1.0,
    low=0.0,
    high=1.0,
    chance_of="chance",
    source="acc_norm of lm-evaluation-harness: log-likelihood over the number of the answer's characters",
    reading="As accuracy, with each answer's log-likelihood divided by its length in characters. Read it "
    "beside chance, 1 / (number of options).",
    needs=("correct.norm",),
)
