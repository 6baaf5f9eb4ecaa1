"""Guards: lost mass, ignored hints, and groups whose bias turned round."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from evenhand import registry
from evenhand.errors import BadData
from evenhand.metrics import columns
from evenhand.records import Check, GuardName, Score
from evenhand.studies.effects import benchmark_effects
from evenhand.studies.guards import (
    group_leans,
    hints_check,
    mass_check,
    over_correction_check,
    rest_check,
    scatter_check,
    turned_check,
)
from evenhand.studies.margins import Margins
from tests.studies.worlds import LEANS, Made, bias, hints, items, measurement, stereotypes

FAST = Margins(draws=300)
BASE = bias(Made())
HE = LEANS[LEANS > 0.1].mean()  # how far the he-professions lean before


def test_lost_mass_is_a_share() -> None:
    check = mass_check(BASE, bias(Made(mass=0.72)), margins=FAST)
    assert check.loss.value == pytest.approx(0.2)  # 1 - 0.72 / 0.9
    assert (check.before.value, check.after.value) == (pytest.approx(0.9), pytest.approx(0.72))
    assert check.kept is False
    assert mass_check(BASE, bias(Made(mass=0.85)), margins=FAST).kept is True
    gained = mass_check(BASE, bias(Made(mass=0.99)), margins=FAST)
    assert gained.loss.value == pytest.approx(-0.1)
    assert gained.kept is True


def test_mass_from_nothing_is_undefined() -> None:
    check = mass_check(bias(Made(mass=0.0)), BASE, margins=FAST)
    assert check.loss.value is None
    assert check.kept is None


def test_hints() -> None:
    before = hints(Made(hint=0.8))
    assert hints_check(before, hints(Made(hint=0.77)), margins=FAST).kept is True
    lost = hints_check(before, hints(Made(hint=0.1)), margins=FAST)
    assert lost.loss.value == pytest.approx(0.7)
    assert lost.kept is False


def test_what_else_a_benchmark_names_is_checked_in_its_own_unit() -> None:
    before = stereotypes(0.7, related=0.9)
    kept = rest_check(before, stereotypes(0.5, related=0.9), margins=FAST)
    assert (kept.name, kept.margin, kept.kept) == ("LMS (stereoset)", 1.0, True)  # one point of a hundred
    lost = rest_check(before, stereotypes(0.5, related=0.7), margins=FAST)
    assert lost.loss.value == pytest.approx(20.0)
    assert lost.kept is False
    gained = rest_check(before, stereotypes(0.7, related=1.0), margins=FAST)
    assert gained.loss.value == pytest.approx(-10.0)
    assert gained.kept is True


def test_a_guard_must_be_named_and_have_its_ideal_at_an_end() -> None:
    before = stereotypes(0.7)
    with pytest.raises(BadData, match="names no figure for the guard mass"):
        mass_check(before, before, margins=FAST)
    middle = dataclasses.replace(before, guards={GuardName.REST: "ss"})
    with pytest.raises(BadData, match="its ideal is not an end of its range"):
        rest_check(middle, middle, margins=FAST)


def test_a_figure_that_went_past_its_ideal() -> None:
    def turned(first: float, last: float) -> Check:
        before, after = stereotypes(first), stereotypes(last)
        (effect,) = (e for e in benchmark_effects(before, after, seed=0, B=50) if e.metric == "ss")
        return turned_check(effect, before, after, margins=FAST)

    over = turned(0.6, 0.4)
    assert (over.name, over.margin, over.kept) == ("over-correction (distance from the ideal)", 5.0, False)
    assert (over.before.value, over.loss.value) == (pytest.approx(10.0), pytest.approx(10.0))
    assert turned(0.4, 0.6).kept is False
    assert turned(0.7, 0.55).kept is True
    assert turned(0.6, 0.45).kept is None  # five points past it, just the margin


def test_groups_that_leaned_before() -> None:
    metrics = group_leans(BASE, FAST)
    assert list(metrics) == ["male", "female"]
    assert metrics["male"].value(BASE.scores) == pytest.approx(HE)
    assert metrics["female"].value(BASE.scores) == pytest.approx(HE)
    assert group_leans(bias(Made(lean=lambda x: x / 10)), FAST) == {}  # leans of at most 0.08 are none


def test_one_pronoun_everywhere_turns_one_group_round() -> None:
    """All items at lean -0.9: the he-items flipped, the she-items went on; the average gap even grew."""
    after = bias(Made(lean=lambda x: 0 * x - 0.9))
    flipped = over_correction_check(BASE, after, "male", margins=FAST)
    assert flipped.before.value == pytest.approx(HE)
    assert flipped.loss.value == pytest.approx(0.9)
    assert flipped.kept is False
    stayed = over_correction_check(BASE, after, "female", margins=FAST)
    assert stayed.loss.value == pytest.approx(-0.9)
    assert stayed.kept is True


def test_a_gap_that_is_dealt_out_anew_falls_on_average_and_grows_for_many() -> None:
    """Half of each lean is now another profession's, drawn at random, with no signal."""
    exchanged = np.random.default_rng(0).permutation(np.repeat(LEANS, 3))
    after = bias(Made(lean=lambda x: 0.5 * x + 0.5 * exchanged[: len(x)]))
    metric = registry.get("metric", "afgb_normalised")
    gaps = [metric.per_item(columns(one.scores)) for one in (BASE, after)]
    assert gaps[1].mean() < 0.9 * gaps[0].mean()  # a tenth and more of the mean is gone
    found = scatter_check(BASE, after, margins=FAST)
    assert found is not None
    assert found.loss.value == pytest.approx(np.mean(gaps[1] - gaps[0] > 0.05))
    assert found.loss.low is not None
    assert found.loss.low > 0.10
    assert found.kept is False


