"""What a report weighs and how it opens: megabytes, seconds, pages on paper, and faults.

A fault is what axe calls serious, a request that leaves the machine, a script that fails, a page too wide: in
light and dark, on a phone and a desk.

Run: python -m perf.reports report.html ... [--browser chromium]
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.real.looked_at import SCHEMES, WIDTHS, faults, opened

TRIES = 3
DRAWN = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


def measured(running: Any, page: Path) -> dict[str, float]:
    """The figures of one report; `seconds` until it is drawn on a desk are the least of `TRIES`."""
    visit, seconds = running.new_page(viewport={"width": 1280, "height": 900}), float("inf")
    for _ in range(TRIES):
        began = time.perf_counter()
        visit.goto(page.resolve().as_uri())
        visit.wait_for_load_state("load")
        visit.evaluate(DRAWN)
        seconds = min(seconds, time.perf_counter() - began)
    paper = visit.pdf(format="A4")
    visit.close()
    return {
        "megabytes": page.stat().st_size / 1e6,
        "seconds": seconds,
        "pages": len(re.findall(rb"/Type\s*/Page[^s]", paper)),
        "faults": len(faults(running, page.resolve().as_uri())),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each report; 1 where one has a fault, weighs 3 MB or opens in more than 2 s."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    given = parser.parse_args(argv)
    looks = len(SCHEMES) * len(WIDTHS)
    print(f"| report | MB | seconds to open | A4 pages | faults in {looks} looks |")
    print("|---|---|---|---|---|")
    wrong = False
    with opened(given.browser) as running:
        for page in given.reports:
            found = measured(running, page)
            print(
                f"| {page.name} | {found['megabytes']:.2f} | {found['seconds']:.2f} | {found['pages']:.0f} "
                f"| {found['faults']:.0f} |"
            )
            wrong |= bool(found["faults"]) or found["megabytes"] >= 3 or found["seconds"] > 2
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
