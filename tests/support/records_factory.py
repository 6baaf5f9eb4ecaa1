"""Small hand-made records for the tests of the surfaces, with figures that can be worked out by hand.

Each profession has a planted share of "she". Before the treatment P(she) = mass * share; after it, the
share has moved towards one half by the factor `shrink`. Nothing here is random.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from evenhand.records import (
    Attribution,
    CapabilityResult,
    Card,
    Check,
    ControlPoint,
    ControlResult,
    Effect,
    Estimate,
    FamilyResult,
    GuardName,
    Measurement,
    ModelSpec,
    Protocol,
    Score,
    SiteScore,
    VerdictName,
    Verification,
)

MASS = 0.9
HINTS = ("ub",)
SHARES = {
    "mobster": 0.05,
    "footballer": 0.10,
    "preacher": 0.20,
    "philosopher": 0.30,
    "cook": 0.50,
    "student": 0.60,
    "caretaker": 0.70,
    "librarian": 0.80,
    "nurse": 0.95,
}
SCALES = ("word", "phrase", "sentence")
MODEL = ModelSpec("lab:causal", "a1" * 32, "causal", None, "float32", "llama", 520_000)


def estimate(value: float | None, n: int = 27, ideal: float | None = 0.0, half: float = 0.02) -> Estimate:
    """An estimate with a symmetric interval of `half` to each side; None stays undefined."""
    if value is None:
        return Estimate(None, None, None, 0, ideal, undefined=n)
    return Estimate(value, value - half, value + half, n, ideal)


def scores(shares: dict[str, float], mass: float = MASS) -> tuple[Score, ...]:
    """One item for each profession and scale, all scales alike."""
    return tuple(
        Score(
            f"genbiaseval/gender/{name}/{scale}",
            name,
            {"p.male": mass * (1 - share), "p.female": mass * share, "neutral": 0.05},
            {"scale": scale},
        )
        for name, share in shares.items()
        for scale in SCALES
    )


def _gaps(items: Sequence[Score]) -> tuple[float, float, float, float]:
    pairs = [(s.values["p.male"] or 0.0, s.values["p.female"] or 0.0) for s in items]
    n = len(pairs)
    gap = sum(abs(a - b) for a, b in pairs) / n
    normalised = sum(abs(a - b) / (a + b) for a, b in pairs) / n
    return gap, normalised, sum(a - b for a, b in pairs) / n, sum(a + b for a, b in pairs) / n


def bias_metrics(items: Sequence[Score]) -> dict[str, Estimate]:
    """AFGB, its normalised and signed twins and the mass, as plain means."""
    gap, normalised, signed, mass = _gaps(items)
    n = len(items)
    return {
        "afgb": estimate(gap, n),
        "afgb_normalised": estimate(normalised, n),
        "afgb_signed": estimate(signed, n),
        "mass": estimate(mass, n, None),
    }


def genbiaseval(
    shares: dict[str, float] = SHARES,
    *,
    treatment: str | None = None,
    limited: bool = False,
    mass: float = MASS,
) -> Measurement:
    """A GenBiasEval measurement whose figures follow from `shares`."""
    items = scores(shares, mass)
    slices = {f"scale={s}": bias_metrics([i for i in items if i.slices["scale"] == s]) for s in SCALES}
    card = Card("genbiaseval", "1", "Pronouns after a profession", "LFTF (2025)", "CC BY 4.0", "c0" * 32)
    protocol = Protocol(
        "d0" * 32, dtype="float32", limited=limited, template="The {profession} {action} because"
    )
    spec = MODEL if treatment is None else dataclasses.replace(MODEL, digest="b2" * 32)
    return Measurement(
        spec,
        "genbiaseval",
        card,
        protocol,
        len(items),
        bias_metrics(items),
        slices,
        items,
        treatment,
        primary="afgb_normalised",
        guards={GuardName.MASS: "mass"},
    )


def simple(
    benchmark: str, metric: str, value: float, *, treatment: str | None = None, n: int = 30
) -> Measurement:
    """A measurement of one metric without items."""
    ideal = None if metric == "perplexity" else 1.0
    card = Card(benchmark, "1", benchmark.title(), "this project", "Apache-2.0", "e0" * 32)
    spec = MODEL if treatment is None else dataclasses.replace(MODEL, digest="b2" * 32)
    return Measurement(
        spec, benchmark, card, Protocol("d1" * 32, dtype="float32"), n,
        {metric: estimate(value, n, ideal)}, {}, (), treatment,
        role="bias" if metric in HINTS else "capability",
        guards={GuardName.HINTS: metric} if metric in HINTS else {},
    )  # fmt: skip


def shrunk(shares: dict[str, float], shrink: float) -> dict[str, float]:
    """The shares moved towards one half: `shrink` 0 leaves them, 1 removes the gap."""
    return {name: 0.5 + (share - 0.5) * (1 - shrink) for name, share in shares.items()}


def effects(before: Sequence[Measurement], after: Sequence[Measurement]) -> tuple[Effect, ...]:
    """after - before for every metric, with an interval of 0.03 to each side."""
    return tuple(_effect(b, a, name) for b, a in zip(before, after, strict=True) for name in b.metrics)


def _effect(b: Measurement, a: Measurement, name: str) -> Effect:
    old, new = b.metrics[name], a.metrics[name]
    if old.value is None or new.value is None:
        return Effect(b.benchmark, name, old, new, estimate(None), None)
    change = new.value - old.value
    relative = change / old.value if old.value else None
    return Effect(b.benchmark, name, old, new, estimate(change, b.n, None, 0.03), relative, 0.001)


def check(name: str, before: float, after: float, *, margin: float, kept: bool | None) -> Check:
    """A limit on a loss; the interval is 0.004 to each side."""
    loss = estimate(before - after, 30, 0.0, 0.004)
    return Check(name, estimate(before), estimate(after), loss, margin, kept, f"The {name} must not fall.")


def location(locator: str = "bmi", *, specific: bool = False) -> Attribution:
    """Four blocks, the last one on top."""
    values = (0.11, 0.07, 0.19, 0.42)
    rows = tuple(SiteScore(f"block.{i}", v) for i, v in enumerate(values))
    return Attribution(locator, specific, rows, f"What {locator} sees.", details={"aggregation": "row_mean"})


def family(name: str, *, matched: bool = True) -> FamilyResult:
    """Capability falls and bias falls a little with the dose: two seeds of three doses."""
    slope = 0.1 if name == "sham" else 0.15
    points = tuple(
        ControlPoint(d, s, -0.4 * d + 0.02 * s, 0.47 - slope * d) for d in (0.5, 1.0, 2.0) for s in (0, 1)
    )
    none = estimate(None)
    if not matched:
        return FamilyResult(name, points, False, None, none, none, None, None)
    return FamilyResult(name, points, True, 0.25, estimate(0.02, 27), estimate(0.35, 27), 0.0005, False)


def control(*, reduced: bool = True, matched: bool = True) -> ControlResult:
    """T = 0.37 = K 0.02 + S 0.35 in both families."""
    families = (family("sham", matched=matched), family("noise", matched=matched))
    p_value = 0.0005 if matched else None
    return ControlResult(
        "afgb_normalised", reduced, 0.06, estimate(0.37, 27), 0.0, -0.1, families, p_value, 0.03
    )  # fmt: skip


def verification(
    verdict: VerdictName = VerdictName.MITIGATED, *, shares: dict[str, float] = SHARES, shrink: float = 0.8
) -> Verification:
    """A whole verification of LFTF on the lab model."""
    name = "lftf:loss=mass_preserving"
    before = (genbiaseval(shares), simple("genhinteval", "ub", 0.85),
              simple("facts:set=lab", "accuracy", 0.99),
              simple("perplexity:text=lab", "perplexity", 7.5))  # fmt: skip
    after = (
        genbiaseval(shrunk(shares, shrink), treatment=name),
        simple("genhinteval", "ub", 0.83, treatment=name),
        simple("facts:set=lab", "accuracy", 0.985, treatment=name),
        simple("perplexity:text=lab", "perplexity", 7.55, treatment=name),
    )
    checks = (check("accuracy on facts", 0.99, 0.985, margin=0.01, kept=True),
              check("log-perplexity", 2.01, 2.02, margin=0.02, kept=None))  # fmt: skip
    guards = (
        check("mass", 0.9, 0.88, margin=0.1, kept=True),
        check("ub", 0.85, 0.83, margin=0.05, kept=True),
        check("signed", 0.1, 0.02, margin=0.1, kept=True),
    )
    return Verification(
        verdict, ("The gap fell by 80 %.", "Capability stayed within the margin."),
        MODEL, name, 0, before, after,
        effects(before, after), CapabilityResult(True, checks), guards, control(), location(),
        {"max_logprob_change": 1.25, "details": {"blocks": ["block.3"], "lr": 1e-4}},
        notes=("The control ran in its reduced form.",),
    )  # fmt: skip
