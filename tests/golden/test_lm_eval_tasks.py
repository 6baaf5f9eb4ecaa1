"""``lm_eval:TASK`` and ``lambada`` beside lm-evaluation-harness's own run, on the same items and model.

The harness runs with its own Hugging Face model, and once with a thin model around ours. No network: every
task is a YAML file over local data. Needs the package ``lm_eval``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from evenhand import registry
from evenhand.benchmarks.lambada import DATA, Lambada
from evenhand.models.causal import CausalModel
from evenhand.opening import open_model
from evenhand.records import GreedyMatch, Measurement
from evenhand.reports.lm_eval import results, samples
from evenhand.studies.measure import take
from evenhand.testing import tiny
from tests.support.data import data_file
from tests.support.harness import QUESTIONS, ask_harness, simple_run, task_file
from tests.support.llama2c import SHARED, convert

pytest.importorskip("lm_eval")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.utils.collect_env.get_pretty_env_info", lambda: "")  # it takes seconds


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return tiny.model("gpt2", n_positions=512)


def ours(model: CausalModel, spec: str) -> Measurement:
    return take(model, registry.create("benchmark", spec))


def value(measurement: Measurement, metric: str) -> float:
    found = measurement.metrics[metric].value
    assert found is not None
    return found


def around(model: CausalModel) -> Any:
    """The harness's own interface to a model, answered by ours: for `simple_evaluate`."""
    from lm_eval.api.model import LM

    class Ours(LM):
        def loglikelihood(self, requests: Sequence[Any], **_: Any) -> list[tuple[float, bool]]:
            found = model.answer([GreedyMatch(*request.args) for request in requests])
            return [(answer.value, answer.greedy) for answer in found]

        def loglikelihood_rolling(self, requests: Sequence[Any], **_: Any) -> list[float]:
            raise NotImplementedError("no task here asks for it")

        def generate_until(self, requests: Sequence[Any], **_: Any) -> list[str]:
            raise NotImplementedError("no task here asks for it")

    return Ours()


@pytest.mark.parametrize("shots", [0, 2])
def test_multiple_choice(model, tmp_path, shots) -> None:
    place = task_file(tmp_path, fewshot_split="train")
    measured = ours(model, f"lm_eval:{place},shots={shots}")
    figures = ask_harness(place, model, shots=shots)
    assert value(measured, "accuracy") == pytest.approx(figures["acc,none"])
    assert value(measured, "accuracy_norm") == pytest.approx(figures["acc_norm,none"])
    assert measured.n == len(QUESTIONS)
    assert f"{shots} examples" in measured.protocol.template


def test_the_harnesss_own_run_on_our_answers(model, tmp_path) -> None:
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    place = task_file(tmp_path)
    found = simple_evaluate(
        model=around(model),
        tasks=[str(place)],
        bootstrap_iters=0,
        task_manager=TaskManager(include_defaults=False),
    )
    figures = found["results"]["planted_questions"]
    measured = ours(model, f"lm_eval:{place}")
    assert value(measured, "accuracy") == pytest.approx(figures["acc,none"])
    assert value(measured, "accuracy_norm") == pytest.approx(figures["acc_norm,none"])
    assert measured.card.version == f"task 1.5, lm_eval {found['lm_eval_version']}"


def test_items_agree_one_by_one(model, tmp_path) -> None:
    place = task_file(tmp_path)
    measured = ours(model, f"lm_eval:{place}")
    theirs = ask_harness(place, model, samples=True)
    assert [s.values["correct"] for s in measured.scores] == [s["acc"] for s in theirs]
    assert [s.values["correct.norm"] for s in measured.scores] == [s["acc_norm"] for s in theirs]
    assert 0 < value(measured, "accuracy") < 1  # neither always nor never right, or this would show nothing


