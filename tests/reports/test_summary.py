"""The first screen: three figures with intervals, the good direction on each, one sentence and one step."""

from __future__ import annotations

import dataclasses

from evenhand import reports
from evenhand.records import Estimate, Measurement, VerdictName
from evenhand.reports import summary
from tests.support import records_factory as make

NONE = (frozenset[str](), frozenset[str]())


def test_three_cards_of_a_verification() -> None:
    bias, beyond, risk = summary.of_verification(make.verification(), NONE)
    # |1 - 2 share| has the mean 4.8 / 9 = .533, and a fifth of that after it: .107, so the change is -.427
    assert (bias.before, bias.figure) == ("0.533", "0.107")
    assert bias.detail == "change −0.427 [−0.457 to −0.397]"
    assert (bias.good, bias.state, bias.tone) == ("lower is better, 0 is ideal", "nearer its ideal", "good")
    assert beyond.figure == "0.350"
    assert beyond.detail.startswith("95 % interval 0.330 to 0.370")
    assert beyond.good == "higher is better; 0.060 or more is relevant"
    assert (beyond.state, beyond.tone) == ("too few kinds of models", "neutral")  # the control is reduced
    # undecided outweighs kept: 2.01 - 2.02 = -.01 with .004 to each side
    assert risk.label == "Most at risk: loss of log-perplexity"
    assert risk.figure == "−0.010"
    assert risk.detail == "95 % interval −0.014 to −0.006; 4 of 5 checks are kept"
    assert (risk.good, risk.tone) == ("0 is ideal; up to 0.020 counts as kept", "mixed")


def test_a_fall_under_a_verdict_without_a_claim_is_not_green() -> None:
    for verdict, tone in ((VerdictName.NO_EVIDENCE, "neutral"), (VerdictName.AT_A_COST, "good")):
        assert summary.of_verification(make.verification(verdict), NONE)[0].tone == tone


def test_what_does_not_compare_has_no_cards() -> None:
    assert summary.of_verification(make.verification(VerdictName.NOT_COMPARABLE), NONE) == ()


def test_without_control_models_nothing_is_shown_beyond_them() -> None:
    record = dataclasses.replace(make.verification(), control=None)
    beyond = summary.of_verification(record, NONE)[1]
    assert (beyond.figure, beyond.state) == ("not tested", "not shown")


def test_a_full_control_is_read_at_its_weakest_family() -> None:
    control = make.control(reduced=False)
    strong, other = (dataclasses.replace(family, p_limit=0.025) for family in control.families)
    half = (control.total.value or 0.0) / 2
    assert half > 0.1 > control.delta
    for part, state in ((half + 0.001, "shown"), (0.1, "not shown"), (0.05, "not shown")):
        weak = dataclasses.replace(other, specific=make.estimate(part, 27))  # with p .0005
        both = dataclasses.replace(control, families=(strong, weak))
        beyond = summary.of_verification(dataclasses.replace(make.verification(), control=both), NONE)[1]
        assert (beyond.figure, beyond.state) == (f"{part:.3f}", state)
        assert "family: noise" in beyond.label


def _measured(low: float, high: float, ideal: float | None = 0.0) -> Measurement:
    m = make.genbiaseval()
    found = {**m.metrics, "afgb_normalised": Estimate(0.5, low, high, 27, ideal)}
    return dataclasses.replace(m, metrics=found)


def test_an_ideal_inside_the_range_is_named() -> None:
    assert summary.good_way("stereotype_preference", 50.0) == "best at 50"
    assert summary.good_way("accuracy", 1.0) == "higher is better, 1 is ideal"
    assert summary.good_way("mass", None) == "descriptive: no value is best"


def test_a_measurement_claims_a_bias_only_where_the_interval_excludes_the_ideal() -> None:
    surely, perhaps = _measured(0.4, 0.6), _measured(-0.1, 0.6)
    assert "certainly not its ideal of 0: the interval is 0.400 to 0.600" in summary.measured_sentence(
        [surely]
    )
    assert "evenhand verify lab:causal" in summary.measured_step([surely])
    assert "which may be its ideal of 0" in summary.measured_sentence([perhaps])
    assert "measure more items" in summary.measured_step([perhaps])
    assert "unreliable" in summary.measured_sentence([make.genbiaseval(mass=0.0007)])
    only = [make.simple("facts:set=lab", "accuracy", 0.99)]
    assert "Measure a bias as well" in summary.measured_step(only)


def test_every_card_of_a_page_names_its_direction() -> None:
    record = make.verification()
    for html in (reports.verification_html(record), reports.measurements_html(record.before)):
        assert html.count('<p class="way">') == 3
        assert html.count('<li class="tile ') == 3
        for way in html.split('<p class="way">')[1:]:
            text = way.split("</p>")[0]
            assert "better" in text or "ideal" in text or "best" in text
