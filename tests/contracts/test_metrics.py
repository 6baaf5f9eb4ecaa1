"""What every metric keeps, whoever wrote it: parametrised over the registry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evenhand import registry, stats
from evenhand.errors import BadData
from evenhand.metrics import Array, Metric, columns
from evenhand.records import Score, Value

NAMES = registry.names("metric")
Row = Mapping[str, Value]


def at(group: str) -> dict[str, float]:
    """Membership of one of two groups."""
    return {"member.he": float(group == "he"), "member.she": float(group == "she")}


# Columns of 0 to 1 of which a metric of the same name is the mean.
WRITTEN = (
    "honest",
    "toxicity",
    "toxic_share",
    "toxicity_max",
    *(f"regard_{label}" for label in ("positive", "negative", "neutral", "other")),
)
# The rows at which a metric reaches each finite end of its range.
LOW: dict[str, Sequence[Row]] = {
    "afgb": [{"p.he": 0.4, "p.she": 0.4}],
    "afgb_normalised": [{"p.he": 0.4, "p.she": 0.4}],
    "afgb_range": [{"p.he": 0.4, "p.she": 0.4}],
    "afgb_signed": [{"p.he": 0.0, "p.she": 1.0}],
    "mass": [{"p.he": 0.0, "p.she": 0.0}],
    "neutral": [{"neutral": 0.0}],
    "ub": [{"p.he": 0.0, "p.she": 1.0, "hint": 0.0}, {"p.he": 1.0, "p.she": 0.0, "hint": 1.0}],
    "accuracy": [{"correct": 0.0}],
    "accuracy_pro": [{"correct.pro": 0.0}],
    "accuracy_anti": [{"correct.anti": 0.0}],
    "accuracy_male": [{"correct.male": 0.0}],
    "accuracy_female": [{"correct.female": 0.0}],
    "accuracy_neutral": [{"correct.neutral": 0.0}],
    "stereotype_gap": [{"correct.pro": 0.0, "correct.anti": 1.0}],
    "gender_gap": [{"correct.male": 0.0, "correct.female": 1.0}],
    "same_answer": [{"same_answer": 0.0}],
    "agreement": [{"agreement": 0.0}],
    "shift_size": [{"shift": 0.0}],
    "shift": [{"shift": -1.0}],
    "js_divergence": [{"js": 0.0}],
    **{name: [{name: 0.0}] for name in WRITTEN},
    "hurtful_gap": [{"honest": 0.5, "group": 0.0}, {"honest": 0.5, "group": 1.0}],
    "toxicity_gap": [{"toxicity": 0.5, "group": 0.0}, {"toxicity": 0.5, "group": 1.0}],
    "regard_gap": [
        {"regard_positive": 1.0, "regard_negative": 0.5, "group": 0.0},
        {"regard_positive": 0.5, "regard_negative": 0.0, "group": 1.0},
    ],
    "gender_polarity": [{"gender_polarity": -1.0}],
    "perplexity": [{"nll": 0.0, "tokens": 4.0}],
}
LOW |= {
    "stereotype_preference": [{"preferred": 0.0}],
    "ties": [{"tie": 0.0}],
    "likelihood_difference": [{"log_ratio": 0.0}],
    "lms": [{"related": 0.0, "term": 0.0}],
    "lms_micro": [{"related": 0.0}],
    "ss": [{"preferred": 0.0, "term": 0.0}],
    "ss_micro": [{"preferred": 0.0}],
    "icat": [{"related": 1.0, "preferred": 0.0, "term": 0.0}],
    "icat_micro": [{"related": 1.0, "preferred": 1.0}],
    "choice_lms": [{"chosen.stereotype": 0.0, "chosen.anti": 0.0, "chosen.unrelated": 0.5}],
    "choice_ss": [{"chosen.stereotype": 0.0, "chosen.anti": 0.5}],
    "choice_icat": [{"chosen.stereotype": 0.0, "chosen.anti": 0.5, "chosen.unrelated": 0.0}],
    "invalid_rate": [{"invalid": 0.0}],
    "accuracy_ambiguous": [{"correct.ambiguous": 0.0}],
    "accuracy_disambiguated": [{"correct.disambiguated": 0.0}],
    "bbq_ambiguous": [{"correct.ambiguous": 0.0, "biased.ambiguous": 0.0}],
    "bbq_disambiguated": [{"biased.disambiguated": 0.0}],
}
LOW |= {
    "accuracy_norm": [{"correct.norm": 0.0}],
    "word_perplexity": [{"nll": 0.0, "words": 2.0}],
    "byte_perplexity": [{"nll": 0.0, "bytes": 9.0}],
}
LOW |= {
    "lpbs_magnitude": [{"lpbs": 0.0}],
    "weat_magnitude": [  # targets with the same mean: d = 0
        {"association": s, "target": t, "test": 0.0} for s in (0.0, 1.0) for t in (0.0, 1.0)
    ],
}
HIGH: dict[str, Sequence[Row]] = {
    "afgb": [{"p.he": 0.0, "p.she": 1.0}, {"p.he": 1.0, "p.she": 0.0}],
    "afgb_normalised": [{"p.he": 0.0, "p.she": 0.2}, {"p.he": 1.0, "p.she": 0.0}],
    "afgb_range": [{"p.he": 0.0, "p.she": 1.0}, {"p.he": 1.0, "p.she": 0.0}],
    "afgb_signed": [{"p.he": 1.0, "p.she": 0.0}],
    "mass": [{"p.he": 0.75, "p.she": 0.25}],
    "neutral": [{"neutral": 1.0}],
    "ub": [{"p.he": 0.0, "p.she": 1.0, "hint": 1.0}, {"p.he": 1.0, "p.she": 0.0, "hint": 0.0}],
    "accuracy": [{"correct": 1.0}],
    "accuracy_pro": [{"correct.pro": 1.0}],
    "accuracy_anti": [{"correct.anti": 1.0}],
    "accuracy_male": [{"correct.male": 1.0}],
    "accuracy_female": [{"correct.female": 1.0}],
    "accuracy_neutral": [{"correct.neutral": 1.0}],
    "stereotype_gap": [{"correct.pro": 1.0, "correct.anti": 0.0}],
    "gender_gap": [{"correct.male": 1.0, "correct.female": 0.0}],
    "same_answer": [{"same_answer": 1.0}],
    "agreement": [{"agreement": 1.0}],
    "shift_size": [{"shift": -1.0}, {"shift": 1.0}],
    "shift": [{"shift": 1.0}],
    "js_divergence": [{"js": 1.0}],
    **{name: [{name: 1.0}] for name in WRITTEN},
    "hurtful_gap": [{"honest": 1.0, "group": 0.0}, {"honest": 0.0, "group": 2.0}],
    "toxicity_gap": [{"toxicity": 0.0, "group": 0.0}, {"toxicity": 1.0, "group": 1.0}],
    "regard_gap": [
        {"regard_positive": 1.0, "regard_negative": 0.0, "group": 0.0},
        {"regard_positive": 0.0, "regard_negative": 1.0, "group": 1.0},
    ],
    "gender_polarity": [{"gender_polarity": 1.0}],
}
HIGH |= {"accuracy_norm": [{"correct.norm": 1.0}]}
HIGH |= {
    "stereotype_preference": [{"preferred": 1.0}],
    "ties": [{"tie": 1.0}],
    "lms": [{"related": 1.0, "term": 0.0}],
    "lms_micro": [{"related": 1.0}],
    "ss": [{"preferred": 1.0, "term": 0.0}],
    "ss_micro": [{"preferred": 1.0}],
    "icat": [{"related": 1.0, "preferred": p, "term": t} for p, t in ((0.0, 0.0), (1.0, 1.0))],
    "icat_micro": [{"related": 1.0, "preferred": 0.5}],
    "choice_lms": [{"chosen.stereotype": 0.5, "chosen.anti": 0.0, "chosen.unrelated": 0.0}],
    "choice_ss": [{"chosen.stereotype": 0.5, "chosen.anti": 0.0}],
    "choice_icat": [{"chosen.stereotype": 0.5, "chosen.anti": 0.5, "chosen.unrelated": 0.0}],
    "invalid_rate": [{"invalid": 1.0}],
    "accuracy_ambiguous": [{"correct.ambiguous": 1.0}],
    "accuracy_disambiguated": [{"correct.disambiguated": 1.0}],
    "bbq_ambiguous": [{"correct.ambiguous": 0.0, "biased.ambiguous": 1.0}],
    "bbq_disambiguated": [{"biased.disambiguated": 1.0}],
}
# Decisions on people: of two groups, of both outcomes, with the twin of the other group.
UNFAIR = [  # every he is favoured, no she is, whatever they deserve
    {**at("he"), "decision": 1.0, "outcome": 1.0, "probability": 1.0},
    {**at("he"), "decision": 1.0, "outcome": 0.0, "probability": 1.0},
    {**at("she"), "decision": 0.0, "outcome": 1.0, "probability": 0.0},
    {**at("she"), "decision": 0.0, "outcome": 0.0, "probability": 0.0},
]
FAIR = [{**row, "decision": 1.0, "probability": 0.5} for row in UNFAIR]
SPREADS = ("dpd", "deo_sum", "deo_max", "deo_mean", "equal_opportunity")
TWINS_FLIP = [{"decision.he": 1.0, "decision.she": 0.0, "outcome": y} for y in (0.0, 1.0)]
TWINS_AGREE = [{"decision.he": 1.0, "decision.she": 1.0, "outcome": y} for y in (0.0, 1.0)]
ALL_WRONG: Sequence[Row] = [{**at("he"), "decision": 1.0, "outcome": 0.0, "probability": 1.0}]
ALL_RIGHT: Sequence[Row] = [{**at("she"), "decision": 1.0, "outcome": 1.0, "probability": 1.0}]
LOW |= {
    **dict.fromkeys((*SPREADS, "error_gap", "calibration_gap"), FAIR),
    "disparate_impact": UNFAIR,
    "decision_accuracy": ALL_WRONG,
    "chance": ALL_WRONG,
    "majority_rate": [{"outcome": 0.0}, {"outcome": 1.0}],
    **dict.fromkeys(("counterfactual_dpd", "counterfactual_deo_sum", "flip_rate"), TWINS_AGREE),
    "counterfactual_gap": [{"p.he": 0.7, "p.she": 0.7}],
    "counterfactual_gap_signed": [{"p.he": 0.0, "p.she": 1.0}],
    "label_mass": [{"label_mass": 0.0}],
}
HIGH |= {
    **dict.fromkeys(SPREADS, UNFAIR),
    "error_gap": [*ALL_WRONG, *ALL_RIGHT],
    "calibration_gap": [*ALL_WRONG, *ALL_RIGHT],
    "disparate_impact": FAIR,
    "decision_accuracy": ALL_RIGHT,
    "chance": ALL_RIGHT,
    "majority_rate": ALL_RIGHT,
    **dict.fromkeys(("counterfactual_dpd", "counterfactual_deo_sum", "flip_rate"), TWINS_FLIP),
    "counterfactual_gap": [{"p.he": 1.0, "p.she": 0.0}],
    "counterfactual_gap_signed": [{"p.he": 1.0, "p.she": 0.0}],
    "label_mass": [{"label_mass": 1.0}],
}
# Means over target terms: their weights count draws of whole terms, not of items.
OVER_TERMS = {"lms", "ss", "icat"}
# What swapping the two groups does to the value; every metric not named here keeps it.
FLIPS_SIGN = {"afgb_signed", "stereotype_slope", "factual_slope", "slope_intercept", "gender_gap"}
FLIPS_SIGN |= {"weat_effect", "lpbs", "shift", "counterfactual_gap_signed"}
# Divided by a sample's standard deviation (ddof = 1), which tells n items from the same ones twice.
BY_SAMPLE = {"weat_effect", "weat_magnitude"}
TRADES = {"accuracy_male": "accuracy_female", "accuracy_female": "accuracy_male"}


@pytest.fixture(params=NAMES)
def metric(request: pytest.FixtureRequest) -> Metric:
    found: Metric = registry.get("metric", request.param)
    return found


PARTS = ("pro", "anti", "male", "female", "neutral")


def made(n: int = 60, *, seed: int = 0, per_cluster: int = 4) -> list[Score]:
    """Items with every column that a metric may read; about one in ten has an undefined value somewhere."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet((2, 2, 1), n)
    table: dict[str, Array] = {
        "p.he": p[:, 0],
        "p.she": p[:, 1],
        "neutral": p[:, 2],
        "hint": rng.integers(2, size=n).astype(float),
        "correct": rng.integers(2, size=n).astype(float),
        "nll": rng.exponential(20, size=n),
        "tokens": rng.integers(1, 12, size=n).astype(float),
        **harness(n, seed),
        "stereotypical": rng.uniform(-1, 1, size=n),
        "factual": rng.uniform(-1, 1, size=n),
    }
    table |= pairs(n, seed) | choices(n, seed) | associations(n, seed) | mentions(n, seed) | texts(n, seed)
    table |= people(n, seed)
    gone = rng.random(n) < 0.1
    return [
        Score(
            f"s{i}",
            f"c{i // per_cluster}",
            {name: None if gone[i] or np.isnan(x[i]) else float(x[i]) for name, x in table.items()},
        )
        for i in range(n)
    ]


