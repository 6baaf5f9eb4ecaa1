"""What a page shows of an output, beside what its commands print.

Three things are shown, each found by its form: the lines of a console after a command, a table in Markdown
that a program prints, and the figure in the comment after a ``print``. A command that is made smaller than it
stands on the page finds other figures; then all is compared but the figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.support.pages import blocks

FIGURE = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?")
ADDRESS = re.compile(r"https?://(?:localhost|127\.0\.0\.1)(?::\d+)?")
ROW = re.compile(r"^ *\|(.*)\| *$", re.MULTILINE)
RULE = re.compile(r"^[-: |]+$")
COMMENTED = re.compile(r"^ *print\(.*\) +# (-?\d+(?:\.\d+)?)", re.MULTILINE)
MORE = "..."  # alone on a line: lines are left out; at the end of one: the rest of it is
Table = tuple[str, frozenset[str]]
"""The heads of a table in one, and what its rows begin with."""


def outputs(page: str) -> dict[str, str]:
    """What consoles of a page show after each command; commands after which nothing stands are left out."""
    found: dict[str, str] = {}
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, said = part.partition("\n")
            if said.strip():
                found[command.strip()] = said
    return found


def masked(text: str) -> str:
    """A text without its figures."""
    return FIGURE.sub("#", text)


def says(printed: str, said: str, *, figures: bool) -> bool:
    """Whether `printed` has what a console shows, wherever its lines are broken.

    `figures` are compared too where the command is the page's own in full.
    """
    both = [" ".join(ADDRESS.sub("http://here", one).split()) for one in (printed, said)]
    real, wanted = both if figures else map(masked, both)
    parts = [part.strip() for part in wanted.split(MORE)]
    return re.search(r".*?".join(map(re.escape, filter(None, parts))), real) is not None


def same_size(command: str, run: str) -> bool:
    """Whether a command was run as it stands on its page, but for the address that it asks."""
    first, second = (" ".join(re.sub(r"openai:\S+", "openai:", one).split()) for one in (command, run))
    return first == second


def tables(text: str) -> list[Table]:
    """The tables in Markdown, without their figures."""
    found: list[Table] = []
    for block in re.split(r"\n(?! *\|)", text):
        rows = [masked(" ".join(one.split())) for one in ROW.findall(block)]
        if len(rows) > 1 and RULE.match(rows[1]):
            found.append((rows[0], frozenset(row.partition(" | ")[0] for row in rows[2:])))
    return found


def missing(printed: Iterable[Table], page: Iterable[Table]) -> list[Table]:
    """The printed tables that the page does not have, with the rows that it does not have."""
    shown: dict[str, set[str]] = {heads: set() for heads, _ in page}
    for heads, rows in page:
        shown[heads] |= rows
    return [
        (heads, rows - shown.get(heads, set()))
        for heads, rows in printed
        if heads not in shown or rows - shown[heads]
    ]


def promised(code: str) -> list[str]:
    """The figures in the comments after what a block of Python prints."""
    return COMMENTED.findall(code)


def printed_otherwise(code: str, printed: str) -> list[str]:
    """The promised figures that no line of `printed` has first, in order, when it is rounded as they are."""
    lines = iter(printed.splitlines())
    return [one for one in promised(code) if not any(_is(one, FIGURE.search(line)) for line in lines)]


def _is(wanted: str, found: re.Match[str] | None) -> bool:
    digits = len(wanted.partition(".")[2])
    return found is not None and round(float(found[0].replace(",", "")), digits) == float(wanted)
