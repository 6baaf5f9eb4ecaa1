"""Answers and weights that are NaN or infinite, and the tensor that causes them, if there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.distributed as processes
from torch import Tensor, nn

from evenhand.errors import BadModel
from evenhand.scoring.offloaded import held_here, in_parts

_FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def not_finite(module: nn.Module, where: str) -> BadModel:
    """The error for answers of `module` that are NaN or infinite; `where` ends the sentence (" after 'x'").

    It names the first of the model's weights that is not finite, where there is one.
    """
    name = next((name for name, tensor in _tensors(module) if not tensor.isfinite().all()), None)
    if name is None:
        return BadModel(
            f"The model answers with NaN or an infinity{where}, though all its weights are finite.",
            mend="Open it with dtype float32 (float16 overflows in many models, T5 among them).",
        )
    return BadModel(
        f"The model answers with NaN or an infinity{where}: its weights {name} hold such values.",
        mend="Open it with dtype float32 (float16 cannot hold large weights); if that does not help, the "
        "checkpoint is damaged: download or train it again.",
    )


def check_finite(
    module: nn.Module, values: Tensor, where: str | Callable[[], str] = "", *, infinite: bool = False
) -> None:
    """Check that all `values` of `module`'s answers are finite; with `infinite`, infinities are allowed.

    `where` ends the sentence of the error, see `not_finite`; it may be a function if it is slow to compute.

    Raises:
        BadModel: some are not.
    """
    if bool(values.isnan().any() if infinite else not values.isfinite().all()):
        raise not_finite(module, where if isinstance(where, str) else where())


@torch.no_grad()
def check_weights(name: str, module: nn.Module) -> None:
    """Check that no weight of `module`, opened as `name`, is NaN; costs one pass over each tensor.

    Raises:
        BadModel: some are NaN; the message names the first tensors.
    """
    _check_buffers(name, module)
    tensors = dict(_tensors(module))
    if not tensors:
        return
    # The largest entry is NaN where any is, and takes a tenth of the time of asking each.
    largest = torch.stack([tensor.max().float() for tensor in tensors.values()]).isnan()
    if in_parts(module):  # all processes refuse what one of them has
        processes.all_reduce(seen := largest.int(), processes.ReduceOp.MAX)
        largest = seen.bool()
    found = [key for key, nan in zip(tensors, largest.tolist(), strict=True) if nan]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise BadModel(
            f"The weights of {name} are damaged: {', '.join(found[:3])}{more} hold NaN.",
            mend="Download or train the checkpoint again.",
        )


def _check_buffers(name: str, module: nn.Module) -> None:
    """Check that the buffers that `module` computed from its configuration are finite.

    With NaN in the rotary position table, an attention kernel may mask positions and still give numbers.
    """
    for key, buffer in module.named_buffers():
        if buffer.dtype not in _FLOATS or buffer.is_meta:
            continue
        bad = not buffer.isfinite().all() if key.endswith("inv_freq") else buffer.isnan().any()
        if bad:
            raise BadModel(
                f"The configuration of {name} makes {key} NaN or infinite.",
                mend="Use the config.json that was saved with the weights (look at rope_theta in it).",
            )


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Weights and saved buffers in memory of a dtype that can be NaN; tied ones once."""
    seen: set[int] = set()
    for name, held in module.state_dict().items():
        tensor = held_here(held)
        known = (
            isinstance(tensor, Tensor) and tensor.dtype in _FLOATS and tensor.numel() and not tensor.is_meta
        )
        if known and tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            yield name, tensor.detach()
