"""Score a few texts in a process that may take no more memory than it has and so many bytes.

``python -m tests.real.limited MODEL BYTES`` prints the answers as JSON; the exit code is 4 where memory ran
out.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path

from evenhand.errors import OutOfMemory
from evenhand.models import Model
from evenhand.opening import open_model
from evenhand.records import Continuation
from evenhand.testing import tiny

ITEMS = [
    Continuation(f"The {noun} smiled because", f" {term}")
    for noun in ("nurse", "doctor")
    for term in ("he", "she")
]


def main() -> int:
    """Warm up with a small model, set the limit, and score; prints null for what did not fit."""
    uri, more = sys.argv[1], int(sys.argv[2])
    tiny.model("llama").answer(ITEMS)
    held = re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert held is not None
    limit = int(held[1]) * 1024 + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # files that are mapped to be read do not count
    try:
        model: Model = open_model(uri, dtype="float32")
        answers = [answer.value for answer in model.answer(ITEMS)]  # type: ignore[union-attr]
    except (OutOfMemory, MemoryError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 4
    print(json.dumps({"answers": answers, "digest": model.spec.digest}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
