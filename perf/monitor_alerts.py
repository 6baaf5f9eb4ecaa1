"""What the alerts of the monitor do when they are looked at every day: simulated on the code of the service.

1000 streams of 10 000 events with a look a day over 200 days: how many ever raise an alert where nothing is
wrong, how many events pass before one where the ratio is .8, and how often the confidence sequences hold at
all times together. The rows "through the service" send cohorts to `evenhand.monitor.alerting.look` with
repeats, corrections and late labels; all others call the same `evenhand.stats` for all streams at once.

Run: OMP_NUM_THREADS=1 python perf/monitor_alerts.py [--streams 1000] [--json]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from evenhand.monitor import alerting
from evenhand.monitor.policy import parse_policy
from evenhand.monitor.states import Cohort, State
from evenhand.stats import betting, merging, sequences
from evenhand.stats.betting import Array, Tolerance

ALPHA = 0.05
DAYS, A_DAY = 200, 50  # 10 000 events
FIXED = {0.5: 388, 0.2: 1447, 0.1: 3213}  # items a group for 80 % power at a ratio of .8, two-sided .05
EQUAL = Tolerance("ratio", 1.0)
Row = dict[str, Any]


@dataclass(frozen=True)
class Null:
    """Streams in which the tolerance is met: rates (first, second) of a day, and the first group's share."""

    name: str
    rates: Callable[[int], tuple[float, float]]
    share: float = 0.5
    tolerance: Tolerance = EQUAL
    labelled: float = 1.0  # of the items have their label when their day matures; the others never enter


def constant(first: float, second: float | None = None) -> Callable[[int], tuple[float, float]]:
    """The same rates every day."""
    return lambda day: (first, first if second is None else second)


def drift(day: int) -> tuple[float, float]:
    """Both rates rise from .1 to .5."""
    return (0.1 + 0.4 * day / DAYS,) * 2


def season(day: int) -> tuple[float, float]:
    """Both rates swing between .15 and .45, weekly and over the 200 days."""
    swing = 0.3 + 0.1 * np.sin(2 * np.pi * day / DAYS) + 0.05 * np.sin(2 * np.pi * day / 7)
    return (float(swing),) * 2


NULLS = (
    *(Null(f"equal rates of {p:g}", constant(p)) for p in (0.5, 0.1, 0.02)),
    *(Null(f"equal rates of {p:g}, groups 9 to 1", constant(p), share=0.9) for p in (0.5, 0.1, 0.02)),
    Null("drift of both groups from .1 to .5, groups 8 to 2", drift, share=0.8),
    Null("seasons of both groups", season),
    Null("a fifth of the labels too late", constant(0.2), labelled=0.8),
    Null("ratio just .8 where .8 is tolerated", constant(0.25, 0.2), tolerance=Tolerance("ratio", 0.8)),
    Null("gap just .05 where .05 is tolerated", constant(0.3, 0.25), tolerance=Tolerance("gap", 0.05)),
)


def day_of(null: Null, day: int, streams: int, chance: np.random.Generator) -> tuple[Array, Array]:
    """Items and ones [stream, group] of one day: who comes is drawn as well."""
    matured = chance.binomial(A_DAY, null.labelled, streams)
    first = chance.binomial(matured, null.share)
    n = np.stack([first, matured - first], -1)
    return n.astype(float), chance.binomial(n, null.rates(day)).astype(float)


def false_alarms(null: Null, streams: int, seed: int) -> float:
    """The share of streams that ever raise an alert."""
    chance = np.random.default_rng(seed)
    wealth, alarmed = betting.start((streams,)), np.zeros(streams, bool)
    for day in range(DAYS):
        wealth = betting.bet(wealth, *day_of(null, day, streams, chance), null.tolerance)
        alarmed |= wealth.log_e() >= np.log(1 / ALPHA)
    return float(alarmed.mean())


def false_alarms_of_many(streams: int, seed: int, *, indicators: int = 48, alike: bool = False) -> float:
    """The share of policies of 48 indicators in which e-BH ever rejects one; `alike` are indicators of the
    same people, in which three people of four have the same outcome by every indicator."""
    chance = np.random.default_rng(seed)
    rates = np.resize([0.5, 0.1, 0.02], indicators)
    wealth, alarmed = betting.start((streams, indicators)), np.zeros(streams, bool)
    for _ in range(DAYS):
        first = chance.binomial(A_DAY, 0.5, streams)
        n = np.broadcast_to(np.stack([first, A_DAY - first], -1)[:, None, :], (streams, indicators, 2))
        if alike:
            shared = chance.binomial(n[:, :1], 0.75)
            x = chance.binomial(shared, 0.2) + chance.binomial(n - shared, 0.2)
        else:
            x = chance.binomial(n, rates[:, None])
        wealth = betting.bet(wealth, n, x, EQUAL)
        alarmed |= merging.e_bh(wealth.log_e(), ALPHA).any(-1)
    return float(alarmed.mean())


