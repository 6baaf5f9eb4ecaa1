"""A process of its own that stores batches and says each that was acknowledged: the tests kill it."""

from __future__ import annotations

import sys

from evenhand.monitor.ingest import take
from evenhand.monitor.store import open_store
from tests.monitor.made import decision

SIZE = 20


def main(folder: str, database: str, start: str) -> None:
    """Store batches from number `start` on, until somebody ends it."""
    store = open_store(folder, database or None)
    number = int(start)
    while True:
        take(store, [decision(f"{number}-{i}") for i in range(SIZE)])
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
