"""The methods that a run used, in plain words, and the sources to cite for each, from their own cards."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from evenhand import __version__, registry
from evenhand.records import TREATED, MadeBy, Measurement, Verification
from evenhand.reports import tables
from evenhand.reports.tables import Table
from evenhand.training.stacking import split

HEAD = ("what", "in plain words", "cite")
_CITED = re.compile(r"[A-Z][\w’'-]+(?: et al\.| and [A-Z][\w’'-]+)? (?:(?:19|20)\d\d|\((?:19|20)\d\d\))")
_NAMED = re.compile(r"\(([A-Z][^)]*)\)")
Row = tuple[str, str, str]


def of_verification(record: Verification) -> Table:
    """The treatment, locator, control models, benchmarks and figures of a verification."""
    rows: list[Row] = []
    if not record.treatment.startswith(TREATED):
        rows += [_component("mitigation", spec) for spec in split(record.treatment)]
    if record.location is not None:
        rows.append(_component("locator", record.location.locator))
    families = [f.family for f in record.control.families] if record.control else []
    rows += [_component("control", family.replace(" ", "_")) for family in families]
    return _table([*rows, *_measured(record.before)])


def of_measurements(records: Sequence[Measurement]) -> Table:
    """The benchmarks and figures of a measurement."""
    return _table(list(_measured(records)))


def of_specs(kinds: Sequence[tuple[str, str]]) -> Table:
    """Components by (kind, spec), such as the mitigations of a study."""
    return _table([_component(kind, spec) for kind, spec in kinds])


def _table(rows: Sequence[Row]) -> Table:
    return Table("The methods of this run, and their sources", HEAD, tuple(dict.fromkeys(rows)), labels=3)


def _measured(records: Sequence[Measurement]) -> Iterator[Row]:
    for m in records:
        yield f"benchmark {m.benchmark}", m.card.title, m.card.source or "–"
    for name in dict.fromkeys(name for m in records for name in m.metrics):
        found = tables.installed_metric(name)
        if found is not None:
            yield f"figure {name}", found.title, found.source or "–"


def _component(kind: str, spec: str) -> Row:
    """A component's own words; a dash for one that is not installed here."""
    name = registry.parse(spec).name
    what = f"{kind} {spec}"
    found = registry.find(kind, name)
    if found is None:
        return what, "–", "–"
    return what, _first_line(found), _cited(found)


def _first_line(component: Any) -> str:
    lines = (inspect.getdoc(component) or "").split("\n\n")[0].split()
    return " ".join(lines) or "–"


def _cited(component: Any) -> str:
    """The works that the component's module names, in its order.

    Where it names none with a year, what its first paragraph has in brackets; a dash where it names nothing.
    """
    module = sys.modules.get(getattr(component, "__module__", ""))
    text = getattr(module, "__doc__", None) or ""
    found = "; ".join(dict.fromkeys(match.group() for match in _CITED.finditer(" ".join(text.split()))))
    named = _NAMED.search(" ".join(text.split("\n\n")[0].split()))
    return found or (named[1] if named else "–")


def citing(made: MadeBy | None) -> str:
    """How to cite the program itself."""
    commit = getattr(made, "commit", None)
    return (
        "Cite the works that are named here for the methods (a dash: the card names none), and the program "
        f"as: evenhand, version {__version__}{f', commit {commit[:12]}' if commit else ''}."
    )
