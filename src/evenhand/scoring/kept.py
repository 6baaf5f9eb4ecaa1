"""Hidden states that are kept, so that what lies below them runs once: by text, in bounded memory.

States are kept for a module as long as it lives, until `forget`, or until its weights change: each set of
them remembers the bits of the weights that made it. Above `MEMORY` a table lies in a temporary file.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from evenhand.scoring.blocks import Handed
from evenhand.scoring.forward import Padding
from evenhand.scoring.packing import Packed

Ids = tuple[int, ...]
MEMORY = 512 * 2**20
"""Bytes that all kept tables of a module may take in memory; larger ones lie in a file."""
MOST = 4
"""Sets of states, and results, that are kept of one module; the one that was used longest ago gives way."""

_SERIALS = itertools.count()


class Nodes:
    """Beginnings of rows by number: rows that begin alike share the numbers of their common beginning."""

    def __init__(self) -> None:
        self._after: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self._after)

    def add(self, ids: Sequence[int]) -> None:
        """Number the row's beginnings of 1, 2, ... tokens that have no number yet."""
        node = -1
        for token in ids:
            node = self._after.setdefault((node, token), len(self._after))

    def of_tree(self, tree: Packed) -> list[int]:
        """The numbers of the beginnings that end at each token of a packed tree.

        Raises:
            KeyError: one of them has no number.
        """
        found: list[int] = []
        path: list[int] = []  # the numbers on the way to the newest token
        for token, depth in zip(tree.ids, tree.depth, strict=True):
            node = self._after[path[depth - 1] if depth else -1, token]
            path[depth:] = [node]
            found.append(node)
        return found

    def of_row(self, ids: Sequence[int]) -> list[int]:
        """The numbers of the row's beginnings.

        Raises:
            KeyError: one of them has no number.
        """
        path, node = [], -1
        for token in ids:
            node = self._after[node, token]
            path.append(node)
        return path

    def holds(self, ids: Sequence[int]) -> bool:
        """Whether all beginnings of the row have a number."""
        try:
            return bool(self.of_row(ids)) or not ids
        except KeyError:
            return False


@dataclass
class States:
    """The hidden states of texts at one place of a model, one for each beginning of a text.

    `table` is [len(nodes), width] in the dtype of the model, `size` is that of `Handed`.
    """

    nodes: Nodes
    table: Tensor
    size: int

    def covers(self, rows: Iterable[Ids]) -> bool:
        """Whether every token of all `rows` has a state."""
        return all(map(self.nodes.holds, rows))

    def batch(self, rows: Sequence[Sequence[int]], padding: Padding, device: torch.device) -> Handed:
        """The states of padded rows of nodes, [N, longest row, width]; padded places hold some state."""
        width = max(map(len, rows))
        left = padding == "left"
        full = [[0] * (left * (width - len(row))) + [*row] + [0] * (width - len(row)) for row in rows]
        index = torch.tensor([row[:width] for row in full])  # [N, longest row]
        return Handed(self.table[index].to(device), self.size)

    @property
    def nbytes(self) -> int:
        """The size of the table."""
        return self.table.nbytes

    def blank(self, device: torch.device) -> Handed:
        """What a block hands on for one row of one token, all 0."""
        return Handed(
            torch.zeros(1, 1, self.table.shape[-1], dtype=self.table.dtype, device=device), self.size
        )


class Newest:
    """The `MOST` values by key that were used last."""

    def __init__(self) -> None:
        self._values: dict[tuple[Any, ...], Any] = {}

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: tuple[Any, ...]) -> Any | None:
        """The value of `key`, which counts as used; None if there is none."""
        if key not in self._values:
            return None
        self._values[key] = self._values.pop(key)
        return self._values[key]

    def put(self, key: tuple[Any, ...], value: Any) -> None:
        """Keep `value`; the one that was used longest ago is dropped where there are too many."""
        self._values.pop(key, None)
        while len(self._values) >= MOST:
            del self._values[next(iter(self._values))]
        self._values[key] = value

    def clear(self) -> None:
        """Keep none."""
        self._values.clear()

    @property
    def nbytes(self) -> int:
        """The bytes of all of them."""
        return sum(int(value.nbytes) for value in self._values.values())


@dataclass
class Kept:
    """What is kept of one module, by keys that name weights and place: tables of states, and results of fits.

    Results are small and took minutes: they are apart, so that states of models that are measured in between
    do not displace them. `sound` holds the way to use states that passed its test.
    """

    states: Newest = field(default_factory=Newest)
    results: Newest = field(default_factory=Newest)
    sound: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def passes(self, name: str, test: Callable[[], bool]) -> bool:
        """Whether the model passes `test`, which is made once and then known by `name`."""
        if (name,) not in self.sound:
            self.sound[name,] = name if test() else "whole"
        return self.sound[name,] == name

    def taken(self) -> int:
        """The bytes of everything that is kept."""
        return self.states.nbytes + self.results.nbytes


