"""Which mitigation to use when: a page from the tables of studies.

``docs/which-mitigation.json`` keeps the rows that the page needs of every study that was run, so that the
page can be written anew without running one. The studies are the files in ``perf/which/``.

Run: evenhand study run perf/which/lab.toml --out runs/which-lab
     python perf/which_mitigation.py runs/which-lab [MORE FOLDERS] --out docs/which-mitigation.md
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evenhand.decimals import fixed, number, percent
from evenhand.files import write_atomically
from evenhand.studies.grid.result import load
from evenhand.studies.grid.table import rows

Row = Mapping[str, Any]
KEPT = (
    "model", "mitigation", "treatment", "seed", "state", "benchmark", "role", "metric", "primary", "claim",
    "n", "ideal", "before", "after", "effect", "low", "high", "verdict", "judged", "holds", "capability",
    "capability_loss", "limited", "minutes", "error",
)  # fmt: skip
SAME = 1e-3  # of two figures of one model: what another order of the same sums makes of a fit
CONTROL = "control"  # what the study file names; a row of a study under "none" has no control models
ORDER = ("mitigated", "mitigated, cost unknown", "mitigated at a cost")
MEANING: Mapping[str, str] = {
    "mitigated": "less bias, beyond every control, and everything that was asked is kept",
    "mitigated, cost unknown": "less bias, beyond every control; nothing is lost, and something is undecided",
    "mitigated at a cost": "less bias, beyond every control, and something is lost",
    "no evidence": "no certain fall of the bias, or one that damage without a signal may show as well",
    "capability loss only": "something is lost, and no fall of the bias beyond every control is shown",
    "over-corrected": "the bias points the other way now",
    "worse": "more bias, beyond every control",
    "not judged": "the bias fell, and no control models were made that would tell it from damage",
}
# What the mark in the table says, which is there only where a verdict has it.
MARKED = (
    "‡ What the verdict claims for its model does not hold at 5 % once the p-values of all cells of its "
    "study are adjusted by Holm's method.",
    "",
)


def kept(folder: Path) -> list[dict[str, Any]]:
    """What the page needs of one study: rows about bias that are claims, and those of perplexity."""
    study = load(folder)
    found = [row for row in rows(study.outcomes) if row["state"] != "done" or _needed(row)]
    return [{name: row[name] for name in KEPT} | {CONTROL: study.study.options.control} for row in found]


def _needed(row: Row) -> bool:
    """Not comparable cells have a row without a metric."""
    measured = bool(row["claim"]) or (row["role"] == "capability" and row["metric"] == "perplexity")
    return measured or row["metric"] is None


def merged(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """`old` with every cell of `new` in its place, but none that is not done in the place of one that is.

    A cell of a study with fewer benchmarks adds those that were missing, where it made the same model: where
    its first figure, before and after, is the one that is known.
    """
    known = _cells(old)
    found = dict(known)
    for cell, own in _cells(new).items():
        there = known.get(cell, [])
        if not _done(own) and _done(there):
            continue
        added = [row for row in own if _benchmark(row) not in set(map(_benchmark, there))]
        less = {_benchmark(row) for row in there} - {_benchmark(row) for row in own}
        found[cell] = [*there, *added] if less and _done(own) and _same(there, own) else own
    return [row for own in found.values() for row in own]


def _cells(found: Sequence[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows of each model, mitigation and seed."""
    cells: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        cells.setdefault((row["model"], row["mitigation"], row["seed"]), []).append(row)
    return cells


def _benchmark(row: Row) -> tuple[Any, ...]:
    return row["benchmark"], row["metric"]


def _done(own: Sequence[Row]) -> bool:
    return any(row["state"] == "done" for row in own)


def _same(there: Sequence[Row], new: Sequence[Row]) -> bool:
    """Whether both have the same primary figure, before and after, but for rounding."""
    ours, theirs = ([r for r in some if r["primary"]] for some in (there, new))
    return (
        bool(ours)
        and len(ours) == len(theirs)
        and all(
            _benchmark(a) == _benchmark(b)
            and all(
                a[k] == b[k]
                or (None not in {a[k], b[k]} and math.isclose(a[k], b[k], rel_tol=0, abs_tol=SAME))
                for k in ("before", "after")
            )
            for a, b in zip(ours, theirs, strict=True)
        )
    )


def page(found: Sequence[Row]) -> str:
    """The page in markdown."""
    models = list(dict.fromkeys(row["model"] for row in found))
    models.sort(key=lambda name: not name.startswith("lab:"))  # first those whose bias is known
    each = (_of_model(m, [row for row in found if row["model"] == m]) for m in models)
    return "\n".join([HEAD, *_across(models, found), *each])


