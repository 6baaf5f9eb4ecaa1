"""What goes to a tracker: figures with intervals, no undefined one, no item; what is said when it fails."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evenhand.errors import BadOption, EnvironmentProblem
from evenhand.publishing import tracking
from evenhand.studies.store import load_run
from tests.cli.conftest import Run, run  # noqa: F401

SAVED = Path(__file__).parents[1] / "golden" / "saved"


@pytest.fixture
def trackio(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A tracker of trackio's surface; what it was given."""
    given: list[Any] = []

    def init(**about: Any) -> None:
        print("View dashboard")  # as the real one does
        given.append(about)

    module = SimpleNamespace(init=init, log=given.append, finish=lambda: given.append("finished"))
    monkeypatch.setitem(sys.modules, "trackio", module)  # type: ignore[arg-type]
    return given


def test_figures_of_a_verification_go_with_their_intervals(trackio: list[Any]) -> None:
    stored = load_run(SAVED / "run")
    sent = tracking.track(SAVED / "run", "trackio", "loans")
    about, figures, end = trackio
    assert (about["project"], about["name"], end) == ("loans", "run", "finished")
    assert about["config"]["verdict"] == str(stored.verdict)
    for prefix, measured in (("before", stored.before), ("after", stored.measurements)):
        estimate = measured[0].metrics["afgb_normalised"]
        name = f"{prefix}/{measured[0].benchmark}.afgb_normalised"
        found = [figures[name + end] for end in ("", ".low", ".high", ".n")]
        assert found == [estimate.value, estimate.low, estimate.high, estimate.n]
    assert figures == dict(sent.figures)


def test_what_is_undefined_is_left_out_and_never_0() -> None:
    stored = load_run(SAVED / "measured")
    figures = tracking.tracked(stored, SAVED / "measured").figures
    assert all(math.isfinite(value) for value in figures.values())
    for one in stored.measurements:
        for metric, estimate in one.metrics.items():
            name = tracking._UNUSUAL.sub("-", f"{one.benchmark}.{metric}")
            assert (name in figures) == (estimate.value is not None)
            assert (f"{name}.low" in figures) == (estimate.low is not None)


def test_the_command_prints_one_object_whatever_the_tracker_says(trackio: list[Any], run: Run) -> None:  # noqa: F811
    answer = run("report", str(SAVED / "run"), "--track", "trackio", "--json")
    found = {"run": str(SAVED / "run"), "tracker": "trackio", "figures": len(trackio[1])}
    assert found.items() <= answer.json.items()
    assert "View dashboard" in answer.err


def test_a_tracker_that_is_unknown_absent_or_broken_is_named(
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(BadOption, match="no tracker 'mlfow'"):
        tracking.track(SAVED / "run", "mlfow")
    assert run("report", str(SAVED / "run"), "--project", "x").code == 2

    monkeypatch.setitem(sys.modules, "wandb", None)  # its import fails, as if it were not installed
    answer = run("report", str(SAVED / "run"), "--track", "wandb")
    assert answer.code == 4
    assert "pip install wandb" in answer.err

    def refused(**about: Any) -> None:
        raise ConnectionError("nobody answers")

    broken = SimpleNamespace(init=refused)
    monkeypatch.setitem(sys.modules, "wandb", broken)  # type: ignore[arg-type]
    with pytest.raises(EnvironmentProblem, match="did not take the run: ConnectionError: nobody answers"):
        tracking.track(SAVED / "run", "wandb")


def test_mlflow_keeps_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    sent = tracking.track(SAVED / "run", "mlflow", "loans")
    (found,) = mlflow.search_runs(experiment_names=["loans"], output_format="list")
    assert found.data.metrics == pytest.approx(dict(sent.figures))
    assert found.data.params == dict(sent.about)
