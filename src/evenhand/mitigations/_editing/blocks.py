"""Which blocks an edit changes: named ones, else a locator's, else the paper's, scaled by depth.

ROME edits block 5 of 28 and MEMIT blocks 4 to 8 (the settings for Llama3.2-3B). A value at the subject's last
token reaches the prediction through the attention of the blocks above, so the last block cannot be edited. A
locator names the block in which the answer arises; what its attention reads was written below it, so the edit
is made in the block under it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenhand.errors import BadModel, BadOption
from evenhand.training.parameters import named_blocks

if TYPE_CHECKING:
    from evenhand.models import OpenModel
    from evenhand.records import Attribution

_DEPTH, _ONE, _FIRST, _LAST = 28, 5, 4, 8


def edited_blocks(
    model: OpenModel, sites: Attribution | None, blocks: str, *, several: bool
) -> tuple[int, ...]:
    """The numbers of the blocks to edit, sorted; one of them unless `several`.

    The block under a locator's first choice is the one, or the last one of several.

    Raises:
        BadOption: a named block does not exist, is the last one, or there are too many.
        BadModel: the model has only one block.
    """
    n = model.layout.n_blocks
    if n < 2:
        raise BadModel(
            "A model of one block cannot be edited at its subjects: nothing above reads them.",
            mend="Use a method that trains whole blocks, such as --with lftf.",
        )
    if blocks:
        return _named(model, blocks, several)
    last = _scaled(_LAST if several else _ONE, n)
    if sites is not None:
        last = max(0, int(sites.top.split(".")[1]) - 1)
    return tuple(range(max(0, last - _scaled(_LAST - _FIRST, n)), last + 1)) if several else (last,)


def _named(model: OpenModel, blocks: str, several: bool) -> tuple[int, ...]:
    n = model.layout.n_blocks
    found = sorted({int(site.removeprefix("block.")) for site in named_blocks(model, blocks)})
    if found[-1] == n - 1:
        raise BadOption(
            f"blocks={blocks} names the last block, above which nothing reads what is written at a subject.",
            mend=f"Write numbers from 0 to {n - 2}.",
        )
    if len(found) > 1 and not several:
        raise BadOption(
            f"blocks={blocks} names {len(found)} blocks, and this method edits one.",
            mend="Name one, or use memit, which spreads an edit over several.",
        )
    return tuple(found)


def _scaled(block: int, n: int) -> int:
    """The block as far up among `n` as `block` is among the paper's, below the last one."""
    return min(n - 2, round(block * n / _DEPTH))
