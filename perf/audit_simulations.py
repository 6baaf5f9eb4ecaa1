"""How often audits reject what is true, and how often their intervals hold the truth.

Data sets are drawn from populations whose figures are known. Where nothing is planted, a p-value is below .05
in at most 6 % of them, and in at least 4 % where counts are large; a 95 % interval holds the true figure in
93 to 98 %. Counts and samples are handed to the audits as an engine would hand them over; equal rows are
counted by DuckDB itself.

Run: OMP_NUM_THREADS=1 python -m perf.audit_simulations [--draws 1000] [--only representation] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from scipy.stats import norm

from evenhand import registry
from evenhand.audits import Question, TextQuestion
from evenhand.corpora import Corpus, Counted
from evenhand.frames import Cells, Frame
from evenhand.frames.opening import connection
from evenhand.records import Finding

Rng = np.random.Generator
Columns = Mapping[str, Any]  # a column's values, by its name
Draw = Callable[[Rng], Question | TextQuestion]
LEVEL = 0.05
LEARNT = float("nan")
GROUPS = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Scenario:
    """A population, and what of an audit's findings about it is looked at.

    Attributes:
        audit: the audit's spec.
        what: the population, in words.
        draw: a data set of it.
        truth: the effect in the population; None where only the p-value is looked at; `LEARNT` for the mean
            over all data sets, of figures that depend on how much can be learnt from so many rows.
        null: whether nothing is there, so that the p-value should seldom be small.
        columns: those of the finding; empty for the first one.
        discrete: whether the p-value has few values, or is adjusted, so that it may reject too seldom.
    """

    audit: str
    what: str
    draw: Draw
    truth: float | None = None
    null: bool = False
    columns: tuple[str, ...] = ()
    discrete: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario: data sets, shares of them, and whether both are as promised."""

    scenario: Scenario
    draws: int
    rejected: float | None
    covered: float | None

    @property
    def holds(self) -> bool:
        """Whether rejection and coverage are within their limits, give or take two standard errors."""
        slack = 2 * np.sqrt(0.05 * 0.95 / self.draws) if self.draws < 2000 else 0.0
        least = 0.0 if self.scenario.discrete else 0.04
        level = self.rejected is None or least - slack <= self.rejected <= 0.06 + slack
        return level and (self.covered is None or 0.93 - slack <= self.covered <= 0.98 + slack)


def simulated(one: Scenario, draws: int, seed: int = 0) -> Outcome:
    """Draw data sets and count; one in which the audit finds nothing to look at rejects nothing."""
    made = registry.create("audit", one.audit)
    small = 0
    ends: list[tuple[float, float, float]] = []
    for i in range(draws):
        question = one.draw(np.random.default_rng([seed, i]))
        found = _wanted(made.findings(question), one.columns)
        if found is None:
            continue
        small += found.p_value is not None and found.p_value < LEVEL
        if found.effect is not None and found.low is not None and found.high is not None:
            ends.append((found.effect, found.low, found.high))
    return Outcome(one, draws, small / draws if one.null else None, _covered(one.truth, ends))


def _covered(truth: float | None, ends: Sequence[tuple[float, float, float]]) -> float | None:
    """The share of the intervals that hold the truth."""
    if truth is None or not ends:
        return None
    effect, low, high = np.array(ends).T
    true = effect.mean() if np.isnan(truth) else truth
    return float(((low - 1e-12 <= true) & (true <= high + 1e-12)).mean())


def _wanted(findings: Sequence[Finding], columns: tuple[str, ...]) -> Finding | None:
    return next((one for one in findings if not columns or one.columns == columns), None)


def asked(columns: Columns, rng: Rng, **more: Any) -> Question:
    """A question about rows in memory: their counts and their sample are where an engine would put them."""
    frame = _frame(columns)
    against = more.pop("against", None)
    question = Question(
        frame,
        ("g",),
        "y" if "y" in columns else "",
        ("1",),
        against=None if against is None else _frame(against),
        seed=int(rng.integers(1 << 30)),
        **more,
    )
    for one in (frame, question.against):
        if one is not None:
            one._kept["sample", question.sample, question.seed] = one._kept.pop("all")
            one._kept["cube", *question.keys] = _cells(
                one._kept["sample", question.sample, question.seed], question
            )
    return question


def _frame(columns: Columns) -> Frame:
    frame = Frame(ibis.table(dict.fromkeys(columns, "string"), name="made"), "made")
    frame._kept |= {"all": columns, "rows": len(columns["g"]), "blank": frozenset()}
    return frame


