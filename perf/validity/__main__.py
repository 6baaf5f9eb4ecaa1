"""The command line of the proof: judge the population, or count what was judged."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from . import runs, tables


def main() -> None:
    """Run or tabulate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "tables"))
    parser.add_argument(
        "--folder",
        type=Path,
        nargs="+",
        default=[Path("runs/validity")],
        help="of the readings; what is judged goes into the first, and what one of them has counts as in the "
        "first that has it",
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--part", default="1/1", help="which part of how many processes this is")
    parser.add_argument("--runs", type=int, default=10, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip", default="", help="kinds that are left out, separated by commas")
    parser.add_argument("--bases", nargs="+", help="labs of the damage, in place of all")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.what == "run":
        first, _, of = given.part.partition("/")
        part = (int(first), int(of))
        asked = runs.Asked(given.runs, given.seed, part, given.skip.split(","), given.bases)
        runs.run(given.folder, given.minutes, asked)
        return
    lines = tables.readings(*given.folder)
    print(tables.by_kind(lines))
    found = tables.summary(lines) if given.out is None else tables.write(lines, given.out)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
