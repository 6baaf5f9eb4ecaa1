"""Contract tests that ship with the package, so that a plug-in can run them on its own component.

``python -m evenhand.testing NAME`` runs the contracts of the component's kind and prints one line for each;
`docs/testing.md` shows how. A contract is a plain function of a `Subject` whose docstring says what it
guarantees; it raises AssertionError with a reason where the component does not keep it, and `NotTried`
where there is nothing to judge. What a contract cannot find out from a component, the component's case states
(`evenhand.testing.cases`).

Nothing here needs pytest, the network or files beside the package: models are scripted
(`evenhand.testing.scripted`), tiny and random (`evenhand.testing.tiny`), or made by the lab.
"""

from __future__ import annotations

from evenhand.testing.cases import (
    AuditCase,
    BenchmarkCase,
    ControlCase,
    LocatorCase,
    MetricCase,
    MitigationCase,
    ModelCase,
    Swap,
)
from evenhand.testing.contracts import NotTried, Outcome, Subject, expect
from evenhand.testing.kinds import judge

__all__ = [
    "AuditCase",
    "BenchmarkCase",
    "ControlCase",
    "LocatorCase",
    "MetricCase",
    "MitigationCase",
    "ModelCase",
    "NotTried",
    "Outcome",
    "Subject",
    "Swap",
    "expect",
    "judge",
]
