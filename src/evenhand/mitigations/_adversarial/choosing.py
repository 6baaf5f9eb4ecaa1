"""The choice of the round of an adversarial fit, and its worst prompt: early stopping on held-out people.

The rule: of the rounds whose accuracy on held-out people is within a tolerance of the best round's, keep the
one whose worst distance between twins is smallest. The adversaries of different rounds are not comparable, so
every candidate is tested with the same pool: no prefix, and the prefixes that any adversary had found after
any round. A fit without an adversary (lam = 0) has no distances and keeps the smallest task loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.mitigations._adversarial.adversary import survives, written
from evenhand.mitigations._adversarial.prompts import score
from evenhand.mitigations._adversarial.training import Trainer
from evenhand.models import OpenModel
from evenhand.progress import task
from evenhand.records import PersonExample
from evenhand.training.lora import Adapter

POOL = 8


@dataclass(frozen=True)
class Choice:
    """The round that was kept, why, and the worst distance by round (None where a round was not tested)."""

    round: int
    rule: str
    worst: tuple[float | None, ...] = ()


def choose(trainer: Trainer, adapter: Adapter, tolerance: float) -> Choice:
    """Apply the rule of this module; the adapter then holds the kept round's weights.

    With averaged weights, only rounds with an average can be kept. Without held-out people it is the last.
    """
    done = trainer.trained
    last = len(done.snapshots) - 1
    averaged = [r for r in range(last + 1) if done.apart[r] is not None]
    able = averaged if trainer.settings.average != "none" and averaged else list(range(last + 1))
    if trainer.dev is None:
        choice = Choice(last, "the last round: there are no held-out people")
    else:
        best = max(done.history[r]["dev_accuracy"] for r in able)
        able = [r for r in able if done.history[r]["dev_accuracy"] >= best - tolerance]
        choice = _by_task(trainer, able) if not trainer.settings.lam else _by_worst(trainer, adapter, able)
    adapter.write(done.snapshots[choice.round])
    return choice


def last(trainer: Trainer, adapter: Adapter) -> Choice:
    """The last round, whatever it reached; the adapter then holds its weights."""
    choice = Choice(len(trainer.trained.snapshots) - 1, "the last round")
    adapter.write(trainer.trained.snapshots[choice.round])
    return choice


def _by_task(trainer: Trainer, able: Sequence[int]) -> Choice:
    kept = min(able, key=lambda r: trainer.trained.history[r]["dev_task"])
    return Choice(kept, "smallest task loss on held-out people, accuracy within tolerance of the best")


def _by_worst(trainer: Trainer, adapter: Adapter, able: Sequence[int]) -> Choice:
    assert trainer.dev is not None
    worst: list[float | None] = [None] * len(trainer.trained.snapshots)
    prefixes = pool(trainer)
    with task("examining rounds", len(able), unit="round") as advance:
        for r in able:
            adapter.write(trainer.trained.snapshots[r])
            worst[r] = max(trainer.apart(trainer.dev, ids) for ids in (None, *prefixes))
            advance(1)
    kept = min(able, key=lambda r: worst[r] or 0.0)
    rule = "smallest worst distance on held-out people, accuracy within tolerance of the best"
    return Choice(kept, rule, tuple(worst))


def pool(trainer: Trainer) -> list[list[int]]:
    """The prefixes for the test: each adversary's last one, then those that were worst in their own round."""
    done = trainer.trained
    found = [(0.0, ids) for ids in done.prompts[-1]]
    for entry, prompts in zip(done.history[:-1], done.prompts[:-1], strict=True):
        values = entry.get("dev_distances", [0.0] * (1 + len(prompts)))[1:]
        found += [(-value, ids) for value, ids in zip(values, prompts, strict=True)]
    ordered = [ids for _, ids in sorted(found[len(done.prompts[-1]) :], key=lambda pair: pair[0])]
    distinct = {tuple(ids): ids for ids in (*done.prompts[-1], *ordered)}
    return list(distinct.values())[: max(POOL, len(done.prompts[-1]))]


def report(model: OpenModel, trainer: Trainer, people: Sequence[PersonExample]) -> dict[str, Any]:
    """The worst prefix of the pool for the current model, as ids and as text, and each adversary's own.

    Both are scored on the held-out people, or on the training people where there are none. `distance` is the
    distance with the ids, `as_text` that with the decoded text after it is tokenised again; the worst prefix
    is the one whose text has the largest distance. Empty for a fit without an adversary.
    """
    panel = trainer.dev or trainer.panel
    kind = trainer.settings.distance
    judged = "log_odds" if kind == "vocabulary" else kind  # a text is scored on the label words only
    found: list[dict[str, Any]] = []
    for ids in pool(trainer):
        text = written(model.tokenizer, ids)
        as_text = score(model, people, text, judged).figures()
        found.append(
            {
                "text": text,
                "distance": trainer.apart(panel, ids),
                "as_text": as_text,
                "survives": survives(model.tokenizer, ids),
            }
        )
    if not found:
        return {}
    own = [trainer.apart(panel, adversary.ids()) for adversary in trainer.adversaries]
    return {
        "worst_prompt": max(found, key=lambda one: one["as_text"]["distance"]),
        "adversaries": [
            {"seed": a.seed, "distance": d} for a, d in zip(trainer.adversaries, own, strict=True)
        ],
        "no_prompt": score(model, people, "", judged).figures(),
    }
