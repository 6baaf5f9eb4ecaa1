"""How many bytes of tensors live at a time while something runs, counted by torch's own operations.

What an operation takes inside and gives back before it ends is not seen, nor what numpy holds.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Live(TorchDispatchMode):
    """Inside, `peak` is the most bytes that lived at once of storages that were made inside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation, and count the storages that it made."""
        before = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if _real(t)}
        found = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if _real(tensor) and tensor.untyped_storage()._cdata not in before | self._known:
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return found

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.now += size
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not value.is_meta
