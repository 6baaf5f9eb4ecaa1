"""JUnit XML, as Jenkins, GitLab and others read it: a condition is a test case."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from evenhand.publishing.gates import Case, State

_SUITE = "evenhand gate"
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0


def junit(cases: Sequence[Case], *, limited: bool = False) -> bytes:
    """The XML file of a gate; a failed condition has a `failure`, one that could not be judged an `error`.

    With `limited`, a property says that the run measured a part of its items only.
    """
    counts = {state: sum(case.state is state for case in cases) for state in State}
    totals = {
        "name": _SUITE,
        "tests": str(len(cases)),
        "failures": str(counts[State.FAILURE]),
        "errors": str(counts[State.ERROR]),
    }
    root = Element("testsuites", totals)
    suite = SubElement(root, "testsuite", {**totals, "skipped": "0"})
    if limited:
        properties = SubElement(suite, "properties")
        SubElement(properties, "property", {"name": "limited", "value": "true"})
    for case in cases:
        _add(suite, case)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _add(suite: Element, case: Case) -> None:
    found = SubElement(suite, "testcase", {"classname": _clean(case.run), "name": _clean(case.condition)})
    if case.state is State.PASSED:
        SubElement(found, "system-out").text = _clean(case.said)
        return
    kind = "GateFailed" if case.state is State.FAILURE else "Inconclusive"
    wrong = SubElement(found, case.state.value, {"message": _clean(case.said), "type": kind})
    wrong.text = _clean(case.said)


def _clean(text: str) -> str:
    """`text` with what XML cannot hold as an escape."""
    return _FORBIDDEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
