"""The JSON output for programs: stable keys, built from the records.

Per-item scores stay in the run folder's parquet files: they are for tools, not for a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.records import Attribution, Measurement, Request, Verification, to_json
from evenhand.reports import advice, equal, leading, seeded

if TYPE_CHECKING:
    from evenhand.models import Asked
    from evenhand.studies.plan import Plan


def measurement(record: Measurement) -> dict[str, Any]:
    """One benchmark: ``benchmark, card, n, metrics, slices`` and their conditions.

    ``equal_rates`` says of gaps over groups what they would be if the groups had equal rates, and p.
    """
    data: dict[str, Any] = to_json(record)
    data["equal_rates"] = equal.as_json(record)
    del data["scores"], data["model"]
    return data


def measurements(records: Sequence[Measurement]) -> dict[str, Any]:
    """``model``, ``measurements`` and ``made_by``, that of the first one."""
    model, made = (to_json(records[0].model), to_json(records[0].made_by)) if records else (None, None)
    return {"model": model, "measurements": [measurement(record) for record in records], "made_by": made}


def requests(asked: Mapping[str, Sequence[Asked]]) -> dict[str, Any]:
    """``requests``: each with its `benchmark`, `sample`, `request` and `custom_id`, and its own fields.

    A request for text has `prompt` and `sampling`, one for a log-probability `context` and `text`; requests
    that only a masked model or an encoder can answer have their own `kind`.
    """
    return {
        "requests": [
            {
                "benchmark": name,
                "sample": one.sample,
                "request": one.index,
                "custom_id": one.custom_id,
                **_request(one.request),
            }
            for name, placed in asked.items()
            for one in placed
        ]
    }


def _request(request: Request) -> dict[str, Any]:
    fields: dict[str, Any] = to_json(request)
    fields.pop("chat", None)  # whether a prompt becomes a message depends on the model
    kinds = {
        "Generation": "completion",
        "Continuation": "logprob",
        "GreedyMatch": "recall",  # the names that earlier versions printed
        "ContextPair": "shift",
    }
    name = type(request).__name__
    return {"kind": kinds.get(name, name.lower()), **fields}


def plan(record: Plan) -> dict[str, Any]:
    """What a verification would run: ``models``, ``benchmarks``, and how many ``cells`` and ``rows``."""
    return {
        "uri": record.uri,
        "mitigation": record.mitigation,
        "primary": record.primary,
        "limited": record.limited,
        "models": {"base": 1, "treated": record.fits, "control": dict(record.control)},
        "least": dict(record.least),
        "minutes": None if record.seconds is None else [seconds / 60 for seconds in record.seconds],
        "untimed": record.untimed,
        "memory": None if record.memory is None else to_json(record.memory) | {"fits": record.memory.fits},
        "unsized": record.unsized,
        "smallest_effect": record.smallest,
        "note": record.note,
        "benchmarks": to_json(record.benchmarks),
        "cells": record.cells,
        "rows": record.rows,
    }


def attribution(record: Attribution) -> dict[str, Any]:
    """The locator's record with its ranking and its top site."""
    return {**to_json(record), "ranking": list(record.ranking()), "top": record.top}


def verification(record: Verification, report: Path | None) -> dict[str, Any]:
    """``verdict, before, after, effects, capability, control, report`` and the rest of the record.

    Of a method these are those of its weakest treated model, and ``seeds`` holds every one.
    """
    location = None if record.location is None else attribution(record.location)
    return {
        "verdict": record.verdict.value,
        "sentence": leading.sentence(record),
        "next_step": advice.next_step(record),
        "primary": record.primary,
        "reasons": list(record.reasons),
        "model": to_json(record.model),
        "treatment": record.treatment,
        "seed": record.seed,
        "limited": record.limited,
        "before": [measurement(m) for m in record.before],
        "after": [measurement(m) for m in record.after],
        "effects": to_json(record.effects),
        "capability": to_json(record.capability),
        "guards": to_json(record.guards),
        "seeds": to_json(record.seeds),
        "effects_over_seeds": seeded.as_json(record),
        "control": to_json(record.control),
        "location": location,
        "proof": to_json(record.proof),
        "notes": list(record.notes),
        "report": None if report is None else str(report),
        "made_by": to_json(record.made_by),
    }
