"""The harness's names and scales where a benchmark is its task, a name of ours where it is not."""

from __future__ import annotations

import dataclasses
import math

import pytest

from evenhand.records import Estimate, Measurement, Score
from evenhand.reports.harness_names import named
from evenhand.reports.lm_eval import results, samples
from tests.support import records_factory as make


def measured(spec: str, metrics: dict[str, float], card: str = "", **more: object) -> Measurement:
    one = make.genbiaseval()
    figures = {name: Estimate(value, value - 1, value + 1, 4) for name, value in metrics.items()}
    plain = dataclasses.replace(one, benchmark=spec, metrics=figures, slices={}, scores=(), notes=())
    named_card = dataclasses.replace(one.card, name=card or spec.partition(":")[0])
    return dataclasses.replace(plain, card=named_card, **more)  # type: ignore[arg-type]


def items(task: str, **values: float) -> tuple[Score, ...]:
    return tuple(Score(f"lm_eval/{task}/{i}", f"{i}", values) for i in range(3))


def test_lambada_is_the_harness_s() -> None:
    task = results([measured("lambada", {"accuracy": 0.4, "word_perplexity": 12.0})])["results"]
    assert set(task) == {"lambada_openai"}
    assert (task["lambada_openai"]["acc,none"], task["lambada_openai"]["perplexity,none"]) == (0.4, 12.0)
    assert named(measured("lambada:file=own.jsonl", {})).task == "evenhand_lambada:file=own.jsonl"


def test_a_task_of_the_harness_gets_its_own_names_and_filter() -> None:
    note = "lm-evaluation-harness 0.4.13, 5 examples, no chat template. accuracy is its exact_match."
    protocol = dataclasses.replace(
        make.genbiaseval().protocol,
        template="5 examples, no chat template, read by the filter strict-match",
    )
    one = measured(
        "lm_eval:shots=5,task=gsm8k", {"accuracy": 0.2, "ties": 0.0}, "lm_eval",
        notes=(note,), protocol=protocol, scores=items("gsm8k", correct=1.0),
    )  # fmt: skip
    data = results([one])
    task = data["results"]["gsm8k"]
    assert task["exact_match,strict-match"] == 0.2
    assert "exact_match_stderr,strict-match" in task
    assert "evenhand_ties,strict-match" in task  # the harness has no such figure
    assert data["higher_is_better"]["gsm8k"]["exact_match"] is True
    (row, *_) = samples(one)
    assert (row["exact_match"], row["filter"], row["metrics"]) == (1.0, "strict-match", ["exact_match"])


@pytest.mark.parametrize(
    ("said", "metric", "key", "value"),
    [
        ("task_score is its pass@1", "task_score", "pass@1", 8.0),
        ("accuracy is its acc, word_perplexity is its perplexity", "word_perplexity", "perplexity", 8.0),
        ("byte_perplexity is its bits_per_byte", "byte_perplexity", "bits_per_byte", math.log2(8.0)),
        ("accuracy is its acc", "accuracy_norm", "acc_norm", 8.0),
    ],
)
def test_the_note_says_what_a_figure_is_called(said: str, metric: str, key: str, value: float) -> None:
    note = f"lm-evaluation-harness 0.4.13, 0 examples, no chat template. {said}."
    one = measured(
        "lm_eval:task=x", {metric: 8.0}, "lm_eval", notes=("other", note), scores=items("x", nll=1.0)
    )
    assert results([one])["results"]["x"][f"{key},none"] == pytest.approx(value)


def test_a_file_of_a_task_has_the_task_s_name_and_rows_of_ones_own_do_not() -> None:
    written = measured(
        "lm_eval:task=some/where.yaml", {"accuracy": 1.0}, "lm_eval", scores=items("arc_mini", correct=1.0)
    )
    assert named(written).task == "arc_mini"
    own = dataclasses.replace(written, benchmark="lm_eval:data=rows.jsonl,task=some/where.yaml")
    assert named(own).task == "evenhand_arc_mini"
    assert results([own])["results"]["evenhand_arc_mini"]["acc,none"] == 1.0


def test_crows_pairs_is_on_other_pairs_so_the_task_is_ours() -> None:
    figures = {"stereotype_preference": 62.5, "likelihood_difference": 3.0, "ties": 1.0}
    data = results([measured("crows_pairs:mode=lm_eval", figures)])
    task = data["results"]["evenhand_crows_pairs:mode=lm_eval"]
    assert task["pct_stereotype,none"] == 0.625  # a share, as the harness gives it
    assert (task["likelihood_diff,none"], task["ties,none"]) == (3.0, 1.0)
    other = results([measured("crows_pairs", figures)])["results"]["evenhand_crows_pairs"]
    assert other["stereotype_preference,none"] == 62.5  # a mean per token, which is no figure of the harness


def test_the_error_is_on_the_figure_s_scale() -> None:
    scores = tuple(
        Score(str(i), str(i), {"preferred": 1.0 if i < 6 else 0.0, "log_ratio": 1.0, "tie": 0.0})
        for i in range(8)
    )
    one = measured("crows_pairs:mode=lm_eval", {"stereotype_preference": 75.0}, scores=scores)
    task = results([one])["results"]["evenhand_crows_pairs:mode=lm_eval"]
    # Eight independent pairs, six of them stereotyped: sqrt(0.75 * 0.25 / 8).
    assert task["pct_stereotype_stderr,none"] == pytest.approx((0.75 * 0.25 / 8) ** 0.5, rel=0.15)


def test_two_benchmarks_of_one_task_do_not_hide_each_other() -> None:
    one = measured("lm_eval:task=x", {"accuracy": 0.1}, "lm_eval", scores=items("x", correct=1.0))
    more = dataclasses.replace(one, benchmark="lm_eval:shots=5,task=x")
    assert set(results([one, more])["results"]) == {"x", "evenhand_lm_eval:shots=5,task=x"}


def test_everything_else_is_ours() -> None:
    for spec in (
        "genbiaseval",
        "bbq:unknown=any",
        "winogender",
        "stereoset",
        "perplexity",
        "multiple_choice:file=x",
    ):
        assert named(measured(spec, {})).task == f"evenhand_{spec}"
