"""The texts of items, for reports that are asked to show them.

Runs store figures and ids, no texts. So a text is read from the benchmark again, and only where its data are
the very ones that were measured; nothing is downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evenhand import registry
from evenhand.errors import BadData, EvenhandError
from evenhand.records import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 240  # characters of a text that are shown
REDACTED = (
    "The items' texts are left out. `evenhand report RUN --texts` puts them in, where the benchmark's data "
    "are on this machine."
)
_FIELDS = ("context", "prompt", "text")


def texts(measurements: Sequence[Measurement]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """By benchmark the text of each item, and a sentence for each benchmark whose texts cannot be had."""
    found: dict[str, dict[str, str]] = {}
    why = []
    with _offline():
        for m in measurements:
            if not m.scores:
                continue
            try:
                found[m.benchmark] = _of(m)
            except (EvenhandError, ImportError) as error:
                why.append(f"The texts of {m.benchmark} cannot be shown: {error}")
    return found, why


@contextmanager
def _offline() -> Iterator[None]:
    """Libraries that could fetch a data set are told not to."""
    before = {name: os.environ.get(name) for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")}
    os.environ.update(dict.fromkeys(before, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _of(m: Measurement) -> dict[str, str]:
    """The texts of a measurement's items.

    Raises:
        EvenhandError: the benchmark cannot be made or read, or its data are others today.
    """
    benchmark = registry.create("benchmark", m.benchmark)
    samples = benchmark.load()
    if benchmark.card.digest != m.protocol.data:
        raise BadData("its data are not those that were measured.", mend="Measure anew with today's data.")
    measured = {score.sample for score in m.scores}
    return {s.id: short(told(benchmark.ask(s))) for s in samples if s.id in measured}


def told(requests: Sequence[Any]) -> str:
    """What the model was given for an item: each different context, prompt or text once."""
    parts = [next((str(v) for name in _FIELDS if (v := getattr(one, name, ""))), "") for one in requests]
    return " | ".join(dict.fromkeys(part.strip() for part in parts if part.strip()))


def short(text: str) -> str:
    """The text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