def repeated(null: Null, streams: int, seed: int) -> float:
    """The share of streams in which a test for one look (z, 5 %), made every day, ever finds a difference."""
    chance, total = np.random.default_rng(seed), np.zeros((2, streams, 2))
    alarmed = np.zeros(streams, bool)
    for day in range(DAYS):
        total += np.stack(day_of(null, day, streams, chance))
        p, pooled = total[1] / total[0], total[1].sum(-1) / total[0].sum(-1)
        error = np.sqrt(pooled * (1 - pooled) * (1 / total[0]).sum(-1))
        alarmed |= np.abs(p[:, 0] - p[:, 1]) > 1.96 * error
    return float(alarmed.mean())


def false_alarms_of_strata(streams: int, seed: int, *, strata: int = 4) -> float:
    """The share of comparisons that ever raise an alert, where each is merged of four strata."""
    chance = np.random.default_rng(seed)
    rates, wealth = np.array([0.5, 0.3, 0.1, 0.02])[:strata, None], betting.start((streams, strata))
    alarmed = np.zeros(streams, bool)
    for _ in range(DAYS):
        n = chance.binomial(A_DAY // strata, [0.3, 0.7], (streams, strata, 2))
        wealth = betting.bet(wealth, n, chance.binomial(n, rates), EQUAL)
        alarmed |= merging.mixture(wealth.log_e()) >= np.log(1 / ALPHA)
    return float(alarmed.mean())


def stopping(base: float, streams: int, seed: int, *, a_day: int = A_DAY // 2) -> Row:
    """The items in each group at the median first alert, where the ratio is .8 and none is tolerated."""
    chance = np.random.default_rng(seed)
    wealth, stopped = betting.start((streams,)), np.full(streams, np.inf)
    n = np.full((streams, 2), float(a_day))
    for day in range(1, int(3 * FIXED[base] / a_day) + 1):
        wealth = betting.bet(wealth, n, chance.binomial(a_day, (base, 0.8 * base), (streams, 2)), EQUAL)
        found = wealth.log_e() >= np.log(1 / ALPHA)
        stopped = np.where(found & np.isinf(stopped), day * a_day, stopped)
        if np.isfinite(stopped).mean() > 0.9:
            break
    median = float(np.median(stopped))
    return {"median": median, "fixed": FIXED[base], "ratio": median / FIXED[base]}


def rate_coverage(null: Null, streams: int, seed: int) -> Row:
    """How often the sequence of one rate holds the mean rate so far at every look, and how wide it ends."""
    chance = np.random.default_rng(seed)
    n, x, mass, held = np.zeros(streams), np.zeros(streams), np.zeros(streams), np.ones(streams, bool)
    for day in range(DAYS):
        items, ones = day_of(null, day, streams, chance)
        n, x, mass = n + items[:, 0], x + ones[:, 0], mass + items[:, 0] * null.rates(day)[0]
        low, high = sequences.rate_sequence(x, n, ALPHA)
        mean = mass / np.maximum(n, 1)
        held &= (low <= mean) & (mean <= high) | (n == 0)
    return {"held": float(held.mean()), "width": float(np.mean(high - low)), "fixed": wald(n, x)}


def wald(n: Array, x: Array) -> float:
    """The mean width of the usual interval at the end: what a single look would give."""
    p = x / n
    return float(np.mean(2 * 1.96 * np.sqrt(p * (1 - p) / n)))


def difference_coverage(null: Null, streams: int, seed: int) -> Row:
    """The same for the difference of two rates."""
    chance = np.random.default_rng(seed)
    wealth, held = sequences.start_differences((streams,)), np.ones(streams, bool)
    total = np.zeros((2, streams, 2))
    for day in range(DAYS):
        n, x = day_of(null, day, streams, chance)
        wealth, total = sequences.watch_differences(wealth, n, x), total + np.stack([n, x])
        low, high = sequences.differences(wealth, ALPHA)
        first, second = null.rates(day)
        held &= (low <= first - second) & (first - second <= high)
    p = total[1] / total[0]
    usual = 2 * 1.96 * np.sqrt((p * (1 - p) / total[0]).sum(-1))
    return {
        "held": float(held.mean()),
        "width": float(np.mean(high - low)),
        "fixed": float(np.mean(usual)),
    }


POLICY = """
minimum = 1
maturity_days = 10
[[rule]]
indicator = "selection_rate"
attribute = "sex"
tolerance = {ratio = 1.0}
"""


def through_the_service(streams: int, seed: int, *, days: int = DAYS) -> Row:
    """Null streams through `alerting.look`, with every cohort sent again a day later, a corrected one after a
    week, and a clock that stood still or went back on one day of seven; beside the same streams as arrays."""
    null, chance = Null("", constant(0.2)), np.random.default_rng(seed)
    drawn = [day_of(null, day, streams, chance) for day in range(days)]
    wealth = betting.start((streams,))
    for n, x in drawn:
        wealth = betting.bet(wealth, n, x, EQUAL)
    policy, begin = parse_policy(POLICY), datetime(2026, 1, 1, tzinfo=UTC)
    alarmed, same = 0, 0
    for stream in range(streams):
        blocks = [(n[stream], x[stream]) for n, x in drawn]
        cohorts = [_cohort(begin + timedelta(days=day), *block) for day, block in enumerate(blocks)]
        state, alarm = State(), False
        for day in range(days + 11):
            now = begin + timedelta(days=day - (2 if day % 7 == 6 else 0))
            sent = [
                *cohorts[max(0, day - 11) : day + 1],
                *map(_corrected, cohorts[max(0, day - 18) : day - 16]),
            ]
            found = alerting.look(policy, state, sent, now)
            state, alarm = found.state, alarm or any(one.status == "alert" for one in found.decisions)
        alarmed += alarm
        logs = state.watches[0].tests[0].streams[0]["logs"]
        same += logs == wealth.logs[stream].tolist()
    return {"alarmed": alarmed / streams, "same": same / streams}


def _cohort(end: datetime, n: Array, x: Array) -> Cohort:
    counts = {group: (int(n[i]), int(x[i])) for i, group in enumerate(("female", "male"))}
    return Cohort(
        indicator="selection_rate", attribute=("sex",), use_case="loans", model="m", version="1", end=end,
        counts=counts,
    )  # fmt: skip


def _corrected(cohort: Cohort) -> Cohort:
    return cohort.model_copy(update={"counts": {group: (n, 0) for group, (n, _) in cohort.counts.items()}})


def rows(streams: int) -> list[Row]:
    """Every figure, with the bound that it has to keep."""
    found: list[Row] = []

    def add(what: str, value: float, bound: str, ok: bool, more: str = "") -> None:
        found.append({"what": what, "value": value, "bound": bound, "ok": ok, "more": more})

    for seed, null in enumerate(NULLS):
        share = false_alarms(null, streams, seed)
        add(f"false alarms: {null.name}", share, "<= 0.05", share <= ALPHA)
    share = repeated(NULLS[0], streams, 0)
    add(f"a test for one look, repeated daily: {NULLS[0].name}", share, "no bound", True)
    for alike in (False, True):
        share = false_alarms_of_many(streams, 50 + alike, alike=alike)
        add(
            f"false alarms: 48 indicators, {'alike' if alike else 'independent'}",
            share,
            "<= 0.05",
            share <= ALPHA,
        )
    share = false_alarms_of_strata(streams, 55)
    add("false alarms: four strata merged", share, "<= 0.05", share <= ALPHA)
    service = through_the_service(max(streams // 4, 2), 60)
    add("false alarms: through the service", service["alarmed"], "<= 0.05", service["alarmed"] <= ALPHA)
    add("through the service: same capital, bit for bit", service["same"], "1", service["same"] == 1)
    for base in FIXED:
        power = stopping(base, streams, 70)
        more = f"{power['median']:g} items a group of {power['fixed']}"
        add(
            f"ratio .8 at {base:g}: median items / fixed sample",
            power["ratio"],
            "<= 1.3",
            power["ratio"] <= 1.3,
            more,
        )
    for null in (*NULLS[:3], NULLS[6], NULLS[7]):
        cover = rate_coverage(null, streams, 80)
        more = f"width {cover['width']:.3f}, single look {cover['fixed']:.3f}"
        add(f"rate held at all times: {null.name}", cover["held"], ">= 0.95", cover["held"] >= 0.95, more)
    for null in (NULLS[0], NULLS[2], NULLS[6], NULLS[9]):
        cover = difference_coverage(null, max(streams // 3, 2), 90)
        more = f"width {cover['width']:.3f}, single look {cover['fixed']:.3f}"
        add(
            f"difference held at all times: {null.name}",
            cover["held"],
            ">= 0.95",
            cover["held"] >= 0.95,
            more,
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    found = rows(given.streams)
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        print("| what | found | has to be | |\n|---|---|---|---|")
        for row in found:
            kept = "" if row["ok"] else "BROKEN "
            print(f"| {row['what']} | {row['value']:.3f} | {kept}{row['bound']} | {row['more']} |")
    return int(not all(row["ok"] for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