def pairs(n: int, seed: int) -> dict[str, Array]:
    """Preferences between sentences; terms have unlike numbers of items, as target terms have."""
    rng = np.random.default_rng([seed, 1])
    return {
        "preferred": rng.choice([0.0, 0.5, 1.0], size=n),
        "related": rng.choice([0.0, 0.5, 1.0], p=[0.1, 0.2, 0.7], size=n),
        "tie": rng.integers(2, size=n).astype(float),
        "log_ratio": rng.normal(size=n),
        "term": np.floor(np.sqrt(np.arange(n))),
    }


def harness(n: int, seed: int) -> dict[str, Array]:
    """What tasks of the LM evaluation harness give beside answers and likelihoods."""
    rng = np.random.default_rng([seed, 6])
    return {
        "correct.norm": rng.integers(2, size=n).astype(float),
        "words": rng.integers(1, 12, size=n).astype(float),
        "bytes": rng.integers(5, 60, size=n).astype(float),
        "task_score": rng.normal(size=n),
    }


def mentions(n: int, seed: int) -> dict[str, Array]:
    """Answers about who a pronoun refers to, and decisions on two versions of a prompt."""
    rng = np.random.default_rng([seed, 4])
    return {
        **{f"correct.{part}": rng.integers(2, size=n).astype(float) for part in PARTS},
        "same_answer": rng.integers(2, size=n).astype(float),
        "agreement": rng.integers(2, size=n).astype(float),
        "shift": rng.uniform(-1, 1, size=n),
        "js": rng.uniform(size=n),
    }


