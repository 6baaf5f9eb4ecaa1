"""Tasks for the LM evaluation harness over local data, and what the harness itself makes of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

ROWS = Path(__file__).with_name("questions.jsonl")
QUESTIONS = tuple(json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines())


def task_file(folder: Path, *, rows: Path | None = None, **changes: Any) -> Path:
    """A YAML file of a multiple-choice task over `ROWS`, or `rows`; None in `changes` leaves a key out."""
    rows = rows or ROWS
    shown = folder / "shown.jsonl"
    shown.write_text(rows.read_text(encoding="utf-8"), encoding="utf-8")
    settings = {
        "task": "planted_questions",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(rows), "train": str(shown)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_target": "answer",
        "doc_to_choice": "choices",
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")
        ],
        "metadata": {"version": 1.5},
        **changes,
    }
    place = folder / "task.yaml"
    kept = {key: value for key, value in settings.items() if value is not None}
    place.write_text(json.dumps(kept), encoding="utf-8")  # JSON is YAML
    return place


def ask_harness(place: Path, model: Any, *, shots: int = 0, samples: bool = False) -> Any:
    """The harness's own figures of a task, by its own Hugging Face model; or its items."""
    from lm_eval.tasks import TaskManager

    loaded = TaskManager(include_defaults=False).load(str(place))
    ((name, task),) = loaded["tasks"].items()
    task.set_config(key="num_fewshot", value=shots)
    task.set_fewshot_seed(seed=1234)
    found = run_harness(loaded, model, samples=samples)
    return found["samples"][name] if samples else found["results"][name]


def run_harness(tasks: Any, model: Any, *, samples: bool = False) -> Any:
    """All that the harness finds for loaded tasks with its own Hugging Face model."""
    from lm_eval.evaluator import evaluate

    return evaluate(lm=harness_model(model), task_dict=tasks, bootstrap_iters=0, log_samples=samples)


def harness_model(model: Any) -> Any:
    """The harness's own Hugging Face model of our open `model`."""
    from lm_eval.models.huggingface import HFLM

    # The harness gives a tokenizer without padding token one; ours serves other tests.
    tokenizer = copy.deepcopy(model.tokenizer)
    return HFLM(pretrained=model.module, tokenizer=tokenizer, backend="causal", batch_size=8)


def simple_run(place: Path, model: Any) -> Any:
    """All that the harness's main entry gives for a task and its own Hugging Face model, items included."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    return simple_evaluate(
        model=harness_model(model),
        tasks=[str(place)],
        bootstrap_iters=0,
        task_manager=TaskManager(include_defaults=False),
    )
