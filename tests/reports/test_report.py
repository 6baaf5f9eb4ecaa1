"""The HTML report: whole, offline, escaped, and with the figures of the records."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import json
import re
from base64 import b64decode
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evenhand import __version__, reports
from evenhand.errors import BadData, NoSpace
from evenhand.records import CapabilityResult, Check, Estimate, Measurement, VerdictName, Verification
from evenhand.reports import doubted, sentences
from evenhand.studies import seeds
from evenhand.vendored import PLOTLY
from tests.support import records_factory as make

LOADING = {"src", "href", "srcset", "action", "data", "poster", "background"}


class Page(HTMLParser):
    """The parts of a page that the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.cells: list[list[str]] = []
        self.texts: list[str] = []
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.loads += [value or "" for name, value in attrs if name in LOADING]
        self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in {"td", "th"}:
            self.cells[-1].append("")
        if tag == "script":
            self._script = dict(attrs).get("id")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ""
        if where == "script":
            if self._script:
                self.scripts[self._script] = data
        elif where != "style":
            self.texts.append(data)
            if where in {"td", "th"}:
                self.cells[-1][-1] += data.replace("\u00a0", " ")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def _html(record: Verification) -> str:
    return reports.verification_html(record)


@cache
def _page() -> Page:
    return Page(_html(make.verification()))


def _rows(page: Page, first: str) -> list[list[str]]:
    return [row for row in page.cells if row and row[0] == first]


def test_nothing_is_loaded_from_anywhere() -> None:
    html = _html(make.verification())
    assert Page(html).loads == ["data:,"]  # the empty icon, which keeps browsers from asking for one
    assert "default-src 'none'" in html
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    assert style is not None
    assert not re.search(r"url\(|@import", style[1])


def test_the_plotting_library_is_there_once_and_packed() -> None:
    html = _html(make.verification())
    assert len(html) < 1_000_000
    assert [attrs.get("id") for tag, attrs in _page().tags if tag == "script"].count("plotly") == 1
    script = gzip.decompress(b64decode(_page().scripts["plotly"], validate=True)).decode()
    assert script == PLOTLY.text


def test_without_a_script_every_table_is_open_and_a_note_says_why() -> None:
    """Only the script hides the note, closes what stands beside a plot, and shows the buttons."""
    page = _page()
    tables = [attrs for tag, attrs in page.tags if tag == "details" and attrs.get("class") == "figures"]
    assert len(tables) == 5
    assert all("open" in attrs for attrs in tables)
    (note,) = [attrs for _, attrs in page.tags if attrs.get("id") == "unplotted"]
    assert "hidden" not in note
    few = {f"profession {i:03d}": (i + 1) / 100 for i in range(60)}
    buttons = [a for _, a in Page(_html(make.verification(shares=few))).tags if a.get("class") == "choice"]
    assert len(buttons) == 1
    assert "hidden" in buttons[0]


def test_same_record_same_bytes() -> None:
    assert _html(make.verification()) == _html(make.verification())


def test_language_headings_and_alternatives() -> None:
    tags = _page().tags
    assert ("html", {"lang": "en"}) in tags
    assert [tag for tag, _ in tags].count("h1") == 1
    plots = [attrs for tag, attrs in tags if tag == "div" and attrs.get("class") == "plot"]
    assert len(plots) == 5  # scales, professions, blocks, and each of two families against loss
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in plots)
    assert _page().text.count("The same figures as a table") == 5
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_figure_that_a_plot_asks_for_is_there() -> None:
    asked = [attrs["data-figure"] for _, attrs in _page().tags if attrs.get("data-figure")]
    assert asked
    for name in asked:
        figure = json.loads(_page().scripts[str(name)])
        assert figure["data"]


def test_verdict_reasons_and_sentence() -> None:
    text = _page().text
    assert "mitigated" in text
    assert sentences.VERDICTS[VerdictName.MITIGATED] in text
    assert "The gap fell by 80 %." in text


@pytest.mark.parametrize("verdict", list(VerdictName))
def test_every_verdict_has_a_tone_and_a_sentence(verdict: VerdictName) -> None:
    page = Page(_html(make.verification(verdict)))
    classes = [attrs.get("class") for _, attrs in page.tags]
    assert f"verdict {sentences.TONES[verdict]}" in classes
    assert sentences.VERDICTS[verdict] in page.text


