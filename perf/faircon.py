"""Table 3 of FairCon on a model whose bias is known: fine-tuning with and without the fairness term.

For every seed: people of the train part with bias parity 0.5 (labels favour one group), held-out people for
early stopping, and others, balanced by nature, to judge on. For every lambda the model is fitted by
`faircon`; then fresh adversaries, of seeds that training never met, attack the fitted model with its weights
in hand. The worst of their texts, and the worst of those found against lambda 0, are put, as text, in front
of the test people: the worst of all counts. Under the table: the worst prompts, and what those of lambda 0
do to other models. A fit that was judged lies in `--folder`, and is not made again.

Must hold: for the best lambda above 0 the gap under the worst prompt is at least 70 % below that of lambda 0,
and accuracy without a prompt within 2 points of it (means over the seeds); the exit status says so.

Run: python perf/faircon.py [--uri lab:decisions] [--lam 0,0.1,1,10] [--seeds 5] [--models URI ...]
     [--folder FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from evenhand import progress, registry
from evenhand.files import write_atomically
from evenhand.mitigations._adversarial.adversary import PrefixSettings
from evenhand.mitigations._adversarial.distances import Distance
from evenhand.mitigations._adversarial.prompts import PromptScore, score, transfer
from evenhand.mitigations._adversarial.search import Course, attack
from evenhand.models import OpenModel
from evenhand.opening import open_model
from evenhand.records import PersonExample, digest

FALL, COST = 0.70, 0.02
LAMS = [0.0, 0.1, 1.0, 10.0]
WORST = 12  # texts that each fit is judged behind, of those that were found against it
SIZES = ("train", "dev", "test", "rounds", "adversaries")
DISTANCES: tuple[Distance, ...] = ("log_odds", "jensen_shannon")


def people_of(
    spec: str, seed: int, sizes: tuple[int, int, int], parity: float
) -> dict[str, list[PersonExample]]:
    """Train people with bias parity, and held-out and test people in table order, none of them twice."""
    train, dev, test = sizes
    benchmark = registry.create("benchmark", f"{spec},seed={seed},train={4 * train},dev={dev + test}")
    every: list[PersonExample] = list(benchmark.examples())
    held = [d for d in every if d.part == "dev"]
    seen = {d.cluster for d in held[:dev]}  # people of one content are twins: they stay on one side
    return {
        "train": with_parity([d for d in every if d.part == "train"], train, parity),
        "dev": held[:dev],
        "test": [d for d in held[dev:] if d.cluster not in seen],
    }


def with_parity(people: Sequence[PersonExample], n: int, parity: float) -> list[PersonExample]:
    """The first `n` people with that bias parity: half of each group, and half of each label."""
    favoured, other = round(n / 4 * (1 + parity)), round(n / 4 * (1 - parity))
    wanted = {(0, 1): favoured, (1, 1): other, (0, 0): other, (1, 0): favoured}
    found: list[PersonExample] = []
    for (group, label), count in wanted.items():
        cell = [d for d in people if (d.group, d.label) == (group, label)][:count]
        if len(cell) < count:
            raise SystemExit(f"There are only {len(cell)} people of group {group} and label {label}.")
        found += cell
    return found


def attacks(
    model: OpenModel, people: Sequence[PersonExample], options: argparse.Namespace, seed: int
) -> list[str]:
    """Texts of new adversaries, for both distances on the label words."""
    course = Course(options.rounds, 32, options.adversaries)
    return [
        text
        for number, kind in enumerate(DISTANCES)
        for text in attack(model, people, kind, PrefixSettings(), course, seed=10_000 + 10 * seed + number)
    ]


def one(model: OpenModel, options: argparse.Namespace, seed: int, lam: float, known: list[str]) -> Any:
    """One fit, attacked by new adversaries, and evaluated with their worst texts and the `known` ones.

    Held-out people pick the worst texts, test people judge them.
    """
    people = people_of(options.people, seed, (options.train, options.dev, options.test), options.parity)
    started = time.process_time()
    method = registry.create("mitigation", f"faircon:lam={lam}{options.more}")
    fitted = method.fit(model, [*people["train"], *people["dev"]], sites=None, seed=seed)
    trained = time.process_time() - started
    with fitted.applied(model) as given:
        treated = cast(OpenModel, given)
        texts = attacks(treated, people["dev"], options, seed)
        own = sorted(texts, key=lambda text: -score(treated, people["dev"], text).gap)[:WORST]
        none, *judged = (score(treated, people["test"], text) for text in ("", *dict.fromkeys(own + known)))
    return {
        "none": none.figures(),
        "worst": max([none, *judged], key=lambda found: found.gap).figures(),
        "own": own,
        "texts": len(texts),
        "fit_seconds": trained,
        "details": dict(fitted.about.details),
    }


def records_of(model: OpenModel, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every seed's figures by lambda; existing results in `--folder` are reused."""
    records: list[dict[str, Any]] = [{} for _ in range(options.seeds)]
    same = [getattr(options, name) for name in ("people", *SIZES, "parity", "more")]
    same.append(0.0 in options.lam)  # its texts are put in front of the others
    for lam in sorted(options.lam, key=lambda value: (value != 0, value != 1, value)):
        for seed, record in enumerate(records):
            place = options.folder / f"{digest(model.spec.digest, same, lam, seed)[:16]}.json"
            if not place.exists():
                known = record.get("0.0", {}).get("own", [])
                found = one(model, options, seed, lam, known)
                write_atomically(place, json.dumps(found).encode())
            record[str(lam)] = json.loads(place.read_text(encoding="utf-8"))
            at = record[str(lam)]
            told = f"{at['none']['gap']:.3f}, worst {at['worst']['gap']:.3f}"
            print(f"lambda {lam:g}, seed {seed}: gap {told}", file=sys.stderr, flush=True)
    for seed, record in enumerate(records):
        people = people_of(options.people, seed, (options.train, options.dev, options.test), options.parity)
        record["base"] = {"none": score(model, people["test"]).figures()}
    return records


