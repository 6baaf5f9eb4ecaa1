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
    from evenhand.models import Model, OpenModel, open_model
    from evenhand.records import (
        Attribution,
        Card,
        Continuation,
        Effect,
        Estimate,
        Example,
        LogProb,
        Measurement,
        Protocol,
        Sample,
        Score,
        VerdictName,
        Verification,
    )
    from evenhand.reports import report
    from evenhand.studies.run import RunOptions, VerifyOptions, locate, measure, mitigate, verify
    from evenhand.treatments import Treatment

__version__ = "0.1.0.dev0"

_HOMES = {
    "Benchmark": "benchmarks",
    "EvenhandError": "errors",
    "Locator": "locators",
    "Metric": "metrics",
    "Mitigation": "mitigations",
    "Model": "models",
    "OpenModel": "models",
    "RunOptions": "studies.run",
    "Treatment": "treatments",
    "VerifyOptions": "studies.run",
    "locate": "studies.run",
    "measure": "studies.run",
    "mitigate": "studies.run",
    "open_model": "models",
    "report": "reports",
    "verify": "studies.run",
}

__all__ = [
    "Attribution",
    "Benchmark",
    "Card",
    "Continuation",
    "Effect",
    "Estimate",
    "EvenhandError",
    "Example",
    "Locator",
    "LogProb",
    "Measurement",
    "Metric",
    "Mitigation",
    "Model",
    "OpenModel",
    "Protocol",
    "RunOptions",
    "Sample",
    "Score",
    "Treatment",
    "VerdictName",
    "Verification",
    "VerifyOptions",
    "locate",
    "measure",
    "mitigate",
    "open_model",
    "report",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'evenhand' has no attribute {name!r}")
    return getattr(importlib.import_module(f"evenhand.{_HOMES.get(name, 'records')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
