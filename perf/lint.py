"""How often `evenhand lint` is right: clean random tables, and tables with one planted fault each.

Both rates are printed: clean tables in which a fault is found, and planted faults that are found, by kind.
A plant has to show in the figures as printed: none is within their rounding once zeros at the end are left
out, and no copied row has so few digits that chance would explain it.

Run: python perf/lint.py [--tables 200] [--seed 0] [--json]
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from evenhand.linting import lint

Table = list[list[str]]  # the header first; the first column names the row


def decisions(chance: random.Random) -> Table:
    """Groups with counts, rates and impact ratios."""
    places, rows = chance.choice((2, 3, 4)), chance.randint(3, 9)
    counted = [(n := chance.randint(101, 4000), chance.randint(n // 10, n - 1)) for _ in range(rows)]
    highest = max(k / n for n, k in counted)
    table = [["group", "n", "selected", "selection rate", "impact ratio"]]
    for place, (n, k) in enumerate(counted):
        table.append([f"g{place}", str(n), str(k), f"{k / n:.{places}f}", f"{k / n / highest:.{places}f}"])
    return table


def models(chance: random.Random) -> Table:
    """Models with accuracy out of n, gaps by parity and by odds, and an interval."""
    n, places = chance.randint(40, 3000), chance.choice((3, 4))
    table = [["Model", "N", "Accuracy (%)", "DPD", "EOD", "CI low", "CI high"]]
    for place in range(chance.randint(3, 10)):
        deo = chance.uniform(0.02, 0.6)
        dpd = deo * chance.uniform(0.2, 0.95)
        low, high = max(deo - chance.uniform(0.01, 0.1), 0), deo + chance.uniform(0.01, 0.1)
        accuracy = 100 * chance.randint(n // 3, n) / n
        gaps = [f"{one:.{places}f}" for one in (dpd, deo, low, high)]
        table.append([f"model-{place}", str(n), f"{accuracy:.2f}", *gaps])
    return table


def stereoset(chance: random.Random) -> Table:
    """LMS, SS and ICAT before and after treatment."""
    table = [["model", "pre LMS", "pre SS", "pre ICAT", "post LMS", "post SS", "post ICAT"]]
    for place in range(chance.randint(3, 9)):
        cells = []
        for _ in range(2):
            lms, ss = chance.uniform(40, 97), chance.uniform(35, 75)
            cells += [f"{lms:.2f}", f"{ss:.2f}", f"{lms * min(ss, 100 - ss) / 50:.2f}"]
        table.append([f"model-{place}", *cells])
    return table


def scales(chance: random.Random) -> Table:
    """Three scores and their mean, as the rows of a benchmark."""
    table = [["LLMs", "Word", "Phrase", "Sentence", "Avg."]]
    for place in range(chance.randint(5, 11)):
        cells = [chance.uniform(0.05, 0.9) for _ in range(3)]
        table.append([f"model-{place}", *(f"{one:.4f}" for one in (*cells, sum(cells) / 3))])
    return table


def changes(chance: random.Random) -> Table:
    """A base model, and treated ones with the change behind each figure."""
    base = [round(chance.uniform(0.2, 0.8), 4) for _ in range(4)]
    table = [["method", "AFGB", "phrase AFGB", "UB", "MMLU"], ["base", *(f"{one:.4f}" for one in base)]]
    for place in range(chance.randint(3, 7)):
        cells = [round(chance.uniform(0.01, 0.9), 4) for _ in base]
        table.append(
            [
                f"method-{place}",
                *(f"{new:.4f} ({new - old:+.4f})" for new, old in zip(cells, base, strict=True)),
            ]
        )
    return table


def treated(chance: random.Random) -> Table:
    """A figure before and after treatment in one row, with the change behind it or in a column of its own."""
    behind = chance.random() < 0.5
    table = [["Model", "before", "after", *([] if behind else ["change"]), "UB"]]
    for place in range(chance.randint(4, 9)):
        old, new = (round(chance.uniform(0.02, 0.8), 4) for _ in range(2))
        change = f"{new - old:+.4f}"
        after = [f"{new:.4f} ({change})"] if behind else [f"{new:.4f}", change]
        table.append([f"model-{place}", f"{old:.4f}", *after, f"{chance.uniform(0.1, 0.9):.4f}"])
    return table


def bracketed(chance: random.Random) -> Table:
    """Figures with their intervals behind them."""
    form = chance.choice(("{:.3f} ({:.3f}, {:.3f})", "{:.3f} [{:.3f}; {:.3f}]", "{:.3f} ({:.3f} to {:.3f})"))
    table = [["Model", "Bias score", "Toxicity"]]
    for place in range(chance.randint(4, 9)):
        cells = []
        for _ in range(2):
            value, wide = chance.uniform(0.2, 0.8), chance.uniform(0.01, 0.1)
            cells.append(form.format(value, value - wide, value + wide))
        table.append([f"model-{place}", *cells])
    return table


def counts(chance: random.Random) -> Table:
    """How many items of each split, with a total row."""
    table = [["Category", "train", "dev", "test"]]
    for place in range(chance.randint(3, 6)):
        table.append([f"category-{place}", *(str(chance.randint(100, 999)) for _ in range(3))])
    table.append(["Total", *(str(sum(int(row[i]) for row in table[1:])) for i in (1, 2, 3))])
    return table


ALIASES: dict[str, tuple[str, ...]] = {
    "n": ("applicants", "Number of applicants", "n_total", "count", "# of Applicants", "N applicants"),
    "selected": ("n_selected", "hired", "Num. hired", "# Selected", "Applicants selected"),
    "selection rate": ("Selection Rate", "rate", "hire_rate", "hiringRate", "sel_rate"),
    "impact ratio": ("impact_ratio", "Ratio", "adverse impact ratio", "disparate_impact", "AIR"),
    "N": ("n", "test size", "num_items", "items"),
    "Accuracy (%)": ("acc %", "accuracy", "Acc. ↑"),
    "DPD": ("demographic parity difference", "dpd", "M_dpd ↓", "dp_gap", "Δ DP", "DP difference (DPD)"),
    "EOD": ("equalized odds difference", "DEO", "deo_max", "Equalised odds gap", "eq. odds diff"),
    "CI low": ("lower", "ci_lower", "95% CI low", "95% CI lower", "LCL"),
    "CI high": ("upper", "ci_upper", "95% CI high", "95% CI upper", "UCL"),
    "Avg.": ("Average", "mean", "Mean score", "AFGB mean", "overall"),
    "UB": ("UB-Score", "hints"),
    "before": ("AFGB before", "baseline AFGB"),
    "after": ("AFGB after", "AFGB debiased"),
}


def printed(table: Table, chance: random.Random) -> Table:
    """The table under other names, in a third of cases as a program prints it: without zeros at the end."""
    names = [chance.choice((name, *ALIASES.get(name, ()))) for name in table[0]]
    if chance.random() < 1 / 3:
        table = [table[0], *([_stripped(cell) for cell in row] for row in table[1:])]
    ends = dict(zip(("CI low", *ALIASES["CI low"]), ("CI high", *ALIASES["CI high"]), strict=True))
    lows = [place for place, name in enumerate(names) if name in ends]
    for low in lows:  # both ends of an interval in one style, wherever they stand
        high = next(place for place, name in enumerate(table[0]) if name == "CI high")
        names[high] = ends[names[low]]
    return [names, *table[1:]]


def _stripped(cell: str) -> str:
    return f"{float(cell):g}" if "." in cell and " " not in cell and cell[0].isdigit() else cell


Maker = Callable[[random.Random], Table]
MAKERS: tuple[Maker, ...] = (decisions, models, stereoset, scales, changes, treated, bracketed, counts)


def _row(table: Table, chance: random.Random) -> list[str]:
    return chance.choice(table[1:])


def _moved(text: str, by: float) -> str:
    places = len(text.partition(".")[2])
    return f"{float(text) + by:.{places}f}"


def duplicate(table: Table, chance: random.Random) -> None:
    """The figures of a row under another row's name."""
    one, other = chance.sample(range(1, len(table)), 2)
    table[other][1:] = table[one][1:]