def _cells(columns: Columns, question: Question) -> Cells:
    keys = np.stack([np.asarray(columns[name], dtype=str) for name in question.keys], axis=1)
    names, codes = np.unique(keys, axis=0, return_inverse=True)
    codes = codes.ravel()
    n = np.bincount(codes).astype(float)
    present: dict[str, Any] = {
        name: np.bincount(codes, weights=np.array([v is not None for v in columns[name]], dtype=float))
        for name in question.others
    }
    return Cells(question.keys, tuple(map(tuple, names.tolist())), n, n, n, present)


def grouped(rng: Rng, n: int, shares: Sequence[float]) -> np.ndarray:
    """`n` people's groups."""
    return rng.choice(list(GROUPS[: len(shares)]), n, p=shares)


def rates_of(group: np.ndarray, rates: Sequence[float]) -> np.ndarray:
    """Each person's rate."""
    return np.array(rates)[np.searchsorted(GROUPS, group)]


def shares(n: int, own: Sequence[float], base: Sequence[float]) -> Draw:
    """People of groups with shares `own`, beside the baseline `base`."""
    baseline = {"g": dict(zip(GROUPS, base, strict=False))}

    def draw(rng: Rng) -> Question:
        return asked({"g": grouped(rng, n, own)}, rng, baseline=baseline)

    return draw


def labels(n: int, sizes: Sequence[float], rates: Sequence[float], column: str = "y") -> Draw:
    """People of groups of some sizes with labels, or with missing values in another column, at some rates."""

    def draw(rng: Rng) -> Question:
        group = grouped(rng, n, sizes)
        won = rng.random(n) < rates_of(group, rates)
        if column == "y":
            return asked({"g": group, "y": won.astype(int).astype(str)}, rng)
        return asked({"g": group, column: [None if lost else "x" for lost in won]}, rng)

    return draw


def values(n: int, shifts: Sequence[float], columns: int = 1, kind: str = "number") -> Draw:
    """Two groups whose values in the first column lie `shifts` apart; other columns tell nothing."""

    def draw(rng: Rng) -> Question:
        group = grouped(rng, n, (0.5, 0.5))
        made: dict[str, Any] = {"g": group}
        for i in range(columns):
            x = rng.normal(size=n) + (rates_of(group, shifts) if i == 0 else 0.0)
            made[f"x{i}"] = x.tolist() if kind == "number" else (x > 0).astype(int).astype(str)
        return asked(made, rng)

    return draw


def fixed_values(n: int, rates: Sequence[float]) -> Draw:
    """Two groups in which one value fills some shares of a column."""

    def draw(rng: Rng) -> Question:
        group = grouped(rng, n, (0.5, 0.5))
        held = rng.random(n) < rates_of(group, rates)
        return asked({"g": group, "x": np.where(held, "usual", rng.choice(["p", "q"], n)).tolist()}, rng)

    return draw


def two_tables(n: int, changes: Mapping[str, float]) -> Draw:
    """Two tables; `changes` are added in the second to the first group's share, its rate, and its values."""

    def table(rng: Rng, by: Mapping[str, float]) -> dict[str, Any]:
        first = 0.6 + by.get("share", 0.0)
        group = grouped(rng, n, (first, 1 - first))
        won = rng.random(n) < rates_of(group, (0.4 + by.get("rate", 0.0), 0.4))
        x = rng.random(n) < rates_of(group, (0.5 + by.get("value", 0.0), 0.5))
        return {"g": group, "y": won.astype(int).astype(str), "x": x.astype(int).astype(str)}

    def draw(rng: Rng) -> Question:
        return asked(table(rng, {}), rng, against=table(rng, changes))

    return draw


_CONNECTION: list[Any] = []


def equal_rows(people: int, twice: Sequence[float], wrong: Sequence[float] = (0.0, 0.0)) -> Draw:
    """Two groups of people, some of whom come again once or more, the last one with the other label."""

    def draw(rng: Rng) -> Question:
        if not _CONNECTION:
            _CONNECTION.append(connection())
        group = grouped(rng, people, (0.5, 0.5))
        more = rng.binomial(2, rates_of(group, twice))
        label = rng.integers(0, 2, people)
        flipped = np.where(rng.random(people) < rates_of(group, wrong), 1 - label, label)
        who = np.repeat(np.arange(people), more + 1)
        last = np.append(who[1:] != who[:-1], True) & (more[who] > 0)
        y = np.where(last, flipped[who], label[who])
        rows = pa.table({"g": group[who].tolist(), "y": y.astype(str).tolist(), "person": who})
        _CONNECTION[0].con.register("rows", rows)
        frame = Frame(_CONNECTION[0].table("rows"), "rows")
        return Question(frame, ("g",), "y", ("1",), seed=int(rng.integers(1 << 30)))

    return draw


