"""``crows_pairs:mode=lm_eval`` beside lm-evaluation-harness's own task, on the same rows and the same model.

Needs the package ``lm_eval``; without it the test is skipped, and `tests/benchmarks/test_crows_pairs.py`
still compares with an independent likelihood.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evenhand.benchmarks.crows_pairs import COLUMNS, DATA, CrowsPairs
from evenhand.studies.measure import take
from tests.support.data import data_file
from tests.support.harness import harness_model

ROWS = 200


@pytest.fixture
def rows(tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    """The first official pairs, as a file and as the harness wants them.

    Without the index, whose column has no name: the harness would read it as the prompt, which is "", too.
    """
    with data_file(DATA).open(encoding="utf-8", newline="") as file:
        found = [{key: row[key] for key in COLUMNS} for row in csv.DictReader(file)][:ROWS]
    place = tmp_path / "pairs.csv"
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(found)
    return place, found


def test_both_give_the_same_figures(rows, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("lm_eval")
    datasets = pytest.importorskip("datasets")
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate
    from lm_eval.tasks.crows_pairs import utils

    from evenhand.testing import tiny

    model = tiny.model("gpt2", n_positions=256)
    place, found = rows
    # The settings of crows_pairs_english, with these rows in place of the revised data set.
    task = ConfigurableTask(
        config={
            "task": "crows_pairs_english",
            "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(found)},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "",
            "doc_to_target": 0,
            "doc_to_choice": utils.doc_to_choice,
            "target_delimiter": "",
            "process_results": utils.process_results,
            "metric_list": [
                {"metric": name, "aggregation": "mean", "higher_is_better": False}
                for name in ("likelihood_diff", "pct_stereotype")
            ],
            "metadata": {"version": 1.0},
        }
    )
    theirs = evaluate(lm=harness_model(model), task_dict={task.config.task: task}, bootstrap_iters=0)[
        "results"
    ]
    ours = take(model, CrowsPairs(mode="lm_eval", file=str(place))).metrics
    figures = theirs["crows_pairs_english"]
    assert ours["ties"].value == 0  # the harness gives a tie no credit, we give half
    assert ours["stereotype_preference"].value == pytest.approx(100 * figures["pct_stereotype,none"])
    assert ours["likelihood_difference"].value == pytest.approx(figures["likelihood_diff,none"], abs=1e-4)
