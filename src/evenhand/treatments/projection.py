"""Treatments of hidden states: an affine map at a site of the model, put on by a hook.

The map takes directions out, ``h -> h - L R (h - c)``, or adds one, ``h -> h + s``, at every token. With a
probe it acts only where the probe is sure enough. No weight changes. A map of the states that the head reads
can be written into the head's weights instead: `folded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from evenhand.architectures.checking import output_embeddings
from evenhand.errors import BadModel
from evenhand.folders import replace_folder
from evenhand.hooks import edited
from evenhand.models import Model
from evenhand.records import Ability, digest
from evenhand.subspaces import Affine, Array, Probe
from evenhand.treatments._base import (
    CARD,
    KIND,
    About,
    Kind,
    Treatment,
    Weightless,
    check_base,
    damaged,
    treated_view,
    write_card,
)
from evenhand.treatments.weights import tensor_sha256

MAPS = "maps.safetensors"
_PARTS = ("left", "right", "centre", "shift")


@dataclass(frozen=True)
class StateMap:
    """``h -> h + shift - left right (h - centre)`` of states [..., d], in float64 until it is applied.

    Attributes:
        left, right: [d, r] and [r, d]; r is 0 where nothing is removed.
        centre, shift: [d].
        probe: weights and bias [d + 1] of a logistic probe, None to act everywhere.
        threshold: the probe's probability above which the map acts.
    """

    left: Tensor
    right: Tensor
    centre: Tensor
    shift: Tensor
    probe: Tensor | None = None
    threshold: float = 0.5

    @classmethod
    def of(
        cls,
        removed: Affine,
        *,
        shift: Array | None = None,
        probe: Probe | None = None,
        threshold: float = 0.5,
    ) -> StateMap:
        """From arrays: what is removed, what is added, and where."""
        centre = torch.from_numpy(removed.centre.copy())
        added = torch.zeros_like(centre) if shift is None else torch.from_numpy(shift.copy())
        found = None if probe is None else torch.tensor([*probe.weights.tolist(), probe.bias]).double()
        left, right = (torch.from_numpy(side.copy()) for side in (removed.left, removed.right))
        return cls(left, right, centre, added, found, threshold)

    def __call__(self, states: Tensor) -> Tensor:
        """The mapped states, in the dtype of `states`; narrow formats are mapped in float32."""
        wide = states if states.element_size() >= 4 else states.float()
        left, right, centre, shift = (t.to(wide) for t in (self.left, self.right, self.centre, self.shift))
        change = shift - (wide - centre) @ right.T @ left.T  # [..., d]
        if self.probe is not None:
            told = wide @ self.probe[:-1].to(wide) + self.probe[-1].to(wide)  # [...]
            change = change * (told.sigmoid() > self.threshold).unsqueeze(-1)
        return (wide + change).to(states.dtype)

    def scaled(self, factor: float) -> StateMap:
        """The map with its change of every state times `factor`."""
        return replace(self, left=factor * self.left, shift=factor * self.shift)

    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        found = {name: getattr(self, name) for name in _PARTS}
        return found if self.probe is None else {**found, "probe": self.probe}


@dataclass(frozen=True)
class ProjectionTreatment(Weightless):
    """A map of the hidden states at each of some sites: ``block.N``, ``to_head`` or ``vectors``."""

    about: About
    maps: Mapping[str, StateMap]

    @property
    def digest(self) -> str:
        """SHA-256 of the base, the sites and the bytes of the maps."""
        sums = {name: tensor_sha256(value) for name, value in sorted(self._tensors().items())}
        return digest("projection", self.about.base, sums, self._thresholds())

    def evidence(self, model: Model) -> Mapping[str, Any]:
        """The `sites`, and how many `directions` are removed at each."""
        return {"sites": list(self.maps), "directions": [len(one.right) for one in self.maps.values()]}

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """The model with the maps in place; on exit the hooks are removed, no weight was changed.

        Raises:
            BadModel: the model gives no hidden states, or the treatment was fitted to another model.
            UnknownName: it has no such site.
        """
        check_hidden(model)
        check_base(self.about, model.spec)
        with ExitStack() as stack:
            for site, one in self.maps.items():
                stack.enter_context(edited(model, site, one))
            yield treated_view(model, self)

    def scaled(self, model: Model, about: About, factor: float) -> Self:
        """The maps with their change times `factor`; see `evenhand.treatments.scaled`."""
        return replace(self, about=about, maps={site: one.scaled(factor) for site, one in self.maps.items()})

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json`` and ``maps.safetensors``."""
        from safetensors.torch import save_file

        with replace_folder(folder, kind=KIND) as temporary:
            tensors = {name: value.clone() for name, value in self._tensors().items()}  # none share bits
            save_file(tensors, temporary / MAPS)
            more = {"digest": self.digest, "thresholds": self._thresholds()}
            write_card(temporary, "projection", self.about, more)

    def _tensors(self) -> dict[str, Tensor]:
        return {f"{site}/{name}": t for site, one in self.maps.items() for name, t in one.tensors().items()}

    def _thresholds(self) -> dict[str, float]:
        return {site: one.threshold for site, one in self.maps.items()}