def column(records: Sequence[Any], lam: object, where: str, what: str) -> list[float]:
    """One figure over the seeds."""
    return [record[str(lam)][where][what] for record in records]


def mean(values: Sequence[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


def spread(values: Sequence[float]) -> str:
    """Mean with the smallest and the largest value."""
    return f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def table(records: Sequence[Any], lams: Sequence[float]) -> str:
    """Table 3 in Markdown: means over the seeds, with the range."""
    lines = [
        "| lambda | gap, worst prompt | fall | gap, no prompt | accuracy | accuracy, worst prompt |",
        "|---|---|---|---|---|---|",
    ]
    base = mean(column(records, 0.0, "worst", "gap")) if 0.0 in lams else None
    for lam in lams:
        gap = column(records, lam, "worst", "gap")
        fall = "-" if not base or not lam else f"{1 - mean(gap) / base:.0%}"
        rest = [("none", "gap"), ("none", "accuracy"), ("worst", "accuracy")]
        cells = " | ".join(spread(column(records, lam, *one)) for one in rest)
        lines.append(f"| {lam:g} | {spread(gap)} | {fall} | {cells} |")
    none = [spread(column(records, "base", "none", what)) for what in ("gap", "accuracy")]
    lines.append(f"| not fine-tuned | - | - | {none[0]} | {none[1]} | - |")
    return "\n".join(lines)


def holds(records: Sequence[Any], lams: Sequence[float]) -> bool:
    """Whether some lambda above 0 meets both demands."""
    base_gap = mean(column(records, 0.0, "worst", "gap"))
    base_accuracy = mean(column(records, 0.0, "none", "accuracy"))
    return any(
        mean(column(records, lam, "worst", "gap")) <= (1 - FALL) * base_gap
        and mean(column(records, lam, "none", "accuracy")) >= base_accuracy - COST
        for lam in lams
        if lam
    )


def transferred(uris: Sequence[str], records: Sequence[Any], options: argparse.Namespace) -> str:
    """The effect of the worst prompts found against lambda 0 on other models, as Markdown."""
    texts = list(dict.fromkeys(record["0.0"]["worst"]["text"] for record in records))
    people = people_of(options.people, 0, (options.train, options.dev, options.test), options.parity)["test"]
    lines = ["| model | prompt | gap | accuracy |", "|---|---|---|---|"]
    scores: dict[str, list[PromptScore]] = transfer(list(uris), people, [t for t in texts if t])
    for uri, found in scores.items():
        lines += [f"| {uri} | `{one.text!r}` | {one.gap:.3f} | {one.accuracy:.3f} |" for one in found]
    return "\n".join(lines)


def main() -> int:
    """Run every seed; exit status 1 when what must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--uri", default="lab:decisions")
    parser.add_argument("--people", default="decisions:task=lab,shots=0")
    parser.add_argument("--lam", type=lambda text: [float(x) for x in text.split(",")], default=LAMS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--parity", type=float, default=0.5)
    parser.add_argument("--train", type=int, default=200)
    parser.add_argument("--dev", type=int, default=100)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=20, help="of a fresh adversary")
    parser.add_argument("--adversaries", type=int, default=2, help="fresh ones of each distance")
    parser.add_argument("--more", default="", help="further options of faircon, such as ,lr=5e-3")
    parser.add_argument("--models", nargs="*", default=[], help="for the transfer of prompts")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/faircon"), help="to go on from; another for other code"
    )
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.progress:
        progress.enable()
    model = cast(OpenModel, open_model(options.uri))
    records = records_of(model, options)
    if options.json:
        print(json.dumps(records))
    else:
        print(table(records, options.lam))
        for lam in options.lam:
            print(f"\nWorst prompt of seed 0, lambda {lam:g}: {records[0][str(lam)]['worst']['text']!r}")
        if options.models and 0.0 in options.lam:
            print("\n" + transferred(options.models, records, options))
    return int(0.0 in options.lam and not holds(records, options.lam))


if __name__ == "__main__":
    raise SystemExit(main())