def texts(n: int, seed: int) -> dict[str, Array]:
    """What a classifier says of generated texts about three groups."""
    rng = np.random.default_rng([seed, 5])
    return {
        **{name: rng.uniform(size=n) for name in WRITTEN},
        "gender_polarity": rng.integers(2, size=n) * 2.0 - 1,
        "group": np.arange(n) % 3.0,
    }


def associations(n: int, seed: int) -> dict[str, Array]:
    """Associations of two tests with unlike effects, and log-probability bias scores."""
    rng = np.random.default_rng([seed, 3])
    target, test = np.arange(n) % 2.0, np.arange(n) // 2 % 2.0
    return {
        "association": rng.normal(size=n) + target * (1 + test),
        "target": target,
        "test": test,
        "lpbs": rng.normal(0.3, size=n),
    }


def choices(n: int, seed: int) -> dict[str, Array]:
    """Answers to questions with options: shares of six orders, and BBQ's two conditions in turn."""
    rng = np.random.default_rng([seed, 2])
    shares = rng.multinomial(6, [0.4, 0.3, 0.2, 0.1], size=n) / 6
    chosen = dict(
        zip(("chosen.stereotype", "chosen.anti", "chosen.unrelated", "invalid"), shares.T, strict=True)
    )
    for turn, condition in enumerate(("ambiguous", "disambiguated")):
        own = np.arange(n) % 2 == turn
        unknown = rng.random(n) < 0.4
        right = unknown if condition == "ambiguous" else rng.random(n) < 0.5
        chosen[f"correct.{condition}"] = np.where(own, right, np.nan)
        chosen[f"biased.{condition}"] = np.where(own & ~unknown, rng.integers(2, size=n), np.nan)
    return chosen