def test_generated_text_with_filters_and_stops(model, tmp_path) -> None:
    settings = {
        "output_type": "generate_until",
        "doc_to_target": "{{['a', 'e', 'i', 'o'][answer]}}",
        "doc_to_choice": None,
        "generation_kwargs": {"until": ["u", "\n"], "max_gen_toks": 6, "do_sample": False},
        "filter_list": [
            {
                "name": "first",
                "filter": [{"function": "regex", "regex_pattern": "[a-zA-Z]"}, {"function": "take_first"}],
            },
            {
                "name": "last",
                "filter": [
                    {"function": "regex", "regex_pattern": "[aeio]", "group_select": -1},
                    {"function": "take_first"},
                ],
            },
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    place = task_file(tmp_path, **settings)
    theirs = ask_harness(place, model)
    assert value(ours(model, f"lm_eval:{place},filter=last"), "accuracy") == theirs["exact_match,last"]
    measured = ours(model, f"lm_eval:{place}")
    assert value(measured, "accuracy") == theirs["exact_match,first"]
    also = [s.values["also.exact_match,last"] for s in measured.scores]
    assert sum(also) / len(also) == pytest.approx(theirs["exact_match,last"])
    unread = sum(s.values["invalid"] for s in measured.scores)
    assert any("unreadable" in note for note in measured.notes) is (unread > 0)


def test_a_likelihood_of_whole_texts(model, tmp_path) -> None:
    place = task_file(
        tmp_path,
        output_type="loglikelihood_rolling",
        doc_to_text="",
        doc_to_target="{{question}}",
        doc_to_choice=None,
        metric_list=[{"metric": name} for name in ("word_perplexity", "byte_perplexity")],
    )
    measured, theirs = ours(model, f"lm_eval:{place}"), ask_harness(place, model)
    assert value(measured, "word_perplexity") == pytest.approx(theirs["word_perplexity,none"], rel=1e-4)
    assert value(measured, "byte_perplexity") == pytest.approx(theirs["byte_perplexity,none"], rel=1e-4)


def lambada_task(folder: Path, texts: Sequence[str]) -> Path:
    """The settings of lambada_openai, with these passages in place of its data set."""
    rows = folder / "passages.jsonl"
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return task_file(
        folder,
        rows=rows,
        output_type="loglikelihood",
        doc_to_text="{{text.split(' ')[:-1]|join(' ')}}",
        doc_to_target="{{' '+text.split(' ')[-1]}}",
        doc_to_choice=None,
        metric_list=[
            {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
            {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
        ],
    )


def test_lambada(model, tmp_path) -> None:
    lines = data_file(DATA).read_text(encoding="utf-8").splitlines()
    texts = [text for line in lines if len(text := json.loads(line)["text"]) < 260][:40]
    # A random model never expects a word: some passages end with what this one writes.
    texts += [f"{text} {written(model, text)}" for text in texts[:12]]
    place = lambada_task(tmp_path, texts)
    theirs = ask_harness(place, model)
    for measured in (
        ours(model, f"lm_eval:{place}"),
        take(model, Lambada(file=str(tmp_path / "passages.jsonl"))),
    ):
        assert value(measured, "accuracy") == pytest.approx(theirs["acc,none"])
        assert value(measured, "word_perplexity") == pytest.approx(theirs["perplexity,none"], rel=1e-4)
        assert 0 < value(measured, "accuracy") < 1


def written(model: CausalModel, text: str) -> str:
    """The likeliest token after `text` that begins a word, without its space, or any word where none does."""
    import torch

    ids = model.tokenizer(text + " ")["input_ids"][:-1]
    with torch.no_grad():
        best = int(model.module(torch.tensor([model.tokenizer(text)["input_ids"]])).logits[0, -1].argmax())
    made = str(model.tokenizer.decode([best]))
    return made.strip() if made.startswith(" ") and made.strip() and ids else "word"


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A really pretrained Llama whose tokenizer puts a beginning mark before every text, 128 tokens wide."""
    if not SHARED.is_dir():
        pytest.skip("the aidreams260K model is not beside this repository")
    folder = tmp_path_factory.mktemp("aidreams")
    convert(folder)
    return open_model(f"hf:{folder}")


def tokens(model: Any, text: str) -> int:
    return len(model.tokenizer(text)["input_ids"])


def test_published_questions_on_a_pretrained_model(pretrained, tmp_path) -> None:
    """The first 80 of ARC's that fit: the harness's own run, its task here, and our reader of such files."""
    rows = [json.loads(line) for line in data_file("arc/ARC-Challenge-Test.jsonl").read_text().splitlines()]
    asked = [
        {
            "question": row["question"]["stem"],
            "choices": [choice["text"] for choice in row["question"]["choices"]],
            "answer": [choice["label"] for choice in row["question"]["choices"]].index(row["answerKey"]),
        }
        for row in rows
    ]
    fitting = [q for q in asked if max(tokens(pretrained, q["question"] + c) for c in q["choices"]) < 90][:80]
    assert len(fitting) == 80
    place = tmp_path / "arc.jsonl"
    place.write_text("".join(json.dumps(question) + "\n" for question in fitting), encoding="utf-8")
    task = task_file(tmp_path, rows=place, doc_to_text="Question: {{question}}\nAnswer:")
    theirs = ask_harness(task, pretrained)
    for spec in (f"lm_eval:{task}", f"multiple_choice:{place}"):
        measured = ours(pretrained, spec)
        assert value(measured, "accuracy") == pytest.approx(theirs["acc,none"])
        assert value(measured, "accuracy_norm") == pytest.approx(theirs["acc_norm,none"])


def test_endings_of_published_passages_on_a_pretrained_model(pretrained, tmp_path) -> None:
    """The last 22 words of LAMBADA's first 40 passages that fit then."""
    lines = data_file(DATA).read_text(encoding="utf-8").splitlines()
    endings = (" ".join(json.loads(line)["text"].split(" ")[-22:]) for line in lines)
    texts = list(islice((text for text in endings if tokens(pretrained, text) < 125), 40))
    theirs = ask_harness(lambada_task(tmp_path, texts), pretrained)
    measured = take(pretrained, Lambada(file=str(tmp_path / "passages.jsonl")))
    assert value(measured, "word_perplexity") == pytest.approx(theirs["perplexity,none"], rel=1e-4)
    assert value(measured, "accuracy") == theirs["acc,none"]


def test_the_exporter_writes_the_keys_of_the_harness(model, tmp_path) -> None:
    """Beside a run of the harness on the same task, less what describes the machine and the hour."""
    place = task_file(tmp_path)
    theirs = simple_run(place, model)
    measured = ours(model, f"lm_eval:{place},shots=0")
    exported = results([measured])
    machine = {"git_hash", "date", "pretty_env_info", "transformers_version", "lm_eval_version"}
    machine |= {"upper_git_hash", "eot_token_id", "max_length", "samples"}
    machine |= {key for key in theirs if key.startswith("tokenizer_")}
    assert set(theirs) - machine <= set(exported)
    assert set(theirs["config"]) <= set(exported["config"])
    (figures,), (own,) = theirs["results"].values(), exported["results"].values()
    assert {key for key in figures if "," not in key} <= set(own)
    assert own["acc,none"] == pytest.approx(figures["acc,none"])
    assert own["sample_len"] == figures["sample_len"]
    for key in ("n-shot", "n-samples"):
        assert list(exported[key].values()) == list(theirs[key].values())
    for key in ("configs", "higher_is_better"):
        assert [type(found) for found in exported[key].values()] == [type(f) for f in theirs[key].values()]
    (items,) = theirs["samples"].values()
    kept = set(items[0]) - {"acc", "acc_norm", "prompt_hash", "target_hash"}
    assert kept <= set(next(samples(measured)))
