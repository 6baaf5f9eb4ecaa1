"""The main figure of a task of lm-evaluation-harness that is no accuracy: its mean over items."""

from __future__ import annotations

from evenhand.metrics import mean_metric

component = mean_metric(
    "task_score",
    "The task's own score",
    per_item=lambda table: table["task_score"],
    unit="the task's own",
    ideal=None,
    low=None,
    high=None,
    source="the task of lm-evaluation-harness that the measurement names; its note says which figure it is",
    reading="What it means, and which way is better, the task says; compare it on one task alone.",
    needs=("task_score",),
)