def swapped(one: int, other: int) -> Callable[[Table, random.Random], None]:
    """The columns `one` and `other` under each other's names."""

    def plant(table: Table, chance: random.Random) -> None:
        table[0][one], table[0][other] = table[0][other], table[0][one]

    return plant


def impossible_share(table: Table, chance: random.Random) -> None:
    """A percentage that no count of n gives, half-way between two counts (n is at most 3000: 0.03 apart)."""
    row = _row(table, chance)
    n = int(row[1])
    k = chance.randint(n // 3, n - 1)
    row[2] = f"{100 * (k + 0.5) / n:.2f}"
    if row[2].endswith("0"):  # a program would leave the zero out, and with one decimal it may be possible
        impossible_share(table, chance)


def parity_above_odds(table: Table, chance: random.Random) -> None:
    """One DPD above its DEO."""
    row = _row(table, chance)
    row[3] = _moved(row[4], chance.uniform(0.01, 0.2))


def inverted_interval(table: Table, chance: random.Random) -> None:
    """One interval whose ends are exchanged."""
    row = _row(table, chance)
    row[5], row[6] = row[6], row[5]


def ratio_above_one(table: Table, chance: random.Random) -> None:
    """One ratio above 1."""
    _row(table, chance)[4] = f"{chance.uniform(1.03, 1.6):.2f}"


def contradicted_rate(table: Table, chance: random.Random) -> None:
    """One rate away from count over n."""
    row = _row(table, chance)
    row[3] = _moved(row[3], -0.06)


def contradicted_ratio(table: Table, chance: random.Random) -> None:
    """One ratio, not the highest group's, away from the rates."""
    row = min(table[1:], key=lambda row: float(row[4]))
    row[4] = _moved(row[4], -0.08)


def count_above_total(table: Table, chance: random.Random) -> None:
    """One count above its n."""
    row = _row(table, chance)
    row[2] = str(int(row[1]) + chance.randint(1, 50))


def wrong_icat(table: Table, chance: random.Random) -> None:
    """One ICAT away from what LMS and SS give."""
    row, column = _row(table, chance), chance.choice((3, 6))
    row[column] = _moved(row[column], chance.choice((-1.5, 1.5)))


def wrong_mean(table: Table, chance: random.Random) -> None:
    """One mean away from its parts."""
    row = _row(table, chance)
    row[4] = _moved(row[4], chance.choice((-0.01, 0.01)))


def wrong_change(table: Table, chance: random.Random) -> None:
    """One change with a misplaced decimal point."""
    row, column = chance.choice(table[2:]), chance.randint(1, 4)
    value, change = row[column].split(" ")
    row[column] = f"{value} ({10 * float(change.strip('()')) + 0.01:+.3f})"


def wrong_step(table: Table, chance: random.Random) -> None:
    """One figure after treatment away from the change that is printed for it."""
    row = _row(table, chance)
    value, *behind = row[2].split(" ", 1)
    row[2] = " ".join([_moved(value, chance.choice((-0.0123, 0.0123))), *behind])


def left_out(table: Table, chance: random.Random) -> None:
    """One figure outside the interval behind it."""
    row, column = _row(table, chance), chance.choice((1, 2))
    value, behind = row[column].split(" ", 1)
    row[column] = f"{_moved(value, chance.choice((-0.157, 0.157)))} {behind}"


def highest_below_one(table: Table, chance: random.Random) -> None:
    """The ratio of the highest group away from 1."""
    row = next(row for row in table[1:] if float(row[4]) == 1.0)
    row[4] = _moved(row[4], -chance.uniform(0.1, 0.4))


def wrong_total(table: Table, chance: random.Random) -> None:
    """One cell away from its column's total."""
    row = chance.choice(table[1:-1])
    row[2] = str(int(row[2]) + chance.randint(1, 9))


PLANTED: tuple[tuple[str, Callable[[random.Random], Table], Callable[[Table, random.Random], None]], ...] = (
    ("duplicate", scales, duplicate),
    ("duplicate", models, duplicate),
    ("duplicate", stereoset, duplicate),
    ("duplicate", decisions, duplicate),
    ("exchanged", models, swapped(3, 4)),
    ("exchanged", stereoset, swapped(1, 3)),
    ("exchanged", decisions, swapped(1, 2)),
    ("precision", models, impossible_share),
    ("dpd_above_deo", models, parity_above_odds),
    ("interval", models, inverted_interval),
    ("ratio_above_one", decisions, ratio_above_one),
    ("contradicted_rate", decisions, contradicted_rate),
    ("contradicted_ratio", decisions, contradicted_ratio),
    ("contradicted_ratio", decisions, highest_below_one),
    ("count_above_total", decisions, count_above_total),
    ("icat", stereoset, wrong_icat),
    ("mean", scales, wrong_mean),
    ("difference", changes, wrong_change),
    ("difference", treated, wrong_step),
    ("interval", bracketed, left_out),
    ("total", counts, wrong_total),
)


def kinds(table: Table, folder: Path) -> set[str]:
    """The kinds of faults that are found in a table."""
    path = folder / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)
    return {fault.kind for fault in lint(path)}


