"""Every failure: one paragraph on stderr, the right exit code, and with --json an error object."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand.cli import console
from evenhand.errors import (
    BadData,
    EvenhandError,
    GateFailed,
    MissingExtra,
    NoEffect,
    NotComparable,
    UnknownName,
    UsageError,
)
from evenhand.studies.store import save_verification
from tests.cli.conftest import Library, Run
from tests.support import records_factory as make

FAILURES: list[tuple[BaseException, int]] = [
    (UnknownName("benchmark", "genbias", ["genbiaseval", "facts"]), 2),
    (BadData("The file is empty.", mend="Give another."), 2),
    (UsageError("No.", mend="Yes."), 2),
    (GateFailed("No.", mend="Yes."), 1),
    (NotComparable("The templates differ.", mend="Measure again."), 3),
    (NoEffect("Nothing moved.", mend="Raise lr."), 3),
    (MissingExtra("torch", "hf", "Opening hf: models"), 4),
]


@pytest.mark.parametrize(("error", "code"), FAILURES, ids=lambda v: type(v).__name__)
def test_own_errors(run: Run, library: Library, error: EvenhandError, code: int) -> None:
    library.raises = error
    answer = run("measure", "lab:causal")
    assert answer.code == code
    assert answer.out == ""
    assert answer.err.count(f"evenhand: {error.what} {error.mend}\n") == 1
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(("error", "code"), FAILURES, ids=lambda v: type(v).__name__)
def test_own_errors_as_json(run: Run, library: Library, error: EvenhandError, code: int) -> None:
    library.raises = error
    answer = run("verify", "lab:causal", "--json")
    assert answer.code == code
    assert set(answer.json) == {"schema", "error", "made_by"}
    assert answer.json["error"] == {
        "kind": type(error).__name__, "what": error.what, "mend": error.mend, "exit": code
    }  # fmt: skip
    assert error.mend in answer.err


def test_a_missing_torch_names_the_pip_command(run: Run, library: Library) -> None:
    library.raises = ModuleNotFoundError("No module named 'torch'", name="torch")
    answer = run("measure", "lab:causal")
    assert answer.code == 4
    assert "pip install 'evenhand[hf]'" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("name", ["torch.nn", "transformers", "peft", "safetensors.torch", "huggingface_hub"])
def test_every_package_of_the_extra_counts(run: Run, library: Library, name: str) -> None:
    library.raises = ModuleNotFoundError(name, name=name)
    assert run("locate", "lab:causal").code == 4


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "runs/x.json"), 4, "disk is full at runs/x.json"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 4, "disk is full."),
        (MemoryError(), 4, "memory is full"),
        (KeyboardInterrupt(), 130, "Interrupted. The same command resumes."),
    ],
)
def test_the_machine_fails(run: Run, library: Library, error: BaseException, code: int, words: str) -> None:
    library.raises = error
    answer = run("measure", "lab:causal", "--json")
    assert answer.code == code
    assert words in answer.err
    assert answer.json["error"]["exit"] == code
    assert "Traceback" not in answer.err


def test_the_unexpected_shows_its_trace_and_asks_for_a_report(run: Run, library: Library) -> None:
    library.raises = ZeroDivisionError("division by zero")
    answer = run("measure", "lab:causal", "--json")
    assert answer.code == 70
    assert "Traceback" in answer.err
    assert "please report it" in answer.err
    assert answer.json["error"]["kind"] == "Unexpected"


def test_another_missing_module_is_unexpected(run: Run, library: Library) -> None:
    library.raises = ModuleNotFoundError("No module named 'numpy'", name="numpy")
    assert run("measure", "lab:causal").code == 70


@pytest.mark.parametrize(
    "argv",
    [
        ["measure"],
        ["measure", "lab:causal", "--no-such-option"],
        ["no-such-verb"],
        ["verify", "lab:causal", "--control", "half"],
        ["measure", "lab:causal", "--limit", "0"],
        ["measure", "lab:causal", "-b", "facts,,"],
        ["ls", "animals"],
    ],
)
def test_bad_command_lines(run: Run, library: Library, argv: list[str]) -> None:
    answer = run(*argv)
    assert answer.code == 2
    assert answer.err.startswith("evenhand: ")
    assert "Traceback" not in answer.err
    assert run(*argv, "--json").json["error"]["kind"] == "UsageError"
    assert library.asked == []


def test_a_bad_option_names_the_help(run: Run) -> None:
    assert "`evenhand measure --help` lists what there is." in run("measure", "x", "--nonsense").err


def test_no_argument_shows_the_help(run: Run) -> None:
    answer = run()
    assert answer.code == 0
    assert answer.out.startswith("Usage: evenhand")


def test_version(run: Run) -> None:
    from evenhand import __version__

    answer = run("--version")
    assert (answer.code, answer.out) == (0, f"evenhand {__version__}\n")


HOSTILE = "x\x1b[2J\x9b1m\u202e\r\x07"
SHOWN = r"x\x1b[2J\x9b1m\u202e\x0d\x07"


@pytest.mark.parametrize("kind", [BadData, ValueError])
def test_an_error_cannot_steer_the_terminal(run: Run, library: Library, kind: type[Exception]) -> None:
    library.raises = BadData(HOSTILE, mend=HOSTILE) if kind is BadData else ValueError(HOSTILE)
    answer = run("measure", "lab:causal", "--json")
    assert SHOWN in answer.err
    said = json.loads(answer.out)["error"]
    assert HOSTILE in said["what"]
    assert not any(sign in answer.out + answer.err for sign in "\x1b\x9b\u202e\r\x07")


def test_tables_and_lines_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(HOSTILE, (HOSTILE, "n"), [(HOSTILE, "1")])
    console.say(HOSTILE)
    console.warn(HOSTILE)
    out, err = capsys.readouterr()
    assert out.count(SHOWN) == 4
    assert SHOWN in err
    assert not any(sign in out + err for sign in "\x1b\x9b\u202e\r\x07")


def test_a_line_break_in_a_value_begins_no_line_of_its_own(run: Run, library: Library) -> None:
    library.raises = BadData("The table has a\nVerdict: fair.", mend="Mend\r\nit.")
    answer = run("measure", "lab:causal")
    assert answer.err.splitlines()[-1] == "evenhand: The table has a\\nVerdict: fair. Mend\\x0d\\nit."
    assert json.loads(run("measure", "lab:causal", "--json").out)["error"]["what"] == library.raises.what


SOURCE = Path(__file__).parents[2] / "src"
PASSING = ("gate", "run", "verdict==mitigated")


def started(folder: Path, *argv: str, out: int, err: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = (sys.executable, "-m", "evenhand", *argv)
    return subprocess.Popen(command, cwd=folder, stdout=out, stderr=err, env=environment)


@pytest.mark.parametrize("argv", [PASSING, (*PASSING, "--json"), ("ls",), ("--help",)], ids=" ".join)
@pytest.mark.parametrize(("place", "code"), [("full", 4), ("closed", 141)])
def test_what_cannot_be_printed_is_no_failed_gate(
    tmp_path: Path, argv: tuple[str, ...], place: str, code: int
) -> None:
    save_verification(tmp_path / "run", make.verification())
    if place == "full":
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        out = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, out = os.pipe()
        os.close(reader)
    process = started(tmp_path, *argv, out=out)
    os.close(out)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.decode().count("evenhand: The disk is full.") == (code == 4)
    assert len(said.splitlines()) == (code == 4)


def test_stderr_that_takes_nothing_changes_no_code(tmp_path: Path) -> None:
    save_verification(tmp_path / "run", make.verification())
    reader, err = os.pipe()
    os.close(reader)
    process = started(tmp_path, *PASSING[:2], "verdict==worse", "--json", out=subprocess.PIPE, err=err)
    missing = started(tmp_path, "gate", "nowhere", "afgb<=1", "--json", out=subprocess.PIPE, err=err)
    os.close(err)
    out, _ = missing.communicate(timeout=60)
    assert (missing.returncode, json.loads(out)["error"]["kind"]) == (2, "BadData")
    process.communicate(timeout=60)
    assert process.returncode == 1  # the gate failed, and that is all


def test_a_signal_while_the_program_still_loads(tmp_path: Path) -> None:
    """The import of the verbs takes a part of a second, in which Ctrl-C must not show a traceback."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'evenhand.cli.app':\n"
        f"            os.kill(os.getpid(), signal.{signal.SIGTERM.name})\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{SOURCE}"}
    command = [sys.executable, "-m", "evenhand", "ls", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 130
    assert json.loads(done.stdout)["error"]["kind"] == "Interrupted"
    assert b"Traceback" not in done.stderr
