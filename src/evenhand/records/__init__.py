"""The frozen records that cross floors or reach disk, and their one JSON round trip.

Undefined values are ``None`` everywhere, never ``0`` and never ``NaN``: strict JSON has no NaN, and a
zero would read as "no bias". `to_json` refuses NaN and infinities for the same reason.
"""

from __future__ import annotations

from evenhand.records.asked import (
    Ability,
    Averaged,
    Cloze,
    Completion,
    ContextPair,
    Continuation,
    Contrast,
    Divergence,
    Embedding,
    Generation,
    GreedyMatch,
    LogProb,
    MatchedLogProb,
    Request,
    Response,
    Sampling,
    Unanchored,
    Undefined,
    Until,
    Vector,
    answer_in_groups,
)
from evenhand.records.json import digest, from_json, to_json
from evenhand.records.judged import (
    Attribution,
    CapabilityResult,
    Check,
    ControlPoint,
    ControlResult,
    Effect,
    FamilyResult,
    SiteScore,
    VerdictName,
    Verification,
)
from evenhand.records.learned import (
    EVERY_KIND,
    Example,
    Kinds,
    PairExample,
    PersonExample,
    TextExample,
    TrainingExample,
)
from evenhand.records.measured import (
    Card,
    Estimate,
    GuardName,
    Measurement,
    ModelSpec,
    Protocol,
    Sample,
    Score,
    Value,
)

__all__ = [
    "EVERY_KIND", "Ability", "Attribution", "Averaged", "CapabilityResult", "Card", "Check", "Cloze",
    "Completion", "ContextPair", "Continuation", "Contrast", "ControlPoint", "ControlResult",
    "Divergence", "Effect", "Embedding", "Estimate", "Example", "FamilyResult", "Generation",
    "GreedyMatch", "GuardName", "Kinds", "LogProb", "MatchedLogProb", "Measurement", "ModelSpec",
    "PairExample", "PersonExample", "Protocol", "Request", "Response", "Sample", "Sampling", "Score",
    "SiteScore", "TextExample", "TrainingExample", "Unanchored", "Undefined", "Until", "Value", "Vector",
    "VerdictName", "Verification", "answer_in_groups", "digest", "from_json", "to_json",
]  # fmt: skip