def test_a_method_shows_every_treated_model() -> None:
    """Two seeds, the second without evidence: that heads the page, and both stand in a table."""
    each = [
        dataclasses.replace(make.verification(verdict), seed=seed)
        for seed, verdict in enumerate((VerdictName.MITIGATED, VerdictName.NO_EVIDENCE))
    ]
    page = Page(_html(seeds.of_method(each)))
    assert "Of 2 treated models (seeds 0 to 1) 1 mitigated and 1 no evidence" in page.text
    assert "Every treated model of the method" in page.text
    assert _rows(page, "0")[0][1] == "mitigated"
    assert _rows(page, "1")[0][1] == "no evidence"
    assert "Every treated model of the method" not in _page().text


def test_only_evidence_of_less_bias_is_green() -> None:
    assert [v for v, tone in sentences.TONES.items() if tone == "good"] == [VerdictName.MITIGATED]


def test_effects_are_the_records() -> None:
    record = make.verification()
    shown = [row for row in _rows(_page(), "genhinteval") if len(row) == 10]
    (row,) = shown
    # UB 0.85 before, 0.83 after: change -0.02 with 0.03 to each side, and -0.02 / 0.85 = -2 %.
    assert row[1:] == [
        "UB: following an explicit hint", "ub", "0.850", "0.830", "−0.020 [−0.050 to +0.010]",
        "−2 %", "0.001", "higher is better", "30",
    ]  # fmt: skip
    assert sum(len(r) == 10 and r[0] == "genbiaseval" for r in _page().cells) == len(record.before[0].metrics)


def test_checks_show_bound_margin_and_reading() -> None:
    (row,) = [r for r in _rows(_page(), "accuracy on facts") if len(r) == 7]
    # 0.99 - 0.985 with 0.004 to each side.
    assert row[1:] == ["kept", "0.990", "0.985", "+0.005", "+0.009", "0.010"]
    assert "accuracy on facts: The accuracy on facts must not fall." in _page().text
    (row,) = [r for r in _rows(_page(), "log-perplexity") if len(r) == 7]
    assert row[1] == "undecided"


def test_case_study_shows_both_words() -> None:
    # nurse: share 0.95 of a mass of 0.9, so P(he) 0.045 and P(she) 0.855; after it 0.59 of 0.9.
    (nurse,) = [row for row in _rows(_page(), "nurse") if len(row) == 5]
    assert nurse[1:] == ["0.045", "0.855", "0.369", "0.531"]


def test_absent_professions_are_said_to_be_absent() -> None:
    record = make.verification(shares={"cook": 0.4, "nurse": 0.9})
    page = Page(_html(record))
    (mobster,) = [row for row in _rows(page, "mobster") if len(row) == 5]
    assert mobster[1:] == ["not measured"] * 4


def test_bmi_is_said_to_be_unspecific_and_ablation_is_not() -> None:
    assert sentences.NOT_SPECIFIC in _page().text
    record = dataclasses.replace(make.verification(), location=make.location("ablation", specific=True))
    assert sentences.NOT_SPECIFIC not in Page(_html(record)).text


def test_a_specific_locator_that_claims_nothing_says_so() -> None:
    nothing = "found no block with a relevant score"
    for specific in (True, False):
        found = dataclasses.replace(make.location("any", specific=specific), claims=False)
        page = Page(_html(dataclasses.replace(make.verification(), location=found)))
        assert (nothing in page.text) is specific


def test_further_locators_stand_beside_the_own_one() -> None:
    html = reports.verification_html(
        make.verification(), locations=[make.location("ablation", specific=True)]
    )
    assert "ablation: highest is block.3" in Page(html).text


def _crows(value: float, treatment: str | None = None) -> Measurement:
    """CrowS-Pairs with its share over all pairs, and by one slice."""
    name, ideal = "stereotype_preference", 50.0
    found = make.simple("crows_pairs", name, value, treatment=treatment)
    there = {name: Estimate(value, value - 2, value + 2, 30, ideal)}
    slices = {f"bias_type={kind}": there for kind in ("age", "gender")}
    crossed = {"bias_type=age & direction=stereo": there}
    return dataclasses.replace(
        found, metrics=there, slices=slices | crossed, primary=name, role="bias", guards={}
    )


def test_every_primary_metric_is_drawn_before_and_after() -> None:
    before, after = _crows(70.0), _crows(55.0, "lftf")
    record = dataclasses.replace(
        make.verification(), before=(before,), after=(after,), effects=make.effects([before], [after])
    )
    page = Page(_html(record))
    assert "crows_pairs, before and after" in page.text
    drawn = json.loads(page.scripts["figure-primary-0"])
    assert [trace["y"] for trace in drawn["data"]] == [[70.0] * 3, [55.0] * 3]
    assert drawn["layout"]["xaxis"]["ticktext"] == ["age", "gender", "all"]
    assert [(line["y0"], line["y1"]) for line in drawn["layout"]["shapes"]] == [(50.0, 50.0)]
    (row,) = _rows(page, "bias_type=age")
    assert row[1:3] == ["70.0 [68.0 to 72.0]", "55.0 [53.0 to 57.0]"]
    # 70 is 20 above the ideal, 55 is 5 above it: three quarters of the distance are gone.
    (effect,) = [r for r in _rows(page, "crows_pairs") if len(r) > 8]
    assert effect[6] == "−75 %"


