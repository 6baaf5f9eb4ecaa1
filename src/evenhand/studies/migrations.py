"""What runs of earlier versions lack, filled in when they are read: for each kind of file a step a schema.

Schema 1 (0.1 and before): a measurement named neither the part that its benchmark plays in a verdict nor its
primary metric and guards, and a verification not the metric that it is about. Schema 2 has all of them, and
what made each record.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from evenhand import registry
from evenhand.errors import EvenhandError
from evenhand.records import to_json
from evenhand.schema import Steps

_DECLARED = ("role", "primary", "guards")


def _measurement(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body if all(key in body for key in _DECLARED) else {**_declared(body["benchmark"]), **body}


@cache
def _declared(benchmark: str) -> Mapping[str, Any]:
    """What the benchmark of that name declares today; nothing where it cannot be made here any more."""
    try:
        made = registry.create("benchmark", benchmark)
    except (EvenhandError, ImportError):
        return {}
    return {name: to_json(getattr(made, name)) for name in _DECLARED}


def _measurements(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**body, "measurements": [_measurement(one) for one in body["measurements"]]}


def _verification(body: Mapping[str, Any]) -> Mapping[str, Any]:
    sides = {side: [_measurement(one) for one in body[side]] for side in ("before", "after")}
    return {"primary": _judged_by(body, sides["before"]), **body, **sides}


def _judged_by(body: Mapping[str, Any], before: list[Mapping[str, Any]]) -> str | None:
    """The metric of a verdict from before it was named: the control's, else the first primary one."""
    if body.get("control") is not None:
        return str(body["control"]["metric"])
    primaries = [one.get("primary") for one in before if one.get("role", "bias") == "bias"]
    return next((name for name in primaries if name is not None), None)


STEPS: Mapping[str, Steps] = {
    "cell": {1: _measurement},
    "measurements": {1: _measurements},
    "verification": {1: _verification},
}
