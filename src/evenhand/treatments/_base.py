"""What all kinds of treatment share: the protocol, what each says of itself, and its card."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evenhand.errors import BadData, BadModel
from evenhand.records import MadeBy, ModelSpec, digest, to_json
from evenhand.schema import SCHEMA

if TYPE_CHECKING:
    from evenhand.models import Model

CARD = "mitigation.json"
KIND = "treatment"  # what a folder's mark says that it holds


@dataclass(frozen=True)
class About:
    """What every treatment says of itself.

    Attributes:
        method: the mitigation's canonical spec, such as ``lftf:loss=nll``.
        base: digest of the model that it was fitted to; it applies to no other.
        seed: the seed of the fit.
        details: what the method reports of the fit (blocks, losses, steps), JSON values.
        proof: how the treated model differs from the base; empty until `prove` ran.
        made_by: what fitted it, filled in by `proven`; None where that is not known (an adapter of another
            program, a treatment of schema 1). Two treatments are compared without it.
    """

    method: str
    base: str
    seed: int
    details: Mapping[str, Any] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)
    made_by: MadeBy | None = field(default=None, compare=False)


@runtime_checkable
class Treatment(Protocol):
    """A fitted mitigation."""

    @property
    def about(self) -> About:
        """What it is, of which model, with which proof."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides what the treatment does."""
        ...

    @property
    def touches(self) -> frozenset[str]:
        """The parameters that it changes, by their names in the model; empty where it changes none."""
        ...

    def evidence(self, model: Model) -> Mapping[str, Any]:
        """What the kind can show of the change to `model` beside other answers, JSON values; see `prove`."""
        ...

    def applied(self, model: Model) -> AbstractContextManager[Model]:
        """The treated model; leaving the context restores the model bit for bit."""
        ...

    def save(self, folder: Path) -> None:
        """Write the treatment into `folder`, whole or not at all."""
        ...


class Weightless:
    """What treatments that change no weight share: they touch none, and only answers are evidence."""

    @property
    def touches(self) -> frozenset[str]:
        """None: no weight changes."""
        return frozenset()

    def evidence(self, model: Model) -> Mapping[str, Any]:
        """Empty: no weight changes, so only the answers are evidence."""
        return {}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of treatment: the `component` of its module, whose name is the kind that a card states.

    Attributes:
        treatment: the class.
        load: makes one from its folder, what it says of itself, and its whole card.
        foreign: the file by which a folder that another program wrote is known to be of this kind.
    """

    treatment: type[Treatment]
    load: Callable[[Path, About, Mapping[str, Any]], Treatment]
    foreign: str | None = None


def check_base(about: About, spec: ModelSpec) -> None:
    """Refuse a model other than the one that the treatment was fitted to.

    Raises:
        BadModel: the model has another digest.
    """
    if about.base != spec.digest:
        raise BadModel(
            f"This {about.method} treatment was fitted to a model with digest {about.base[:12]}, "
            f"but {spec.uri} has {spec.digest[:12]}.",
            mend="Apply it to the model that it was fitted to, in the same precision (--dtype), or "
            "fit it again with `evenhand mitigate`.",
        )


def treated_spec(spec: ModelSpec, treatment: Treatment) -> ModelSpec:
    """What a treated model is: the base under another digest."""
    return dataclasses.replace(spec, digest=digest(spec.digest, treatment.digest))


def treated_view(model: Model, treatment: Treatment) -> Model:
    """The same model under the treated one's spec, for a treatment that is on its module now."""
    view = copy.copy(model)
    view.spec = treated_spec(model.spec, treatment)
    return view


def write_card(folder: Path, kind: str, about: About, more: Mapping[str, Any]) -> None:
    """Write ``mitigation.json`` into `folder`; `more` are the kind's own values."""
    said = to_json(about)
    made = said.pop("made_by")
    card = {"schema": SCHEMA, "kind": kind, "made_by": made, "about": said, **more}
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def damaged(folder: Path, reason: str) -> BadData:
    """The error of a folder that does not hold what its card says."""
    return BadData(
        f"The treatment in {folder} is damaged: {reason}.", mend="Write it again with `evenhand mitigate`."
    )
