"""Checks that a checkpoint's weights are those that its configuration describes, before memory is allocated.

First the names in the safetensors header are compared with the number of layers. Then the model is loaded
once without storage (torch's meta device): the transformers library reports which weights would be missing,
left over or of another size, after all its renaming and tying of weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from evenhand.errors import BadModel
from evenhand.files import is_folder, parse_json

_ONE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_DEPTHS = (
    "num_hidden_layers",
    "num_layers",
    "n_layer",
    "encoder_layers",
    "decoder_layers",
    "num_decoder_layers",
)
# Layers may share their weights (ALBERT: 12 of one); no model has this many more of them than weights.
_MANY = 64
_NUMBERED = re.compile(r"^(.*?)\.?(\d+)\.")
# Buffers that old checkpoints saved and that a model computes itself, and scales of a compressed cache.
_BUFFERS = re.compile(
    r"(inv_freq|(cos|sin)_cached|embed_positions|position_ids|mask|masked_bias|attn\.bias|attention\.bias|"
    r"[kv]_scale)$"
)
_LARGEST_HEADER = 100 * 2**20  # what the format allows
_SHOWN = 5
_STORED = {
    "float32": "F32",
    "bfloat16": "BF16",
    "float16": "F16",
    "float64": "F64",
}  # as the format names them


def check_depth(name: str, config: Any, files: Mapping[str, Path]) -> None:
    """Check that the weights can hold the layers that `config` describes; `files` as `found` gives them.

    Raises:
        BadModel: they hold far fewer, or it describes none; or a header cannot be read.
    """
    names = _names(name, files)
    texts = config.get_text_config() if hasattr(config, "get_text_config") else config
    depths = [getattr(part, key, None) for part in (config, texts) for key in _DEPTHS]
    known = [depth for depth in depths if isinstance(depth, int)]
    stated = max(known, default=0)
    places = {m.groups() for m in map(_NUMBERED.match, names) if m}
    none = bool(known and places) and (stated < 1 or min(known) < 0)
    if not names or (stated <= 2 * len(places) + _MANY and not none):
        return
    layers = max((sum(stem == other for other, _ in places) for stem, _ in places), default=0)
    described = min(known) if none else stated
    raise BadModel(
        f"The configuration of {name} describes {described} layers, its weights hold {layers}.",
        mend="Use the config.json that was saved with the weights.",
    )


def found(name: str, where: Mapping[str, Any]) -> dict[str, Path]:
    """The files of the folder or hub repository `name` that list its weights, by their names: the weights
    themselves or their index. Files of a hub repository are read from the cache, or downloaded into it if
    `where` allows it (see `evenhand.models.hub.opened`).
    """
    if is_folder(name):
        held = {file: Path(name) / file for file in (_ONE, _INDEX)}
        return {file: path for file, path in held.items() if path.is_file()}
    from transformers.utils.hub import cached_file

    for file in (_ONE, _INDEX):
        path = cached_file(
            name,
            file,
            revision=where.get("revision"),
            local_files_only=where.get("local_files_only", False),
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        if path:
            return {file: Path(path)}
    return {}


def copied_bytes(name: str, files: Mapping[str, Path], dtype: str) -> int:
    """The bytes of those weights that are stored in another dtype than `dtype`, such as ``float32``.

    `files` are as `found` gives them.

    Raises:
        BadModel: as for `check_depth`.
    """
    paths = (
        [files[_ONE]] if _ONE in files else [path for path in _shards(name, files).values() if path.is_file()]
    )
    entries = [entry for path in dict.fromkeys(paths) for entry in _header(name, path).values()]
    kept = _STORED.get(dtype)
    return sum(
        int(entry["data_offsets"][1]) - int(entry["data_offsets"][0])
        for entry in entries
        if entry["dtype"] in _STORED.values() and entry["dtype"] != kept
    )


def _names(name: str, files: Mapping[str, Path]) -> set[str]:
    """The names of all weights."""
    if _ONE in files:
        return set(_header(name, files[_ONE]))
    shards = _shards(name, files)
    for path in {path for path in shards.values() if path.is_file()}:
        _header(name, path)
    return set(shards)


def _shards(name: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """The files of all weights by their names, as the index tells; empty where there is none."""
    if _INDEX not in files:
        return {}
    try:
        index = parse_json(files[_INDEX].read_bytes())["weight_map"]
        shards = {str(key): files[_INDEX].parent / str(shard) for key, shard in index.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise BadModel(
            f"{name} cannot be opened: {_INDEX} lists no weights ({error}).", mend="Download it again."
        ) from None
    outside = sorted(str(shard) for shard in set(index.values()) if not _inner(str(shard)))
    if outside:
        raise BadModel(
            f"{name} cannot be opened: its {_INDEX} names {', '.join(map(repr, outside[:_SHOWN]))}, which is "
            "not inside its folder.",
            mend="Download or save it again; a model's files must be in the folder of their index.",
        )
    lacking = sorted({path.name for path in shards.values() if not path.is_file()})
    if lacking and is_folder(name):
        raise BadModel(
            f"{name} cannot be opened: its {_INDEX} names {', '.join(lacking[:_SHOWN])}, which is not there.",
            mend="Download the rest of its files.",
        )
    return shards


def _inner(shard: str) -> bool:
    """Whether an index may name this file: one in the same folder or below it."""
    return not PurePosixPath(shard).is_absolute() and not {"..", ""} & set(re.split(r"[/\\]", shard))


def _header(name: str, path: Path) -> dict[str, Any]:
    """The header of a safetensors file, without the weights; the file must be as long as it states.

    Layout: 8 bytes with the length of the JSON text that follows, then the weights' bytes.

    Raises:
        BadModel: it is cut short or not such a file.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = parse_json(file.read(min(size, _LARGEST_HEADER)))
        header.pop("__metadata__", None)
        length = 8 + size + max((entry["data_offsets"][1] for entry in header.values()), default=0)
        held = path.stat().st_size
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise BadModel(
            f"{name} cannot be opened: {path.name} is cut short, or not a safetensors file.",
            mend="Download or save it again.",
        ) from None
    if held < length:
        raise BadModel(
            f"{name} cannot be opened: {path.name} is cut short: it has {held} of {length} bytes.",
            mend="Download or save it again.",
        )
    return dict(header)


