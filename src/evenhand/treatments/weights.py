"""Treatments of weights: new values for some parameters, swapped in and copied back bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.folders import replace_folder
from evenhand.hooks import restore
from evenhand.models import Model, OpenModel, gives_weights
from evenhand.records import digest
from evenhand.scoring.passes import passes_kept
from evenhand.treatments._base import (
    CARD,
    KIND,
    About,
    Kind,
    Treatment,
    check_base,
    damaged,
    treated_view,
    write_card,
)

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class WeightTreatment:
    """New values for some parameters, by their name in the model, float32."""

    about: About
    weights: Mapping[str, Tensor]

    @property
    def digest(self) -> str:
        """SHA-256 of the base, the names and the bytes of the treated values."""
        sums = {name: tensor_sha256(value) for name, value in sorted(self.weights.items())}
        return digest("weights", self.about.base, sums)

    @property
    def touches(self) -> frozenset[str]:
        """The parameters that have new values."""
        return frozenset(self.weights)

    def evidence(self, model: Model) -> Mapping[str, Any]:
        """`tensors`, `weights`, the share `moved` (after the cast to the model's dtype), `max_weight_change`.

        Raises:
            BadModel: the model gives no access to its weights.
        """
        return weight_proof(_open(model).module, self.weights)

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """Swap the treated values in; on exit the original bits are copied back.

        Raises:
            BadModel: the model gives no weights, or the treatment was fitted to another model.
        """
        module = _open(model).module
        check_base(self.about, model.spec)
        with _untied(module, self.weights), ExitStack() as stack:
            parameters = dict(module.named_parameters())
            _check_names(self.weights, parameters)
            stack.enter_context(restore(parameters[name] for name in self.weights))
            _write(parameters, self.weights)
            with _begun_above(model, self.touches):
                yield treated_view(model, self)

    def scaled(self, model: Model, about: About, factor: float) -> Self:
        """``base + factor * (value - base)`` for every value, with the base's from `model`; see `scaled`."""
        module = _open(model).module
        check_base(self.about, model.spec)
        parameters = _by_every_name(module)
        _check_names(self.weights, parameters)
        weights = {
            name: (base := parameters[name].detach().float().cpu()) + factor * (value.cpu() - base)
            for name, value in self.weights.items()
        }
        return replace(self, about=about, weights=weights)

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json`` and ``weights.safetensors``."""
        from safetensors.torch import save_file

        with replace_folder(folder, kind=KIND) as temporary:
            save_file({name: value.contiguous() for name, value in self.weights.items()}, temporary / WEIGHTS)
            write_card(temporary, "weights", self.about, {"digest": self.digest})


def _load(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        # safetensors reports every file that it cannot read as missing
        (folder / WEIGHTS).open("rb").close()
        treatment = WeightTreatment(about, load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise damaged(folder, getattr(error, "strerror", None) or str(error)) from None
    if treatment.digest != card.get("digest"):
        raise damaged(folder, f"{WEIGHTS} does not have the digest that {CARD} states")
    return treatment


def weight_proof(module: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """How far `weights`, one or more, lie from the parameters of `module` by the same names."""
    parameters = _by_every_name(module)
    total = moved = 0
    largest = 0.0
    for name, value in weights.items():
        old = parameters[name].detach()
        change = (value.to(old) - old).abs()
        total += change.numel()
        moved += int((change > 0).sum())
        largest = max(largest, float(change.max()))
    return {"tensors": len(weights), "weights": total, "moved": moved / total, "max_weight_change": largest}


def _open(model: Model) -> OpenModel:
    if not gives_weights(model):
        raise BadModel(
            f"{model.spec.uri} does not give access to its weights.",
            mend="Use a model with access to its weights (hf: or lab:), or one that works on prompts.",
        )
    return model


def _check_names(weights: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]) -> None:
    for name, value in weights.items():
        if name not in parameters or parameters[name].shape != value.shape:
            raise BadModel(
                f"The treatment changes {name} of shape {tuple(value.shape)}, which this model lacks.",
                mend="Apply it to the model that it was fitted to.",
            )


def _by_every_name(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters by all their names: a tied one has several."""
    return dict(module.named_parameters(remove_duplicate=False))


@contextmanager
def _untied(module: nn.Module, names: Iterable[str]) -> Iterator[None]:
    """Inside, a parameter that is tied to one of another name, by which torch lists it, is one of its own.

    A head that reads the embeddings can then change while they stay: see `projection.folded`.
    """
    listed, every = dict(module.named_parameters()), _by_every_name(module)
    tied = {name: every[name] for name in names if name in every and name not in listed}
    places = {name: (module.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in tied}
    for name, (owner, own) in places.items():
        old = tied[name]
        setattr(owner, own, nn.Parameter(old.detach().clone(), requires_grad=old.requires_grad))
    try:
        yield
    finally:
        for name, (owner, own) in places.items():
            setattr(owner, own, tied[name])


@torch.no_grad()
def _write(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)


@contextmanager
def _begun_above(model: Model, names: Iterable[str]) -> Iterator[None]:
    """Inside, passes that other treatments of the same blocks ran begin at the lowest of them."""
    with ExitStack() as stack:
        with suppress(BadModel):  # no layout
            layout = _open(model).layout
            depth = layout.lowest(names)
            stack.enter_context(passes_kept(_open(model).module, layout.as_blocks(), depth))
        yield


def tensor_sha256(value: Tensor) -> str:
    """SHA-256 of a tensor's dtype, shape and bytes."""
    data = value.detach().cpu().contiguous()
    head = f"{data.dtype}{tuple(data.shape)}".encode()
    return hashlib.sha256(head + data.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()


component = Kind(WeightTreatment, _load)
