"""Checkpoints of adversarial training: written whole after each round, read when the same fit starts again.

A checkpoint is a folder ``<resume>/<key>`` with ``state.safetensors`` and ``state.json``; the key is a digest
of everything that decides the fit (model, people, settings, seed), so that a checkpoint of another fit is
never continued by mistake. Every random draw of a round comes from a generator of its own, seeded by seed and
round, so that no random state has to be kept and a resumed fit ends in the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from evenhand.errors import BadData
from evenhand.files import parse_json
from evenhand.folders import replace_folder, settle

TENSORS, REST = "state.safetensors", "state.json"
KIND = "checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """What training needs to continue after `rounds` rounds: named tensors, and JSON values."""

    tensors: Mapping[str, Tensor]
    rest: Mapping[str, Any] = field(default_factory=dict)


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint in `folder` by `checkpoint`, completely or not at all.

    Raises:
        NoSpace: the disk is full or not writable; the old checkpoint is untouched.
    """
    from safetensors.torch import save_file

    with replace_folder(folder, kind=KIND) as temporary:
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in checkpoint.tensors.items()}, temporary / TENSORS
        )
        (temporary / REST).write_text(json.dumps(checkpoint.rest) + "\n", encoding="utf-8")


def read(folder: Path) -> Checkpoint | None:
    """The checkpoint in `folder`, or None where there is none.

    Raises:
        BadData: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    settle(folder)
    if not folder.is_dir():
        return None
    try:
        rest = parse_json((folder / REST).read_bytes())
        return Checkpoint(load_file(folder / TENSORS), rest)
    except (OSError, ValueError, SafetensorError) as error:
        raise BadData(
            f"The checkpoint in {folder} is damaged: {str(error).splitlines()[0]}.",
            mend="Delete that folder; the fit then starts from its first round.",
        ) from None


def under(prefix: str, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`values` with ``prefix/`` before every name."""
    return {f"{prefix}/{name}": value for name, value in values.items()}


def below(prefix: str, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values whose names begin with ``prefix/``, without it."""
    head = f"{prefix}/"
    return {name.removeprefix(head): value for name, value in values.items() if name.startswith(head)}
