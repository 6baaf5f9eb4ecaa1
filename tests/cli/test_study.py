"""``evenhand study``, ``evenhand validate`` and ``--config``: what they print, write and exit with."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from evenhand.cli import main
from evenhand.errors import EvenhandError
from evenhand.studies import verbs
from evenhand.studies.grid import planning
from evenhand.toml import as_toml
from tests.cli.conftest import Library, Run

STUDY = """
models = ["lab:causal"]
mitigations = ["prompt"]
benchmarks = ["genbiaseval:split=heldout"]
capability = ["facts"]
control = "none"
limit = 6
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "small.toml").write_text(STUDY)
    return "small.toml"


def test_run_then_show(run: Run, file: str) -> None:
    answer = run("study", "run", file, "--out", "out", "--json")
    assert answer.code == 0
    data = answer.json
    assert (data["complete"], data["limited"], data["study"]) == (True, True, "small")
    assert {"model", "mitigation", "seed", "benchmark", "effect", "low", "high", "verdict"} <= set(
        data["rows"][0]
    )
    assert data["written"] == ["out/table.csv", "out/table.json", "out/report.html"]
    assert all(Path(path).is_file() for path in data["written"])
    shown = run("study", "show", "out")
    assert shown.code == 0
    assert "prompt" in shown.out
    assert "limited, not reportable" in shown.out
    assert run("study", "show", "out", "--json").json["rows"] == data["rows"]
    text = Path("out/report.html").read_text("utf-8")
    assert len(text) < 3_000_000
    for part in ("Every cell", "Bias against capability", "Transfer", "items changed sides"):
        assert part in text


def test_a_failed_cell_exits_with_3(run: Run, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise EvenhandError("It broke.", mend="Mend it.")

    monkeypatch.setattr(verbs, "verify", broken)
    answer = run("study", "run", file, "--out", "out")
    assert answer.code == 3
    assert "prompt on lab:causal, seed 0 failed: EvenhandError: It broke. Mend it." in answer.out
    assert "EvenhandError: It broke." in Path("out/table.csv").read_text("utf-8")
    assert run("study", "show", "out").code == 3


def test_plan_gives_cells_models_and_minutes(run: Run, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "base_seconds", lambda *_: 3.0)
    answer = run("study", "plan", file, "--json")
    assert answer.code == 0
    (model,) = answer.json["models"]
    assert (model["cells"], model["models"]) == (1, 2)  # the base and the treated model
    assert 0 < answer.json["minutes"]["low"] < answer.json["minutes"]["high"]
    assert "1 verification (1 seed)" in run("study", "plan", file).out


def test_show_names_what_is_missing(run: Run, file: str) -> None:
    answer = run("study", "show", file)
    assert answer.code == 2
    assert "There is no study.json in runs/study-small" in answer.err


def test_validate_a_study(run: Run, file: str) -> None:
    assert run("validate", file).code == 0
    Path("bad.toml").write_text('models = ["lba:x"]\nmitigations = ["lftff"]\nsedes = [1]\n')
    answer = run("validate", "bad.toml", "--json")
    assert answer.code == 2
    assert (answer.json["kind"], answer.json["valid"]) == ("study", False)
    assert len(answer.json["problems"]) == 3
    out = run("validate", "bad.toml").out
    assert "did you mean 'seeds'?" in out
    run_it = run("study", "run", "bad.toml")
    assert run_it.code == 2
    assert "lftff" in run_it.err


def test_a_config_gives_options_and_the_command_line_wins(run: Run, library: Library) -> None:
    Path("c.toml").write_text(
        'uri = "lab:causal"\nseed = 3\nbenchmark = ["genbiaseval", "facts"]\nbatch-tokens = 64\n'
        "[verify]\nmargin = 0.5\n"
    )
    run("measure", "--config", "c.toml")
    asked = library.asked[-1]
    assert (asked[1], asked[2], asked[3]["seed"], asked[3]["batch_tokens"]) == (
        "lab:causal", ("genbiaseval", "facts"), 3, 64,
    )  # fmt: skip
    run("measure", "lab:causal?block=2", "--config", "c.toml", "--seed", "4", "-b", "genhinteval")
    asked = library.asked[-1]
    assert (asked[1], asked[2], asked[3]["seed"]) == ("lab:causal?block=2", ("genhinteval",), 4)
    run("verify", "--config", "c.toml")
    assert (library.asked[-1][3]["margin"], library.asked[-1][3]["seed"]) == (0.5, 3)


def test_a_printed_config_repeats_the_command(run: Run, library: Library) -> None:
    first = run(
        "verify", "lab:causal", "--with", "prompt", "--seed", "5", "--control", "none", "--print-config"
    )
    assert first.code == 0
    assert library.asked == []  # nothing ran
    printed = tomllib.loads(first.out)
    assert (printed["uri"], printed["seed"], printed["control"]) == ("lab:causal", 5, "none")
    Path("c.toml").write_text(first.out)
    assert run("validate", "c.toml", "--verb", "verify").code == 0
    again = run("verify", "--config", "c.toml", "--print-config")
    assert again.out == first.out
    run("verify", "--config", "c.toml")
    assert library.asked[-1][:3] == ("verify", "lab:causal", "prompt")


def test_a_wrong_config_is_refused(run: Run, library: Library) -> None:
    Path("c.toml").write_text("sede = 3\n")
    answer = run("measure", "lab:causal", "--config", "c.toml")
    assert answer.code == 2
    assert "there is no option 'sede' (did you mean 'seed'?)" in answer.err
    assert run("measure", "lab:causal", "--config", "nowhere.toml").code == 2
    assert library.asked == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sede = 3", "no command has an option 'sede' (did you mean 'seed'?)"),
        ('benchmark = ["genbiasevall"]', "Did you mean 'genbiaseval'"),
        ("[verfy]\nseed = 1", "there is no command 'verfy' (did you mean 'verify'?)"),
        ("[verify]\nsede = 1", "[verify]: there is no option 'sede'"),
        ('[verify]\nwith = "lftff"', "[verify]: with: There is no mitigation named 'lftff'"),
        ('[verify]\nseed = "many"', "[verify]: seed: Invalid value for '--seed'"),
        ('[verify]\ncontrol = "some"', "'some' is not one of"),
        ("[data.pull]\nsede = 1", "[data.pull]: there is no option 'sede'"),
    ],
)
def test_validate_a_config(run: Run, text: str, said: str) -> None:
    Path("c.toml").write_text(text)
    answer = run("validate", "c.toml")
    assert answer.code == 2
    assert said in " ".join(answer.out.split())


def test_validate_for_one_verb(run: Run) -> None:
    Path("c.toml").write_text('uri = "lab:causal"\nby = "scale,definitional"\n')
    assert run("validate", "c.toml").code == 0
    assert run("validate", "c.toml", "--verb", "measure").code == 0
    answer = run("validate", "c.toml", "--verb", "verify")
    assert (answer.code, "no option 'by'" in answer.out) == (2, True)
    assert "did you mean 'verify'?" in run("validate", "c.toml", "--verb", "verfy").out


def test_every_command_takes_a_config(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("measure", "verify", "gate", "ls", "demo", "validate", "study run", "data pull"):
        assert main([*command.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        assert "--config" in shown, command
        assert "--print-config" in shown, command


def test_toml_reads_back() -> None:
    values = {"a": 'x\n"y" é', "b": [1, 2.5], "c": True, "d": None, "e": 1e-5, "f": ["p", "q"]}
    assert tomllib.loads(as_toml(values)) == {k: v for k, v in values.items() if v is not None}
