"""Tasks of the LM evaluation harness: found, refused, asked and read. Their figures: `tests/golden`."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import sys
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from evenhand import registry
from evenhand.benchmarks import Benchmark, _harness
from evenhand.benchmarks.lm_eval import LIKELIHOODS, Figures, _columns
from evenhand.errors import BadData, BadModel, BadOption, MissingExtra, UnknownName
from evenhand.records import Completion, Continuation, Generation, GreedyMatch, LogProb, MatchedLogProb, Until
from evenhand.studies.measure import take
from evenhand.testing import BenchmarkCase, tiny
from evenhand.testing.scripted import ScriptedModel
from tests.support.harness import QUESTIONS, ROWS, task_file

TASK = str(ROWS.with_suffix(".yaml"))
needs_harness = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None, reason="the extra lm-eval is not installed"
)
GENERATED = {
    "output_type": "generate_until",
    "doc_to_target": "late",
    "doc_to_choice": None,
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}

CASE = BenchmarkCase(
    "lm_eval",
    {
        # The harness gives a tie to the first option, which is right in 3 of 8 questions.
        "right": {"accuracy": 1, "accuracy_norm": 1, "ties": 0},
        "wrong": {"accuracy": 0, "accuracy_norm": 0},
        "uniform": {"accuracy": 3 / 8, "ties": 100},
    },
    spec=f"lm_eval:task={TASK},data={ROWS}",
)


def made(spec: str) -> Benchmark:
    found: Benchmark = registry.create("benchmark", spec)
    return found


def local(folder: Path, **changes: object) -> str:
    """The spec of a task over the local questions with these settings, its data given with data=."""
    return f"lm_eval:{task_file(folder, **{'dataset_kwargs': None, **changes})},data={ROWS}"


def test_without_the_extra_the_message_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(MissingExtra, match=r"lm_eval 0\.4\.13 or newer.*pip install 'evenhand\[lm-eval\]'"):
        made("lm_eval:hellaswag")


@needs_harness
@pytest.mark.parametrize(
    ("found", "enough"), [("0.4.12", False), ("0.4.9.2", False), ("0.4.13", True), ("0.10", True)]
)
def test_an_old_harness_will_not_do(monkeypatch, found, enough) -> None:
    monkeypatch.setattr(_harness, "version", lambda name: found)
    with nullcontext() if enough else pytest.raises(MissingExtra, match=r"0\.4\.13 or newer"):
        _harness.check_installed()


def test_options_that_no_task_allows_are_refused_before_the_harness_is_looked_for(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(BadOption, match="shots=-1 is negative"):
        made("lm_eval:hellaswag,shots=-1")


@needs_harness
class TestFinding:
    """A task by name or file, and everything that keeps it from being asked."""

    def test_a_task_must_be_named(self) -> None:
        with pytest.raises(BadOption, match="mmlu, hellaswag"):
            made("lm_eval")

    def test_an_unknown_name_lists_near_ones(self, tmp_path, monkeypatch) -> None:
        from lm_eval.tasks import TaskManager

        task_file(tmp_path)
        monkeypatch.setattr(
            _harness, "_manager", lambda: TaskManager(include_defaults=False, include_path=str(tmp_path))
        )
        assert len(made(f"lm_eval:planted_questions,data={ROWS}").load()) == len(QUESTIONS)
        with pytest.raises(UnknownName, match=r"(?s)Did you mean 'planted_questions'.*hellaswag"):
            made("lm_eval:planted_question")

    def test_a_missing_or_faulty_file(self, tmp_path) -> None:
        with pytest.raises(BadData, match="does not exist"):
            made(f"lm_eval:{tmp_path / 'none.yaml'}")
        for text in ("{", "metadata: 1", "[1]"):
            (tmp_path / "bad.yaml").write_text(text)
            with pytest.raises(BadData, match="cannot be loaded"):
                made(f"lm_eval:{tmp_path / 'bad.yaml'}")
        with pytest.raises(BadData, match=r"cannot be loaded: \w+: .*nothing_there"):
            made(local(tmp_path, doc_to_text="{{ nothing_there.at_all }}"))

    def test_data_that_is_not_here_is_not_fetched(self, tmp_path) -> None:
        place = task_file(tmp_path, dataset_path="nobody/nothing-at-all", dataset_kwargs=None)
        with pytest.raises(
            BadData, match=r"(?s)nobody/nothing-at-all .* not on this machine.*download=true.*data="
        ):
            made(f"lm_eval:{place}")
        from huggingface_hub import constants

        assert not constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE")  # as it was before

    def test_options_are_refused_before_data_are_looked_for(self, tmp_path) -> None:
        settings = {"dataset_path": "nobody/nothing-at-all", "dataset_kwargs": None, "num_fewshot": 0}
        place = task_file(tmp_path, **settings, filter_list=[{"name": "own", "filter": []}])
        for option, said in (("shots=-1", "negative"), ("shots=2", "always asked without examples")):
            with pytest.raises(BadOption, match=said):
                made(f"lm_eval:{place},{option}")
        with pytest.raises(UnknownName, match=r"filter of the task .* named 'strict'.*exist: own\."):
            made(f"lm_eval:{place},filter=strict")
        with pytest.raises(BadData, match="not on this machine"):
            made(f"lm_eval:{place},filter=own,shots=0")

    def test_running_code_takes_consent(self, tmp_path) -> None:
        (tmp_path / "utils.py").write_text(
            "import os\n\n\ndef judge(doc, results):\n    return {'pass_at_1': float(os.environ.get("
            "'HF_ALLOW_CODE_EVAL') == '1')}\n"
        )
        place = task_file(
            tmp_path,
            **{
                **GENERATED,
                "unsafe_code": True,
                "dataset_kwargs": None,
                "metric_list": [{"metric": "pass_at_1", "aggregation": "mean", "higher_is_better": True}],
            },
        )
        settings = json.loads(place.read_text())
        text = json.dumps(settings)[:-1] + ", 'process_results': !function utils.judge}"
        place.write_text(text)
        with pytest.raises(BadOption, match="run_code=true"):
            made(f"lm_eval:{place},data={ROWS}")
        benchmark = made(f"lm_eval:{place},data={ROWS},run_code=true")
        sample = benchmark.load()[0]
        assert benchmark.score(sample, [Completion("x", 1)]).values["correct"] == 1
        assert "HF_ALLOW_CODE_EVAL" not in os.environ
        assert "run_code" not in benchmark.name  # consent is given anew each time

    def test_examples(self, tmp_path) -> None:
        with pytest.raises(BadOption, match="always asked without examples"):
            made(local(tmp_path, num_fewshot=0) + ",shots=2")
        with pytest.raises(BadOption, match="negative"):
            made(local(tmp_path) + ",shots=-1")
        samples = made(local(tmp_path, num_fewshot=1))
        two = made(local(tmp_path, num_fewshot=1) + ",shots=2")
        assert [b.ask(b.load()[0])[0].context.count("\n\n") for b in (samples, two)] == [1, 2]
        assert "1 examples" in samples.template

    def test_examples_from_one_file_never_show_the_question(self, tmp_path) -> None:
        """Whatever split the task asks: hellaswag and others have a validation split alone."""
        for splits in ({"test_split": "test"}, {"test_split": None, "validation_split": "validation"}):
            for fewshot in ({"sampler": "default"}, {"sampler": "first_n", "split": "train"}):
                benchmark = made(local(tmp_path, num_fewshot=4, fewshot_config=fewshot, **splits))
                for sample, row in zip(benchmark.load(), QUESTIONS, strict=True):
                    context = benchmark.ask(sample)[0].context
                    assert context.count("\n\n") == 4
                    assert context.count(row["question"]) == 1
                assert any("come from the measured rows" in said for said in benchmark.remarks([]))
        with pytest.raises(BadOption, match=r"shows 8 examples .* 8 rows in all.*shots=7 or less"):
            made(local(tmp_path, num_fewshot=8))
        assert len(made(local(tmp_path, num_fewshot=8) + ",shots=7").load()) == 8

    def test_the_harness_may_show_the_question_of_a_validation_split(self, tmp_path, monkeypatch) -> None:
        """It leaves the question out of examples from the test split alone; here some do show it."""
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
        splits = {"test_split": None, "validation_split": "test", "fewshot_split": "test"}
        benchmark = made(f"lm_eval:{task_file(tmp_path, num_fewshot=4, **splits)}")
        contexts = [benchmark.ask(sample)[0].context for sample in benchmark.load()]
        assert any(c.count(row["question"]) > 1 for c, row in zip(contexts, QUESTIONS, strict=True))
        assert any("may show the one that is asked" in said for said in benchmark.remarks([]))

    def test_examples_of_the_tasks_own_and_functions_that_write_them(self, tmp_path) -> None:
        (tmp_path / "utils.py").write_text(
            "def one(i):\n    return {'question': f'Own {i}', 'choices': ['a'], 'answer': 0}\n\n\n"
            "def samples():\n    return [one(1), one(2)]\n\n\n"
            "def shown(doc):\n    return doc['question'].upper()\n"
        )
        place = task_file(tmp_path, num_fewshot=2, dataset_kwargs=None)
        whole = place.read_text()[:-1]
        prompt = QUESTIONS[0]["question"]
        place.write_text(
            whole + ", 'fewshot_config': {'sampler': first_n, 'samples': !function utils.samples}}"
        )
        benchmark = made(f"lm_eval:{place},data={ROWS}")
        assert benchmark.ask(benchmark.load()[0])[0].context == f"Own 1 a\n\nOwn 2 a\n\n{prompt}"
        place.write_text(whole + ", 'fewshot_config': {'doc_to_text': !function utils.shown}}")
        benchmark = made(f"lm_eval:{place},data={ROWS},shots=1")
        example, asked = benchmark.ask(benchmark.load()[0])[0].context.split("\n\n")
        assert asked == prompt
        upper = {row["question"].upper() for row in QUESTIONS[1:]}
        assert any(example.startswith(question) for question in upper)

    def test_a_program_that_runs_code_and_is_not_here(self, tmp_path) -> None:
        (tmp_path / "utils.py").write_text(
            "import evaluate\n\nprogram = evaluate.load('code_eval')\n\n\ndef text(doc):\n    return 'x'\n"
        )
        place = task_file(tmp_path, dataset_kwargs=None)
        place.write_text(place.read_text()[:-1] + ", 'doc_to_text': !function utils.text}")
        with pytest.raises(BadOption, match="run_code=true"):  # though the task does not say what it does
            made(f"lm_eval:{place},data={ROWS}")
        with pytest.raises(BadData, match=r"(?s)program code_eval.*not on this machine.*run_code=true,down"):
            made(f"lm_eval:{place},data={ROWS},run_code=true")
        import evaluate

        assert not evaluate.config.HF_EVALUATE_OFFLINE or os.environ.get("HF_EVALUATE_OFFLINE")

    def test_an_unknown_filter_and_figures_without_items(self, tmp_path) -> None:
        with pytest.raises(UnknownName, match="filter"):
            made(local(tmp_path) + ",filter=strict")
        with pytest.raises(BadOption, match="not means over items"):
            made(local(tmp_path, metric_list=[{"metric": "mcc", "aggregation": "matthews_corrcoef"}]))


@needs_harness
class TestData:
    """The user's own files in place of a task's data set."""

    def test_other_kinds_of_file_and_a_folder(self, tmp_path) -> None:
        settings = {"doc_to_choice": ["yes", "no"], "doc_to_target": "{{answer % 2}}", "dataset_kwargs": None}
        place = task_file(tmp_path, **settings)
        table = pa.table({k: [row[k] for row in QUESTIONS] for k in ("question", "answer")})
        csv.write_csv(table, tmp_path / "rows.csv")
        parquet.write_table(table, tmp_path / "rows.parquet")
        by_kind = [made(f"lm_eval:{place},data={tmp_path / name}") for name in ("rows.csv", "rows.parquet")]
        asked = [
            [b.ask(sample) for sample in b.load()] for b in (*by_kind, made(f"lm_eval:{place},data={ROWS}"))
        ]
        assert asked[0] == asked[1] == asked[2]

    def test_a_folder(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "test.jsonl").write_text(ROWS.read_text())
        found = made(f"lm_eval:{TASK},data={folder}")
        assert found.card.digest == made(f"lm_eval:{TASK},data={ROWS}").card.digest
        place = task_file(tmp_path, dataset_kwargs=None, fewshot_split="train", num_fewshot=2)
        with pytest.raises(BadData, match=r"reads the split 'train'.*Add train\.jsonl, or write shots=0"):
            made(f"lm_eval:{place},data={folder}")
        assert len(made(f"lm_eval:{place},data={folder},shots=0").load()) == len(QUESTIONS)
        (folder / "train.jsonl").write_text(ROWS.read_text())
        found = made(f"lm_eval:{place},data={folder}")
        assert found.ask(found.load()[0])[0].context.count("\n\n") == 2

    def test_files_below_home_and_below_here(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "task.yaml").write_text(Path(TASK).read_text())
        (tmp_path / "rows.jsonl").write_text(ROWS.read_text())
        for spec in ("lm_eval:~/task.yaml,data=~/rows.jsonl", "lm_eval:./task.yaml,data=rows.jsonl"):
            assert len(made(spec).load()) == len(QUESTIONS)

    def test_what_cannot_be_read(self, tmp_path) -> None:
        (tmp_path / "rows.txt").write_text("x")
        (tmp_path / "rows.jsonl").write_text('{"question": 1}\nnot json\n[]\n')
        (tmp_path / "rows.parquet").write_text("not parquet")
        with pytest.raises(BadData, match="do not exist"):
            made(f"lm_eval:{TASK},data={tmp_path / 'none.csv'}")
        with pytest.raises(BadOption, match="not a kind of file"):
            made(f"lm_eval:{TASK},data={tmp_path / 'rows.txt'}")
        with pytest.raises(BadData, match=r"line 2: .*line 3: "):
            made(f"lm_eval:{TASK},data={tmp_path / 'rows.jsonl'}")
        with pytest.raises(BadData, match="cannot be read"):
            made(f"lm_eval:{TASK},data={tmp_path / 'rows.parquet'}")

    def test_rows_that_lack_a_field_are_named_beside_the_task(self, tmp_path) -> None:
        rows = [{"question": "The nurse", "choices": ["a", "b"], "answer": 0}, {"question": "The doctor"}]
        place = tmp_path / "rows.jsonl"
        for some in (rows, rows[1:]):
            place.write_text("".join(json.dumps(row) + "\n" for row in some))
            with pytest.raises(BadData, match=r"cannot be loaded.*rows\.jsonl, whose rows need the fields"):
                made(f"lm_eval:{TASK},data={place}")

    def test_items_without_a_right_answer_are_refused_all_at_once(self, tmp_path) -> None:
        """The harness counts them as wrong; a test set with withheld answers would give 0."""
        answers = (0, -1, 2, 1, None)
        rows = [{"question": "The nurse", "choices": ["a", "b"], "answer": answer} for answer in answers]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        with pytest.raises(BadData, match=r"3 of 5 items .*item 1 has -1; item 2 has 2; item 4 has None"):
            made(f"lm_eval:{TASK},data={tmp_path / 'rows.jsonl'}")

    def test_a_group_has_no_one_data_set(self, tmp_path) -> None:
        place = tmp_path / "group.yaml"
        place.write_text(json.dumps({"group": "mine", "task": []}))
        with pytest.raises(BadOption, match="several"):
            made(f"lm_eval:{place},data={ROWS}")


@needs_harness
class TestAsking:
    """The harness's requests as ours."""

    def test_a_choice_is_a_continuation(self) -> None:
        benchmark = made(f"lm_eval:{TASK},data={ROWS}")
        first = benchmark.load()[0]
        prompt, choices = QUESTIONS[0]["question"], QUESTIONS[0]["choices"]
        assert benchmark.ask(first) == [Continuation(prompt, f" {choice}") for choice in choices]
        assert first.fields["answer"] == QUESTIONS[0]["answer"]

    def test_spaces_before_an_answer_belong_to_it(self, tmp_path) -> None:
        benchmark = made(local(tmp_path, doc_to_text="{{question}} \n", target_delimiter=""))
        context, text = QUESTIONS[0]["question"], QUESTIONS[0]["choices"][0]
        assert benchmark.ask(benchmark.load()[0])[0] == Continuation(context, f" \n{text}")

    def test_exact_matches_are_recalled(self, tmp_path) -> None:
        settings = {
            "output_type": "loglikelihood",
            "doc_to_choice": None,
            "doc_to_target": " {{choices[answer]}}",
        }
        benchmark = made(
            local(tmp_path, **settings, metric_list=[{"metric": "acc"}, {"metric": "perplexity"}])
        )
        (request,) = benchmark.ask(benchmark.load()[0])
        assert request == GreedyMatch(QUESTIONS[0]["question"], " late")
        values = benchmark.score(benchmark.load()[0], [MatchedLogProb(-1.5, 2, True)]).values
        assert values == {"correct": 1.0, "nll": 1.5, "words": 1.0}

    def test_text_is_drawn_once_when_greedy(self, tmp_path) -> None:
        benchmark = made(local(tmp_path, **GENERATED, repeats=3))
        prompt = QUESTIONS[0]["question"]
        assert benchmark.ask(benchmark.load()[0]) == [Generation(prompt, Until(256, stop=("\n\n",)))]
        settings = {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "max_gen_toks": 5, "until": []}
        sampled = made(local(tmp_path, **GENERATED, repeats=2, generation_kwargs=settings))
        expected = [Generation(prompt, Until(5, 0.7, 0.9, draw)) for draw in (0, 1)]
        assert sampled.ask(sampled.load()[0]) == expected

    def test_settings_that_are_not_offered_are_refused(self, tmp_path) -> None:
        settings = {"do_sample": False, "repetition_penalty": 1.3, "until": []}
        benchmark = local(tmp_path, **GENERATED, generation_kwargs=settings)
        with pytest.raises(BadOption, match="repetition_penalty"):
            made(benchmark)