def corpus(
    n: int,
    first: float,
    beside: float | None = None,
    *,
    word: tuple[float, float] = (0.1, 0.1),
    score: float = 0.0,
) -> Draw:
    """Documents that mention one of two groups, a profession, a word, each with a score.

    `first` is the share of the first group, `beside` that among documents with the profession, `word` the
    shares of documents with the word by group, `score` what the second group's mean score has more.
    """

    def draw(rng: Rng) -> TextQuestion:
        job = rng.random(n) < 0.2
        group = (rng.random(n) >= np.where(job, first if beside is None else beside, first)).astype(int)
        held = rng.random(n) < np.array(word)[group]
        texts = [
            (int(g), f"there is the wordy one {'special' if h else ''}")
            for g, h in zip(group, held, strict=True)
        ]
        scores = rng.beta(2, 6, n) + score * group
        alone = np.bincount(group, minlength=4)
        seen = tuple(
            (0, "the house of the man was old" if rng.random() < 0.9 else "der Mann und die Frau mit einem")
            for _ in range(min(n, 400))
        )
        counted = Counted(
            ("female", "male"),
            alone * np.array([[1], [20], [5]]),
            alone[:2],
            ("doctor",),
            np.bincount(group[job], minlength=2)[None],
            tuple(texts),
            seen,
            np.zeros(1, np.int64),
        )
        made = Corpus("texts")
        seed = int(rng.integers(1 << 30))
        made._counted["gender", seed] = counted
        return TextQuestion(made, "gender", lambda asked_for: scores[: len(asked_for)].tolist(), seed=seed)

    return draw


def _cramer(p: Sequence[float], q: Sequence[float]) -> float:
    """Cramer's V of two equally large tables with shares `p` and `q`."""
    first, second = np.array(p), np.array(q)
    middle = (first + second) / 2
    return float(
        np.sqrt((np.square(first - middle) / middle + np.square(second - middle) / middle).sum() / 2)
    )


def _binary_area(shift: float) -> float:
    """The area of a sign: half of one and the difference of its shares."""
    return float(0.5 + (norm.cdf(shift) - norm.cdf(0)) / 2)


QUARTERS = (0.25, 0.25, 0.25, 0.25)


def scenarios() -> tuple[Scenario, ...]:
    """All of them."""
    return (*_of_shares(), *_of_labels(), *_of_columns(), *_of_drift(), *_of_texts())


def _of_shares() -> tuple[Scenario, ...]:
    off = (0.3, 0.3, 0.2, 0.2)
    name = "representation"
    return (
        Scenario(
            name, "2 groups as the baseline, 1000 rows", shares(1000, (0.5, 0.5), (0.5, 0.5)), null=True
        ),
        Scenario(
            name,
            "4 groups as the baseline, 1000 rows",
            shares(1000, (0.4, 0.3, 0.2, 0.1), (0.4, 0.3, 0.2, 0.1)),
            null=True,
        ),
        Scenario(
            name,
            "3 groups as the baseline, 12 rows (exact)",
            shares(12, (0.5, 0.3, 0.2), (0.5, 0.3, 0.2)),
            null=True,
            discrete=True,
        ),
        Scenario(name, "2 groups, .6 for .5, 1000 rows", shares(1000, (0.6, 0.4), (0.5, 0.5)), 0.1),
        Scenario(name, "2 groups, .53 for .5, 1000 rows", shares(1000, (0.53, 0.47), (0.5, 0.5)), 0.03),
        Scenario(name, "4 groups, .1 off, 1000 rows", shares(1000, off, QUARTERS), 0.1),
        Scenario(name, "4 groups, .1 off, 200 rows", shares(200, off, QUARTERS), 0.1),
        Scenario(
            name, "4 groups, .02 off, 1000 rows", shares(1000, (0.26, 0.26, 0.24, 0.24), QUARTERS), 0.02
        ),
        Scenario(
            name, "4 groups, .02 off, 20 000 rows", shares(20_000, (0.26, 0.26, 0.24, 0.24), QUARTERS), 0.02
        ),
    )