def check_complete(name: str, module: Any, info: Mapping[str, Any]) -> tuple[str, ...]:
    """Notes on the weights that `module` does not use; usually empty.

    `info` is what the transformers library reports after loading.

    Raises:
        BadModel: weights are missing, have another size, or belong to layers or parts of layers that the
            configuration does not describe, so that the model would compute something else.
    """
    _check_sizes(name, info.get("mismatched_keys", ()))
    missing = sorted(map(str, info.get("missing_keys", ())))
    if missing:
        raise BadModel(
            f"The checkpoint of {name} lacks weights that the model needs: {_listed(missing)}; they would be "
            "random numbers.",
            mend="Use the complete checkpoint of a language model, its head included, with its config.json.",
        )
    unused = sorted(map(str, info.get("unexpected_keys", ())))
    inside = [] if getattr(module.config, "quantization_config", None) else list(_inside(module, unused))
    if inside:
        raise BadModel(
            f"The checkpoint of {name} holds weights of its layers that {type(module).__name__} would leave "
            f"out: {_listed(inside)}.",
            mend="Use the config.json that was saved with the weights.",
        )
    unused = [key for key in unused if not _BUFFERS.search(key)]
    return (f"{type(module).__name__} does not use these weights of {name}: {_listed(unused)}.",) * bool(
        unused
    )


def _check_sizes(name: str, mismatched: Iterable[Any]) -> None:
    found = sorted((str(key), tuple(saved), tuple(own)) for key, saved, own in mismatched)
    if not found:
        return
    key, saved, own = found[0]
    more = f" (and {len(found) - 1} more differ)" if len(found) > 1 else ""
    raise BadModel(
        f"The configuration of {name} does not fit its weights: {key} has the shape {saved}, and the "
        f"configuration describes {own}{more}.",
        mend="Use the config.json that was saved with the weights.",
    )


def _inside(module: Any, unused: Iterable[str]) -> Iterable[str]:
    """Those of the `unused` weights that belong to the layers of `module`, or to further layers.

    A tower or a head that the model does not have is not included. Layers after the last one that predict
    further tokens (`num_nextn_predict_layers`) are not included either.
    """
    own = {match[1] for match in map(_NUMBERED.match, module.state_dict()) if match}
    further = getattr(module.config, "num_nextn_predict_layers", None)
    for key in unused:
        match = _NUMBERED.match(key)
        if match is None or _BUFFERS.search(key):
            continue
        stem = match[1]
        behind = further and int(match[2]) >= int(getattr(module.config, "num_hidden_layers", 0))
        if not behind and any(layers == stem or layers.endswith(f".{stem}") for layers in own):
            yield key


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")


def foreign_code(module: Any, tokenizer: Any) -> tuple[str, ...]:
    """A note if a checkpoint contains its own code (``auto_map``), which was not run."""
    places = (
        ("config.json", getattr(module.config, "auto_map", None), type(module).__name__),
        ("tokenizer_config.json", tokenizer.init_kwargs.get("auto_map"), type(tokenizer).__name__),
    )
    return tuple(
        f"{file} names code of its own (auto_map), which was not run: the library's own {used} was used."
        for file, named, used in places
        if named
    )
