"""Kill `mitigate`, `measure` and `verify` where they change the disk and at random instants: is anything lost?

Every command starts in a folder that holds another result. It is killed (SIGKILL) before and after each of its
renames, at other changes of the disk and at random instants; then somebody reads what stands (it must be the
old result or the new one, whole), the same command runs again to its end, and every file and folder is compared
with what a run leaves that nobody killed. Prints a Markdown table of all kills and a summary.

Run: OMP_NUM_THREADS=1 python perf/kills.py [--seed 0] [--kills 200] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.kills import Kill, kills


def taken(seed: int, least: int) -> list[Kill]:
    """`least` kills or more: every rename of every command, then random ones until there are enough."""
    found: list[Kill] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["EVENHAND_CACHE"] = f"{place}/cache"
        for kill in kills(seed, None, Path(os.path.realpath(place)), least=-(-least // 3)):
            found.append(kill)
            print(f"{len(found)}: {kill.verb} {kill.where}", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Kill, compare, print; returns 1 when something was lost, doubled or left over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = taken(options.seed, options.kills)
    wrong = [kill for kill in found if kill.faults]
    if options.json:
        print(json.dumps([vars(kill) for kill in found]))
        return 1 if wrong else 0
    print("| verb | where it struck | what stood then | after the same command again |")
    print("|---|---|---|---|")
    for kill in found:
        print(
            f"| {kill.verb} | {kill.where} | {kill.stood} | {'; '.join(kill.faults) or 'as never killed'} |"
        )
    struck = Counter(kill.verb for kill in found if kill.struck)
    each = ", ".join(f"{verb} {count}" for verb, count in struck.items())
    print(f"\n{struck.total()} kills ({each}): {len(wrong)} with something lost, doubled or left over.")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