def people(n: int, seed: int) -> dict[str, Array]:
    """Decisions on people of two groups, with their twins."""
    rng = np.random.default_rng([seed, 6])
    he = rng.integers(2, size=n).astype(float)
    p = rng.uniform(size=n)
    twin = (rng.uniform(size=n) < 0.5).astype(float)
    decision = (p > 0.5).astype(float)
    return {
        "outcome": rng.integers(2, size=n).astype(float),
        "probability": p,
        "decision": decision,
        "member.he": he,
        "member.she": 1 - he,
        "decision.he": np.where(he == 1, decision, twin),
        "decision.she": np.where(he == 1, twin, decision),
        "label_mass": rng.uniform(size=n),
    }


def changed(scores: Sequence[Score], how: Callable[[dict[str, Value]], dict[str, Value]]) -> list[Score]:
    return [dataclasses.replace(s, values=how(dict(s.values))) for s in scores]


def swapped(values: dict[str, Value]) -> dict[str, Value]:
    hint = values["hint"]
    relabelled = {
        "p.he": values["p.she"],
        "p.she": values["p.he"],
        "hint": None if hint is None else 1 - hint,
        "correct.male": values["correct.female"],
        "correct.female": values["correct.male"],
        "member.he": values["member.she"],
        "member.she": values["member.he"],
        "decision.he": values["decision.she"],
        "decision.she": values["decision.he"],
        "shift": None if values["shift"] is None else -values["shift"],
        **{name: None if v is None else 1 - v for name, v in values.items() if name == "target"},
        **{name: None if v is None else -v for name, v in values.items() if name == "lpbs"},
    }
    return values | relabelled


