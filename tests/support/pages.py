"""What the pages of docs/ have readers type: commands and Python in order, taken apart as a shell does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("methods/*.md"), ROOT / "README.md"])
FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
# A command in the prose begins with a program; a verb of ours alone is its name, unless it needs no more.
SPAN = re.compile(
    r"`(evenhand\s+(?:ls|doctor|[a-z-]+\s[^`]+)"
    r"|(?:python3?|make|pip|docker|curl|vllm|transformers|hf|pytest)\s[^`]+)`"
)
PATTERN = re.compile(r"\.\.\.|[][]|\S\|\S")
SHELLS = ("sh", "bash", "console")
COMMENT = re.compile(r"(?:^|\s)#.*")
TOKEN = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
# What starts a program for somebody else, somewhere else or several times: it is not what a page teaches.
BEFORE = re.compile(
    r"(?:sudo -u \w+ |docker compose exec \w+ |srun |(?:torchrun|accelerate launch) .*?-m (?=evenhand )"
    r"|\*/15 \* \* \* \* \w+ )?(?:[A-Z_]+=\S+ )*(?:(?:/opt/evenhand|\.venv)/bin/)?"
)
COMMAND = re.compile(r"(?:evenhand|python3? (?:-m (?:evenhand|perf)\b|perf/)|install) ?")


@dataclass(frozen=True)
class Step:
    """One program with its words, and the file that takes what it prints."""

    words: list[str]
    into: str = ""


@dataclass(frozen=True)
class Item:
    """One command of a page, or one of its blocks of Python."""

    text: str
    python: bool = False


def blocks(text: str, *kinds: str) -> list[str]:
    """The fenced blocks of these languages."""
    return [dedent(one[3]) for one in FENCED.finditer(text) if one[2] in kinds]


def _lines(block: str, kind: str) -> Iterator[str]:
    """A shell block's lines, continuations joined, without comments; of a console those after a prompt."""
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        bare = COMMENT.sub("", line.removeprefix("$ ")).strip()
        if bare and (kind != "console" or line.startswith("$ ")):
            yield re.sub(r"(?<=\w)  +(?=\S)", " ", bare)


def items(text: str) -> list[Item]:
    """What a page has readers type, in its order: lines of shell blocks, fenced or indented, and Python."""
    found = [(one.start(), one[2], dedent(one[3])) for one in FENCED.finditer(text)]
    rest = FENCED.sub(lambda one: re.sub(r"[^\n]", "`", one[0]), text)  # masked, so that places stay
    found += [(one.start(), "sh", dedent(one[0])) for one in INDENTED.finditer(rest)]
    typed: list[Item] = []
    for _, kind, block in sorted(found):
        if kind == "python":
            typed.append(Item(block, python=True))
        elif kind in SHELLS:
            typed += [Item(line) for line in _lines(block, kind)]
    return typed


def commands(text: str) -> list[str]:
    """Those lines of a page that start evenhand, or a script or module of ours by Python."""
    return [one.text for one in items(text) if not one.python and is_command(one.text)]


def is_command(line: str) -> bool:
    """Whether a line starts something of ours, or puts a file to where the next line looks for it."""
    return COMMAND.match(BEFORE.sub("", line, count=1)) is not None and not is_pattern(line)


def is_pattern(line: str) -> bool:
    """Whether a line says how commands look: it has dots for more, brackets or choices, not in quotes."""
    return PATTERN.search(QUOTED.sub("", line)) is not None


def spans(text: str) -> list[str]:
    """Commands in the prose, each once."""
    prose = FENCED.sub("", text)
    return list(dict.fromkeys(" ".join(one.replace("\\|", "|").split()) for one in SPAN.findall(prose)))


def steps(line: str) -> list[Step]:
    """The programs of a line: quotes are taken off, and patterns that are not quoted are expanded.

    Programs between which there is a pipe are one step, with the pipe among its words.
    """
    found: list[Step] = [Step([])]
    tokens = iter(TOKEN.findall(line))
    for token in tokens:
        bare = QUOTED.sub("", token)
        if token == "&&":
            found.append(Step([]))
        elif token == ">":
            found[-1] = Step(found[-1].words, next(tokens))
        else:
            plain = token == "|" or not set("|;<>&$`?") & set(bare)
            assert plain, f"a shell would do something else with {token}: {line}"
            word = QUOTED.sub(lambda one: one[1] or one[2] or "", token)
            found[-1].words.extend((sorted(map(str, Path().glob(word))) if "*" in bare else []) or [word])
    return found
