"""Measure, locate, mitigate, verify and monitor social bias in language models.

The verbs take a model's name and components written ``name:key=value``; everything they return is a frozen
record. Nothing heavy is imported until a verb or a noun is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenhand.benchmarks import Benchmark
    from evenhand.errors import EvenhandError
    from evenhand.locators import Locator
    from evenhand.metrics import Metric
    from evenhand.mitigations import Mitigation
    from evenhand.models import Model, OpenModel
    from evenhand.opening import open_model
    from evenhand.records import (
        Attribution,
        Audited,
        Card,
        Continuation,
        Effect,
        Estimate,
        Example,
        Finding,
        LogProb,
        Measurement,
        Protocol,
        Sample,
        Score,
        VerdictName,
        Verification,
    )
    from evenhand.reports import report
    from evenhand.studies.audit_options import AuditOptions
    from evenhand.studies.auditing import audit
    from evenhand.studies.compare import GateResult
    from evenhand.studies.grid.result import StudyResult
    from evenhand.studies.grid.running import study
    from evenhand.studies.options import RunOptions, VerifyOptions
    from evenhand.studies.plan import Plan, plan
    from evenhand.studies.repairing import repair
    from evenhand.studies.runs import compare, gate
    from evenhand.studies.verbs import locate, measure, mitigate, verify
    from evenhand.treatments import Treatment

__version__ = "0.1.0.dev0"

_HOMES = {
    "AuditOptions": "studies.audit_options",
    "Benchmark": "benchmarks",
    "EvenhandError": "errors",
    "GateResult": "studies.compare",
    "Locator": "locators",
    "Metric": "metrics",
    "Mitigation": "mitigations",
    "Model": "models",
    "OpenModel": "models",
    "Plan": "studies.plan",
    "RunOptions": "studies.options",
    "StudyResult": "studies.grid.result",
    "Treatment": "treatments",
    "VerifyOptions": "studies.options",
    "audit": "studies.auditing",
    "compare": "studies.runs",
    "gate": "studies.runs",
    "locate": "studies.verbs",
    "measure": "studies.verbs",
    "mitigate": "studies.verbs",
    "open_model": "opening",
    "plan": "studies.plan",
    "repair": "studies.repairing",
    "report": "reports",
    "study": "studies.grid.running",
    "verify": "studies.verbs",
}

__all__ = [
    "Attribution",
    "AuditOptions",
    "Audited",
    "Benchmark",
    "Card",
    "Continuation",
    "Effect",
    "Estimate",
    "EvenhandError",
    "Example",
    "Finding",
    "GateResult",
    "Locator",
    "LogProb",
    "Measurement",
    "Metric",
    "Mitigation",
    "Model",
    "OpenModel",
    "Plan",
    "Protocol",
    "RunOptions",
    "Sample",
    "Score",
    "StudyResult",
    "Treatment",
    "VerdictName",
    "Verification",
    "VerifyOptions",
    "audit",
    "compare",
    "gate",
    "locate",
    "measure",
    "mitigate",
    "open_model",
    "plan",
    "repair",
    "report",
    "study",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'evenhand' has no attribute {name!r}")
    return getattr(importlib.import_module(f"evenhand.{_HOMES.get(name, 'records')}"), name)


def __dir__() -> list[str]:
    """The surface alone: the names of the verbs and nouns, and what every module has."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__") and name.endswith("__"))])