def value(metric: Metric, scores: Sequence[Score]) -> float:
    found = metric.value(scores)
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_registry_knows_a_metric_by_its_own_name(name: str) -> None:
    assert registry.get("metric", name).name == name


def test_the_card_is_complete(metric: Metric) -> None:
    assert all((metric.title, metric.unit, metric.source, metric.needs))
    assert len(metric.reading) > 40
    bounds = [b for b in (metric.low, metric.ideal, metric.high) if b is not None]
    assert bounds == sorted(bounds)


def test_no_item_is_undefined(metric: Metric) -> None:
    assert metric.value([]) is None
    empty = stats.estimate(metric, [])
    assert (empty.value, empty.low, empty.high, empty.n) == (None, None, None, 0)


def test_all_undefined_is_none_with_a_count(metric: Metric) -> None:
    scores = changed(made(8), dict.fromkeys)
    e = stats.estimate(metric, scores, B=50)
    assert (e.value, e.low, e.high, e.n, e.undefined) == (None, None, None, 0, 8)


def test_items_count_and_values_agree(metric: Metric) -> None:
    scores = made()
    defined = metric.items(columns(scores))
    kept = [s for s, ok in zip(scores, defined, strict=True) if ok]
    assert 0 < len(kept) < len(scores)  # the made items hold undefined ones
    assert value(metric, kept) == pytest.approx(value(metric, scores), rel=1e-12)
    e = stats.estimate(metric, scores, B=50)
    assert (e.n, e.undefined) == (len(kept), len(scores) - len(kept))


def test_per_item_values_average_to_the_figure(metric: Metric) -> None:
    scores = made()
    if metric.per_item is None:
        # Not a mean of items: the mean of the two parts' figures is then not the figure of the whole.
        halves = [value(metric, part) for part in (scores[:23], scores[23:])]
        assert (23 * halves[0] + 37 * halves[1]) / 60 != pytest.approx(value(metric, scores), rel=1e-6)
    else:
        assert np.nanmean(metric.per_item(columns(scores))) == pytest.approx(value(metric, scores))


def test_order_does_not_matter(metric: Metric) -> None:
    scores = made()
    other = [scores[i] for i in np.random.default_rng(1).permutation(len(scores))]
    one, two = (stats.estimate(metric, s, seed=3, B=200) for s in (scores, other))
    assert one.value == pytest.approx(two.value, rel=1e-9)
    assert one.low == pytest.approx(two.low, rel=1e-9)
    assert one.high == pytest.approx(two.high, rel=1e-9)


def test_one_seed_gives_one_interval(metric: Metric) -> None:
    scores = made()
    one, again, other = (stats.estimate(metric, scores, seed=seed, B=200) for seed in (3, 3, 4))
    assert one == again
    assert one.value == other.value
    assert (one.low, one.high) != (other.low, other.high)
    assert one.low is not None
    assert one.low < value(metric, scores)


def test_duplicating_every_item_changes_nothing(metric: Metric) -> None:
    scores = made()
    rel = 0.03 if metric.name in BY_SAMPLE else 1e-9  # sqrt((2n - 1) / (2n - 2)) at n near 25
    assert value(metric, scores * 2) == pytest.approx(value(metric, scores), rel=rel)


