"""What the readings say: rates with exact bounds, beside their limits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import beta, t

from evenhand.studies.parts import least, passes
from evenhand.studies.reasons import SCATTER

from .runs import EXACT, NOTHING, TWIN, WITHOUT_THEY, lines_in

CLAIM = ("mitigated", "mitigated at a cost", "mitigated, cost unknown")
PLAIN = ("mitigated",)  # what a mitigation with a cost may not be called
NAMED = ("worse", "capability loss only")
WAYS = {"half_removed": "half_of_the_way", "fifth_removed": "fifth_of_the_way"}
Reading = dict[str, Any]


@dataclass(frozen=True)
class Rate:
    """So many of so many runs, with exact one-sided 95 % bounds (Clopper and Pearson 1934)."""

    hits: int
    runs: int

    @property
    def share(self) -> float | None:
        """The share; None of no run."""
        return self.hits / self.runs if self.runs else None

    @property
    def low(self) -> float:
        """The lower bound."""
        return float(beta.ppf(0.05, self.hits, self.runs - self.hits + 1)) if self.hits else 0.0

    @property
    def high(self) -> float:
        """The upper bound."""
        return _upper(self.hits, self.runs)


def _upper(hits: float, runs: float) -> float:
    """The upper bound of so many of so many runs, which may be effective numbers."""
    return float(beta.ppf(0.95, hits + 1, runs - hits)) if hits < runs else 1.0


def clustered(lines: Iterable[Reading], verdicts: Sequence[str] = CLAIM) -> tuple[float, float]:
    """Two upper 95 % bounds of a rate whose runs come in labs: as the labs differ, and at the worst.

    n runs say as much as n / d; the bound is that of Clopper and Pearson at so many runs and the same share
    (Korn and Graubard 1998, section 2). The first d is the variance of the share over labs, divided by that
    of independent runs, and no less than 1; a few labs widen it by Student's t. It rests on the claims that
    were seen, so it says little of few. The second d is sum(m^2) / n for labs of m runs (Kish 1965), which
    holds were all runs of a lab alike.
    """
    judged = [line for line in lines if line.get("counted")]
    found = rate(judged, verdicts)
    if not found.share or found.hits == found.runs:
        seen = 1.0
    else:
        excess = dict.fromkeys((line["base"] for line in judged), 0.0)
        for line in judged:
            excess[line["base"]] += (line["verdict"] in verdicts) - found.share
        labs = len(excess)
        if labs < 2:
            return 1.0, 1.0
        over_labs = labs / (labs - 1) * sum(value**2 for value in excess.values())
        seen = max(1.0, over_labs / (found.runs * found.share * (1 - found.share)))
        seen *= float(t.ppf(0.95, labs - 1) / t.ppf(0.95, found.runs - 1)) ** 2
    sizes = Counter(line["base"] for line in judged).values()
    worst = sum(size**2 for size in sizes) / found.runs if found.runs else 1.0
    first, second = (_upper(found.hits / design, found.runs / design) for design in (seen, max(seen, worst)))
    return first, second


def readings(*folders: Path) -> list[Reading]:
    """All readings of the folders, each key once: as it stands in the first folder that has it."""
    found: dict[str, Reading] = {}
    for line in lines_in(folders):
        found.setdefault(line["key"], judged_now(named(line)))
    return list(found.values())


def named(line: Reading) -> Reading:
    """A reading of weights moved a part of the way to the unbiased ones by another name than half a removal.

    Half of the way removes two thirds of the bias and costs perplexity (docs/adr/0052).
    """
    if line["kind"] not in WAYS or f"/{TWIN}" in line["key"]:
        return line
    return {**line, "kind": WAYS[line["kind"]]}


def judged_now(line: Reading) -> Reading:
    """A reading by the present rule of what a claim needs beyond each family, and of items whose gap grew.

    Readings of before `docs/adr/0048` asked less, and those of before `docs/adr/0052` more of a change that
    is clean. Of old ones the fall that was judged, at the base's temperature where that is smaller, is not
    stored; the part beyond a family is never more than it, so that the largest such part stands for it. Where
    a clean change was refused for the larger part alone, all else that a claim asks was shown: its part
    beyond every family is significant and relevant.
    """
    control = line.get("control")
    if not line.get("counted") or control is None or line["verdict"] not in (*CLAIM, "no evidence"):
        return line
    clean = line["capability"] is True and all(check["kept"] is True for check in line["checks"])
    moved = any(check["name"] == SCATTER and check["kept"] is not True for check in line["checks"])
    counted = [family for family in control["families"] if family["state"] != "inert"]
    parts = [family["specific"] for family in counted]
    if None in parts or not parts:
        return line
    total = control.get("total") or max(parts)
    enough = min(parts) >= least(control["delta"], total, clean=clean)
    if line["verdict"] in CLAIM and (moved or not enough):
        return {**line, "verdict": NAMED[1] if line["capability"] is False else "no evidence"}
    refused = line["verdict"] not in CLAIM and clean and not control["reduced"]
    if refused and enough and all(passes(family["p"], family["limit"]) for family in counted):
        return {**line, "verdict": PLAIN[0]}
    return line


def rate(lines: Iterable[Reading], verdicts: Sequence[str] = CLAIM) -> Rate:
    """How many of the lines with a verdict have one of `verdicts`."""
    judged = [line for line in lines if line.get("counted")]
    return Rate(sum(line["verdict"] in verdicts for line in judged), len(judged))


def summary(lines: Sequence[Reading]) -> dict[str, Any]:
    """The figures of ``docs/validity.json``."""
    damage = [line for line in lines if "inside" in line]
    parts = {
        "inside": [line for line in damage if line["inside"]],
        "outside": [line for line in damage if not line["inside"] and not line["held_out"]],
        "held_out": [line for line in damage if line["held_out"]],
        **{name: [line for line in lines if line["kind"] == name] for name, _ in EXACT},
    }
    found: dict[str, Any] = {
        name: {"runs": (r := rate(part)).runs, "mitigated": r.hits, "high": r.high, "low": r.low}
        for name, part in parts.items()
    }
    for name in ("inside", "outside"):
        found[name]["clustered_high"], found[name]["worst_high"] = clustered(parts[name])
    for name in NOTHING:
        idle = rate([line for line in lines if line["kind"] == name], NAMED)
        found[name] = {"runs": idle.runs, "named": idle.hits, "high": idle.high}
    dead = rate([line for line in lines if line["kind"] == WITHOUT_THEY], PLAIN)
    found[WITHOUT_THEY] = {"runs": dead.runs, "mitigated": dead.hits, "high": dead.high}
    found["not_counted"] = sum(1 for line in lines if not line.get("counted"))
    return found


def by_kind(lines: Sequence[Reading]) -> str:
    """A markdown table: each kind of damage, inside and outside, and each treatment."""
    rows = [
        "| kind | controls | judged | claimed | upper 95 % bound | verdicts |",
        "|---|---|---|---|---|---|",
    ]
    keys = sorted({(line["kind"], line.get("inside")) for line in lines}, key=str)
    for kind, inside in keys:
        own = [line for line in lines if (line["kind"], line.get("inside")) == (kind, inside)]
        r = rate(own, PLAIN if kind == WITHOUT_THEY else CLAIM)
        where = {True: "with its family", False: "without it", None: "all"}[inside]
        verdicts: dict[str, int] = {}
        for line in own:
            if line.get("counted"):
                verdicts[line["verdict"]] = verdicts.get(line["verdict"], 0) + 1
        said = ", ".join(f"{name} {n}" for name, n in sorted(verdicts.items(), key=lambda x: -x[1]))
        rows.append(
            f"| {kind} | {where} | {r.runs} of {len(own)} | {r.hits} | {100 * r.high:.1f} % | {said} |"
        )
    return "\n".join(rows)


def write(lines: Sequence[Reading], out: Path) -> dict[str, Any]:
    """Write ``validity.json`` and return it."""
    found = summary(lines)
    out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found