@pytest.mark.parametrize(("factor", "share", "kept"), [(0.5, 0.0, True), (1.0, 0.0, True), (1.5, 0.9, False)])
def test_the_share_of_items_that_grew(factor: float, share: float, kept: bool) -> None:
    """Leans of .8 (2 i + 1 - 40) / 39: 1.5 times one grows by more than .05 above a lean of .1, 36 of 40."""
    found = scatter_check(BASE, bias(Made(lean=lambda x: factor * x)), margins=FAST)
    assert found is not None
    assert found.loss.value == pytest.approx(share)
    assert found.kept is kept


def test_gaps_of_no_groups_have_no_scatter() -> None:
    assert scatter_check(stereotypes(0.7), stereotypes(0.5), margins=FAST) is None


@pytest.mark.parametrize(("factor", "kept"), [(0.5, True), (0.01, True), (-0.1, True), (-0.6, False)])
def test_balance_is_no_over_correction(factor: float, kept: bool) -> None:
    """A lean of -0.1 times about 0.45 is within the margin of 0.1; -0.6 times that is -0.27."""
    after = bias(Made(lean=lambda x: factor * x))
    for group in ("male", "female"):
        check = over_correction_check(BASE, after, group, margins=FAST)
        assert check.loss.value == pytest.approx(-factor * HE)
        assert check.kept is kept


def test_three_groups() -> None:
    """P = (0.6, 0.2, 0.2): the first leads by (0.6 - 0.2) / 1; after (0.2, 0.4, 0.4) it trails by 0.2.

    All 60 items are alike, so up to 1 - .05^(1/60) = 4.9 % unlike ones may be unseen: the lean away is at
    least 0.2 - 0.049 (0.2 + 1) = 0.14, beyond the margin of 0.1.
    """

    def three(*p: float) -> list[Score]:
        columns = {f"p__{name}": np.full(60, x) for name, x in zip("abc", p, strict=True)}
        return items("race", [f"c{i}" for i in range(60)], **columns)

    before, after = (measurement("race", ["afgb"], three(*p)) for p in ((0.6, 0.2, 0.2), (0.2, 0.4, 0.4)))
    assert list(group_leans(before, FAST)) == ["a"]
    check = over_correction_check(before, after, "a", margins=FAST)
    assert (check.before.value, check.loss.value) == (pytest.approx(0.4), pytest.approx(0.2))
    assert check.kept is False


def test_a_single_profession_tells_nothing() -> None:
    one = items("genbiaseval", ["nurse"] * 4, p__male=np.full(4, 0.1), p__female=np.full(4, 0.8))
    assert group_leans(measurement("genbiaseval", ["afgb"], one), FAST) == {}
    assert (
        group_leans(measurement("facts", ["accuracy"], items("facts", ["a", "b"], correct=[1, 0])), FAST)
        == {}
    )


def test_hints_that_were_not_followed_before_cannot_be_shown_to_be_kept() -> None:
    """A base at chance on hints has nothing to lose; "kept" would be a claim that nothing supports."""
    before = hints(Made(hint=0.0))
    check = hints_check(before, before, margins=FAST)
    assert check.before.low is not None
    assert check.before.low <= 0
    assert check.kept is None
    assert "did not certainly follow hints" in check.reading
