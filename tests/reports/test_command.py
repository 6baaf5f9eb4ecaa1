"""The command that repeats a run: which benchmark goes behind which flag."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.reports.command import verify_command
from tests.support import records_factory as make


@pytest.mark.parametrize(
    ("metric", "flag"),
    [
        ("accuracy", "--capability"),
        ("word_perplexity", "--capability"),
        ("task_score", "--capability"),
        ("ss", "-b"),
    ],
)
def test_a_benchmark_stands_behind_its_flag(metric: str, flag: str) -> None:
    kept = make.verification()
    measured = dataclasses.replace(
        kept.before[0], benchmark="lm_eval:task=a task.yaml", metrics={metric: kept.before[0].metrics["afgb"]}
    )
    command = verify_command(dataclasses.replace(kept, before=(measured,)))
    assert f"{flag} 'lm_eval:task=a task.yaml' " in command