def _across(models: Sequence[str], found: Sequence[Row]) -> list[str]:
    """The verdicts of every mitigation that was judged on several of the models, side by side."""
    cells: dict[str, dict[str, list[Row]]] = {}
    for row in found:
        if row["primary"] or row["state"] != "done":
            cells.setdefault(row["mitigation"], {}).setdefault(row["model"], []).append(row)
    several = {name: own for name, own in cells.items() if len(own) > 1}
    if not several:
        return []
    lines = [
        f"| `{name}` | {' | '.join(_overview(own.get(m, ())) for m in models)} |"
        for name, own in several.items()
    ]
    return [
        "## At a glance",
        "",
        "What was run on several models under one name. The figures stand below, and so does what ‡ means: "
        "here that of one seed at least.",
        "",
        f"| mitigation | {' | '.join(f'`{m}`' for m in models)} |",
        "|" + "---|" * (len(models) + 1),
        *lines,
        "",
    ]


def _overview(own: Sequence[Row]) -> str:
    """The verdicts of one mitigation on one model, marked where one of them does not hold over the table."""
    if not own:
        return "–"
    said = _each(
        f"*{_named(row)}*" if row["primary"] else "refused" if row["state"] == "failed" else "not run"
        for row in own
    )
    return said + " ‡" * any(row["holds"] is False for row in own)


def _of_model(model: str, found: Sequence[Row]) -> str:
    names = list(dict.fromkeys(row["mitigation"] for row in found))
    methods = {name: [row for row in found if row["mitigation"] == name] for name in names}
    done = {n: own for n, own in methods.items() if any(row["primary"] for row in own)}
    failed = [f"- `{n}`: {_undone(own[0])}" for n, own in methods.items() if n not in done]
    lines = [f"## `{model}`", "", *(_measured(done) if done else ())]
    return "\n".join([*lines, *(["Not done:", "", *failed, ""] if failed else [])])


def _undone(row: Row) -> str:
    """Why a cell has no figures: its error, a verdict that needs none, or that it was not run."""
    return str(row["error"] or row["verdict"] or "not run")


def _measured(done: Mapping[str, Sequence[Row]]) -> list[str]:
    """The tables of the mitigations that were measured."""
    ranked = sorted(done, key=lambda name: _rank(done[name]))
    about = next(row for row in done[ranked[0]] if row["primary"])
    return [
        f"Bias is `{about['metric']}` of `{about['benchmark']}` ({_items(done)}, ideal "
        f"{number(about['ideal'])}).{_controlled(done)}",
        "",
        "| mitigation | seeds | bias before | after | change, 95 % interval | perplexity | capability | "
        "verdict | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_line(name, done[name]) for name in ranked),
        "",
        *(MARKED if any(row["holds"] is False for own in done.values() for row in own) else ()),
        *_advice(ranked, done),
        "",
        *_settings(ranked, done),
        *_transfer(ranked, done),
    ]


def _items(done: Mapping[str, Sequence[Row]]) -> str:
    """Of how many items the primary figures are: one that is not answered pairs with none."""
    each = [row["n"] for own in done.values() for row in own if row["primary"]]
    low, high = min(each), max(each)
    return f"{high} items" if low == high else f"{low} to {high} items"


def _controlled(done: Mapping[str, Sequence[Row]]) -> str:
    """For which mitigations control models were made, where that is not so for all."""
    without = [n for n, own in done.items() if any(r["primary"] and r.get(CONTROL) == "none" for r in own)]
    if not without:
        return ""
    own = ", ".join(f"`{name}`" for name in done if name not in without) or "none"
    return f" Control models were made for these alone: {own}. No fall of the others' is judged by any."


def _rank(own: Sequence[Row]) -> tuple[int, float]:
    """First the better verdict (of its seeds the worst), then the smaller bias left; undefined is last."""
    main = [row for row in own if row["primary"]]
    places = [ORDER.index(row["verdict"]) if row["verdict"] in ORDER else len(ORDER) for row in main]
    left = [math.inf if row["after"] is None else abs(row["after"] - (row["ideal"] or 0)) for row in main]
    return max(places), _mean(left)


def _line(name: str, own: Sequence[Row]) -> str:
    main = [row for row in own if row["primary"]]
    spans = (f"{_end(r['effect'])} ({_end(r['low'])} to {_end(r['high'])})" for r in main)
    after = ", ".join(number(r["after"]) for r in main)
    return (
        f"| `{name}` | {len(main)} | {number(main[0]['before'])} | {after} | {'; '.join(spans)} | "
        f"{_perplexity(own)} | {_each(r['capability'] for r in main)} | "
        f"{_each(_verdict(r) for r in main)} | {fixed(_mean([r['minutes'] for r in main]), 1)} |"
    )