def test_what_is_drawn_by_scale_is_not_drawn_twice() -> None:
    assert "figure-primary-0" not in _page().scripts
    record = dataclasses.replace(make.verification(), primary="afgb")
    assert "figure-primary-0" in Page(_html(record)).scripts


def test_control_table_and_reduced_form() -> None:
    (sham,) = [row for row in _rows(_page(), "sham") if len(row) == 7]
    assert sham[1:5] == [
        "6",
        "at equal capability, dose 0.250",
        "0.020 [0.000 to 0.040]",
        "0.350 [0.330 to 0.370]",
    ]
    assert "Control models: 6 of sham, 6 of noise. That is too narrow to carry a claim" in _page().text
    assert "0.030" in _page().text  # the smallest detectable effect


def test_unmatched_families_are_named() -> None:
    record = dataclasses.replace(make.verification(), control=make.control(matched=False))
    page = Page(_html(record))
    (noise,) = [row for row in _rows(page, "noise") if len(row) == 7]
    assert noise[2] == "not matched: no dose changes the model as much"
    assert noise[3:5] == ["undefined", "undefined"]


def test_a_record_with_nothing_but_a_verdict_still_renders() -> None:
    record = dataclasses.replace(
        make.verification(VerdictName.NOT_COMPARABLE),
        before=(), after=(), effects=(), guards=(), reasons=(), control=None, location=None,
        capability=CapabilityResult(None, ()), proof={}, notes=(),
    )  # fmt: skip
    text = Page(_html(record)).text
    assert "not comparable" in text
    assert "No control models were run" in text
    assert "No locator was run" in text


def test_limited_runs_are_stamped() -> None:
    assert sentences.LIMITED not in _page().text
    record = dataclasses.replace(make.verification(), limited=True)
    assert sentences.LIMITED in Page(_html(record)).text
    measured = [make.genbiaseval(limited=True)]
    assert sentences.LIMITED in Page(reports.measurements_html(measured)).text


def test_provenance_and_command() -> None:
    text = _page().text
    for needed in ("a1" * 32, "b2" * 32, "c0" * 32, "d0" * 32, "chain-rule/1", "float32", __version__):
        assert needed in text
    assert (
        "evenhand verify lab:causal --with lftf:loss=mass_preserving -b genbiaseval -b genhinteval "
        "--capability facts:set=lab --capability perplexity:text=lab --locator bmi --control standard "
        "--margin 0.01 --seed 0 --dtype float32"
    ) in text
    assert "proof: details: blocks block.3" in text


def test_words_that_promise_too_much_are_absent() -> None:
    text = _page().text.lower()
    for word in ("compliant", "debias", "solved", "bias-free", "unbiased"):
        assert word not in text


EVIL = '</script><script>alert("x")</script><img src=https://evil.example/x>'


def test_markup_in_names_is_text() -> None:
    record = make.verification(shares={EVIL: 0.2, "nurse": 0.9})
    spec = dataclasses.replace(record.model, uri=f"hf:{EVIL}")
    record = dataclasses.replace(record, model=spec, notes=(EVIL,), reasons=(EVIL,), treatment=EVIL)
    page = Page(_html(record))
    assert page.loads == ["data:,"]
    assert [tag for tag, _ in page.tags].count("img") == 0
    clean = [tag for tag, _ in _page().tags].count("script")
    assert [tag for tag, _ in page.tags].count("script") == clean
    assert EVIL in " ".join(row[0] for row in page.cells if row)  # and it is shown as it was written


def test_long_lists_have_a_short_and_a_full_plot() -> None:
    shares = {f"profession {i:03d}": (i + 1) / 100 for i in range(60)}
    page = Page(_html(make.verification(shares=shares)))
    few, every = (json.loads(page.scripts[f"figure-professions{end}"]) for end in ("", "-more"))
    assert len(few["data"][1]["x"]) == 50
    assert len(every["data"][1]["x"]) == 60
    assert "50 largest changes" in page.text
    assert "all 60" in page.text
    assert len([row for row in page.cells if row and row[0].startswith("profession 0")]) == 60


