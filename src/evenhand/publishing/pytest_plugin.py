"""The pytest plug-in: a gate as a test, by the fixture `evenhand_gate` or the marker of that name.

A condition that is not met is a *failure* of the test. What could not be judged (an undefined figure, words
that the model does not use, a verdict that is not settled, a run that cannot be read) is an *error*, in
pytest's own sense. A test of a gate that is skipped, or that asks for the fixture and never uses it, is an
error too: a gate that nobody judged has not been passed.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from evenhand.studies.compare import GateResult

NAME = "evenhand_gate"
_HELP = (
    "evenhand_gate(run, *conditions): fail the test when the stored run does not meet a condition, and make "
    "it an error when one could not be judged."
)
_asked = pytest.StashKey[bool]()


class GateNotMet(AssertionError):
    """A condition was judged and is not met: a failure."""


class GateNotJudged(Exception):
    """A condition could not be judged, or the run could not be read: an error."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, also for ``--strict-markers``."""
    config.addinivalue_line("markers", _HELP)


class Gate:
    """What the fixture gives: call it with a run and its conditions."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def __call__(self, run: Path | str, *conditions: str) -> list[GateResult]:
        """The results of conditions that are all met.

        Raises:
            GateNotMet: one is not met.
            GateNotJudged: one could not be judged, or the run or a condition cannot be read.
        """
        self._item.stash[_asked] = True
        return judge(run, conditions)


def judge(run: Path | str, conditions: Sequence[str]) -> list[GateResult]:
    """The results of conditions that are all met; see `Gate`."""
    from evenhand.errors import EvenhandError
    from evenhand.studies import runs

    try:
        results = runs.gate(run, conditions)
    except EvenhandError as error:
        raise GateNotJudged(str(error)) from None
    said = "\n".join(str(one) for one in results)
    if not all(one.judged for one in results):
        raise GateNotJudged(said)
    if not all(one.passed for one in results):
        raise GateNotMet(said)
    return results


@pytest.fixture(name=NAME)
def gate(request: pytest.FixtureRequest) -> Gate:
    """``evenhand_gate(run, "afgb<=0.1", "verdict==mitigated")``: fails or is an error, as the module says."""
    return Gate(request.node)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Judge the gates of the markers before the test itself."""
    for mark in item.iter_markers(NAME):
        item.stash[_asked] = True
        if len(mark.args) < 2 or mark.kwargs:
            raise GateNotJudged(f"The marker is no gate: write @pytest.mark.{_HELP.partition(':')[0]}.")
        judge(mark.args[0], mark.args[1:])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell an error from a failure, and a gate that was not judged from a pass.

    A report of the phase ``setup`` that failed is what pytest, its JUnit file and its plug-ins call an error.
    """
    report = yield
    if not _is_gate(item):
        return report
    if call.excinfo is not None and call.excinfo.errisinstance((GateNotJudged, GateNotMet)):
        report.longrepr = str(call.excinfo.value)
    if call.excinfo is not None and call.excinfo.errisinstance(GateNotJudged):
        report.when, report.outcome = "setup", "failed"
        report.__dict__.pop("wasxfail", None)
    elif report.skipped:
        why = getattr(report, "wasxfail", None) or (call.excinfo.value if call.excinfo else "")
        _as_error(report, f"The gate was not judged: the test was skipped or expected to fail ({why}).")
    elif report.when == "call" and report.passed and not item.stash.get(_asked, False):
        _as_error(report, f"The gate was not judged: the test has the fixture {NAME}, and never called it.")
    return report


def _is_gate(item: pytest.Item) -> bool:
    return NAME in getattr(item, "fixturenames", ()) or item.get_closest_marker(NAME) is not None


def _as_error(report: pytest.TestReport, why: str) -> None:
    report.when, report.outcome, report.longrepr = "setup", "failed", why
    report.__dict__.pop("wasxfail", None)
