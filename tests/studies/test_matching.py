"""The arithmetic of the matched control, and the validation of the whole procedure by simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from evenhand.studies.margins import Margins
from evenhand.studies.matching import Curve, Family, Target, non_increasing, read_family, summary
from tests.studies.simulated import ITEMS, Experiment, Setting, false_claims


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_isotonic_by_hand() -> None:
    # 3 and 5 violate the order: both become (3 + 5) / 2 = 4; with weights 1 and 3, (3 + 15) / 4 = 4.5.
    assert non_increasing(column(6, 3, 5, 1), np.ones(4)).ravel() == pytest.approx([6, 4, 4, 1])
    weights = np.array([1.0, 1.0, 3.0, 1.0])
    assert non_increasing(column(6, 3, 5, 1), weights).ravel() == pytest.approx([6, 4.5, 4.5, 1])


def test_isotonic_equals_scipy() -> None:
    rng = np.random.default_rng(5)
    values, weights = rng.normal(size=(9, 40)), rng.uniform(0.5, 2, size=9)
    ours = non_increasing(values, weights)
    for r in range(40):
        theirs = isotonic_regression(values[:, r], weights=weights, increasing=False).x
        assert ours[:, r] == pytest.approx(theirs, abs=1e-12)


# Doses 0, 1, 2, 4 with capability 0, -1, -1, -3 and bias 0.8, 0.6, 0.5, 0.1.
CURVE = Curve(np.array([0.0, 1.0, 2.0, 4.0]), column(0, -1, -1, -3), column(0.8, 0.6, 0.5, 0.1))


@pytest.mark.parametrize(
    ("capability", "dose", "bias"),
    [
        (-0.5, 0.5, 0.7),  # half-way between doses 0 and 1
        (-2.0, 3.0, 0.3),  # half-way between doses 2 and 4
        (0.0, 0.0, 0.8),
        (0.7, 0.0, 0.8),  # more capable than the base: the base
        (-1.0, 2.0, 0.5),  # two doses are equally capable: the one with less bias
        (-3.0, 4.0, 0.1),
        (-3.05, 4.0, 0.1),  # below the last dose, within the tolerance of 0.1
        (-3.2, np.nan, np.nan),  # out of reach
        (np.nan, np.nan, np.nan),
    ],
)
def test_reading_a_curve(capability: float, dose: float, bias: float) -> None:
    found = CURVE.at(np.array([capability]), 0.1)
    assert [float(x[0]) for x in found] == pytest.approx([dose, bias], nan_ok=True)


def test_a_plateau_at_the_bases_capability_reads_the_least_bias() -> None:
    # Damage that costs no capability: doses 1 and 2 are as capable as the base, and dose 2 shows less bias.
    curve = Curve(np.array([0.0, 1.0, 2.0]), column(0, 0, 0), column(0.8, 0.7, 0.4))
    dose, bias = curve.at(np.array([0.3]), 0.0)
    assert (dose[0], bias[0]) == (2.0, 0.4)


def test_exact_offset_removed_is_all_specific() -> None:
    """Positive control: the planted gap taken away at full capability gives S = T and K = 0."""
    experiment = Experiment(Setting(), seed=11)
    nothing = experiment.bias(np.zeros(ITEMS))
    result = experiment.read((nothing, np.zeros_like(nothing)))
    base = experiment.gaps.mean()
    assert result.matched
    assert result.dose == 0.0
    assert result.capability_part.value == pytest.approx(0.0, abs=1e-12)
    assert result.specific.value == pytest.approx(base)
    assert result.p_value is not None
    assert result.p_value < 0.01
    assert result.equivalent is False


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_a_mixture_recovers_its_share_of_removal(alpha: float) -> None:
    """Damage of dose 1 fades gaps by 0.2, then `alpha` of what is left is removed: S / f = alpha."""
    setting = Setting(spread=0.005)
    experiment = Experiment(setting, seed=12)
    bias, capability = experiment.damaged(1.0)
    result = experiment.read(((1 - alpha) * bias, capability))
    base = experiment.gaps.mean()
    K, S = result.capability_part.value, result.specific.value
    assert K is not None
    assert S is not None
    assert pytest.approx(alpha, abs=0.05) == S / (base - K)
    assert pytest.approx(0.2 * base, abs=0.04) == K
    assert pytest.approx(base - (1 - alpha) * bias[0]) == S + K  # T = K + S


def test_a_placebo_is_rarely_called_specific() -> None:
    """Of 60 at 5 %, more than 7 would come with a probability below 2 %."""
    assert false_claims(Setting(), 60) <= 7


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        Setting(),
        Setting(doses=(0.5, 1.0, 1.5, 2.0), seeds=2),
        Setting(decay=lambda d: 0.0),  # damage that costs no capability at all
        Setting(decay=lambda d: 0.01 * d),  # capability tells next to nothing about the dose
        Setting(spread=0.15),  # seeds differ as much as doses
        Setting(fade=lambda d: -0.2 * d),  # damage raises the bias
    ],
    ids=["full", "reduced", "free", "uninformative", "noisy", "rising"],
)
def test_a_placebo_is_called_specific_in_at_most_five_percent(setting: Setting) -> None:
    """200 simulations at 5 % give 10; more than 17 would come with a probability below 2 %."""
    assert false_claims(setting, 200, seed=1) <= 17


def test_the_placebo_test_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the prediction error of a single model the same simulation claims far too often."""
    monkeypatch.setattr(
        "evenhand.studies.matching._prediction_noise",
        lambda target, family, rng: np.zeros(family.bias.shape[1]),
    )
    assert false_claims(Setting(), 60) > 7