def test_more_than_two_groups_draw_no_share() -> None:
    record = make.verification()

    def third(measurement):  # type: ignore[no-untyped-def]
        scores = tuple(
            dataclasses.replace(s, values={**s.values, "p.other": 0.1}) for s in measurement.scores
        )
        return dataclasses.replace(measurement, scores=scores)

    record = dataclasses.replace(record, before=(third(record.before[0]),), after=(third(record.after[0]),))
    page = Page(_html(record))
    assert "figure-professions" not in page.scripts
    assert "P(other) after" in [cell for row in page.cells for cell in row]


def test_measurements_report() -> None:
    record = make.verification()
    page = Page(reports.measurements_html(record.before))
    (row,) = [r for r in _rows(page, "Accuracy") if len(r) == 7]
    assert row[1:] == ["accuracy", "all", "0.990", "0.970 to 1.010", "higher is better", "30"]
    assert "evenhand measure lab:causal -b genbiaseval" in page.text
    assert page.loads == ["data:,"]


def test_no_measurements_is_an_error() -> None:
    with pytest.raises(BadData, match="no measurements"):
        reports.measurements_html([])


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "report.html"
    text = f'{reports.SIGN.decode()}1"><p>é</p>'
    reports.write_report(path, text)
    written = path.read_text(encoding="utf-8")
    assert written.startswith(text)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NoSpace):
        reports.write_report(path, "new")
    assert path.read_text(encoding="utf-8") == written
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_figures_of_words_that_are_hardly_used_are_marked_on_their_side() -> None:
    fine, low = make.genbiaseval(), make.genbiaseval(treatment="lftf", mass=0.0007)
    record = dataclasses.replace(
        make.verification(VerdictName.CAPABILITY_LOSS),
        before=(fine,),
        after=(low,),
        effects=make.effects([fine], [low]),
        notes=("Another note.",),
    )
    page = Page(_html(record))
    assert page.text.count("† After: genbiaseval: The model lost more than half of the terms") == 1
    assert "Before: genbiaseval" not in page.text
    rows = {row[1]: row for row in page.cells if row and row[0] == "genbiaseval"}
    for title, row in rows.items():
        marks = [cell.endswith("†") for cell in row[3:6]]
        assert marks == ([False] * 3 if "terms" in title else [False, True, True]), title
    assert len(rows) == 4
    assert "Another note." in page.text


def test_a_note_that_the_report_says_itself_is_not_said_twice() -> None:
    low = make.genbiaseval(mass=0.0007)
    (why,) = doubted.sentences(doubted.of([low]))
    noted = dataclasses.replace(low, notes=(why, "Another note."))
    text = Page(reports.measurements_html([noted])).text
    assert text.count("hardly uses the terms") == 1
    assert f"† {why}" in text
    assert "Another note." in text


def test_a_capability_loss_claims_of_the_control_only_what_it_showed() -> None:
    record = make.verification(VerdictName.CAPABILITY_LOSS)
    same = sentences.VERDICTS[VerdictName.CAPABILITY_LOSS]
    assert sentences.sentence(record) == same
    assert record.control is not None
    none = dataclasses.replace(record, control=None)
    assert "No control was run, so the gap cannot be" in sentences.sentence(none)
    grew = dataclasses.replace(record.control, total=Estimate(-0.2, -0.3, -0.1, 30))
    assert "The gap did not fall" in sentences.sentence(dataclasses.replace(record, control=grew))
    unmatched = dataclasses.replace(record, control=make.control(matched=False))
    assert "could not be matched to this model" in sentences.sentence(unmatched)
    inert = dataclasses.replace(unmatched.control.families[0], state="inert")  # type: ignore[union-attr]
    beside = dataclasses.replace(record.control, families=(*record.control.families, inert))
    assert sentences.sentence(dataclasses.replace(record, control=beside)) == same  # it does not count
    alone = dataclasses.replace(record.control, families=(inert,))
    assert "could not be matched" in sentences.sentence(dataclasses.replace(record, control=alone))


@pytest.mark.parametrize("controlled", [False, True])
def test_words_that_went_are_said_to_be_all_that_is_known(controlled: bool) -> None:
    record = make.verification(VerdictName.CAPABILITY_LOSS)
    loss = Estimate(0.67, 0.6, 0.7, 30)
    mass = Check("mass", Estimate(0.899, 0.8, 1.0, 30), Estimate(0.294, 0.2, 0.3, 30), loss, 0.1, False, "")
    record = dataclasses.replace(record, guards=(mass,), control=record.control if controlled else None)
    said = sentences.sentence(record)
    assert said.startswith("More than half of the probability of the words")
    assert ("No control was run" in said) is not controlled
    assert sentences.VERDICTS[VerdictName.CAPABILITY_LOSS] not in said