@needs_harness
class TestReading:
    """Our answers as the harness's results."""

    def test_text_is_cut_at_the_stops(self, tmp_path) -> None:
        settings = {"do_sample": False, "until": ["\n", "."]}
        benchmark = made(local(tmp_path, **GENERATED, generation_kwargs=settings))
        sample = benchmark.load()[0]
        for text, right in (("late", 1), ("late.\nand", 1), ("late and", 0), ("\nlate", 0)):
            assert benchmark.score(sample, [Completion(text, 3)]).values["correct"] == right

    def test_what_no_filter_reads_is_counted(self, tmp_path) -> None:
        filters = [{"function": "regex", "regex_pattern": "late|early"}, {"function": "take_first"}]
        settings = {"filter_list": [{"name": "word", "filter": filters}]}
        benchmark = made(local(tmp_path, **GENERATED, **settings))
        scores = [
            benchmark.score(sample, [Completion(text, 1)])
            for sample, text in zip(benchmark.load(), ("so late", "early", "?", "late"), strict=False)
        ]
        assert [(s.values["correct"], s.values["invalid"]) for s in scores] == [
            (1, 0),
            (0, 0),
            (0, 1),
            (1, 0),
        ]
        assert "1 of 4 answers are unreadable, so wrong, as the harness does." in benchmark.remarks(scores)

    def test_ties_are_the_harnesss_and_are_said(self) -> None:
        measured = take(ScriptedModel(lambda item: 0.25), made(f"lm_eval:{TASK},data={ROWS}"))
        first = sum(row["answer"] == 0 for row in QUESTIONS)
        assert measured.metrics["accuracy"].value == first / len(QUESTIONS)
        assert measured.metrics["ties"].value == 100
        assert any("8 of 8 answers are exact ties" in note for note in measured.notes)

    def test_other_numbers_are_kept(self, tmp_path) -> None:
        names = ("acc", "acc_bytes", "exact_match")
        benchmark = made(local(tmp_path, metric_list=[{"metric": name} for name in names]))
        sample = benchmark.load()[0]
        answers = [MatchedLogProb(-1.0, 1, True), *[MatchedLogProb(-9.0, 1, False)] * 3]
        values = benchmark.score(sample, answers).values
        assert (values["correct"], values["also.exact_match,none"], values["also.acc_bytes,none"]) == (
            1,
            1,
            1,
        )
        assert [m.name for m in benchmark.metrics] == ["accuracy", "ties"]

    def test_a_figure_that_is_no_accuracy(self, tmp_path) -> None:
        metrics = [{"metric": "brier", "aggregation": "mean", "higher_is_better": False}]
        (tmp_path / "utils.py").write_text(
            "def judge(doc, results):\n    return {'brier': results[0][0] / 2}\n"
        )
        place = task_file(tmp_path, metric_list=metrics, dataset_kwargs=None)
        place.write_text(place.read_text()[:-1] + ", 'process_results': !function utils.judge}")
        benchmark = made(f"lm_eval:{place},data={ROWS}")
        scores = [benchmark.score(s, [MatchedLogProb(-1.0, 1, False)] * 4) for s in benchmark.load()]
        assert [(m.name, m.value(scores)) for m in benchmark.metrics] == [("task_score", -0.5)]
        assert "task_score is its brier" in benchmark.remarks(scores)[0]

    def test_a_group_is_sliced_by_task(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
        inner = json.loads(task_file(tmp_path).read_text())
        tasks = [{**inner, "task": name} for name in ("one", "two")]
        metrics = [{"metric": "acc", "aggregation": "mean", "weight_by_size": False}]
        place = tmp_path / "group.yaml"
        place.write_text(json.dumps({"group": "mine", "task": tasks, "aggregate_metric_list": metrics}))
        measured = take(ScriptedModel(lambda item: 1 / len(item.text)), made(f"lm_eval:{place}"))
        assert measured.n == 2 * len(QUESTIONS)
        assert len(measured.slices) == 2
        assert all(key.startswith("task=") for key in measured.slices)
        assert any("weighs its tasks" in note for note in measured.notes)


@needs_harness
def test_answers_are_the_same_for_likelihoods_and_recalls() -> None:
    model, benchmark = tiny.model("gpt2"), made(f"lm_eval:{TASK},data={ROWS}")
    sample = benchmark.load()[1]
    asked = benchmark.ask(sample)
    found = model.answer([GreedyMatch(request.context, request.text) for request in asked])
    plain = [LogProb(answer.value, answer.n_tokens) for answer in found]
    assert benchmark.score(sample, plain) == benchmark.score(sample, found)


def test_rows_of_a_file_keep_their_words_and_their_columns(tmp_path) -> None:
    place = tmp_path / "rows.csv"
    place.write_text('question,choices,answer\nWhich country?,NA,1\n"None, or two?",,0\n')
    assert _harness._rows(place)[0] == {"question": "Which country?", "choices": "NA", "answer": 1}
    assert math.isnan(_harness._rows(place)[1]["choices"])
    for text, said in (("a,b\n1,2,3\n", "line 2: more cells"), ("a,a\n1,2\n", "'a' 2 times")):
        place.write_text(text)
        with pytest.raises(BadData, match=said):
            _harness._rows(place)
        with pytest.raises(BadData, match=said):
            _harness._check_folder(tmp_path)
    parquet.write_table(pa.table({"n": [1, None], "x": [b"a", b"b"]}), tmp_path / "rows.parquet")
    assert _harness._rows(tmp_path / "rows.parquet") == [{"n": 1, "x": "a"}, {"n": None, "x": "b"}]


@pytest.mark.parametrize(
    ("name", "value"),
    [("perplexity", -math.inf), ("word_perplexity", (-math.inf, 7)), ("byte_perplexity", (-math.inf, 40))],
)
def test_an_impossible_text_is_refused_not_left_out(name, value) -> None:
    figures = Figures("", "", "none", ("none",), frozenset({name}), (LIKELIHOODS[name][1],), False)
    with pytest.raises(BadModel, match=f"no probability at all, so that its {name} is infinite"):
        _columns(name, {(name, "none"): value}, figures)
    finite = -3.0 if name == "perplexity" else (-3.0, 7)
    assert _columns(name, {(name, "none"): finite}, figures)["nll"] == 3.0
    assert _columns(name, {}, figures)["nll"] is None
