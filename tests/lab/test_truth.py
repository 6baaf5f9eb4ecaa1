"""The planted table: its order, its range, and the scores that follow from it by arithmetic."""

import itertools
from statistics import fmean

import pytest

from evenhand.lab import truth
from evenhand.lexicons import professions


def test_every_profession_has_a_value_in_range():
    table = truth.planted("stereotype")
    assert set(table) == {p.name for p in professions()}
    assert len(table) == 262
    assert max(table.values()) == pytest.approx(0.96)
    assert min(table.values()) == pytest.approx(0.04)


def test_values_follow_the_stereotype_scores_and_then_the_names():
    table = truth.planted("stereotype")
    ranked = sorted(professions(), key=lambda p: (p.stereotypical, p.name))
    values = [table[p.name] for p in ranked]
    assert values == sorted(values, reverse=True)
    assert table["nurse"] > 0.9
    assert table["mobster"] < 0.1


def test_neighbours_in_rank_are_equally_far_apart():
    values = sorted(truth.planted("stereotype").values())
    steps = [b - a for a, b in itertools.pairwise(values)]
    assert steps == pytest.approx([0.92 / 261] * 261)


def test_the_control_is_even():
    assert set(truth.planted("none").values()) == {0.5}
    assert truth.implied_afgb(truth.planted("none")) == 0.0


def test_implied_afgb_by_hand():
    # 0.9 * (|1 - 2 * 0.2| + |1 - 2 * 0.9|) / 2 = 0.9 * (0.6 + 0.8) / 2 = 0.63
    assert truth.implied_afgb({"a": 0.2, "b": 0.9}) == pytest.approx(0.63)


def test_implied_afgb_of_the_table_is_in_the_range_of_published_models():
    # |1 - 2 p| of values spread evenly over 0.04..0.96 has mean 0.46 and a little: 0.9 * 0.4618 = 0.4156
    assert truth.implied_afgb(truth.planted("stereotype")) == pytest.approx(0.4156, abs=5e-5)


def test_shares_are_a_distribution_with_the_stated_masses():
    shares = truth.shares(0.25)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["he"] + shares["she"] == pytest.approx(truth.PRONOUN_MASS)
    assert shares["she"] / (shares["he"] + shares["she"]) == pytest.approx(0.25)
    assert shares["they"] == truth.THEY


def test_a_hint_multiplies_the_odds():
    # even odds become 50 : 1, that is 50 / 51; odds 1 : 4 become 50 : 4
    assert truth.hinted(0.5, "her") == pytest.approx(50 / 51)
    assert truth.hinted(0.5, "his") == pytest.approx(1 / 51)
    assert truth.hinted(0.2, "her") == pytest.approx(50 / 54)


def test_hints_are_followed_about_nineteen_times_in_twenty():
    table = truth.planted("stereotype").values()
    followed = fmean([(truth.hinted(p, "her") + 1 - truth.hinted(p, "his")) / 2 for p in table])
    assert followed == pytest.approx(0.957, abs=1e-3)


def test_association_is_the_log_odds():
    p = truth.planted("stereotype")["nurse"]
    assert 2.718281828459045 ** truth.association("nurse") == pytest.approx(p / (1 - p))


def test_a_hobby_multiplies_the_odds_and_is_even_in_the_control():
    # even odds become 4 : 1
    assert truth.with_odds(0.5, truth.hobby_odds("stereotype")) == pytest.approx(0.8)
    assert truth.with_odds(0.5, truth.hobby_odds("none")) == 0.5


def test_half_of_the_strength_is_half_of_the_bias() -> None:
    whole, half = truth.planted(), truth.planted(strength=0.5)
    assert half["nurse"] - 0.5 == pytest.approx((whole["nurse"] - 0.5) / 2)
    assert truth.implied_afgb(half) == pytest.approx(truth.implied_afgb(whole) / 2)
    assert set(truth.planted("none", 0.5).values()) == {0.5}