def scored(tables: int, seed: int) -> dict[str, object]:
    """The clean tables with a fault, and the planted faults that were found, of so many tables each."""
    chance = random.Random(seed)
    alarms: Counter[str] = Counter()
    clean, found, planted = 0, Counter[str](), Counter[str]()
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(tables):
            wrong = kinds(printed(MAKERS[number % len(MAKERS)](chance), chance), folder)
            clean += not wrong
            alarms.update(wrong)
            kind, make, plant = PLANTED[number % len(PLANTED)]
            table = make(chance)
            plant(table, chance)
            table = printed(table, chance)
            planted[kind] += 1
            if kind in kinds(table, folder):
                found[kind] += 1
            else:
                missed.append(f"{kind}: {table}")
    return {
        "tables": tables,
        "seed": seed,
        "clean_without_fault": clean,
        "false_kinds": dict(alarms),
        "planted_found": sum(found.values()),
        "by_kind": {kind: f"{found[kind]} of {planted[kind]}" for kind in planted},
        "missed": missed,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print both rates; 1 where a clean table was blamed or a planted fault was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    result = scored(given.tables, given.seed)
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        print(f"clean tables without a fault: {result['clean_without_fault']} of {given.tables}")
        print(f"planted faults found:         {result['planted_found']} of {given.tables}")
        print(f"by kind: {result['by_kind']}")
        print(f"wrongly found: {result['false_kinds']}; missed: {result['missed']}")
    return 0 if result["clean_without_fault"] == result["planted_found"] == given.tables else 1


if __name__ == "__main__":
    raise SystemExit(main())
