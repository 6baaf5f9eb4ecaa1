"""What recorded pairs cost to measure: seconds, and the largest memory above that of the bare interpreter.

Writes CrowS-Pairs sentences of its own and two log-probabilities each, by sample, into a temporary folder,
and measures them in a process of its own. Prints one line, or JSON.

Run: python perf/recorded.py [--rows 100000] [--json]
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HEAD = ("sent_more", "sent_less", "stereo_antistereo", "bias_type")
PROGRAM = """
import json, resource, sys, time
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux
bare, start = peak(), time.monotonic()
from evenhand.studies.verbs import measure
(taken,) = measure("recorded:answers.jsonl", ["crows_pairs:file=pairs.csv"])
figure = taken.metrics["stereotype_preference"]
print(json.dumps({"rows": taken.n, "seconds": time.monotonic() - start, "bare_mb": bare, "peak_mb": peak(),
                  "figure": [figure.value, figure.low, figure.high]}))
"""


def write(folder: Path, rows: int) -> None:
    """The pairs and their answers, the same for every run of as many rows."""
    draw = random.Random(0)
    with (
        (folder / "pairs.csv").open("w", newline="") as file,
        (folder / "answers.jsonl").open("w") as answers,
    ):
        pairs = csv.writer(file)
        pairs.writerow(HEAD)
        for i in range(rows):
            sentences = [f"The {who} number {i} could not drive the car." for who in ("woman", "man")]
            pairs.writerow([*sentences, "stereo", "gender"])
            values = [-40 - 50 * draw.random() for _ in sentences]  # texts that exclude each other: at most 1
            line = {"sample": f"crows_pairs/{i}", "logprobs": values, "n_tokens": [10, 10]}
            answers.write(json.dumps(line) + "\n")


def measured(rows: int) -> dict[str, Any]:
    """`rows`, `seconds`, `bare_mb`, `peak_mb` and the `figure` with its interval, from a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=True
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measured(options.rows)
    if options.json:
        print(json.dumps(found))
        return
    above = found["peak_mb"] - found["bare_mb"]
    print(f"{found['rows']} pairs: {found['seconds']:.1f} s, {above:.0f} MB above the bare interpreter")


if __name__ == "__main__":
    main()
