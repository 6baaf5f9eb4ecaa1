"""What FairCon takes of the memory, by the people that it is trained on; the model may be without storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evenhand.mitigations._adversarial.panel import LOOKED
from evenhand.mitigations._adversarial.training import Settings
from evenhand.models import OpenModel
from evenhand.models.stage import FLOAT32, Stage
from evenhand.records import PersonExample
from evenhand.scoring.tokens import Encoder, embedding_rows
from evenhand.training.lora import stage_of_adapter

LONGEST = 128  # tokens of a prompt, where no people are known yet
TABLES = 4  # the logits, their log-softmax, and the gradients of both
DRAWN = 8  # tables of a prefix: logits, gradient, moments, noise, the draw, its softmax, and the gradient


def stages_of(model: OpenModel, people: Sequence[PersonExample], settings: Settings) -> tuple[Stage, ...]:
    """The training of the adapter, and a look at people; a prefix is searched with fewer rows.

    Raises:
        BadModel: the model has no known projections.
    """
    twins = len(people[0].contexts) if people else 2
    longest = LONGEST
    if people:
        texts = [context for person in people for context in person.contexts]
        longest = max(map(len, Encoder.of(model.module, model.tokenizer).prompts(texts)))
    behind = longest + settings.prefix.length if settings.lam else 0
    prefixes = settings.adversaries * settings.prefix.length if settings.lam else 0
    adapter = stage_of_adapter(model, settings.lora.rank)
    found = replace(adapter, matrices=DRAWN * FLOAT32 * prefixes * (embedding_rows(model.module) or 0))
    batch, looked = settings.batch * twins, min(LOOKED, len(people) or LOOKED) * twins
    trained = replace(
        found,
        rows=batch * (2 if behind else 1),
        tokens=batch * (longest + behind),
        length=max(longest, behind),
        tables=TABLES,
    )
    seen = max(longest, behind)
    look = replace(found, backward=False, rows=looked, tokens=looked * seen, length=seen, tables=2)
    return trained, look
