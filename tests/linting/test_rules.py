"""Each rule on small tables worked out by hand: what it finds, and what looks like it and is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import BadData, UnknownName, UsageError
from evenhand.linting import KINDS, Fault, lint
from evenhand.linting.cells import figure
from evenhand.linting.meanings import guess
from tests.support.scripts import script


def found(text: str, tmp_path: Path, **named) -> list[Fault]:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return lint(path, **named)


FAULTS = {
    "duplicate": "model,a,b,c\nx,.1234,.2345,.3456\ny,.1234,.2345,.3456\nz,.5,.6,.7\n",
    # 30/100, 40/80 and 45/90 are the rates, once the counts stand under "n" and the n under "selected"
    "exchanged": "group,selected,n,rate\nx,100,30,.30\ny,80,40,.50\nz,90,45,.50\n",
    # 2/7 = .286, 3/7 = .429
    "precision": "model,n,accuracy\nx,7,.350\ny,7,.429\n",
    "contradicted_rate": "group,n,selected,rate\nx,100,30,.30\ny,80,40,.55\nz,90,45,.50\n",
    "count_above_total": "group,n,selected\nx,100,30\ny,80,81\n",
    "ratio_above_one": "group,rate,impact_ratio\nx,.5,1.00\ny,.4,1.25\n",
    # .3/.6 = .5
    "contradicted_ratio": "group,rate,impact_ratio\nx,.60,1.00\ny,.30,.80\n",
    "dpd_above_deo": "model,dpd,deo\nx,.10,.20\ny,.30,.20\n",
    # 90 * 40 / 50 = 72
    "icat": "model,LMS,SS,ICAT\nx,90.0,60.0,72.0\ny,80.0,45.0,82.0\n",
    # .50 - .30 = .20
    "difference": "model,score\nbase,.30\nx,.50 (+.20)\ny,.40 (-.10)\n",
    "mean": "model,a,b,avg\nx,.1,.3,.2\ny,.5,.7,.6\nz,.2,.4,.6\n",
    "total": "split,a,b,c\nx,1,2,3\ny,4,5,6\nTotal,5,7,10\n",
    "interval": "model,score,low,high\nx,.50,.40,.60\ny,.70,.40,.60\n",
    "out_of_range": "model,dpd\nx,.10\ny,-.20\n",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_every_kind(kind, tmp_path) -> None:
    faults = [one for one in found(FAULTS[kind], tmp_path) if one.kind == kind]
    assert len(faults) == 1
    assert faults[0].rows
    assert faults[0].why.endswith(".") or "--columns" in faults[0].why


def test_every_kind_is_tried() -> None:
    assert set(KINDS) - {"ratio_of_nobody"} == set(FAULTS)  # that one needs an audit's own columns


CLEAN = {
    "an average of unlike weights": "model,a,b,avg\nx,.10,.30,.21\ny,.50,.70,.62\nz,.20,.40,.33\n",
    "the accuracy of another benchmark": "model,n,afgb,mmlu acc\nx,7,.1,.350\ny,7,.2,.431\n",
    "a column of changes in percent": "model,before,after,change %\nx,.50,.40,-20\ny,.50,.25,-50\n",
    "how far figures moved": "model,n,accuracy change,Δ AFGB,SS difference\nx,7,-.01,-.2,-5\ny,7,.35,.1,3\n",
    "a signed gap of rates": "model,TPR gap,selection rate difference\nx,-.10,-.20\ny,.10,.30\n",
    "a balanced accuracy": "model,n,balanced accuracy\nx,7,.350\ny,7,.431\n",
    "layers are no people": "model,n layers,accuracy\nx,7,.350\ny,7,.431\n",
    "an odds ratio": "group,rate,odds ratio\nx,.5,1.00\ny,.4,1.25\n",
    "the mean of two gaps": "model,dpd,deo mean\nx,.30,.20\ny,.30,.25\n",
    "equal within rounding": "model,dpd,deo\nx,.21,.209\ny,.1,.2\n",
    "zeros and ones are likely": "model,a,b,c\nx,0,1,0.0\ny,0,1,0.0\n",
    "two digits in common": "model,a\nx,.12\ny,.12\n",
    "a ratio in no table of groups": "model,rate,impact ratio\nx,.50,.90\ny,.60,.70\n",
    "changes from another row": "model,score\nx,.30\ny,.50 (+.30)\nz,.40 (+.20)\n",
    "changes in percent": "model,score\nbase,.50\nx,.40 (-20%)\ny,.60 (+10%)\nz,.55 (+5.0%)\n",
    "an error, not a change": "model,score\nbase,.50\nx,.40 (.02)\ny,.60 ± .03\n",
    "subtotals": "split,a,b\nx,1,2\ny,4,5\nTotal,9,9\n",
    "percentages": "model,accuracy (%),dpd (%)\nx,75.5,0.9\ny,81.0,1.2\n",
    "scores of a broken model": "model,LMS,SS,ICAT\nx,90.0,60.0,72.0\ny,1.19,48.0,1.14\nz,0,0,0\n",
    "a count that was made from its rate": "group,n,selected,rate\nx,1000,302.4,.302\ny,800,404.0,.505\n",
    "20 of 38 twice": "model,n,acc\nx,50,.840\ny,38,.526\nz,38,.526\nv,78,.218\n",
    "examples in the prompt": "model,examples,accuracy\nx,4,.731\ny,8,.764\nz,16,.779\n",
    "an accuracy of other questions": "model,questions,accuracy\nx,7,.350\ny,7,.431\nz,8,.319\n",
    "before and after of unlike figures": "model,DPD before,UB after\nx,.30,.50 (+.10)\ny,.20,.60 (+.20)\n",
    "changes of something else": "model,before,after,change\nx,.30,.50,.11\ny,.20,.60,.12\n",
    "a median and its range": "model,score\nx,.50 (.10 to .90)\ny,.40 (.15 to .70)\n",
    "a spread and a number of runs": 'model,score\nx,"2.5 (.3, 1)"\ny,"3.5 (.2, 2)"\nz,"3 (.1, 5)"\n',
    "air": "city,air,dust\nx,1.20,.3\ny,1.40,.4\n",
    "the highest group is elsewhere": "group,rate,impact ratio\nx,.40,.80\ny,.30,.60\nz,.20,.40\n",
    "a count of everything": "group,count,share of all\nx,20,.20\ny,80,.80\n",
}


# As other people name their columns, and where else they print what a rule is about.
MORE_FAULTS = {
    "no count of 30 gives .7833": ("precision", "Subset,items,accuracy\na,30,.7833\nb,34,.1471\n"),
    "953 of 951": ("count_above_total", "Group,# of Applicants,# Selected\nx,951,953\ny,738,367\n"),
    "1455 of 2797 is 52 %": (
        "contradicted_rate",
        "Group,N applicants,Number selected,sel_rate\nx,2797,1455,.449\ny,903,252,.279\n",
    ),
    "above the highest": ("ratio_above_one", "Group,sel_rate,AIR\nx,.46,1.00\ny,.53,1.16\nz,.36,.78\n"),
    # .30/.60 = .5, .48/.60 = .8: the ratios are over the first row
    "the highest group's own ratio": (
        "contradicted_ratio",
        "Group,rate,impact ratio\nx,.60,.75\ny,.30,.50\nz,.48,.80\n",
    ),
    "the highest of two": ("contradicted_ratio", "Group,rate,impact ratio\nx,.72,.72\ny,.61,.85\n"),
    "parity by a sign": ("dpd_above_deo", "model,Δ DP,eq. odds diff\nx,.10,.20\ny,.30,.20\n"),
    "names with their abbreviations": (
        "icat",
        "model,Language modelling score (LMS),Stereotype score (SS),Idealised CAT (iCAT)\n"
        "x,90.0,60.0,72.0\ny,80.0,45.0,82.0\n",
    ),
    "a change behind the figure after": (
        "difference",
        "model,AFGB before,AFGB after\nx,.30,.50 (+.20)\ny,.40,.10 (+.30)\nz,.20,.30 (+.10)\n",
    ),
    "a change of a known figure": (
        "difference",
        "model,DPD before,DPD after,DPD change,UB before,UB after\n"
        "x,.30,.50,.20,.1,.2\ny,.40,.10,.30,.1,.2\nz,.20,.30,.40,.1,.2\nv,.1,.2,.1,.1,.2\n",
    ),
    "one before and one after": (
        "difference",
        "model,before,AFGB after\nx,.30,.50 (+.20)\ny,.40,.10 (+.30)\nz,.20,.30 (+.10)\n",
    ),
    "a mean with its figure's name": (
        "mean",
        "model,AFGB word,AFGB phrase,mean AFGB\nx,.1,.3,.2\ny,.5,.7,.6\nz,.2,.4,.6\n",
    ),
    "a mean over all": ("mean", "model,word,phrase,all\nx,.1,.3,.2\ny,.5,.7,.6\nz,.2,.4,.6\n"),
    "ends with their level": (
        "interval",
        "model,score,95% CI lower,95% CI upper\nx,.50,.40,.60\ny,.70,.40,.60\n",
    ),
    "ends behind the figure": ("interval", "model,score\nx,.50 (.40 to .60)\ny,.70 [.40; .60]\n"),
    "ends upside down": ("interval", 'model,score\nx,"0.50 (.40, .60)"\ny,.70 (95% CI .80-.60)\n'),
}


@pytest.mark.parametrize("case", MORE_FAULTS)
def test_the_same_faults_in_other_dress(case, tmp_path) -> None:
    kind, table = MORE_FAULTS[case]
    assert {one.kind for one in found(table, tmp_path)} == {kind}


@pytest.mark.parametrize("case", CLEAN)
def test_what_is_no_fault(case, tmp_path) -> None:
    assert found(CLEAN[case], tmp_path) == []


def test_names_that_the_user_gives(tmp_path) -> None:
    table = "model,first,second\nx,.30,.20\ny,.40,.20\n"
    assert found(table, tmp_path) == []
    named = found(table, tmp_path, columns={"dpd": ["first"], "deo": ["second"]})
    assert {one.kind for one in named} == {"dpd_above_deo", "exchanged"}
    assert found("group,impact_ratio\nx,1.2\n", tmp_path, columns={"none": ["impact_ratio"]}) == []


def test_parts_that_the_user_names_need_no_witness(tmp_path) -> None:
    # (.1 + .3) / 2 = .2
    table = "model,a,other,b,avg\nx,.1,.9,.3,.4\n"
    assert found(table, tmp_path) == []
    assert [one.kind for one in found(table, tmp_path, columns={"part": ["a", "b"]})] == ["mean"]


def test_mistakes_of_the_user(tmp_path) -> None:
    with pytest.raises(UnknownName, match="no meaning of a column named 'dpdd'"):
        found("a,b\n1,2\n", tmp_path, columns={"dpdd": ["a"]})
    with pytest.raises(UnknownName, match="no column named 'c'"):
        found("a,b\n1,2\n", tmp_path, columns={"dpd": ["c"]})
    with pytest.raises(UsageError, match="two meanings"):
        found("a,b\n1,2\n", tmp_path, columns={"dpd": ["a"], "deo": ["a"]})
    with pytest.raises(BadData, match="line 2: fewer cells"):
        found("a,b\n1\n", tmp_path)
    with pytest.raises(BadData, match="no rows"):
        found("a,b\n", tmp_path)


@pytest.mark.parametrize(
    ("text", "value", "places"),
    [
        (".2820", 0.282, 4),
        ("<b>0.0049</b>", 0.0049, 4),
        ("**75.5**", 75.5, 1),
        ("26.12 %", 26.12, 2),
        ("−0.5", -0.5, 1),
        ("1,234", 1234, 0),
        ("1 234 567", 1234567, 0),
        (".4270000000000001", 0.427, 3),
        ("0.6623†", 0.6623, 4),
        ("0.94±0.02", 0.94, 2),
    ],
)
def test_printed_numbers(text, value, places) -> None:
    read = figure(text)
    assert read is not None
    assert (read.value, read.places) == (value, places)


@pytest.mark.parametrize("text", ["", "NA", "—", "✓", "Qwen2.5-7B", "<0.01", "7B", "1.2.3", "(+0.1)"])
def test_what_is_no_number(text) -> None:
    assert figure(text) is None


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("M_dpd ↓", "dpd"),
        (r"$M_{eod}$ $\downarrow$", "deo"),
        ("demographic parity difference", "dpd"),
        ("Equalised Odds Gap", "deo"),
        ("nSelected", "count"),
        ("Number of applicants", "n"),
        ("acc %", "rate"),
        ("gender LMS", "lms"),
        ("disparate_impact", "ratio"),
        ("odds ratio", "figure"),
        ("Avg.", "mean"),
        ("# of Applicants", "n"),
        ("Applicants selected", "count"),
        ("Stereotype score (SS)", "ss"),
        ("Equalized Odds Difference (EOD)", "deo"),
        ("95% CI lower", "low"),
        ("Upper 95% CI", "high"),
        ("examples", "figure"),
        ("year", "none"),
    ],
)
def test_meanings_of_names(name, meaning) -> None:
    assert guess(name).meaning == meaning


def test_a_small_score_of_clean_and_faulty_tables() -> None:
    """A smaller form of perf/lint.py; a fault within the rounding of what is printed cannot be found."""
    result = script("perf/lint.py").scored(tables=84, seed=4711)
    assert result["clean_without_fault"] == 84, result["false_kinds"]
    assert result["planted_found"] == 84, result["missed"]


def test_the_score_can_fail(monkeypatch) -> None:
    # Without the rule of ICAT its 4 plants and 4 exchanges are missed: 84 tables hold 4 of each of 21 plants.
    from evenhand.linting import scores

    monkeypatch.setattr(scores, "_icat", lambda sheet: [])
    result = script("perf/lint.py").scored(tables=84, seed=4711)
    assert result["by_kind"]["icat"] == "0 of 4"
    assert result["planted_found"] == 84 - 4 - 4  # and the exchanged columns of StereoSet's scores
