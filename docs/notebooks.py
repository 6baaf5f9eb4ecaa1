"""Execute the notebooks of docs/notebooks and keep their outputs, or say where they differ from those kept.

Run: python docs/notebooks.py [--check] [NAME ...]

Each is executed in an empty folder. ``--check`` writes nothing: exit status 1, and what differs, when the
outputs are not those that are kept. Words and whole numbers must be the same. Other numbers may differ a
little, since the weights of the lab's models are not the same on every processor. Needs the extra
``notebooks``.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "notebooks"
SECONDS = 900  # for one cell: the first one that needs it trains a model of the lab
NEAR, SHARE = 0.05, 0.25  # how far a number may be from the one kept: this much, or this share of it
QUIET = "ignore:IProgress not found"  # tqdm's, of libraries that would draw a bar of ipywidgets
NUMBER = re.compile(r"[+\-−]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
Notebook = dict[str, Any]


def read(path: Path) -> Notebook:
    """The notebook in a file."""
    found: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return found


def executed(notebook: Notebook) -> Notebook:
    """A copy of the notebook, executed in an empty folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell ends with an error.
    """
    import nbformat
    from nbclient import NotebookClient

    fresh = nbformat.reads(json.dumps(notebook), as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            fresh, timeout=SECONDS, record_timing=False, resources={"metadata": {"path": folder}}
        )
        client.execute(env=os.environ | {"PYTHONWARNINGS": QUIET})
    fresh.metadata["language_info"] = {"name": "python"}  # and not which Python it was
    made: Notebook = json.loads(nbformat.writes(fresh))
    return made


def differences(kept: Notebook, fresh: Notebook) -> list[str]:
    """Where two executions of one notebook do not show the same, a sentence each."""
    found = []
    for number, (old, new) in enumerate(zip(kept["cells"], fresh["cells"], strict=True), 1):
        ours, theirs = list(shown(old)), list(shown(new))
        if [kind for kind, _ in ours] != [kind for kind, _ in theirs]:
            found.append(f"cell {number}: {_kinds(ours)} kept, {_kinds(theirs)} executed")
            continue
        found += [
            f"cell {number}, {kind}: {why}"
            for (kind, a), (_, b) in zip(ours, theirs, strict=True)
            if (why := unlike(a, b))
        ]
    return found


def shown(cell: Notebook) -> Iterator[tuple[str, str]]:
    """What a cell puts out: a kind such as ``text/html`` or ``stdout``, and its text."""
    for output in cell.get("outputs", ()):
        if output["output_type"] == "stream":
            yield output["name"], "".join(output["text"])
        elif output["output_type"] == "error":
            yield "error", f"{output['ename']}: {output['evalue']}"
        else:
            yield from ((kind, "".join(text)) for kind, text in sorted(output["data"].items()))


def unlike(kept: str, fresh: str) -> str:
    """How two texts differ in words, whole numbers, or numbers too far apart; empty if they agree."""
    words, others = (" ".join(NUMBER.sub(" # ", text).split()) for text in (kept, fresh))
    if words != others:
        place = next((i for i, (a, b) in enumerate(zip(words, others, strict=False)) if a != b), -20)
        return f"kept {words[place - 20 : place + 60]!r}, executed {others[place - 20 : place + 60]!r}"
    for a, b in zip(NUMBER.findall(kept), NUMBER.findall(fresh), strict=True):
        if not _near(a, b):
            return f"kept {a}, executed {b}"
    return ""


def _near(kept: str, fresh: str) -> bool:
    if not {".", "e"} & {*kept, *fresh}:
        return kept == fresh
    a, b = (float(text.replace("−", "-")) for text in (kept, fresh))
    return abs(a - b) <= max(NEAR, SHARE * abs(a))


def _kinds(outputs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(kind for kind, _ in outputs) or "nothing"


def main(arguments: Sequence[str]) -> int:
    """Execute the notebooks named, or all; keep what they show, or compare it with what is kept."""
    check = "--check" in arguments
    names = [Path(one).stem for one in arguments if one != "--check"]
    paths = [FOLDER / f"{name}.ipynb" for name in names] or sorted(FOLDER.glob("*.ipynb"))
    wrong = 0
    for path in paths:
        kept = read(path)
        fresh = executed(kept)
        if not check:
            path.write_text(json.dumps(fresh, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(f"executed {path.name}")
            continue
        for one in differences(kept, fresh):
            wrong += 1
            print(f"{path.name}, {one}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
