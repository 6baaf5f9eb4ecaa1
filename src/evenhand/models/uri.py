"""Opening a model by its one string: ``scheme:rest``, then ``+folder`` for each adapter or saved treatment.

Another package adds a scheme through an entry point of the group ``evenhand.models``: a function of the text
after the colon that takes the options `dtype` and `batch_tokens` and returns a `Model`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadData, MissingExtra, UnknownName, UsageError
from evenhand.files import expanded, is_folder
from evenhand.folders import cache_folder, settle
from evenhand.outputs import check_output_folder

if TYPE_CHECKING:
    from evenhand.models import Model

Opener = Callable[..., "Model"]

_SCHEMES: Mapping[str, str] = {
    "gguf": "evenhand.models.gguf:open_gguf",
    "hf": "evenhand.models.loading:open_hf",
    "lab": "evenhand.models.loading:open_lab",
    "openai": "evenhand.models.endpoint:open_endpoint",
    "recorded": "evenhand.models.recorded:open_recorded",
}
_EXAMPLES: Mapping[str, str] = {
    "gguf": "gguf:./model.gguf",
    "hf": "hf:org/name or hf:./folder",
    "lab": "lab:causal",
    "openai": "openai:http://localhost:8000/v1#model",
    "recorded": "recorded:answers.jsonl",
}
_LOCAL = (".", "/", "~")


def open_uri(uri: str, *, dtype: str | None = None, batch_tokens: int | None = None) -> Model:
    """The model that `uri` names; see `evenhand.models.open_model`."""
    if not isinstance(uri, str):
        raise UsageError(f"{uri!r} is not the name of a model.", mend="Give a text such as 'lab:causal'.")
    scheme, colon, rest = uri.partition(":")
    known: dict[str, str | EntryPoint] = {**_SCHEMES, **_registered()}
    if not colon or scheme not in known:
        if not colon and uri in known:
            raise UsageError(f"{uri!r} is a scheme without a model.", mend=f"Write {_example(uri)}.")
        near = f"Write hf:{uri} if it is a Hugging Face name or folder." if not colon else ""
        raise UnknownName("model scheme", scheme if colon else uri, known, mend=near)
    if not rest:
        raise UsageError(f"{uri!r} names no model.", mend=f"Write {_example(scheme)}.")
    if rest.endswith("+") and not (scheme in ("recorded", "gguf") or Path(rest).exists()):
        raise UsageError(
            f"In {uri!r} nothing stands after the last plus sign.",
            mend="Write the folder of an adapter or a saved treatment there, or leave the sign away.",
        )
    base, additions = split_additions(rest, files=scheme in ("recorded", "gguf"))
    if scheme in ("hf", "lab", "gguf") or additions:
        require_hf(f"Opening {uri}")
    if scheme == "openai" and "cache=no" not in base:
        check_output_folder(cache_folder() / "endpoint")  # before the first answer is paid for
    model = _opener(known[scheme])(base, dtype=dtype, batch_tokens=batch_tokens)
    for folder in additions:
        model = _add(model, folder)
    if additions:
        model.spec = replace(model.spec, uri=uri)
    return model


def _example(scheme: str) -> str:
    return _EXAMPLES.get(scheme, f"a name after it: {scheme}:NAME")


def split_additions(rest: str, *, files: bool = False) -> tuple[str, list[Path]]:
    """Cut ``base+folder+folder`` at its plus signs; one inside a path that exists does not cut."""
    parts = rest.split("+")
    count = 1
    if files or rest.startswith(_LOCAL):
        longest = (n for n in range(len(parts), 0, -1) if os.path.exists(expanded(Path("+".join(parts[:n])))))  # noqa: PTH110
        count = next(longest, 1)
    return "+".join(parts[:count]), [Path(part).expanduser() for part in parts[count:]]


def require_hf(purpose: str) -> None:
    """Check that the packages of the ``hf`` extra are there, without importing them.

    Raises:
        MissingExtra: one is not installed.
    """
    for package in ("torch", "transformers", "safetensors"):
        if find_spec(package) is None:
            raise MissingExtra(package, "hf", purpose)


@cache
def _registered() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="evenhand.models")}


def _opener(where: str | EntryPoint) -> Opener:
    if isinstance(where, EntryPoint):
        found: Opener = where.load()
        return found
    module, _, name = where.partition(":")
    opener: Opener = getattr(importlib.import_module(module), name)
    return opener


def _add(model: Model, folder: Path) -> Model:
    """`model` with the adapter or the saved treatment in `folder`, for good."""
    settle(folder)
    if is_folder(folder) and (folder / "mitigation.json").is_file():
        return _add_treatment(model, folder)
    if is_folder(folder) and (folder / "adapter_config.json").is_file():
        from evenhand.models.loading import add_adapter

        return add_adapter(model, folder)
    if not is_folder(folder):
        raise BadData(
            f"There is no folder {folder}.", mend="Give the folder of an adapter or a saved treatment."
        )
    raise BadData(
        f"{folder} holds neither an adapter_config.json (PEFT) nor a mitigation.json (a treatment).",
        mend="Name a folder that peft or `evenhand mitigate` wrote.",
    )


def _add_treatment(model: Model, folder: Path) -> Model:
    treatments: Any = importlib.import_module("evenhand.treatments")
    context = treatments.load(folder).applied(model)
    treated: Model = context.__enter__()
    # A collected context would restore the model: it lives as long as what it gave.
    treated.kept = (*getattr(model, "kept", ()), context)  # type: ignore[attr-defined]
    return treated
