"""The block map: every figure of a block, heads as a heat map, and stored locations."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from evenhand import cli, reports
from evenhand.errors import BadData
from evenhand.records import Attribution, SiteScore
from evenhand.reports import advice, figures, located, sentences, sites, tables
from tests.reports.test_figures import plotly_accepts
from tests.support import records_factory as make

GOLDEN = Path(__file__).parents[1] / "golden" / "saved"


def _heads() -> Attribution:
    """Two blocks of two heads: only head 1 of block 0 counts."""
    values = {"block.0.head.0": 0.0, "block.0.head.1": 0.4, "block.1.head.0": -0.1, "block.1.head.1": 0.0}
    scores = tuple(SiteScore(site, value) for site, value in values.items())
    return Attribution("ablation:part=head", True, scores, "What heads do.")


def test_a_block_has_the_figures_of_every_locator() -> None:
    bmi = dataclasses.replace(
        make.location(),
        details={"robustness": {"variance": [1.0, 2.0, 3.0, None]}, "prompts": 315, "runs": [1, 2]},
    )
    found = sites.of([bmi, make.location("ablation", specific=True)], ["block.3"])
    # scores .11 .07 .19 .42: block.2 is the second
    assert found.figures["block.2"] == (
        ("bmi: score", "0.190"),
        ("bmi: rank", "2 of 4"),
        ("bmi: robustness, variance", "3.000"),
        ("ablation: score", "0.190"),
        ("ablation: rank", "2 of 4"),
        ("changed by the treatment", "no"),
    )
    assert ("changed by the treatment", "yes") in found.figures["block.3"]
    assert ("bmi: robustness, variance", "undefined") in found.figures["block.3"]
    assert found.chosen == "block.3"


def test_the_first_block_shown_is_that_of_a_locator_that_looks_at_the_attribute() -> None:
    other = dataclasses.replace(
        make.location("ablation", specific=True),
        scores=(SiteScore("block.0", 0.0), SiteScore("block.1", 0.5)),
    )
    assert sites.of([make.location(), other]).chosen == "block.1"


def test_heads_are_a_heat_map_with_equal_ends() -> None:
    figure = sites.block_map(_heads()).plot.figure
    plotly_accepts(figure)
    (cells,) = figure["data"]
    # Cells by rows: blocks 0 and 1, heads 0 and 1 of each; a bar of block i is as high as its row.
    assert (cells["x"], cells["base"]) == ([0, 1, 0, 1], [-0.47, -0.47, 0.53, 0.53])
    assert cells["y"] == [0.94] * 4
    marker = cells["marker"]
    assert marker["color"] == [figures.AFTER, figures.AFTER, figures.BEFORE, figures.AFTER]
    assert marker["opacity"] == [0.0, 1.0, 0.25, 0.0]
    assert "full at 0.400 and −0.400" in figure["layout"]["xaxis"]["title"]["text"]
    assert (cells["customdata"][1], cells["hovertext"][1]) == ("block.0.head.1", "0.4000")
    assert sites.of([_heads()], ["block.0"]).figures["block.0.head.0"][-1] == (
        "changed by the treatment",
        "yes",
    )


def test_very_many_sites_keep_the_page_small() -> None:
    scores = tuple(SiteScore(f"block.{i // 64}.head.{i % 64}", float(i)) for i in range(80 * 64))
    many = dataclasses.replace(_heads(), scores=scores)
    assert sites.of([many]).figures == {}
    table = tables.blocks(many)
    assert len(table.rows) == tables.MOST_BLOCKS
    assert table.rows[0][0] == "block.72.head.12"  # 5120 - 500 = 4620 = 72 * 64 + 12
    assert "the highest 500 of 5120" in table.caption


def test_the_page_of_a_verification_holds_the_figures_and_says_that_there_is_no_interval() -> None:
    html = reports.verification_html(make.verification())
    assert sites.NO_INTERVAL in html
    text = html.split('id="block-figures">')[1].split("</script>")[0]
    assert json.loads(text)["block.3"][0] == ["bmi: score", "0.420"]
    assert ["changed by the treatment", "yes"] in json.loads(text)["block.3"]  # the proof names block.3


def test_what_a_location_says_and_what_comes_next() -> None:
    bmi, ablation = make.location(), make.location("ablation", specific=True)
    assert "does not say that it is biased" in sentences.located(bmi)
    assert "locate lab:causal --with ablation" in advice.after_location("lab:causal", bmi)
    assert sentences.located(ablation).startswith("block.3 has the largest part in the gap")
    assert "--locator ablation" in advice.after_location("lab:causal", ablation)
    nothing = dataclasses.replace(ablation, claims=False)
    assert "found no block" in sentences.located(nothing)
    assert "evenhand measure" in advice.after_location("lab:causal", nothing)


def _stored(folder: Path, location: Attribution) -> Path:
    from evenhand.cli import payload

    folder.mkdir(parents=True, exist_ok=True)
    data = {"schema": 2, "uri": "lab:causal", "location": payload.attribution(location)}
    (folder / located.FILE).write_text(json.dumps(data))
    return folder


def test_a_stored_location_has_a_report(tmp_path: Path) -> None:
    folder = _stored(tmp_path / "where", make.location("ablation", specific=True))
    assert located.load(folder) == located.Located("lab:causal", make.location("ablation", specific=True))
    text = reports.report(folder, tmp_path / "r.html").read_text()
    assert "Where the bias of lab:causal is located" in text
    assert "block.3 has the largest part" in text


def test_locations_stand_beside_a_verification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _stored(tmp_path / "where", make.location("ablation", specific=True))
    out = tmp_path / "r.html"
    assert cli.main(["report", str(GOLDEN / "run"), "--location", str(folder), "--html", str(out)]) == 0
    assert "ablation: highest is block.3" in out.read_text()
    assert cli.main(["report", str(GOLDEN / "run"), "--location", str(tmp_path), "--html", str(out)]) == 2
    assert "holds no location.json" in capsys.readouterr().err


def test_a_location_is_shown_once(tmp_path: Path) -> None:
    one = make.location("ablation", specific=True)
    folder = _stored(tmp_path, one)
    assert located.beside(folder, None, (folder,)) == (one,)
    assert located.beside(folder, one) == ()


@pytest.mark.parametrize("text", ["{", "[]", '{"uri": "x", "location": {"locator": 1}}', '{"location": {}}'])
def test_a_damaged_location_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / located.FILE).write_text(text)
    with pytest.raises(BadData, match="damaged"):
        located.load(tmp_path)
