"""Every error that evenhand raises on purpose.

::

    EvenhandError                exit  what happened
    ├── GateFailed                 1   a gate that the user set was not met
    ├── UsageError                 2   the request cannot be carried out as written
    │   ├── UnknownName            2   no such model scheme, benchmark, metric, attribute, ...
    │   ├── BadOption              2   a component has no such option, or not with this value
    │   ├── BadData                2   a file or a text is malformed, empty or missing
    │   └── BadModel               2   the model or its tokenizer cannot serve this request
    ├── Inconclusive               3   the work ended without an answer
    │   ├── NotComparable          3   two measurements were taken in different ways
    │   └── NoEffect               3   a treatment left the model exactly as it was
    └── EnvironmentProblem         4   this machine lacks something
        ├── MissingExtra           4   an optional dependency is not installed
        ├── OutOfMemory            4   even one row does not fit
        └── NoSpace                4   the disk is full or not writable

Each error says *what* was wrong and how to *mend* it, in one paragraph; the command line prints that
paragraph and exits with the code of the class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

LISTABLE, SHOWN = 8, 20  # most names in a message: where a command lists them all, and where none does


class EvenhandError(Exception):
    """Base of all errors: `what` went wrong, and `mend`, what to do or type instead, in whole sentences."""

    exit_code = 2

    def __init__(self, what: str, *, mend: str) -> None:
        super().__init__(f"{what} {mend}")
        self.what = what
        self.mend = mend

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling between processes although `mend` is keyword-only."""
        return _rebuild, (type(self), self.what, self.mend)


def _rebuild(kind: type[EvenhandError], what: str, mend: str) -> EvenhandError:
    error = kind.__new__(kind)
    EvenhandError.__init__(error, what, mend=mend)
    return error


class GateFailed(EvenhandError):
    """A gate that the user set was not met."""

    exit_code = 1


class UsageError(EvenhandError):
    """The request cannot be carried out as written."""


class UnknownName(UsageError):
    """A name that no registry knows; the message gives near names first, then a few others.

    `lister` is the command that lists all of `known`: then 8 names are enough, without it 20 are shown.
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str], *, mend: str = "", lister: str = ""
    ) -> None:
        names = sorted(known)
        near = near_names(name, names)
        hint = f"Did you mean {_listed(near)}? " if near else ""
        super().__init__(
            f"There is no {kind} named {name!r}.",
            mend=f"{hint}{_existing(names, near, lister)}{' ' + mend if mend else ''}",
        )
        self.name = name
        self.known = names


def near_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Those of `known` that are spelt almost like `name`, the nearest first, at most `most`."""
    return difflib.get_close_matches(name, list(known), n=most, cutoff=0.5)


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """The near names as " (did you mean ...?)", to stand behind a name; "" where there are none."""
    near = near_names(name, known, most)
    return f" (did you mean {_listed(near)}?)" if near else ""


def listed(problems: Sequence[str], shown: int = SHOWN) -> str:
    """The first of `problems` in one sentence, and how many more there are."""
    more = f"; and {len(problems) - shown} more" if len(problems) > shown else ""
    return "; ".join(problems[:shown]) + more


def _existing(names: Sequence[str], near: Sequence[str], lister: str) -> str:
    """What exists, in a list of bounded length: a table of the user's may have 100 000 columns.

    In a list that is cut, the near names are left out, because the message has named them already.
    """
    if not names:
        return "None exist."
    most = LISTABLE if lister else SHOWN
    if len(names) <= most:
        return f"These exist: {_joined(names)}."
    others = [name for name in names if name not in near][: most - len(near)]
    if lister:
        return f"Others are {_joined(others)}; `{lister}` lists all {len(names)}."
    return f"These exist: {_joined(others)} and {len(names) - len(near) - len(others)} more."


def _joined(names: Sequence[str]) -> str:
    return ", ".join(name[:80] for name in names)


def _listed(names: list[str]) -> str:
    return " or ".join(repr(name) for name in names)


class BadOption(UsageError):
    """A component has no such option, or not with this value."""


class BadData(UsageError):
    """A file or a text is malformed, empty or missing."""


class BadModel(UsageError):
    """The model or its tokenizer cannot serve this request."""


class Inconclusive(EvenhandError):
    """The work ended without an answer."""

    exit_code = 3


class NotComparable(Inconclusive):
    """Two measurements were taken in different ways: with other items, options or scoring."""


class NoEffect(Inconclusive):
    """A treatment left the model exactly as it was."""


class EnvironmentProblem(EvenhandError):
    """This machine lacks something."""

    exit_code = 4


class MissingExtra(EnvironmentProblem):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed.",
            mend=f"Install it with: pip install 'evenhand[{extra}]'",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (MissingExtra, self.what, self.mend)


class OutOfMemory(EnvironmentProblem):
    """Even one row does not fit into memory."""


class NoSpace(EnvironmentProblem):
    """The disk is full or not writable."""