def check_hidden(model: Model) -> None:
    """Refuse a model whose hidden states cannot be read and replaced.

    Raises:
        BadModel: it gives none.
    """
    if Ability.HIDDEN not in model.can or not isinstance(getattr(model, "module", None), nn.Module):
        raise BadModel(
            f"{model.spec.uri} does not give access to its hidden states.",
            mend="Use a model with access to its weights (hf: or lab:), or a method that works on prompts.",
        )


def folded(model: Any, one: StateMap) -> dict[str, Tensor]:
    """The head's weights after which it reads unmapped states as it reads mapped ones now, by their names.

    ``W' = W - (W L) R`` and ``b' = b + W (L R c + s)``, both float32. A head that is tied to the
    embeddings is untied for the time of the treatment.

    Raises:
        BadModel: the head is no linear layer, the map depends on a probe, or it has a constant part and the
            head no bias that could hold it.
    """
    head = output_embeddings(model.module)
    if not isinstance(head, nn.Linear) or one.probe is not None:
        why = (
            "acts where a probe says so" if one.probe is not None else "has no linear head to be written into"
        )
        raise BadModel(f"The map of {model.spec.uri} {why}, so it cannot be folded.", mend="Use fold=false.")
    name = next(name for name, part in model.module.named_modules() if part is head)
    weight = head.weight.detach().double().cpu()
    constant = weight @ (one.left @ (one.right @ one.centre) + one.shift)  # [vocabulary]
    found = {f"{name}.weight": (weight - (weight @ one.left) @ one.right).float()}
    if head.bias is not None:
        found[f"{name}.bias"] = (head.bias.detach().double().cpu() + constant).float()
    elif float(constant.abs().max()) > 0:
        raise BadModel(
            "The map keeps the mean of the states, which takes a bias, and the head of "
            f"{model.spec.uri} has none.",
            mend="Use fold=false, or a projection about 0 (inlp, sentence_debias).",
        )
    return found


def _load(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        (folder / MAPS).open("rb").close()  # safetensors reports every file that it cannot read as missing
        tensors = load_file(folder / MAPS)
        thresholds = {str(site): float(value) for site, value in card["thresholds"].items()}
        maps = {site: _map(tensors, site, threshold) for site, threshold in thresholds.items()}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(folder, getattr(error, "strerror", None) or str(error)) from None
    treatment = ProjectionTreatment(about, maps)
    if treatment.digest != card.get("digest"):
        raise damaged(folder, f"{MAPS} does not have the digest that {CARD} states")
    return treatment


def _map(tensors: Mapping[str, Tensor], site: str, threshold: float) -> StateMap:
    parts = {name: tensors[f"{site}/{name}"] for name in _PARTS}
    return StateMap(**parts, probe=tensors.get(f"{site}/probe"), threshold=threshold)


component = Kind(ProjectionTreatment, _load)
