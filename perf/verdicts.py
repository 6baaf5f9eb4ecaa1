"""The table of verdicts on the lab: what each treatment does, and whether the verdict sees through it.

Every row is one `evenhand verify` on a model whose bias is known: LFTF in the block that BMI names and in the
one that ablation names, with three losses, training towards one word alone, full fine-tuning, plain weight
noise, and LFTF on the unbiased control, where nothing may be called mitigated. Runs are stored and resumed
below --out.

Run: python perf/verdicts.py [--out runs/verdicts] [--control standard|reduced|full] [--seed 0] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from evenhand import VerifyOptions, progress, verify
from evenhand.records import Verification

LAB, UNBIASED = "lab:causal", "lab:causal?planted=none"
BAD = frozenset({"capability loss only", "no evidence"})


@dataclass(frozen=True)
class Row:
    """One run and the verdicts that would be right."""

    uri: str
    mitigation: str
    right: frozenset[str]
    locator: str = "bmi"


NOT_MITIGATED = frozenset(
    {"capability loss only", "no evidence", "over-corrected", "worse", "mitigated at a cost"}
)
ROWS = (
    Row(LAB, "lftf", frozenset({"mitigated", "mitigated at a cost"})),
    Row(LAB, "lftf", frozenset({"mitigated", "mitigated at a cost"}), locator="ablation"),
    Row(LAB, "lftf:loss=mass_preserving", frozenset({"mitigated"})),
    Row(LAB, "lftf:loss=printed", NOT_MITIGATED - {"mitigated at a cost"}),
    Row(LAB, "lftf:terms=female", frozenset({"over-corrected"})),
    Row(LAB, "full_finetune", frozenset({"mitigated", "mitigated at a cost"})),
    Row(LAB, "noise:dose=0.5", BAD),
    Row(LAB, "noise:dose=1", BAD),
    Row(UNBIASED, "lftf", NOT_MITIGATED),
    Row(UNBIASED, "lftf:loss=mass_preserving", NOT_MITIGATED),
)


def figures(record: Verification) -> dict[str, float | None]:
    """The headline figures: normalised AFGB, UB, mass, facts and log-perplexity, before and after."""
    found: dict[str, float | None] = {}
    for effect in record.effects:
        if effect.metric in ("afgb_normalised", "ub", "accuracy", "perplexity") or (
            effect.metric == "mass" and effect.benchmark.startswith("genbiaseval")
        ):
            found[f"{effect.metric}_before"] = effect.before.value
            found[f"{effect.metric}_after"] = effect.after.value
    return found


def shown(value: float | None) -> str:
    """Three decimals, or a dash for undefined."""
    return "-" if value is None else f"{value:.3f}"


def line(row: Row, record: Verification) -> str:
    """The row as a line of a Markdown table."""
    found = figures(record)
    names = ("afgb_normalised", "ub", "mass", "accuracy", "perplexity")
    pairs = [f"{shown(found.get(f'{n}_before'))} → {shown(found.get(f'{n}_after'))}" for n in names]
    mark = "yes" if record.verdict in row.right else "NO"
    treated = f"`{row.mitigation}`" + (f" --locator {row.locator}" if row.locator != "bmi" else "")
    return f"| {row.uri} | {treated} | {' | '.join(pairs)} | **{record.verdict}** | {mark} |"


def main() -> int:
    """Run every row; exit status 1 when a verdict is not among the right ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("runs/verdicts"))
    parser.add_argument("--control", choices=("reduced", "standard", "full"), default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    progress.enable()
    records = []
    if not options.json:
        print("| model | treatment | normalised AFGB | UB | mass | facts | perplexity | verdict | right |")
        print("|---|---|---|---|---|---|---|---|---|")
    for number, row in enumerate(ROWS):
        run = VerifyOptions(
            seed=options.seed,
            control=options.control,
            locator=row.locator,
            out=options.out / f"{number}-{options.control}",
        )
        record = verify(row.uri, row.mitigation, run)
        records.append((row, record))
        if not options.json:
            print(line(row, record), flush=True)
    if options.json:
        table = [
            {
                "model": r.uri,
                "treatment": r.mitigation,
                "locator": r.locator,
                "verdict": v.verdict,
                **figures(v),
            }
            for r, v in records
        ]
        print(json.dumps({"control": options.control, "seed": options.seed, "rows": table}))
    return int(any(record.verdict not in row.right for row, record in records))


if __name__ == "__main__":
    sys.exit(main())