_ALL: WeakKeyDictionary[nn.Module, Kept] = WeakKeyDictionary()


def kept_of(module: nn.Module) -> Kept:
    """What is kept of `module`."""
    return _ALL.setdefault(module, Kept())


def forget(module: object) -> None:
    """Free everything that is kept of `module`."""
    if isinstance(module, nn.Module):
        _ALL.pop(module, None)


def bits(parameters: Iterable[Tensor]) -> tuple[Any, ...]:
    """A key that is the same as long as the parameters hold the same bits, and differs after any change.

    Values that `same_bits` declared to be those of an earlier state have the key of that state. What torch
    counts as no change, such as a write through ``.data``, shows in the sums of every parameter.
    """
    every = list(parameters)
    sums = [_weighted_sum(p.detach()) for p in every if p.numel() and not p.is_meta]
    return (*counted(every), tuple(torch.stack(sums).tolist()) if sums else ())


def built(module: nn.Module) -> str:
    """A digest of what `module` computes with beside its weights: parts, plain settings, buffers."""
    buffers = [b.detach() for b in module.buffers() if b.is_floating_point() and b.numel()]
    sha = hashlib.sha256(repr([float(_weighted_sum(buffer)) for buffer in buffers]).encode())
    for part in (*module.modules(), getattr(module, "config", None)):
        sha.update(repr((type(part), [*filter(_plain, getattr(part, "__dict__", {}).items())])).encode())
    return sha.hexdigest()


def _plain(named: tuple[str, Any]) -> bool:
    return named[0] != "training" and isinstance(named[1], (bool, int, float, str, type(None)))


def counted(parameters: Iterable[Tensor]) -> tuple[tuple[int, int], ...]:
    """What torch counts of changes to the parameters: cheap, and blind to writes through ``.data``."""
    return tuple((_serial(p), _state(p)) for p in parameters)


def _weighted_sum(values: Tensor) -> Tensor:
    """The sum of all values, each times the weights of its row and column, so that exchanges show, too."""
    flat = values.reshape(len(values), -1) if values.dim() else values.reshape(1, 1)  # [rows, columns]
    if flat.dtype not in (torch.float32, torch.float64):
        flat = flat.float()
    of_rows, of_columns = (
        torch.arange(1, n + 1, dtype=torch.float64, device=flat.device).sqrt() for n in flat.shape
    )
    # One product that reads each value once; sums of rows in double precision would take ten times as long.
    return (flat @ of_columns.to(flat.dtype)).double() @ of_rows


def _serial(parameter: Tensor) -> int:
    """A number that no other tensor of this process ever has; addresses are used again."""
    if not hasattr(parameter, "_evenhand_serial"):
        parameter._evenhand_serial = next(_SERIALS)  # type: ignore[attr-defined]
    return int(parameter._evenhand_serial)  # type: ignore[attr-defined]


def _state(parameter: Tensor) -> int:
    version, state = getattr(parameter, "_evenhand_bits", (None, None))
    return int(state) if version == parameter._version and state is not None else parameter._version


def same_bits(parameters: Sequence[Tensor], before: Sequence[int]) -> None:
    """Declare that the `parameters` hold again the bits that they had when `states_of` gave `before`."""
    for parameter, state in zip(parameters, before, strict=True):
        parameter._evenhand_bits = (parameter._version, state)  # type: ignore[attr-defined]


def states_of(parameters: Sequence[Tensor]) -> list[int]:
    """A number for the bits that each parameter holds now, for `same_bits`."""
    return [_state(parameter) for parameter in parameters]


def table(shape: tuple[int, int], like: Tensor, taken: int = 0) -> Tensor:
    """An empty table of the dtype of `like`: on its device if that fits beside `taken` bytes, else in a file.

    Raises:
        OSError: the disk is full.
    """
    size = prod(shape) * like.element_size()
    if taken + size <= MEMORY:
        return torch.empty(shape, dtype=like.dtype, device=like.device)
    handle, name = tempfile.mkstemp(prefix="evenhand-states-")
    try:
        if hasattr(os, "posix_fallocate"):  # a full disk shows here, not as a signal at a later access
            os.posix_fallocate(handle, 0, size)
        return torch.from_file(name, shared=True, size=prod(shape), dtype=like.dtype).view(shape)
    finally:
        os.close(handle)
        os.unlink(name)  # noqa: PTH108 - the mapping keeps the file's space until the table is freed