def _of_labels() -> tuple[Scenario, ...]:
    half, four = (0.5, 0.5), (0.4, 0.3, 0.2, 0.1)
    equal, unequal = (0.3,) * 4, (0.4, 0.3, 0.3, 0.2)
    return (
        Scenario(
            "label_rates", "2 groups of equal rates, 1000 rows", labels(1000, half, (0.3, 0.3)), 0.0, True
        ),
        Scenario("label_rates", "4 groups of equal rates, 1000 rows", labels(1000, four, equal), 0.0, True),
        Scenario(
            "label_rates",
            "2 groups of equal rates, 24 rows",
            labels(24, half, (0.2, 0.2)),
            null=True,
            discrete=True,
        ),
        Scenario("label_rates", "2 groups, .4 and .3, 1000 rows", labels(1000, half, (0.4, 0.3)), 0.1),
        Scenario("label_rates", "4 groups, .4 to .2, 1000 rows", labels(1000, four, unequal), 0.2),
        Scenario("label_balance", "a share of .2, 1000 rows", labels(1000, half, (0.2, 0.2)), 4.0),
        Scenario(
            "impact_ratio", "2 groups of equal rates, 1000 rows", labels(1000, half, (0.3, 0.3)), 1.0, True
        ),
        Scenario("impact_ratio", "4 groups of equal rates, 1000 rows", labels(1000, four, equal), 1.0, True),
        Scenario("impact_ratio", "2 groups, a ratio of .75, 1000 rows", labels(1000, half, (0.4, 0.3)), 0.75),
        Scenario("impact_ratio", "4 groups, a ratio of .5, 1000 rows", labels(1000, four, unequal), 0.5),
        Scenario(
            "missingness",
            "2 groups, .1 missing in both, 1000 rows",
            labels(1000, half, (0.1, 0.1), "x"),
            0.0,
            True,
        ),
        Scenario(
            "missingness",
            "4 groups, .1 missing in all, 1000 rows",
            labels(1000, four, (0.1,) * 4, "x"),
            0.0,
            True,
        ),
        Scenario(
            "missingness", "2 groups, .2 and .1 missing, 1000 rows", labels(1000, half, (0.2, 0.1), "x"), 0.1
        ),
    )


def _of_columns() -> tuple[Scenario, ...]:
    twice = (0.3, 0.1)
    far, near = (2 * r / (1 + 2 * r) for r in twice)
    return (
        Scenario(
            "constants",
            "2 groups, .985 of one value in both, 1000 rows",
            fixed_values(1000, (0.985, 0.985)),
            null=True,
            discrete=True,
        ),
        Scenario(
            "constants",
            "2 groups, .995 and .9 of one value, 1000 rows",
            fixed_values(1000, (0.995, 0.9)),
            0.095,
        ),
        Scenario(
            "duplicates",
            "2 groups, people come 1 to 3 times alike, 500 people",
            equal_rows(500, (0.1, 0.1)),
            0.0,
            True,
        ),
        Scenario(
            "duplicates", "2 groups, more copies of one, 500 people", equal_rows(500, twice), far - near
        ),
        Scenario(
            "label_noise",
            "2 groups, .2 of the last labels wrong in both, 1000 people",
            equal_rows(1000, (0.3, 0.3), (0.2, 0.2)),
            0.0,
            True,
        ),
        Scenario(
            "proxies",
            "a number that tells nothing, 1000 rows",
            values(1000, (0.0, 0.0)),
            0.5,
            True,
            ("g", "x0"),
        ),
        Scenario(
            "proxies",
            "a number half a deviation apart, 1000 rows",
            values(1000, (0.0, 0.5)),
            LEARNT,
            False,
            ("g", "x0"),
        ),
        Scenario(
            "proxies",
            "a number half a deviation apart, 5000 rows",
            values(5000, (0.0, 0.5)),
            LEARNT,
            False,
            ("g", "x0"),
        ),
        Scenario(
            "proxies",
            "a sign that tells nothing, 1000 rows",
            values(1000, (0.0, 0.0), kind="sign"),
            0.5,
            True,
            ("g", "x0"),
        ),
        Scenario(
            "proxies",
            "a sign half a deviation apart, 1000 rows",
            values(1000, (0.0, 0.5), kind="sign"),
            _binary_area(0.5),
            False,
            ("g", "x0"),
        ),
        Scenario(
            "proxies",
            "5 numbers together, one half a deviation apart, 1000 rows",
            values(1000, (0.0, 0.5), 5),
            LEARNT,
            False,
            ("g",),
        ),
        Scenario(
            "proxies",
            "5 numbers together that tell nothing, 1000 rows",
            values(1000, (0.0, 0.0), 5),
            0.5,
            True,
            ("g",),
        ),
    )


