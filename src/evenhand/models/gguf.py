"""``gguf:./file.gguf``: a file of llama.cpp, its weights dequantised by transformers.

What llama.cpp would answer from the quantised weights may differ in rounding; the figures are those of the
dequantised ones, and the model's spec and every measurement say so (`ModelSpec.origin`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

from evenhand.errors import BadData, BadModel, MissingExtra
from evenhand.files import is_folder
from evenhand.models.checkpoints import check_complete
from evenhand.models.families import family, loader
from evenhand.models.loading import KINDS, HfModel, explained, placed, quiet, torch_dtype
from evenhand.scoring.finite import check_weights

_MAGIC = b"GGUF"
_BLOCK = re.compile(r"blk\.(\d+)\.")
_PLAIN = frozenset({"F32", "F16", "BF16", "F64"})  # kinds of tensors that are not quantised


def open_gguf(rest: str, *, dtype: str | None = None, batch_tokens: int | None = None) -> HfModel:
    """Open ``gguf:REST``, the path of one file; the weights become float32 unless `dtype` says otherwise.

    Raises:
        MissingExtra: the package gguf is not installed.
        BadData: there is no such file, or it is not a GGUF file.
        BadModel: transformers cannot read its architecture, tensors are missing, or one holds NaN.
        BadOption: an unknown dtype.
        OutOfMemory: the weights do not fit.
    """
    from transformers import AutoConfig, AutoTokenizer

    wanted = torch_dtype(dtype or "float32")
    if find_spec("gguf") is None:
        raise MissingExtra("gguf", "gguf", f"Opening gguf:{rest}")
    file = _checked(Path(rest).expanduser())
    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True, "trust_remote_code": False}
    folder = str(file.parent)
    with quiet(), _no_bar(), explained(str(file)):
        tensors = _tensors(file)
        origin = _origin(tensors)
        config = AutoConfig.from_pretrained(folder, **where)
        _check_blocks(file, config, [tensor.name for tensor in tensors])
        kind = family(str(file), config)
        tokenizer = AutoTokenizer.from_pretrained(folder, **where)
        module, info = loader(kind, config).from_pretrained(
            folder, config=config, dtype=wanted, output_loading_info=True, **where
        )
        remarks = check_complete(str(file), module, info)
        check_weights(str(file), module)
    _forget_quantiser(module)
    model = KINDS[kind](placed(module), tokenizer, f"gguf:{rest}", batch_tokens=batch_tokens)
    model.opening = remarks
    model.spec = replace(model.spec, origin=origin)
    return model


def _tensors(file: Path) -> Sequence[Any]:
    """The file's descriptions of its tensors, after a check that it is long enough to hold them."""
    from gguf import GGUFReader

    try:
        return GGUFReader(file).tensors
    except (ValueError, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise BadModel(
            f"{file} cannot be opened: it is cut short, or damaged ({str(error).rstrip('.')}).",
            mend="Download or convert it again.",
        ) from None


def _check_blocks(file: Path, config: Any, names: Sequence[str]) -> None:
    """Check that the file has as many blocks as its metadata state.

    transformers would ignore further ones without a message, and would try to build billions of missing ones.
    """
    held = max((int(match[1]) + 1 for match in map(_BLOCK.match, names) if match), default=0)
    stated = getattr(config.get_text_config(), "num_hidden_layers", None)
    further = getattr(config.get_text_config(), "num_nextn_predict_layers", None) or 0
    if held and isinstance(stated, int) and not stated <= held <= stated + further:
        raise BadModel(
            f"The metadata of {file} describe {stated} layers, its tensors hold {held}.",
            mend="Download or convert it again.",
        )


def _origin(tensors: Sequence[Any]) -> str:
    """How the file stores its weights, such as "dequantised from Q4_1 (GGUF)"; the largest share first.

    Tensors of plain floats (norms, biases) are not mentioned where others are quantised.
    """
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.tensor_type.name] += int(tensor.n_elements)
    kinds = [name for name, _ in counts.most_common()]
    packed = [name for name in kinds if name not in _PLAIN]
    return f"dequantised from {' and '.join(packed)} (GGUF)" if packed else f"{' and '.join(kinds)} (GGUF)"


@contextmanager
def _no_bar() -> Iterator[None]:
    """Suppress transformers' progress bar over the tensors, which no setting turns off."""
    from transformers import modeling_gguf_pytorch_utils as reading

    library: Any = reading
    bar = library.tqdm
    library.tqdm = lambda items, **_: items
    try:
        yield
    finally:
        library.tqdm = bar


def _checked(file: Path) -> Path:
    if is_folder(file):
        found = ", ".join(sorted(path.name for path in file.glob("*.gguf"))) or "none"
        raise BadData(
            f"{file} is a folder; a gguf: model is one file.",
            mend=f"Name a file in it (GGUF files: {found}).",
        )
    try:
        with file.open("rb") as opened:
            head = opened.read(len(_MAGIC))
    except OSError as error:
        raise BadData(
            f"{file} cannot be read: {error.strerror}.", mend="Name a readable .gguf file."
        ) from None
    if head != _MAGIC:
        raise BadData(
            f"{file} is not a GGUF file: it does not begin with the four letters GGUF.",
            mend="Name a file of llama.cpp, or write hf: for a Hugging Face folder.",
        )
    return file


def _forget_quantiser(module: nn.Module) -> None:
    """Mark the weights as plain tensors; without this, transformers refuses to save them."""
    part: Any = module
    for name in ("hf_quantizer", "quantization_method"):
        if hasattr(part, name):
            delattr(part, name)
    part.is_quantized = False
    if hasattr(part.config, "quantization_config"):
        del part.config.quantization_config
