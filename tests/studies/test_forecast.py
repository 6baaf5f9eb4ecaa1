"""How long a verification will take, and how a budget ends it."""

from __future__ import annotations

import pytest

from evenhand.errors import BadOption
from evenhand.studies.forecast import Clock, forecast
from evenhand.studies.options import VerifyOptions


def test_the_forecast_is_from_the_first_look_to_the_last() -> None:
    """The base took 10 s, the prompts 1 s; a fit of 2 epochs costs .7 x 2 x 1 = 1.4 s.

    Least: 13 models (6 of two families, and the treated one) at .2 of the base, 7 fits (the treatment and 6
    shams): 26 + 9.8 = 35.8 s. Most: 27 models at .8 and 14 fits: 216 + 19.6 = 235.6 s.
    """
    said = forecast(measured=10, prompts=1, epochs=(2, 2), looks=(6, 9, 13), families=("sham", "noise")).said
    assert said.startswith("From here it takes about 35.8 s to 3 min 56 s: ")
    assert said.endswith(" and 12 to 26 control models.")


def test_plain_text_is_trained_for_epochs_of_its_own() -> None:
    """A fit of 100 epochs is 70 s, and so is a sham's; plain text trains for 2: 1.4 s. The base took 10 s.

    Least: 13 models at .2 of the base: 26 + 7 x 70 + 6 x 1.4 s. Most: 27 at .8: 216 + 14 x 70 + 13 x 1.4 s.
    """
    found = forecast(measured=10, prompts=1, epochs=(100, 2), looks=(6, 13), families=("sham", "plain text"))
    assert (found.low, found.high) == pytest.approx((524.4, 1214.2))


def test_without_control_models_a_fit_and_a_model() -> None:
    """1 model at .2 to .8 of 10 s, and a fit of .7 x 6 x 1 = 4.2 s."""
    said = forecast(measured=10, prompts=1, epochs=(6, 6), looks=(), families=()).said
    assert said.startswith("From here it takes about 6.2 s to 12.2 s: ")
    assert said.endswith(" and no control models.")


def test_as_many_at_the_least_as_at_the_most_is_one_number() -> None:
    said = forecast(measured=10, prompts=1, epochs=(2, 2), looks=(6,), families=("sham", "noise")).said
    assert said.endswith(" and 12 control models.")


def test_a_clock_adds_up_parts_and_knows_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("evenhand.studies.forecast.time.monotonic", lambda: now[0])
    clock = Clock(minutes=1.0, began=0.0)
    for _ in range(2):
        with clock.timed("base"):
            now[0] += 20
    assert clock.parts == {"base": 40}
    assert not clock.over()
    now[0] += 21
    assert clock.over()
    assert not Clock(began=0.0).over()


@pytest.mark.parametrize("budget", [0, -1, float("nan"), "20"])
def test_a_budget_is_minutes_above_0(budget: float) -> None:
    with pytest.raises(BadOption, match="Write minutes above 0"):
        VerifyOptions(budget=budget)


def test_several_fits_share_control_models_or_each_has_its_own() -> None:
    """As above with 3 fits. Least: 15 models at .2 of 10 s and 9 fits of 1.4 s: 30 + 12.6 = 42.6 s.

    Most: 3 + 3 x 26 = 81 models at .8 and 3 + 3 x 13 = 42 fits: 648 + 58.8 = 706.8 s.
    """
    said = forecast(
        measured=10, prompts=1, epochs=(2, 2), looks=(6, 9, 13), families=("sham", "noise"), fits=3
    ).said
    assert said.startswith("From here it takes about 42.6 s to 11 min 47 s: 3 fits, their treated models, ")
    assert said.endswith(" and 12 to 78 control models.")


def test_a_forecast_has_its_ends_in_seconds() -> None:
    found = forecast(measured=10, prompts=1, epochs=(2, 2), looks=(6, 9, 13), families=("sham", "noise"))
    assert (found.low, found.high) == (pytest.approx(35.8), pytest.approx(235.6))