def _of_drift() -> tuple[Scenario, ...]:
    share = _cramer((0.6, 0.4), (0.7, 0.3))
    return (
        Scenario(
            "drift",
            "groups' shares alike in both tables, 1000 rows each",
            two_tables(1000, {}),
            0.0,
            True,
            ("g",),
        ),
        Scenario(
            "drift", "a group's share .6 and .7", two_tables(1000, {"share": 0.1}), share, False, ("g",)
        ),
        Scenario("drift", "labels alike in both tables", two_tables(1000, {}), 0.0, True, ("g", "y")),
        Scenario(
            "drift", "a group's rate .4 and .5", two_tables(1000, {"rate": 0.1}), 0.1, False, ("g", "y")
        ),
        Scenario("drift", "values alike in both tables", two_tables(1000, {}), 0.0, True, ("g", "x")),
        Scenario(
            "drift",
            "a value's share .5 and .7 in a group",
            two_tables(1000, {"value": 0.2}),
            _cramer((0.5, 0.5), (0.7, 0.3)),
            False,
            ("g", "x"),
        ),
    )


def _of_texts() -> tuple[Scenario, ...]:
    odds = float(np.log((0.2 / 0.8) / (0.1 / 0.9)))
    return (
        Scenario("mentions", "both groups alike, 1000 documents", corpus(1000, 0.5), null=True),
        Scenario("mentions", ".6 of one group, 1000 documents", corpus(1000, 0.6), 0.1),
        Scenario(
            "cooccurrence", "a profession beside both alike, 1000 documents", corpus(1000, 0.6), 0.0, True
        ),
        Scenario(
            "cooccurrence", ".8 for .6 beside a profession, 1000 documents", corpus(1000, 0.6, 0.8), 0.2
        ),
        Scenario(
            "association",
            "a word as often with both, 400 documents",
            corpus(400, 0.5, word=(0.15, 0.15)),
            0.0,
            True,
            ("gender", "special"),
        ),
        Scenario(
            "association",
            "a word as often with both, 2000 documents",
            corpus(2000, 0.6),
            0.0,
            True,
            ("gender", "special"),
        ),
        Scenario(
            "association",
            "a word .2 and .1, 400 documents",
            corpus(400, 0.5, word=(0.2, 0.1)),
            odds,
            False,
            ("gender", "special"),
        ),
        Scenario(
            "association",
            "a word .2 and .1, 2000 documents",
            corpus(2000, 0.5, word=(0.2, 0.1)),
            odds,
            False,
            ("gender", "special"),
        ),
        Scenario("toxicity", "a mean score .05 higher, 400 documents", corpus(400, 0.5, score=0.05), 0.05),
        Scenario("toxicity", "equal mean scores, 400 documents", corpus(400, 0.5), 0.0),
        Scenario("languages", ".1 of 400 documents in German", corpus(400, 0.5), 0.1),
    )


def main() -> int:
    """Run what is asked, print a table or JSON; 1 where something is outside its limits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--only", default="", help="an audit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked_for = parser.parse_args()
    found = []
    if not asked_for.json:
        print("| audit | population | rejected | covered |\n|---|---|---|---|")
    for one in scenarios():
        if asked_for.only and one.audit != asked_for.only:
            continue
        found.append(simulated(one, asked_for.draws, asked_for.seed))
        if not asked_for.json:
            print(line(found[-1]), flush=True)
    if asked_for.json:
        print(
            json.dumps(
                [
                    {
                        "audit": o.scenario.audit,
                        "population": o.scenario.what,
                        "draws": o.draws,
                        "rejected": o.rejected,
                        "covered": o.covered,
                        "holds": o.holds,
                    }
                    for o in found
                ],
                indent=1,
            )
        )
    return 0 if all(one.holds for one in found) else 1


def line(one: Outcome) -> str:
    """An outcome as a row of a table."""
    cells = ["" if share is None else f"{100 * share:.1f} %" for share in (one.rejected, one.covered)]
    mark = "" if one.holds else " **outside**"
    return f"| `{one.scenario.audit}` | {one.scenario.what} | {cells[0]} | {cells[1]}{mark} |"


if __name__ == "__main__":
    sys.exit(main())