def _verdict(row: Row) -> str:
    """The verdict; one that does not hold over all cells of the table is marked."""
    return f"*{_named(row)}*{' ‡' if row['holds'] is False else ''}"


def _named(row: Row) -> str:
    """The verdict's name. Rows of older studies, which all had control models, have no `judged`."""
    return "not judged" if row.get("judged") is False else str(row["verdict"])


def _each(values: Any) -> str:
    """What the seeds say: one word where all agree, else how many say what."""
    said = list(values)
    kinds = list(dict.fromkeys(said))
    return kinds[0] if len(kinds) == 1 else ", ".join(f"{said.count(kind)}x {kind}" for kind in kinds)


def _perplexity(own: Sequence[Row]) -> str:
    """The change of each text's, over the seeds: one may rise and another fall."""
    logs: dict[str, list[float]] = {}
    for row in own:
        if row["metric"] == "perplexity" and row["before"] and row["after"]:
            logs.setdefault(row["benchmark"], []).append(math.log(row["after"] / row["before"]))
    return ", ".join(percent(math.expm1(_mean(each)), signed=True) for each in logs.values()) or "–"


def _advice(ranked: Sequence[str], done: Mapping[str, Sequence[Row]]) -> list[str]:
    """The mitigations by what their verdicts say, in words."""
    by: dict[str, list[str]] = {}
    for name in ranked:
        said = {_named(row) for row in done[name] if row["primary"]}
        by.setdefault(said.pop() if len(said) == 1 else "different verdicts by seed", []).append(f"`{name}`")
    return [
        f"- *{verdict}*{': ' + MEANING[verdict] if verdict in MEANING else ''}. {', '.join(names)}."
        for verdict, names in by.items()
    ]


def _settings(ranked: Sequence[str], done: Mapping[str, Sequence[Row]]) -> list[str]:
    """What to write for each mitigation that has a name of its own; with a grid, the setting chosen."""
    specs = {name: dict.fromkeys(row["treatment"] for row in done[name]) for name in ranked}
    named = [
        f"- {name}: {', '.join(f'`{spec}`' for spec in own)}"
        for name, own in specs.items()
        if list(own) != [name]
    ]
    return ["The names stand for these settings:", "", *named, ""] if named else []


def _transfer(ranked: Sequence[str], done: Mapping[str, Sequence[Row]]) -> list[str]:
    """The change on each other benchmark of bias: after - before, in brackets where it may be 0."""
    others = list(
        dict.fromkeys(
            (row["benchmark"], row["metric"])
            for own in done.values()
            for row in own
            if row["role"] == "bias" and row["claim"] and not row["primary"]
        )
    )
    if not others:
        return []
    head = [
        "Does it carry over? The change on benchmarks that it was not fitted on (mean over seeds; in "
        "brackets where the 95 % interval of a seed includes 0):",
        "",
        f"| mitigation | {' | '.join(f'`{benchmark}` {metric}' for benchmark, metric in others)} |",
        "|" + "---|" * (len(others) + 1),
    ]
    return [*head, *(f"| `{n}` | {' | '.join(_moved(done[n], o) for o in others)} |" for n in ranked), ""]


def _moved(own: Sequence[Row], other: tuple[str, str]) -> str:
    found = [r for r in own if (r["benchmark"], r["metric"]) == other and r["effect"] is not None]
    if not found:
        return "–"
    sure = all(r["low"] is not None and (r["low"] > 0 or r["high"] < 0) for r in found)
    text = number(_mean([r["effect"] for r in found]), signed=True)
    return text if sure else f"({text})"


def _end(value: float | None) -> str:
    return number(value, signed=True)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


HEAD = """# Which mitigation, when

Written by `perf/which_mitigation.py` from studies that were run (`perf/which/*.toml`). Every figure is a
verification's, before and after on the same held-out items, under the control that the study file names. What
a verdict claims stands in [verdicts](verdicts.md), what a method does and what its users get wrong in
[methods](methods/). A model of your own will differ: run the same study on it
(`evenhand study run FILE.toml`, [studies](studies.md)).

One seed says something about one treated model. A method is judged by its seeds: where they disagree, all are
shown. Settings other than a method's defaults were chosen without the items that a verdict reads: the study
file says how.
"""


def main() -> None:
    """Add the studies to what is known, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "folders", nargs="*", type=Path, help="folders of studies; without any, what is known"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/which-mitigation.md"))
    given = parser.parse_args()
    data = given.out.with_suffix(".json")
    found: list[Row] = json.loads(data.read_text(encoding="utf-8")) if data.exists() else []
    for folder in given.folders:
        found = merged(found, kept(folder))
    lines = ",\n".join(json.dumps(row) for row in found)
    write_atomically(data, f"[\n{lines}\n]\n".encode())
    write_atomically(given.out, page(found).encode())


if __name__ == "__main__":
    main()
