"""What a plan says of minutes, models and the smallest effect, and where it says nothing."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from evenhand.errors import BadModel
from evenhand.records import Estimate
from evenhand.studies import ahead
from evenhand.studies.options import VerifyOptions
from evenhand.studies.plan import plan, timed_plan

OPTIONS = VerifyOptions(
    benchmarks=("genbiaseval",), capability=("facts:set=world",), limit=40, control="reduced", seeds=2
)


def test_a_model_on_this_machine_is_timed(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of items takes .8 s by this clock, so that the two benchmarks of the base take 1.6 s.

    At least 2 treated models and 4 families of 6 share their models, at the most each fit has its own.
    """
    _clock(monkeypatch, 0.8)
    found = timed_plan(uri, "lftf", OPTIONS)
    untimed = plan(uri, "lftf", OPTIONS)
    assert untimed.seconds is None
    assert untimed.untimed == ""
    assert (found.benchmarks, found.cells, found.rows) == (untimed.benchmarks, untimed.cells, untimed.rows)
    assert found.models == (1 + 2 + 4 * 6, 1 + 2 + 2 * 4 * 6)
    assert found.seconds is not None
    low, high = found.seconds
    # The base, then the models at .2 and .8 of it, and the fits, which take no less than nothing.
    assert low >= 1.6 + (2 + 24) * 0.2 * 1.6 - 1e-9
    assert high >= 1.6 + (2 + 48) * 0.8 * 1.6 - 1e-9
    assert found.smallest is not None
    assert found.smallest > 0


@pytest.mark.parametrize(
    ("any_number", "each", "taken"), [(0.0, 0.1, 32), (0.0, 1.0, 8), (3.0, 0.2, 32), (3.0, 30.0, 2)]
)
def test_items_that_take_long_are_timed_on_fewer(
    any_number: float, each: float, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A larger number is measured where it would be done in ten seconds; what any takes counts once."""
    asked: list[int] = []

    def take(_: Any, __: Any, *, seed: int, limit: int) -> Any:
        asked.append(limit)
        return SimpleNamespace(metrics={"m": estimate})

    estimate = Estimate(0.4, 0.3, 0.5, 30, 0.0)
    monkeypatch.setattr(ahead, "take", take)
    monkeypatch.setattr(ahead.time, "monotonic", lambda: any_number * len(asked) + each * sum(asked))
    benchmark: Any = SimpleNamespace(load=lambda: range(100))
    whole, share, figure = ahead._timed(object(), benchmark, "m", VerifyOptions())  # type: ignore[arg-type]
    assert asked[-1] == taken
    assert share == taken / 100
    expected = any_number + 100 * each
    assert whole == pytest.approx(expected if taken > 2 else 50 * (any_number + 2 * each))
    assert figure == (estimate if taken >= 8 else None)


def test_times_that_scatter_are_not_taken_for_those_of_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 of 1000 items took no longer than 2: half of what 32 alone say, .9 s x 1000 / 32 / 2 = 14 s."""
    ticks = iter([0.0, 1.0, 1.0, 1.9, 1.9, 2.8])
    monkeypatch.setattr(ahead, "take", lambda *_, **__: SimpleNamespace(metrics={}))
    monkeypatch.setattr(ahead.time, "monotonic", lambda: next(ticks))
    benchmark: Any = SimpleNamespace(load=lambda: range(1000))
    whole, _, _ = ahead._timed(object(), benchmark, "m", VerifyOptions())  # type: ignore[arg-type]
    assert whole == pytest.approx(14.06, abs=0.01)


def _clock(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(ahead.time, "monotonic", lambda: step * next(ticks))


@pytest.mark.parametrize("elsewhere", ["hf:nobody/nothing", "openai:http://localhost:1/v1#m"])
def test_what_is_not_on_this_machine_is_neither_fetched_nor_asked(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VerifyOptions, "opened", lambda *_: pytest.fail("it was opened"))
    found = timed_plan(elsewhere, "prompt", VerifyOptions(capability=("facts:set=world",)))
    assert found.seconds is None
    assert found.untimed == f"{elsewhere} is not on this machine, and a plan fetches and asks nothing."


def test_a_model_that_cannot_be_opened_leaves_the_plan(tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text("{}")
    found = timed_plan(f"hf:{tmp_path}", "lftf", OPTIONS)
    assert found.seconds is None
    assert found.untimed
    assert found.cells == plan(f"hf:{tmp_path}", "lftf", OPTIONS).cells


def test_the_smallest_effect_by_hand() -> None:
    """An interval of .3 to .5 on a quarter of the items: error .2 / 3.92 x .5 = .02551 on all of them.

    2.8 x sqrt(2) x .02551 = .101, above a tenth of .4; of an interval of .39 to .41 a tenth of .4 remains.
    """
    from evenhand import registry

    benchmark = registry.create("benchmark", "genbiaseval")
    wide = Estimate(0.4, 0.3, 0.5, 30, 0.0)
    assert ahead._smallest(benchmark, "afgb", wide, 0.25) == pytest.approx(0.101, abs=1e-3)
    assert ahead._smallest(benchmark, "afgb", Estimate(0.4, 0.39, 0.41, 30, 0.0), 0.25) == pytest.approx(0.04)
    assert ahead._smallest(benchmark, "afgb", Estimate(0.4, None, None, 1, 0.0), 0.25) is None


def test_a_method_that_the_model_refuses_is_refused_by_its_plan() -> None:
    """As `verify` would refuse it once the model is open: no time is said of what cannot run."""
    options = VerifyOptions(benchmarks=("genbiaseval",), capability=("facts",), limit=8, control="none")
    with pytest.raises(BadModel, match="rome follows a prompt's tokens from left to right"):
        timed_plan("lab:masked", "rome", options)
    with pytest.raises(BadModel, match="does not give generate here, and dama needs it"):
        timed_plan("lab:masked", "dama", options)