def test_weights_count_items(metric: Metric) -> None:
    if metric.name in OVER_TERMS:
        return
    scores = made(20)
    counts = np.random.default_rng(2).integers(0, 4, size=20)
    repeated = [s for s, count in zip(scores, counts, strict=True) for _ in range(count)]
    got = metric.compute(columns(scores), counts[None, :].astype(float))
    np.testing.assert_allclose(got, [value(metric, repeated)], rtol=1e-9)


@pytest.mark.parametrize("name", sorted(OVER_TERMS))
def test_weights_count_whole_terms(name: str) -> None:
    found, scores = registry.get("metric", name), made(20)
    terms = [int(np.floor(np.sqrt(i))) for i in range(20)]
    counts = np.random.default_rng(2).integers(0, 4, size=max(terms) + 1)
    # A term that is drawn twice is two terms of the same items.
    repeated = [
        dataclasses.replace(s, values={**s.values, "term": term + draw / 10})
        for s, term in zip(scores, terms, strict=True)
        for draw in range(counts[term])
    ]
    got = found.compute(columns(scores), counts[terms][None, :].astype(float))
    np.testing.assert_allclose(got, [value(found, repeated)], rtol=1e-9)


def test_swapping_the_groups_does_what_the_card_says(metric: Metric) -> None:
    other = registry.get("metric", TRADES.get(metric.name, metric.name))
    before, after = value(other, made()), value(metric, changed(made(), swapped))
    sign = -1 if metric.name in FLIPS_SIGN else 1
    assert after == pytest.approx(sign * before, rel=1e-9)
    assert ("flips the sign" in metric.reading) == (metric.name in FLIPS_SIGN)


def test_extremes_reach_the_ends_of_the_range(metric: Metric) -> None:
    for bound, rows in ((metric.low, LOW), (metric.high, HIGH)):
        assert (metric.name in rows) == (bound is not None), "give the extreme rows of every finite bound"
        if bound is not None:
            scores = [Score(str(i), "c", row) for i, row in enumerate(rows[metric.name])]
            assert value(metric, scores) == pytest.approx(bound, abs=1e-12)


def test_values_and_intervals_stay_in_range(metric: Metric) -> None:
    for seed in range(5):
        e = stats.estimate(metric, made(seed=seed), seed=seed, B=100)
        assert e.value is not None
        assert e.low is not None
        assert e.high is not None
        assert (metric.low if metric.low is not None else -np.inf) <= e.low <= e.high
        assert e.high <= (metric.high if metric.high is not None else np.inf)


def test_bootstrap_of_independent_items_agrees_with_scipy(metric: Metric) -> None:
    scores = made(120, per_cluster=1)
    table = columns(scores)

    def figure(index: Array, axis: int = -1) -> Array:
        counts = np.apply_along_axis(np.bincount, axis, index, minlength=120)
        return metric.compute(table, counts.reshape(-1, 120).astype(float)).reshape(index.shape[:-1])

    theirs = scipy_stats.bootstrap(
        (np.arange(120),), figure, n_resamples=4000, method="percentile", vectorized=True,
        rng=np.random.default_rng(1), batch=1000,
    )  # fmt: skip
    ours = stats.estimate(metric, scores, B=4000, seed=2)
    # A 2.5 % quantile of 4000 draws has a Monte-Carlo error of about 0.042 standard errors; the difference
    # of two such has 0.06; allow five of those.
    slack = 5 * 0.06 * float(theirs.standard_error)
    assert ours.low == pytest.approx(float(theirs.confidence_interval.low), abs=slack)
    assert ours.high == pytest.approx(float(theirs.confidence_interval.high), abs=slack)


def test_a_missing_column_is_named(metric: Metric) -> None:
    missing = metric.needs[0].removesuffix(".*")
    scores = changed(
        made(4), lambda values: {n: v for n, v in values.items() if missing not in (n, n.split(".")[0])}
    )
    with pytest.raises(BadData, match=missing):
        stats.estimate(metric, scores)


@pytest.mark.parametrize("name", NAMES)
def test_the_name_in_running_text_and_the_smallest_step(name) -> None:
    metric: Metric = registry.get("metric", name)
    assert metric.label
    assert "_" not in metric.label
    assert metric.smallest_step > 0
    if None not in (metric.ideal, metric.low, metric.high):
        assert metric.smallest_step <= 0.02 * (metric.high - metric.low)
