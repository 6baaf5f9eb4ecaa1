"""Whoever types a page: its commands, at trial size, and its Python, with what went wrong."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evenhand import sources
from tests.real import shown
from tests.real.starting import is_here, recipe, started
from tests.real.trial_size import CODES, DATA, HUB, NEEDS, PYTHON, rewritten, smaller
from tests.support.pages import Item, Step, steps

PASSWORD = "twelve or more"


@dataclass
class Reader:
    """Types what a page says, and keeps what went wrong."""

    text: str
    places: dict[str, str]
    names: dict[str, Any]
    capsys: pytest.CaptureFixture[str]
    wrong: list[tuple[Any, ...]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)

    def types(self, item: Item) -> None:
        """Do what one item says."""
        if item.python:
            self.python(item.text)
        elif item.text.startswith("make "):
            for line in recipe(item.text.split()[1]):
                self.command(item.text, line)
        else:
            self.command(item.text, item.text)

    def command(self, text: str, line: str) -> None:
        """Run a line, and judge it as the command of the page that it belongs to."""
        small = rewritten(line, **self.places)
        whole = [Step(["bash", "-c", small])] if "$(" in small else steps(small)
        if not all(is_here(step.words[0]) for step in whole) or re.search(r"\{(postgres|ray)\}", small):
            self.absent.append(text)
            return
        wanted = CODES.get(text, {4} if NEEDS.get(text) == HUB else None)
        data = [sources.entry(name) for part, name in DATA.items() if part in text]
        if any(sources.find(one) is None for one in data):
            self.absent.append(text)
            wanted = {2, 4}  # it has to say so
        self._printed()
        printed = ""
        for step in whole:
            code = self._done(step)
            printed += (said := self._printed())
            program = step.words[2 if step.words[1] == "-m" else 1]
            if code not in (wanted or CODES.get(program, {0})):
                self.wrong.append((text, step.words, code, said[-400:]))
        self._compare(text, small, printed)

    def _printed(self) -> str:
        """What was printed since this was asked last."""
        return "".join(self.capsys.readouterr())

    def _compare(self, text: str, small: str, printed: str) -> None:
        """What the page shows after the command, and its tables, with what was printed."""
        said = shown.outputs(self.text).get(text)
        figures = shown.same_size(text, small)
        if said is not None and not shown.says(printed, said, figures=figures):
            self.wrong.append((text, "the page shows", said, "and this was printed", printed))
        tables = shown.tables(printed)
        self.tables |= {heads for heads, _ in tables}
        if missing := shown.missing(tables, shown.tables(self.text)):
            self.wrong.append((text, "prints a table that the page does not have", missing))

    def _done(self, step: Step) -> int:
        sys.stdin = io.StringIO(f"{PASSWORD}\n")
        if not step.into:
            return started(step.words)
        with Path(step.into).open("w") as file, redirect_stdout(file):
            return started(step.words)

    def python(self, text: str) -> None:
        """Run a block of Python."""
        if "evenhand_gate" in text:
            Path("test_gate.py").write_text(text)
            gates = [sys.executable, "-m", "pytest", "-q", "test_gate.py"]
            done = subprocess.run(gates, check=False, capture_output=True, text=True)
            if not re.search(r"^2 (passed|failed) in", done.stdout, re.MULTILINE):  # an error is neither
                self.wrong.append((text, done.stdout))
            return
        code = text
        for found, instead in PYTHON:
            code = re.sub(found, instead, code)
        code = re.sub(r'"(\w+(?::[^"]*)?)"', lambda one: f'"{smaller(one[1])}"', code)
        self._printed()
        exec(code, self.names)
        for name in re.findall(r"^def (test_\w+)\(\)", code, re.MULTILINE):
            self.names[name]()
        printed = self._printed()
        if otherwise := shown.printed_otherwise(text, printed):
            self.wrong.append((text, "promises", otherwise, "and this was printed", printed))
