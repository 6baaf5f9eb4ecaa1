"""The plots: plotly accepts them, and they show the records' figures."""

from __future__ import annotations

import json

import pytest

from evenhand.reports import figures, shares
from evenhand.reports.figures import Figure
from tests.support import records_factory as make


def plotly_accepts(figure: Figure) -> None:
    """Raises ValueError for a figure that plotly does not know."""
    import plotly.graph_objects as go

    text = json.dumps(figure)  # var(--name) is the page's business; plotly sees a colour
    while "var(--" in text:
        start = text.index("var(--")
        text = text[:start] + "red" + text[text.index(")", start) + 1 :]
    go.Figure(json.loads(text))


def _rows() -> tuple[shares.Row, ...]:
    after = make.genbiaseval(make.shrunk(make.SHARES, 0.8), treatment="lftf")
    return shares.rows(make.genbiaseval(), after)


def _all() -> dict[str, Figure]:
    before, record = make.genbiaseval(), make.verification()
    return {
        "scales": figures.by_slice(before, record.after[0], "afgb_normalised"),
        "scales alone": figures.by_slice(before, None, "afgb"),
        "dumbbell": figures.dumbbell(_rows(), ("he", "she")),
        "dots": figures.dumbbell(_rows(), ("he", "she"), both=False),
        "blocks": figures.blocks(make.location()),
    }


@pytest.mark.parametrize("name", list(_all()))
def test_plotly_accepts_every_figure(name: str) -> None:
    plotly_accepts(_all()[name])


def test_plotly_would_refuse_nonsense() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        plotly_accepts({"data": [{"type": "scatter", "nonsense": 1}], "layout": {}})


def test_scales_show_value_and_interval() -> None:
    before, after = _all()["scales"]["data"]
    # |1 - 2 share| over the nine shares: 0.9 0.8 0.6 0.4 0 0.2 0.4 0.6 0.9, mean 4.8 / 9.
    assert before["y"] == [pytest.approx(4.8 / 9, abs=1e-6)] * 4
    assert after["y"] == [pytest.approx(0.2 * 4.8 / 9, abs=1e-6)] * 4
    assert before["error_y"]["array"] == [pytest.approx(0.02)] * 4
    assert before["text"] == ["word", "phrase", "sentence", "all"]


def test_plots_say_which_way_is_better() -> None:
    def axes(figure: Figure) -> list[str]:
        layout = figure["layout"]
        return [layout[axis]["title"]["text"] for axis in ("xaxis", "yaxis") if "title" in layout[axis]]

    drawn = _all()
    assert axes(drawn["scales"]) == ["afgb_normalised (lower is better)"]
    assert axes(drawn["dumbbell"])[0].endswith("best at 0.5")


def test_a_scale_without_the_metric_is_a_gap() -> None:
    figure = figures.by_slice(make.genbiaseval(), None, "no_such_metric")
    assert figure["data"][0]["y"] == [None] * 4


def test_dumbbell_ends() -> None:
    lines, before, after = _all()["dumbbell"]["data"]
    assert before["x"][0] == pytest.approx(0.05)
    assert after["x"][0] == pytest.approx(0.41)  # 0.5 - 0.45 * 0.2
    assert lines["x"][:3] == [before["x"][0], after["x"][0], None]
    assert len(_all()["dots"]["data"]) == 1


def test_blocks_mark_the_top() -> None:
    (bar,) = _all()["blocks"]["data"]
    assert bar["text"] == ["", "", "", "top"]
    assert bar["x"] == [0.11, 0.07, 0.19, 0.42]


def test_labels_cannot_carry_html() -> None:
    row = shares.Row('<a href="javascript:x">cook</a>', (0.5, 0.4), (0.5, 0.4))
    text = json.dumps(figures.dumbbell([row], ("he", "she")))
    assert "<a" not in text
    assert "&lt;a" in text
