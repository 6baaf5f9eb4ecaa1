"""``--print-config`` prints what a command would run with, and so nothing that it refuses."""

from __future__ import annotations

import ast
import inspect
import tomllib
from pathlib import Path

import pytest
import typer

import evenhand.monitor.canaries
import evenhand.reproductions
import evenhand.studies.grid.running  # noqa: F401  # while the library is replaced they would bind what replaces it
from evenhand.cli.app import app_of
from evenhand.cli.configured import names_of
from evenhand.cli.validate import _every
from tests.cli.conftest import Library, Run

REFUSED = {
    "a place that there is not": ("study run s.toml --on slurm", "names no place to work"),
    "a part of nothing": ("study run s.toml --part 3/2", "is no part"),
    "an empty part": ("study run s.toml --part=", "is no part"),
    "a model without a scheme": ("measure causal", "no model scheme"),
    "a scheme that there is not": ("verify labb:causal --with prompt", "no model scheme"),
    "a benchmark": ("measure lab:causal -b genbiasevall", "Did you mean 'genbiaseval'"),
    "a benchmark's option": ("measure lab:causal -b genbiaseval:splitt=test", "no option 'splitt'"),
    "a capability": ("verify lab:causal --capability factss", "Did you mean 'facts'"),
    "a method": ("mitigate lab:causal --with lftff", "Did you mean 'lftf'"),
    "a method's option": ("plan lab:causal --with lftf:losss=printed", "no option 'losss'"),
    "what a demonstration tries": ("demo --with lftff", "Did you mean 'lftf'"),
    "a locator": ("locate lab:causal --with bmii", "Did you mean 'bmi'"),
    "a locator of a method": ("mitigate lab:causal --locator bmii", "Did you mean 'bmi'"),
    "an attribute": ("measure lab:causal --attribute gendr", "Did you mean 'gender'"),
    "slices": ("measure lab:causal --by ,", "names no slices"),
    "a dtype": ("measure lab:causal --dtype float99", "no dtype 'float99'"),
    "a budget": ("verify lab:causal --budget 0", "is not a time"),
    "a margin": ("verify lab:causal --margin 2", "is not a share"),
    "a treated model": ("verify lab:causal --treated nosuch:model", "no model scheme"),
    "a source of tables": ("reproduce lfft lab:causal", "Did you mean 'lftf'"),
    "a table": ("reproduce lftf lab:causal --table 99", "99"),
    "what the source calls a model": ("reproduce lftf lab:causal --as GPT-5", "GPT-5"),
    "a tracker": ("report run --track mlfloww", "no tracker"),
    "a condition of an audit": ("audit x.csv --sensitive sex --fail-on nonsense", "nonsense"),
    "a baseline": ("audit x.csv --sensitive sex --suppress 5 --bins age", "are no bins"),
    "a column without a meaning": ("lint x.csv --columns dpd", "is not MEANING=COLUMN"),
    "a meaning": ("lint x.csv --columns dpdd=first", "Did you mean 'dpd'"),
    "an audit": ("audit x.csv --sensitive sex --audits proxiess", "no audit named 'proxiess'"),
    "a condition": ("gate run nonsense", "is not a condition"),
    "a verdict": ("gate run verdict==better", "no verdict named 'better'"),
    "a number": ("gate run afgb<=little", "which is not a number"),
    "a scope": ("monitor keys create --scope everything", "no scope of keys"),
    "a role": ("monitor users add ann --role king", "no role"),
    "hours": ("monitor canaries add openai:http://h/v1#m -b facts --hours 0", "every 0 hours"),
    "a canary's benchmark": ("monitor canaries add openai:http://h/v1#m -b factss", "Did you mean 'facts'"),
    # beside each other
    "a method and a treated model": ("verify lab:causal --with lftf --treated hf:./x", "treated already"),
    "a budget for no control": ("verify lab:causal --control none --budget 5", "has no effect"),
    "a benchmark and an attribute": ("measure lab:causal -b facts --attribute gender", "has no effect"),
    "a file that a dry run does not write": ("measure lab:causal --dry-run --out x", "has no effect"),
    "a folder that a plan does not write": ("reproduce lftf lab:causal --plan --out x", "has no effect"),
    "a repair without a file": ("audit x.csv --sensitive sex --repair reweigh", "go together"),
    "a locator of a method that has its own": ("plan lab:causal --with prompt --locator bmi", "locator"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_run_refuses_is_not_printed(case: str, run: Run, library: Library) -> None:
    words, said = REFUSED[case]
    answer = run(*words.split(), "--print-config")
    assert answer.code == 2
    assert said in " ".join(answer.err.split())
    assert answer.out == ""
    assert run(*words.split()).code == 2  # the run itself says the same
    assert library.asked == []


PRINTED = [
    "measure hf:org/name -b genbiaseval,perplexity:file=nowhere.txt --by scale --dtype float16 --out x",
    "verify nowhere/ --margin 0.02",
    "verify hf:org/base --treated hf:./ours --budget 20",
    "plan hf:org/base --with lftf:loss=printed,lr=1e-4 --locator ablation",
    "mitigate lab:causal --with lftf --with thresholds --out x",
    "locate lab:causal --with ablation --out x",
    "demo --with prompt",
    "reproduce lftf Llama3.2-1B --table 2",
    "audit nowhere.csv --sensitive sex --target income --repair reweigh --out y.csv --fail-on beyond",
    "study run nowhere.toml --on ray://head:10001?cpus=2 --part 2/8",
    "monitor canaries add openai:http://h/v1#m -b facts --hours 0.5",
]


@pytest.mark.parametrize("words", PRINTED)
def test_what_hangs_on_the_machine_is_printed(words: str, run: Run, library: Library) -> None:
    answer = run(*words.split(), "--print-config")
    assert answer.code == 0, answer.err
    assert tomllib.loads(answer.out)
    assert library.asked == []
    assert list(Path().iterdir()) == []


def test_a_command_that_looks_first_stops_before_its_work() -> None:
    commands = [one for one in _every(typer.main.get_command(app_of(""))) if marked(one)]
    assert {one.name for one in commands} >= {"measure", "locate", "mitigate", "verify", "plan", "audit"}
    for one in commands:
        tree = ast.parse(inspect.getsource(inspect.unwrap(one.callback)))
        calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and named(node)}
        assert "ready" in calls, one.name


def marked(command: typer.core.TyperCommand) -> bool:
    return getattr(command.callback, "checks_first", False)


def named(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name)


def test_a_file_may_call_an_argument_as_the_help_does() -> None:
    for command in _every(typer.main.get_command(app_of(""))):
        names = names_of(command)
        shown = [
            (one.metavar.lower(), one.name) for one in command.params if one.param_type_name == "argument"
        ]
        for word, name in shown:
            if word.isalpha() and [w for w, _ in shown].count(word) == 1:
                assert names[word] == name, command.name


def test_a_canary_from_a_file_names_its_endpoint(run: Run) -> None:
    Path("c.toml").write_text(
        '[monitor.canaries.add]\nendpoint = "openai:http://h/v1#m"\nbenchmark = "facts"\n'
    )
    answer = run("monitor", "canaries", "add", "--config", "c.toml", "--print-config")
    assert tomllib.loads(answer.out)["endpoint"] == "openai:http://h/v1#m"
