"""Kill `mitigate`, `measure` and `verify` wherever they change the disk, and at random: is anything lost?

Every command starts in a folder that holds another result. It is killed (SIGKILL) before and after each of
its renames, at other changes of the disk and at random instants; then somebody reads what stands (it must be
the old result or the new one, whole), the same command runs again to its end, and every file and folder is
compared with what a run leaves that nobody killed. Prints a Markdown table of all kills and a summary.

Run: OMP_NUM_THREADS=1 python perf/kills.py [--seed 0] [--kills 200] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VERBS = ("mitigate", "measure", "verify")


def taken(seed: int, least: int) -> list[dict[str, Any]]:
    """At least `least` kills: every rename of every command, then others in rotation."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    each = str(-(-least // len(VERBS)))
    working = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.kills", str(seed), each, "every-rename", verb],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
        )
        for verb in VERBS
    ]
    return [json.loads(line) for one in working for line in one.communicate()[0].splitlines()]


def main() -> int:
    """Kill, compare, print; returns 1 when something was lost, doubled or left over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = taken(options.seed, options.kills)
    wrong = [kill for kill in found if kill["faults"]]
    struck = Counter(kill["verb"] for kill in found if kill["struck"])
    if options.json:
        print(json.dumps(found))
    else:
        print("| verb | where it struck | what stood then | after the same command again |")
        print("|---|---|---|---|")
        for kill in found:
            again = "; ".join(kill["faults"]) or "as never killed"
            print(f"| {kill['verb']} | {kill['where']} | {kill['stood']} | {again} |")
        each = ", ".join(f"{verb} {struck[verb]}" for verb in VERBS)
        print(f"\n{struck.total()} kills ({each}): {len(wrong)} with something lost, doubled or left over.")
    return 1 if wrong or struck.total() < options.kills else 0


if __name__ == "__main__":
    raise SystemExit(main())
