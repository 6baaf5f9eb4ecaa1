"""Options that would be without effect are refused before any work, with what to type instead."""

from __future__ import annotations

from pathlib import Path

import pytest

import evenhand
from evenhand.cli.report import FITS, OUTPUTS
from evenhand.errors import UsageError
from tests.cli.conftest import Run

SAVED = str(Path(__file__).parents[1] / "golden" / "saved" / "run")
VALUES = {"--texts": (), "--location": ("folder",), "--format": ("svg",), "--project": ("mine",)}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("option", FITS)
def test_an_option_of_another_output(option: str, output: str, run: Run) -> None:
    if FITS[option] == output:
        return
    answer = run("report", SAVED, *OUTPUTS[output].split(), option, *VALUES[option])
    assert answer.code == 2
    assert f"{option} has no effect beside {output}: it is about {FITS[option]}." in answer.err
    assert f"evenhand report {SAVED} {OUTPUTS[FITS[option]]} {option} ..." in answer.err
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize("option", ["--format", "--project"])
def test_without_an_output_it_is_the_page(option: str, run: Run) -> None:
    answer = run("report", SAVED, option, *VALUES[option])
    assert answer.code == 2
    assert "beside the page, which is written where no output is named" in answer.err
    assert not Path("report.html").exists()


def test_an_option_fits_its_own_output(run: Run) -> None:
    assert run("report", SAVED).code == 0
    assert Path("report.html").exists()
    assert "folder" in run("report", SAVED, "--html", "b.html", "--location", "folder").err  # it is looked at


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("measure any:model --dry-run --dtype bfloat16", "--dtype has no effect beside --dry-run"),
        ("measure any:model --dry-run --by scale,part", "--by has no effect beside --dry-run"),
        ("measure any:model --dry-run --out kept", "--out has no effect beside --dry-run"),
        ("measure recorded:a.jsonl --dtype float16", "dtype would have no effect: recorded:a.jsonl"),
        ("measure openai:http://localhost:1/v1#m --batch-tokens 9", "batch-tokens would have no effect"),
        ("reproduce lftf lab:causal --plan --out kept", "--out has no effect beside --plan"),
        ("verify lab:causal --control none --budget 3", "--budget has no effect beside --control none"),
        ("verify lab:causal --with prompt --locator bmi", "The locator bmi chooses blocks, and prompt takes"),
        ("mitigate lab:causal --with cda --locator ablation", "The locator ablation chooses blocks, and cda"),
        (
            "mitigate lab:causal+a --merge b --out c --seed 3",
            "--out and --seed have no effect beside",
        ),
    ],
)
def test_refused_before_any_work(command: str, said: str, run: Run) -> None:
    answer = run(*command.split())
    assert answer.code == 2
    assert said in answer.err
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ('dtype = "float32"\nbatch-tokens = 512', "measure lab:causal --dry-run --limit 2"),
        ('locator = "bmi"', "plan lab:causal --with prompt --no-minutes"),
    ],
)
def test_a_file_that_serves_several_commands_is_not_refused(options: str, command: str, run: Run) -> None:
    Path("shared.toml").write_text(options)
    assert run(*command.split(), "--config", "shared.toml").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("a.txt --sensitive sex --target hired", "--sensitive and --target are about tables"),
        ("a.txt --missing -99 --against b.txt", "--missing and --against are about tables"),
        ("a.txt --bins age=30", "--bins is about tables, and this data set is texts."),
        ("a.csv --sensitive sex --classifier lexicon", "--classifier is about texts, and this data set is a"),
        ("a.csv --sensitive sex --attribute race", "--attribute is about texts"),
    ],
)
def test_an_audit_of_the_other_kind(options: str, said: str, run: Run) -> None:
    Path("a.txt").write_text("The nurse left.\n")
    Path("a.csv").write_text("sex,hired\nf,yes\nm,no\n")
    answer = run("audit", *options.split())
    assert answer.code == 2
    assert said in answer.err


def test_from_python_too() -> None:
    with pytest.raises(UsageError, match="The locator bmi chooses blocks"):
        evenhand.verify("lab:causal", "prompt", locator="bmi")
    with pytest.raises(UsageError, match="dtype would have no effect"):
        evenhand.measure("recorded:a.jsonl", dtype="float16")
