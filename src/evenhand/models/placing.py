"""Where the weights of an ``hf:`` model go: ``hf:./folder?device_map=disk``, carried out by accelerate.

``auto``, ``balanced`` and ``sequential`` are those of transformers: graphics cards first, then memory, then
the disk. ``cpu`` uses no graphics card. ``disk`` leaves the blocks on the disk and holds the rest, so that
one block at a time is in memory. ``memory=2GB`` limits what the first three may take of the main memory.
``?tp=auto`` in place of all this divides every matrix among several processes (`evenhand.models.parts`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from evenhand.errors import BadOption
from evenhand.scoring.offloaded import in_parts, is_offloaded
from evenhand.sizes import in_bytes

PLANS = ("auto", "balanced", "sequential")
MAPS = (*PLANS, "cpu", "disk")
_PARTS = "tp"


@dataclass(frozen=True, slots=True)
class Placement:
    """A device map by name, and the bytes of main memory that weights may take (None: what is there)."""

    device_map: str
    memory: int | None = None

    @property
    def in_parts(self) -> bool:
        """Whether each process of the run holds a part of every matrix, in place of a device map."""
        return self.device_map == _PARTS

    def arguments(self, module: nn.Module, folder: str) -> dict[str, Any]:
        """What transformers needs to place the weights of `module`, which has no storage yet; `folder` is for
        weights that the disk must hold in another dtype than the checkpoint's.
        """
        given: dict[str, Any] = {"device_map": self.device_map, "offload_folder": folder}
        if self.device_map == "disk":
            given["device_map"] = _blocks_on_disk(module)
        if self.memory is not None:
            from accelerate.utils.modeling import get_max_memory

            given["max_memory"] = {**get_max_memory(), "cpu": self.memory}
        return given


def parsed(rest: str) -> tuple[str, Placement | None]:
    """The name before a question mark, and the placement after it; None where there is none.

    Raises:
        BadOption: something else stands there, or a value that is not known.
    """
    name, mark, query = rest.partition("?")
    if not mark or Path(rest).expanduser().exists():
        return rest, None
    given = dict(part.partition("=")[::2] for part in query.split("&"))
    unknown = sorted(set(given) - {"device_map", "memory", _PARTS})
    if unknown:
        raise BadOption(
            f"An hf: model has no option {unknown[0]!r}.",
            mend="Write ?device_map=auto, ?device_map=disk, or ?tp=auto.",
        )
    if _PARTS in given:
        if given != {_PARTS: "auto"}:
            raise BadOption(
                f"?{query} is not valid.", mend="Write ?tp=auto alone, without device_map or memory."
            )
        return name, Placement(_PARTS)
    device_map = given.get("device_map", "auto")
    if device_map not in MAPS:
        raise BadOption(f"There is no device_map {device_map!r}.", mend=f"Use one of {', '.join(MAPS)}.")
    memory = in_bytes(given["memory"]) if "memory" in given else None
    if "memory" in given and (memory is None or device_map not in PLANS):
        raise BadOption(
            f"memory={given['memory']} cannot be used with device_map={device_map}.",
            mend=f"Write a size such as memory=2GB or memory=500MB, with device_map={'|'.join(PLANS)}.",
        )
    return name, Placement(device_map, memory)


def offload_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for weights on the disk; it is removed when the object is freed."""
    return tempfile.TemporaryDirectory(prefix="evenhand-weights-", ignore_cleanup_errors=True)


def said(module: nn.Module) -> str:
    """Where the weights of a placed `module` are, for people: ``cpu and disk``."""
    places: Mapping[str, Any] = getattr(module, "hf_device_map", {})
    return " and ".join(sorted({f"cuda:{p}" if isinstance(p, int) else str(p) for p in places.values()}))


def note(module: nn.Module) -> tuple[str, ...]:
    """That some weights are outside memory, and what follows; empty where none is."""
    if in_parts(module):
        return (
            "Each process holds a part of its weights (tp): it can be measured, but its hidden states are "
            "not read, and it is not treated.",
        )
    if not is_offloaded(module):
        return ()
    return (
        "Some of its weights are not in memory while it does not need them (device_map): it can be measured "
        "and its hidden states read, but not treated.",
    )


def away_bytes(module: nn.Module) -> int:
    """The bytes of weights that ``disk`` does not hold in memory: all blocks but the largest.

    A block's are read while it runs.
    """
    sizes = [
        sum(p.numel() * p.element_size() for p in module.get_submodule(name).parameters())
        for name, place in _blocks_on_disk(module).items()
        if place == "disk"
    ]
    return sum(sizes) - max(sizes, default=0)


def shares(module: nn.Module, place: Placement | None) -> dict[str, int]:
    """The bytes of weights of `module`, which has no storage yet, by where they go: cuda:0, cpu, disk ..."""
    import torch

    here = "cuda:0" if torch.cuda.is_available() else "cpu"
    if place is None or place.in_parts or place.device_map == "cpu":  # parts: all processes together
        found: Mapping[str, Any] = {"": "cpu" if place and not place.in_parts else here}
    elif place.device_map == "disk":
        found = _blocks_on_disk(module)
    else:
        from transformers.integrations import accelerate as plans  # what loading itself asks

        most = place.arguments(module, "").get("max_memory")
        whole = getattr(module, "_no_split_modules", None)
        loaded: Any = module  # a model of transformers
        room = (
            plans.get_max_memory(most)
            if place.device_map == "sequential"
            else plans.get_balanced_memory(loaded, max_memory=most, no_split_module_classes=whole)
        )
        found = plans.infer_auto_device_map(module, max_memory=room, no_split_module_classes=whole)
    sizes: dict[str, int] = {}
    counted: set[int] = set()  # a tied weight lies where it is met first
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        held = max((key for key in found if not key or f"{name}.".startswith(f"{key}.")), key=len)
        where = f"cuda:{found[held]}" if isinstance(found[held], int) else str(found[held])
        if where == "disk" and not isinstance(tensor, nn.Parameter):
            where = here  # buffers stay in memory
        if id(tensor) not in counted:
            sizes[where] = sizes.get(where, 0) + tensor.numel() * tensor.element_size()
        counted.add(id(tensor))
    return sizes


def _blocks_on_disk(module: nn.Module) -> dict[str, str | int]:
    """Every part that must stay whole on the disk, all others where they are computed."""
    import torch

    whole = set(getattr(module, "_no_split_modules", None) or ())
    here: str | int = 0 if torch.cuda.is_available() else "cpu"
    found: dict[str, str | int] = {}

    def place(part: nn.Module, name: str) -> None:
        kept = {n for n, child in part.named_modules() if type(child).__name__ in whole}
        if type(part).__name__ in whole or not kept:
            found[name] = "disk" if type(part).__name__ in whole else here
            return
        for key, _ in part.named_parameters(recurse=False):
            found[f"{name}.{key}".lstrip(".")] = here
        for key, child in part.named_children():
            place(child, f"{name}.{key}".lstrip("."))

    place(module, "")
    return found
