"""The command that repeats a run: which benchmark goes behind which flag."""

from __future__ import annotations

import dataclasses

import pytest

from evenhand.reports.command import verify_command
from evenhand.studies import seeds
from tests.support import records_factory as make


@pytest.mark.parametrize(
    ("metric", "role", "flag"),
    [
        ("accuracy", "capability", "--capability"),
        ("word_perplexity", "capability", "--capability"),
        ("task_score", "capability", "--capability"),
        ("ss", "bias", "-b"),
        ("accuracy", "bias", "-b"),  # the role tells, not the metric
    ],
)
def test_a_benchmark_stands_behind_its_flag(metric: str, role: str, flag: str) -> None:
    kept = make.verification()
    measured = dataclasses.replace(
        kept.before[0],
        benchmark="lm_eval:task=a task.yaml",
        metrics={metric: kept.before[0].metrics["afgb"]},
        role=role,
    )
    command = verify_command(dataclasses.replace(kept, before=(measured,)))
    assert f"{flag} 'lm_eval:task=a task.yaml' " in command


@pytest.mark.parametrize(
    ("primary", "said"),
    [(None, False), ("afgb_normalised", False), ("afgb", True), ("ub", True)],
)
def test_what_the_verdict_is_about_is_said_where_it_is_not_the_only_choice(
    primary: str | None, said: bool
) -> None:
    command = verify_command(dataclasses.replace(make.verification(), primary=primary))
    assert (f"--primary {primary}" in command) is said
    assert ("--primary" in command) is said


def test_the_number_of_seeds_is_said_where_there_are_several() -> None:
    assert "--seeds" not in verify_command(make.verification())
    method = seeds.of_method([dataclasses.replace(make.verification(), seed=seed) for seed in (4, 5, 6)])
    assert " --seeds 3 --seed 4" in verify_command(method)


def test_a_model_that_was_treated_already_stands_behind_its_own_flag() -> None:
    given = dataclasses.replace(make.verification(), treatment="treated: hf:./my models/ours")
    command = verify_command(given)
    assert command.startswith("evenhand verify lab:causal --treated 'hf:./my models/ours' ")
    assert "--with" not in command