def test_beyond_every_dose_is_not_matched() -> None:
    experiment = Experiment(Setting(), seed=13)
    nothing = experiment.bias(np.zeros(ITEMS))
    result = experiment.read((nothing, np.full_like(nothing, -9.0)))
    assert not result.matched
    assert (result.dose, result.p_value, result.equivalent) == (None, None, None)
    assert result.specific.value is None
    assert len(result.points) == 40


def test_tolerance_reaches_below_the_last_dose() -> None:
    experiment = Experiment(Setting(tolerance=0.2), seed=13)
    family = experiment.family()
    lowest = float(family.capability[family.dose == 2.0, 0].mean())
    bias = experiment.bias(np.zeros(ITEMS))
    assert experiment.read((bias, np.full_like(bias, lowest - 0.1)), family).matched
    assert not experiment.read((bias, np.full_like(bias, lowest - 0.3)), family).matched


def test_undefined_control_models_are_left_out_but_shown() -> None:
    experiment = Experiment(Setting(), seed=14)
    family = experiment.family()
    family.bias[3] = np.nan
    treated = experiment.damaged(1.0)
    result = experiment.read(treated, family)
    assert result.matched
    assert sum(point.bias is None for point in result.points) == 1
    without = family.only(np.arange(40) != 3)
    assert result.dose == pytest.approx(experiment.read(treated, without).dose)


def test_a_single_control_model_gives_no_p_value() -> None:
    experiment = Experiment(replace(Setting(), doses=(1.0,), seeds=1), seed=15)
    nothing = experiment.bias(np.zeros(ITEMS))
    result = experiment.read((nothing, np.zeros_like(nothing)))
    assert result.matched
    assert result.p_value is None
    assert result.specific.value is not None
    assert result.specific.low is None


def test_equal_effects_are_equivalent_and_detectable_size_shrinks_with_noise() -> None:
    """S = 0 exactly with tiny spread lies within 10 % of B(M0); ten times the spread, ten times the size."""
    sizes = []
    for spread in (0.002, 0.02):
        rng = np.random.default_rng(3)
        R = 401
        doses = np.repeat([1.0, 2.0, 3.0, 4.0], 5)
        bias = 0.5 - 0.05 * doses[:, None] + spread * rng.standard_normal((20, 1)) + np.zeros((20, R))
        family = Family("f", doses, np.tile(np.arange(5), 4), -0.1 * doses[:, None] + np.zeros((20, R)), bias)
        target = Target(np.full(R, 0.5), np.full(R, -0.2), np.full(R, 0.4), 0.0, 10)
        result, size = read_family(target, family, margins=Margins(draws=R - 1), seed=0)
        assert size is not None
        sizes.append(size)
        assert result.dose == pytest.approx(2.0)
        assert result.equivalent is (spread == 0.002)
        assert result.p_value is not None
        assert result.p_value > 0.05
    assert sizes[1] / sizes[0] == pytest.approx(10, rel=0.2)


def test_the_same_seed_gives_the_same_reading() -> None:
    first, second = (
        Experiment(Setting(), seed=16).read(Experiment(Setting(), seed=17).damaged(1.0)) for _ in "ab"
    )
    assert first == second


def test_summary_of_undefined_values() -> None:
    assert summary(np.full(5, np.nan), 3).value is None
    assert summary(np.array([0.5, 0.4, 0.6]), 3).value == 0.5
