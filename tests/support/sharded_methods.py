"""One process of `tests/real/test_sharded_methods.py`, started by torchrun: fits by all beside one alone.

The first process prints one JSON object: for each method how far the two fits are apart, and what was held.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from evenhand import registry
from evenhand.models import together
from evenhand.models.together import Named
from evenhand.records import Example, PairExample
from evenhand.training import fitting, sharded
from tests.support.sharded import EXAMPLES, held, opened, run

HINTED = [
    Example(f"hint{i}", "hint", f"The {noun} took his coat and", e.groups, e.terms, keep=True)
    for i, (noun, e) in enumerate(zip(("nurse", "boy"), EXAMPLES, strict=False))
]
PAIRS = [
    PairExample(e.id, e.id, f"{e.context} she was late.", f"{e.context} he was late.") for e in EXAMPLES
]  # of several lengths; crows_tuning holds some out


def _apart(one: Any, other: Any) -> float:
    return max(float((one.weights[name] - other.weights[name]).abs().max()) for name in one.weights)


def _fits(model: Any, spec: str) -> Callable[[], Any]:
    """The fit of a method, by a spec of `tests/real/test_sharded_methods.py`."""
    name, *how = spec.split("/")
    if name.startswith("plain_text"):
        control: Any = registry.create("control", name)
        base: Any = registry.create("mitigation", "lftf:blocks=1").fit(model, EXAMPLES, sites=None, seed=0)
        return lambda: control.damage(model, base, 1.0, examples=EXAMPLES, seed=0)
    made: Any = registry.create("mitigation", name)
    method = made.sham(seed=3) if "sham" in how else made
    examples = PAIRS if "pairs" in how else [*EXAMPLES, *HINTED] if "hinted" in how else EXAMPLES
    return lambda: method.fit(model, examples, sites=None, seed=0)


@contextmanager
def _noted(seen: list[dict[str, int]]) -> Iterator[None]:
    minimise = fitting.minimise  # type: ignore[attr-defined]

    def counted(loss: Any, parameters: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(held(parameters))
        return minimise(loss, parameters, *args, **kwargs)

    fitting.minimise = counted  # type: ignore[attr-defined]
    try:
        yield
    finally:
        fitting.minimise = minimise  # type: ignore[attr-defined]


def main() -> None:
    sharded.LEAST = 0  # tiny models are dealt out as large ones are
    uri, size, _, *specs = sys.argv[1:]
    model = opened(Named(uri))
    before = {name: p.detach().clone() for name, p in model.module.named_parameters()}
    fits, seen = {spec: _fits(model, spec) for spec in specs}, list[dict[str, int]]()
    alone = {spec: fit() for spec, fit in fits.items()}
    found: dict[str, Any] = {}
    with together.leading(int(size)), _noted(seen):
        for spec, fit in fits.items():
            seen.clear()
            many = fit()
            found[spec] = {
                "apart": _apart(alone[spec], many),
                "again": _apart(many, fit()),
                "moved": max(float((before[n] - value).abs().max()) for n, value in many.weights.items()),
                "names": sorted(many.weights) == sorted(alone[spec].weights),
                "steps": [one.about.details["steps"] for one in (alone[spec], many)],
                "losses": [
                    [one.about.details[key] for key in ("first_loss", "last_loss")]
                    for one in (alone[spec], many)
                ],
                "dev": [one.about.details.get("dev_loss") for one in (alone[spec], many)],
                **seen[0],
            }
    print(json.dumps(found))


if __name__ == "__main__":
    run(main)
