"""What a name stands for, where its case comes from, and the exit codes of the command."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from evenhand import registry
from evenhand.errors import UnknownName, UsageError
from evenhand.testing import BenchmarkCase, MetricCase, kinds
from evenhand.testing.__main__ import _not_run, main
from evenhand.testing.contracts import CASE as CASE_FLAG
from evenhand.testing.contracts import SLOW, Outcome
from evenhand.testing.kinds import case_of, kind_of

STATED = {"right": {"accuracy": 1}, "wrong": {"accuracy": 0}, "uniform": {"accuracy": None}}
CASE = BenchmarkCase("facts", STATED)
OTHER = MetricCase("facts", lambda n, seed: {})
HERE = __name__


def test_a_name_of_two_kinds_needs_the_kind() -> None:
    assert kind_of("genbiaseval:part=dev") == "benchmark"
    assert kind_of("honest", "metric") == "metric"
    assert kind_of("anything:at all", "model") == "model"
    with pytest.raises(UsageError, match=r"a benchmark and of a metric.*--kind benchmark"):
        kind_of("honest")
    with pytest.raises(UnknownName, match=r"no component named 'genbias'.*genbiaseval"):
        kind_of("genbias")
    with pytest.raises(UnknownName, match="kind of component with contracts named 'repair'"):
        kind_of("facts", "repair")


def test_where_a_case_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert case_of("benchmark", "facts") is None
    point = SimpleNamespace(name="facts", load=lambda: (OTHER, CASE))
    monkeypatch.setattr(kinds, "entry_points", lambda group: [point] if group == "evenhand.cases" else [])
    assert case_of("benchmark", "facts:set=world") is CASE
    own = BenchmarkCase("facts")
    monkeypatch.setattr(registry.get("benchmark", "facts"), "case", own, raising=False)
    assert case_of("benchmark", "facts") is own
    assert case_of("benchmark", "facts", f"{HERE}:CASE") == CASE


@pytest.mark.parametrize("place", ["nowhere", "no.such.module:CASE", f"{HERE}:OTHER", f"{HERE}:NOTHING"])
def test_a_case_that_is_not_there(place: str) -> None:
    with pytest.raises(UsageError, match="case"):
        case_of("benchmark", "facts", place)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["facts"], 0, "benchmark facts: 11 passed, 0 failed, 2 skipped\nNOT RUN: 2 of 13 contracts; "),
        (["facts", "--case", f"{HERE}:CASE"], 0, "benchmark facts: 13 passed, 0 failed, 0 skipped\n"),
        (["facts:set=world", "--kind", "benchmark"], 0, "11 passed, 0 failed, 2 skipped\n"),
        (
            ["ub"],
            0,
            "metric ub: 7 passed, 0 failed, 12 skipped\nNOT RUN: 12 of 19 contracts; 12 for want of a case: "
            "type `python -m evenhand.testing ub --case module:NAME`.\n",
        ),
        (["facts:colour=red"], 2, "has no option 'colour'"),
        (["ub:colour=red"], 2, "takes no options"),
        (["honest"], 2, "--kind benchmark"),
        (["nowhere:x", "--kind", "model"], 2, "no model scheme named 'nowhere'"),
        (["facts", "--case", "nowhere"], 2, "names no case"),
        (["--help"], 0, "Try the contracts of its kind"),
        ([], 2, "required: name"),
    ],
)
def test_exit_codes(words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == code
    printed = capsys.readouterr()
    assert said in (printed.out if code == 0 else printed.err)


def test_the_last_line_tells_what_did_not_run_by_its_reason() -> None:
    skipped = [
        Outcome("one", "skipped", "no case gives values", CASE_FLAG),
        Outcome("two", "skipped", "it is slow", SLOW),
        Outcome("three", "skipped", "it does not train"),
        Outcome("four", "skipped", "it is slow", SLOW),
    ]
    assert _not_run("own", "locator", skipped, 9) == (
        "NOT RUN: 4 of 9 contracts; 1 for want of a case: type `python -m evenhand.testing own --kind "
        "locator --case module:NAME`; 2 for being slow: type `python -m evenhand.testing own --kind locator "
        "--slow`; 1 that cannot be tried on it."
    )


def test_a_wrong_case_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = BenchmarkCase("facts", {**CASE.stated, "right": {"accuracy": 0.5}})
    monkeypatch.setattr(sys.modules[HERE], "CASE", wrong)
    assert main(["facts", "--case", f"{HERE}:CASE"]) == 1
    said = capsys.readouterr().out
    assert (
        "failed  scripted models get the stated values: accuracy of the script right is 1.0, not 0.5" in said
    )


def test_metrics_and_benchmarks_need_no_torch() -> None:
    """With torch made unimportable, as on a machine without the extra."""
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'transformers', 'pytest'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from evenhand.testing.__main__ import main\n"
        "sys.exit(main(['afgb']) or main(['facts']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
