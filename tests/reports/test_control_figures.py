"""The panels of the control models: what they show, and that shape says it as well as colour."""

from __future__ import annotations

from typing import Any

import pytest

from evenhand.reports import control_figures, controlled
from evenhand.reports.controlled import AXES, Against
from evenhand.reports.figures import Figure
from tests.reports.test_controlled import family, record, result
from tests.reports.test_figures import plotly_accepts
from tests.support import records_factory as make

BASE = 4.8 / 9


def panel(by: Against, place: int = 0, **changes: object) -> Figure:
    found = result(family(**changes), family(family="noise"))
    return control_figures.panel(found, place, controlled.scene(record(found), found), by)


def named(figure: Figure) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure["data"]}


@pytest.mark.parametrize("by", AXES)
def test_plotly_accepts_every_panel(by: Against) -> None:
    plotly_accepts(panel(by))


def test_every_model_is_a_point_and_its_state_a_shape() -> None:
    traces = named(panel("size"))
    assert traces["sham, used"]["x"] == [0.10, 0.14]
    assert traces["sham, used"]["y"] == [0.50, 0.48]
    assert (traces["sham, apart"]["x"], traces["sham, broken"]["x"]) == ([0.40], [0.12])
    shapes = [traces[f"sham, {state}"]["marker"]["symbol"] for state in ("used", "apart", "broken")]
    assert shapes == ["circle", "circle-open", "x-thin"]
    assert named(panel("loss"))["sham, used"]["x"] == [0.01, 0.02]


def test_families_differ_in_shape() -> None:
    assert named(panel("size", 1))["noise, used"]["marker"]["symbol"] == "square"
    signs = [control_figures.sign_of(place) for place in range(len(control_figures.SHAPES))]
    assert len(set(signs)) == len(signs) == 7  # as many as there are kinds of control


def test_the_treated_model_has_its_interval_on_both_axes() -> None:
    loss, size = (named(panel(by))["treated"] for by in ("loss", "size"))
    assert (loss["x"], size["x"]) == ([0.05], [0.12])
    assert loss["y"] == [pytest.approx(BASE - 0.43, abs=1e-6)]
    assert (loss["error_x"]["array"], loss["error_x"]["arrayminus"]) == ([0.04], [0.04])
    assert loss["error_y"]["array"] == [pytest.approx(0.03, abs=1e-6)]
    assert size["error_x"] == {"visible": False}  # a size has no interval


def test_what_the_family_predicts_stands_on_the_axis_on_which_it_was_read() -> None:
    name = "one more model of the family"
    assert name not in named(panel("loss"))
    ahead = named(panel("size"))[name]
    assert ahead["y"] == [pytest.approx(BASE - 0.43 + 0.40, abs=1e-6)]
    assert ahead["error_y"]["array"] == [pytest.approx(0.1, abs=1e-6)]
    assert name in named(panel("loss", basis="loss"))


def test_the_base_is_a_line_and_delta_a_band_below_it() -> None:
    band, line = panel("size")["layout"]["shapes"]
    assert (line["y0"], line["y1"]) == (pytest.approx(BASE, abs=1e-6),) * 2
    assert (band["y0"], band["y1"]) == (pytest.approx(BASE - 0.06, abs=1e-6), line["y0"])


def test_all_panels_have_one_range_that_holds_everything() -> None:
    ranges = [panel(by, place)["layout"]["yaxis"]["range"] for by in AXES for place in (0, 1)]
    assert all(one == ranges[0] for one in ranges)
    low, high = ranges[0]
    # The highest is the upper end of the prediction: 0.533 - 0.43 + 0.5.
    assert low < 0 < BASE - 0.43 + 0.5 < high


def test_an_old_record_has_one_panel_and_no_state_but_used() -> None:
    old = make.control()
    seen = controlled.scene(record(old), old)
    traces = named(control_figures.panel(old, 0, seen, "loss"))
    assert list(traces) == ["sham, used", "one more model of the family", "treated"]


def test_a_family_that_was_not_matched_predicts_nothing() -> None:
    old = make.control(matched=False)
    seen = controlled.scene(record(old), old)
    assert list(named(control_figures.panel(old, 0, seen, "loss"))) == ["sham, used", "treated"]
