"""The check that a module agrees with its architecture's row, made when a model is opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from evenhand.architectures.reading import first_position, kind_of, row_of, text_config
from evenhand.architectures.row import Architecture, Part
from evenhand.errors import BadModel

BLOCK_PARTS = ("attention", "mlp", "norm1", "norm2")
_TABLES = ("position_embeddings", "embed_positions", "wpe")


def find(root: nn.Module, path: str) -> nn.Module | None:
    """The module at a dotted path, None where there is none.

    A backbone alone, such as a sentence embedder, has the parts without its own name before them.
    """
    prefix = str(getattr(root, "base_model_prefix", ""))
    if prefix and not hasattr(root, prefix):
        path = path.removeprefix(f"{prefix}.")
    found: object = root
    for name in path.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, nn.Module) else None


def output_embeddings(module: Any) -> nn.Module | None:
    """The language-model head of a Hugging Face model, or None where it has none."""
    head = module.get_output_embeddings() if hasattr(module, "get_output_embeddings") else None
    return head if isinstance(head, nn.Module) else None


def check_positions(module: nn.Module) -> None:
    """Check that the position table begins where the row says, if the table shows where it begins.

    Raises:
        BadModel: it begins elsewhere, so that positions given to the model would be wrong.
    """
    config, kind = getattr(module, "config", None), kind_of(module)
    if row_of(kind).first_position == 0:
        return
    for name, table in module.named_modules():
        padding = getattr(table, "padding_idx", None)
        if name.rpartition(".")[2] not in _TABLES or not isinstance(padding, int):
            continue
        if padding + 1 != first_position(config):
            raise BadModel(
                f"The position table {name} begins at {padding + 1}, but a {kind} with this configuration "
                f"begins at {first_position(config)}: every token would have a wrong position.",
                mend="Set pad_token_id in config.json to the id that the weights were trained with.",
            )


def misfit(module: nn.Module, row: Architecture) -> str | None:
    """A sentence on sites where the row does not fit this model; None if it fits."""
    return next(_misfits(module, row), None)


def _misfits(module: nn.Module, row: Architecture) -> Iterator[str]:
    for stack in stacks(row):
        yield from _stack_misfits(module, stack)
    for name in ("embeddings", "norm"):
        yield from _missing(module, getattr(row, name), f"its {name}")
    backbone = getattr(module, "base_model_prefix", "") not in dict(module.named_children())
    if hasattr(module, "get_output_embeddings") and output_embeddings(module) is None and not backbone:
        yield "This model has no language-model head."


def stacks(row: Architecture) -> tuple[Architecture, ...]:
    """The rows whose blocks a model has one after the other: an encoder's, then its decoder's."""
    return (row,) if row.encoder is None else (row.encoder, row)


def _stack_misfits(module: nn.Module, row: Architecture) -> Iterator[str]:
    blocks = find(module, row.blocks)
    if not isinstance(blocks, nn.ModuleList) or not len(blocks):
        yield f"This model has no list of blocks at {row.blocks!r}."
        return
    stated = getattr(text_config(getattr(module, "config", None)), row.depth, None)
    if isinstance(stated, int) and stated != len(blocks):
        yield f"This model has {len(blocks)} blocks at {row.blocks!r}, but its configuration states {stated}."
    for i, block in enumerate(blocks):
        for name in BLOCK_PARTS:
            yield from _missing(block, getattr(row, name), f"{name} of block {i}")


def _missing(root: nn.Module, described: Part, what: str) -> Iterator[str]:
    paths = () if described.optional else described.paths
    for path in (*paths, *((described.output,) if described.output else ())):
        if find(root, path) is None:
            yield f"This model has nothing at {path!r}, where {what} should be."
