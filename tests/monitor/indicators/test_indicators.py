"""Figures of counts, beside those by hand and by `evenhand.metrics` on the people themselves."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.metrics import group_fairness
from evenhand.monitor.figures import Question, figures
from evenhand.monitor.indicators import INDICATORS, Figure, Group, Sums
from evenhand.monitor.indicators.score_quantiles import _at
from evenhand.monitor.ingest import take
from evenhand.monitor.store import Store
from evenhand.stats.proportions import clopper_pearson
from tests.monitor.made import DAY, decision


def people(n: int = 400) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    sex = rng.choice(["f", "m"], n)
    label = rng.integers(0, 2, n)
    return {
        "sex": sex,
        "label": label,
        "decision": np.where(rng.random(n) < 0.25 + 0.2 * (sex == "m"), 1 - label, label),
        "score": rng.random(n).round(6),
    }


def found(store: Store, **about) -> dict[tuple[str, str, str], Figure]:
    asked = figures(store, Question("loans", attribute="sex", **about))
    return {(one.indicator, one.group, one.detail): one for one in asked}


def test_figures_of_counts_are_those_of_the_people(store: Store) -> None:
    made = people()
    take(
        store,
        [
            decision(f"{i}", score=made["score"][i], decision=int(made["decision"][i]),
                     label=int(made["label"][i]), attributes={"sex": str(made["sex"][i])})
            for i in range(400)
        ],
    )  # fmt: skip
    own = found(store)
    arrays = made["label"], made["decision"], made["sex"]
    for name, figure in {
        "impact_ratio": group_fairness.disparate_impact,
        "dpd": group_fairness.dpd,
        "equal_opportunity": group_fairness.equal_opportunity,
        "error_gap": group_fairness.error_gap,
    }.items():
        one = own[name, "", ""]
        assert one.value == pytest.approx(figure(*arrays))
        assert one.low < one.value < one.high
    for value in "fm":
        one, mine = own["selection_rate", value, ""], made["sex"] == value
        hits, n = made["decision"][mine].sum(), mine.sum()
        assert (one.value, one.n) == (hits / n, n)
        assert (one.low, one.high) == clopper_pearson(hits, n)
        assert own["calibration", value, ""].value == pytest.approx(
            made["label"][mine].mean() - made["score"][mine].mean()
        )
    # Of the histogram: to the width of a bin, 0.02.
    assert own["score_quantiles", "", "0.5"].value == pytest.approx(np.median(made["score"]), abs=0.02)
    assert own["coverage", "", ""].value == 1


def test_what_nothing_is_known_of_is_undefined() -> None:
    for indicator in INDICATORS.values():
        for one in indicator.of(Sums(Group("", {}), (Group("f", {}), Group("m", {})))):
            assert (one.value, one.low, one.high, one.n) == (None, None, None, 0), indicator.name
        assert indicator.of(Sums(Group("", {}), (Group("f", {"decisions": 3, "selected": 1}),)))


def test_groups_without_anybody_are_not_compared() -> None:
    rows = tuple(
        Group(name, {"decisions": n, "selected": k})
        for name, n, k in (("a", 10, 5), ("b", 20, 8), ("c", 0, 0))
    )
    (one,) = INDICATORS["impact_ratio"].of(Sums(Group("", {}), rows))
    assert (one.value, one.n) == (pytest.approx(0.4 / 0.5), 30)
    (alone,) = INDICATORS["dpd"].of(Sums(Group("", {}), rows[:1]))
    assert alone.value is None


def test_generations() -> None:
    own = Group(
        "f",
        {
            "generations": 5, "judged": 4, "refusals": 1, "rated": 3, "toxic": 1, "toxicity": 0.9,
            "toxicity_squares": 0.41, "measured": 3, "length": 6, "length_squares": 14,
        },
    )  # fmt: skip
    sums = Sums(own, (own,))
    refusal = INDICATORS["refusal"].of(sums)[1]
    assert (refusal.value, refusal.n) == (0.25, 4)
    share, mean = INDICATORS["toxicity"].of(sums)[0], INDICATORS["toxicity"].of(sums)[2]
    assert (share.value, mean.value, mean.n) == (pytest.approx(1 / 3), pytest.approx(0.3), 3)
    length = INDICATORS["length"].of(sums)[0]
    # 1, 2 and 3: mean 2, s = 1, and t(2) at 0.975 = 4.3027: 2 ± 4.3027 / sqrt(3)
    assert (length.value, length.low, length.high) == (
        2,
        pytest.approx(-0.48414, 1e-4),
        pytest.approx(4.48414),
    )


def test_quantiles_lie_within_their_bins() -> None:
    scored = np.zeros(50)
    scored[[10, 20]] = 1, 3
    # A quarter lies in [.20, .22), the rest in [.40, .42): the half is a third into the latter.
    assert _at(scored, 0.5) == pytest.approx(0.4 + 0.02 / 3)
    assert (_at(scored, 0.0), _at(scored, 1.0)) == (pytest.approx(0.2), pytest.approx(0.42))


def test_unknown_attributes_and_young_labels(store: Store, monkeypatch) -> None:
    from datetime import timedelta

    from evenhand.monitor import figures as module

    take(
        store,
        [
            decision("a", label=1),
            decision("b", attributes={}),
            decision("c", time=DAY + timedelta(days=1), label=0),
            decision("d", version="2", attributes={"sex": None}),
        ],
    )
    monkeypatch.setattr(module, "utc_now", lambda: DAY + timedelta(days=4))
    own = found(store)
    assert (own["unknown", "", ""].value, own["unknown", "", ""].n) == (0.5, 4)
    assert own["error_rate", "", ""].n == 2
    assert found(store, version="2")["selection_rate", "", ""].n == 1
    # Labels are known after 3 days: of the first of March on the fifth, of the second a day later.
    assert found(store, maturity=3)["error_rate", "", ""].n == 1
    assert found(store, maturity=4)["error_rate", "", ""].n == 0
    assert found(store, maturity=4)["selection_rate", "", ""].n == 4
    later = DAY.date() + timedelta(days=1)
    assert found(store, since=later)["selection_rate", "", ""].n == 1
    assert found(store, until=DAY.date())["selection_rate", "", ""].n == 3
