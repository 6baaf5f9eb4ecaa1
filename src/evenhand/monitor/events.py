"""What callers send: decisions, generations, and labels that become known later."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from evenhand.monitor.names import Name, Prose

ATTRIBUTES = 12  # of one event
BATCH = 5000  # events or labels of one request
CROSS = "*"  # between the attributes of an intersection


def _bounded(time: datetime) -> datetime:
    if not 2000 <= time.year <= 2100:
        raise ValueError("the year is not between 2000 and 2100")
    return time.astimezone(UTC)


def _attribute(name: str) -> str:
    if CROSS in name:
        raise ValueError(f"an attribute's name cannot hold {CROSS!r}")
    return name


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) and abs(value) < 10**18 else value


Time = Annotated[AwareDatetime, AfterValidator(_bounded)]
Bit = Annotated[
    Literal[0, 1], BeforeValidator(lambda value: int(value) if isinstance(value, bool) else value)
]
# Adding zero takes its sign from -0, which SQLite does not keep: the chain would not find what it recorded.
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), AfterValidator(lambda value: value + 0.0)]
Attribute = Annotated[Name, AfterValidator(_attribute)]
Value = Annotated[Name, BeforeValidator(_text)]


class Event(BaseModel):
    """A decision about a person, or an answer that a model generated for one.

    Attributes:
        prediction_id: the caller's own; an event that comes again under it is not counted again.
        time: when it was decided, with its zone; by default when it arrives.
        use_case, model, version: what decided.
        score: the probability of the favourable decision, 0 to 1.
        decision, label: 1 favourable, 0 not; the label is what turned out to be right.
        refused, toxicity, length: of a generation: whether it was refused, 0 to 1, and in any unit.
        attributes: of the person, as the caller knows them; null or missing ones are unknown.
        prompt, answer: of a generation; dropped unless the service is started to keep them.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["decision", "generation"] = "decision"
    prediction_id: Name
    time: Time | None = None
    use_case: Name = "default"
    model: Name
    version: Name = "1"
    score: Share | None = None
    decision: Bit | None = None
    label: Bit | None = None
    refused: Bit | None = None
    toxicity: Share | None = None
    length: Annotated[int, Field(ge=0, le=10**9)] | None = None
    attributes: Annotated[dict[Attribute, Value | None], Field(max_length=ATTRIBUTES)] = {}
    prompt: Prose | None = None
    answer: Prose | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Event:
        of_decisions = (self.score, self.decision, self.label)
        of_generations = (self.refused, self.toxicity, self.length, self.prompt, self.answer)
        if self.kind == "decision":
            if any(value is not None for value in of_generations):
                raise ValueError('refused, toxicity, length and texts belong to "kind": "generation"')
            if self.score is None and self.decision is None:
                raise ValueError("a decision has a score or a decision")
        elif any(value is not None for value in of_decisions):
            raise ValueError('score, decision and label belong to "kind": "decision"')
        return self


class Label(BaseModel):
    """What turned out to be right about an earlier decision."""

    model_config = ConfigDict(extra="forbid")

    prediction_id: Name
    use_case: Name = "default"
    label: Bit
    time: Time | None = None


Events = Annotated[list[Event], Field(max_length=BATCH)]
Labels = Annotated[list[Label], Field(max_length=BATCH)]
