"""What the bench writes: the table, the line of the history, the page; and what its command accepts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from perf.bench import __main__ as command
from perf.bench import page
from perf.bench.harness import Case, Found, Peer, Ratio, Skip
from perf.bench.inputs import Setting

ABOUT = {
    "command": "python -m perf.bench",
    "title": "Performance",
    "rounds": 3,
    "layers": 4,
    "width": 256,
    "clock": "Seconds are CPU seconds.",
    "machine": "a machine",
}
FIRST = Ratio("padded batches", 32, 2.0, 4.0, 3.5, 412.2, 1e-6, 3.0, {8: 3.0, 32: 2.0})
SECOND = Ratio("one at a time", 0, 9.0, 18.0, 17.0, 19.0, None, 25.0, {})


def found(**changes: Any) -> Found:
    given = {
        "name": "some",
        "what": "some work",
        "unit": "s",
        "device": "cpu",
        "cost": 0.5,
        "ratios": (FIRST, SECOND),
        "share": 0.6,
        "asked": 0.65,
        "steady": True,
        "equal": True,
        "detail": "7 tokens run of 9 asked",
    }
    return Found(**{**given, **changes})


def test_a_row_a_peer_with_what_is_common_in_the_first() -> None:
    assert page.rows([found()]) == [
        (
            "some work",
            "0.5 s",
            "padded batches, 32 a batch",
            "4.00x (3.50 to 412)",
            "3x, reached",
            "1.0e-06",
            "60% (65% asked)",
        ),
        (
            "",
            "",
            "one at a time",
            "18.00x (17.00 to 19.00)",
            "25x, not reached; 30.00x at the ceiling",
            "not compared",
            "",
        ),
    ]


def test_an_unsteady_ceiling_a_wrong_number_and_a_gpu_are_marked() -> None:
    (first, _) = page.rows([found(steady=False, equal=False, device="cuda")])
    assert first[0] == "some work, cuda"
    assert first[-1] == "60% (65% asked), unsteady"
    assert first[-2] == "1.0e-06 TOO LARGE"


def test_the_table_says_what_was_left_out() -> None:
    lines = page.text([found()], {"GPU": "there is none here"}).splitlines()
    assert len(lines) == 1 + 2 + 1
    assert lines[0].startswith("workload")
    assert lines[1].index("padded batches") == lines[2].index("one at a time")
    assert lines[-1] == "GPU: left out, there is none here"


def test_the_history_gets_one_line_of_json_a_run(tmp_path: Any) -> None:
    history = tmp_path / "history.jsonl"
    for _ in range(2):
        page.remember(history, page.line([found()], {"GPU": "none"}, ABOUT))
    lines = history.read_text().splitlines()
    assert len(lines) == 2
    data = json.loads(lines[1])
    assert data["rounds"] == 3
    assert data["skipped"] == {"GPU": "none"}
    assert data["cases"][0]["ratios"][0]["median"] == 4.0
    assert data["cases"][0]["ratios"][0]["sweep"] == {"8": 3.0, "32": 2.0}


def test_the_page_has_the_table_the_sweeps_and_how_it_was_made() -> None:
    text = page.page([found()], {"bbq": "no data"}, ABOUT)
    assert text.startswith("# Performance\n\nWritten by `python -m perf.bench`; do not edit.")
    assert "| some work | 0.5 s | padded batches, 32 a batch | 4.00x (3.50 to 412) |" in text
    assert "| some work | padded batches | 8: 3 s, 32: 2 s |" in text
    assert "- some work: 7 tokens run of 9 asked." in text
    assert "- bbq: no data." in text
    assert "{" not in text


def test_every_case_has_a_name_of_its_own_and_builds_by_it() -> None:
    names = [name for module in command.MODULES for name in module.CASES]
    assert len(names) == len(set(names)) > 10
    assert set(command.ON_GPU) <= set(command.MODULES)


def family(*ways: Any) -> SimpleNamespace:
    def build(name: str, way: Any) -> Any:
        def made(_: Any) -> Case:
            if isinstance(way, str):
                raise Skip(way)
            return Case(name, "made", lambda: [1.0], (Peer("peer", lambda _: [way]),), 0.1)

        return made

    return SimpleNamespace(CASES={(name := f"case{i}"): build(name, way) for i, way in enumerate(ways)})


@pytest.mark.parametrize(("ways", "code"), [((1.0, "no data"), 0), ((1.0, 1.2), 1)])
def test_only_a_difference_fails(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    capsys: pytest.CaptureFixture[str],
    ways: tuple[Any, ...],
    code: int,
) -> None:
    monkeypatch.setattr(command, "MODULES", (family(*ways),))
    monkeypatch.setattr(command, "with_data", lambda: None)
    monkeypatch.setattr(command, "matrix_rate", lambda clock, device: 1e9)  # measuring it takes seconds
    history, out = tmp_path / "history.jsonl", tmp_path / "performance.md"
    argv = ["--rounds", "1", "--device", "cpu", "--history", str(history), "--out", str(out)]
    assert command.main(argv) == code
    assert len(history.read_text().splitlines()) == 1
    assert "| made |" in out.read_text()
    shown = capsys.readouterr().out
    assert ("case1: left out, no data" in shown) is (ways[1] == "no data")


@pytest.mark.parametrize(
    "argv",
    [["--only", "nothing"], ["--rounds", "0"], ["--size", "7b"], ["--items", "1"], ["--items", "nothing=9"]],
)
def test_options_that_cannot_be(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.options_of(argv)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_case_without_peers_has_its_row() -> None:
    assert page.rows([found(ratios=())]) == [("some work", "0.5 s", "", "", "", "", "60% (65% asked)")]


def test_what_json_has_not_is_written_as_text() -> None:
    # A peer with NaN differs from ours by infinity.
    record = page.line([found(ratios=(replace(FIRST, difference=math.inf, low=math.nan),))], {}, ABOUT)
    (ratio,) = json.loads(record)["cases"][0]["ratios"]
    assert (ratio["difference"], ratio["low"], ratio["median"]) == ("inf", "nan", 4.0)


def test_items_are_no_more_than_asked_for() -> None:
    setting = Setting("small", "cpu", 7)
    assert (setting.of(5, 90), setting.of(96, 480), Setting("small").of(96, 480)) == (5, 7, 96)


def test_items_of_one_case_and_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int | None] = {}

    def case(name: str) -> Any:
        def build(setting: Setting) -> Case:
            seen[name] = setting.items
            raise Skip("not here")

        return build

    cases = SimpleNamespace(CASES={name: case(name) for name in ("one", "other")})
    monkeypatch.setattr(command, "MODULES", (cases,))
    options = command.options_of(["--items", "7", "--items", "one=20"])
    command.run(options, "cpu", {})
    assert seen == {"one": 20, "other": 7}
    command.run(command.options_of(["--items", "one=20"]), "cpu", {})
    assert seen == {"one": 20, "other": None}
    assert command.about_run(options)["command"].endswith("--clock cpu --items 7 --items one=20")


def test_a_page_of_several_runs_has_the_latest_of_each_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    history, out = tmp_path / "history.jsonl", tmp_path / "performance.md"
    monkeypatch.setattr(command, "with_data", lambda: None)
    monkeypatch.setattr(command, "matrix_rate", lambda clock, device: 1e9)

    def measured(*argv: str, **ways: Any) -> str:
        def made(name: str, way: Any) -> Any:
            def build(_: Any) -> Case:
                if isinstance(way, str):
                    raise Skip(way)
                return Case(name, f"{name} of {way}", lambda: [way], (Peer("peer", lambda _: [way]),), 0.1)

            return build

        family = SimpleNamespace(CASES={name: made(name, way) for name, way in ways.items()})
        monkeypatch.setattr(command, "MODULES", (family,))
        common = ("--rounds", "1", "--device", "cpu", "--history", str(history), "--out", str(out))
        assert command.main([*common, *argv]) == 0
        capsys.readouterr()
        return out.read_text()

    measured("--size", "124m", first=9.0, second=9.0)  # of another size, which counts for nothing
    measured(first=1.0, second=2.0, third="no data", gone=8.0)
    text = measured("--only", "second", "--last", "2", first=7.0, second=3.0, third="no data")
    assert [line.split("|")[1].strip() for line in text.splitlines() if " of " in line and "|" in line][
        1:
    ] == [
        "first of 1.0",
        "second of 3.0",
    ]
    assert "- third: no data." in text
    assert "cpu`, then `python -m perf.bench" in text
    assert text.count("--only second") == 1
    assert "first" not in measured("--only", "second", first=7.0, second=3.0)


def test_a_ratio_that_was_not_reached_says_what_the_ceiling_allows() -> None:
    low = replace(FIRST, median=6.0, target=7.0)
    assert page.rows([found(ratios=(low,), share=0.8)])[0][4] == "7x, not reached; 7.50x at the ceiling"
    assert page.rows([found(ratios=(low,), share=None)])[0][4] == "7x, not reached"


def test_runs_of_several_commits_on_one_machine_are_one_line() -> None:
    lines = [f"evenhand 1 (commit {commit}), numpy 2; CPU" for commit in ("a", "b", "a")]
    assert page._machines(lines) == "evenhand 1 (commits a, b), numpy 2; CPU"
    assert page._machines(lines[:1] * 2) == lines[0]
    assert page._machines([lines[0], "evenhand 1 (commit b), numpy 3; CPU"]).count("\n\n") == 1
