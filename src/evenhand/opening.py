"""Opening a model by its URI, and closing it: ``scheme:rest``, then ``+folder`` for each addition.

``lab:causal`` · ``hf:org/name@revision`` or ``hf:./folder``, with ``+folder`` for a PEFT adapter or a saved
treatment · ``gguf:./model.gguf`` · ``openai:URL#model`` for a server with OpenAI's interface ·
``recorded:file.jsonl`` for answers collected elsewhere.

Another package adds a scheme through an entry point of the group ``evenhand.models``: a function of the text
after the colon that takes the options `dtype` and `batch_tokens` and returns a `Model`.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from evenhand.errors import BadData, MissingExtra, UnknownName, UsageError
from evenhand.files import expanded, is_folder, written_as_path
from evenhand.folders import cache_folder, settle
from evenhand.outputs import check_output_folder

if TYPE_CHECKING:
    from evenhand.models import Model

Opener = Callable[..., "Model"]


def _gguf(rest: str, *, dtype: str | None, batch_tokens: int | None) -> Model:
    from evenhand.models.gguf import open_gguf

    return open_gguf(rest, dtype=dtype, batch_tokens=batch_tokens)


def _hf(rest: str, *, dtype: str | None, batch_tokens: int | None) -> Model:
    from evenhand.models.loading import open_hf

    return open_hf(rest, dtype=dtype, batch_tokens=batch_tokens)


def _lab(rest: str, *, dtype: str | None, batch_tokens: int | None) -> Model:
    """The model of `rest`, trained first where the cache does not hold it."""
    from evenhand.lab import folder, parse
    from evenhand.models.loading import open_folder

    return open_folder(folder(parse(rest)), f"lab:{rest}", dtype=dtype, batch_tokens=batch_tokens)


def _openai(rest: str, *, dtype: str | None, batch_tokens: int | None) -> Model:
    from evenhand.models.endpoint import open_endpoint

    if "cache=no" not in rest:
        check_output_folder(cache_folder() / "endpoint")  # before the first answer is paid for
    return open_endpoint(rest, dtype=dtype, batch_tokens=batch_tokens)


def _recorded(rest: str, *, dtype: str | None, batch_tokens: int | None) -> Model:
    from evenhand.models.recorded import open_recorded

    return open_recorded(rest, dtype=dtype, batch_tokens=batch_tokens)


@dataclass(frozen=True, slots=True)
class _Scheme:
    """How the models of a scheme are opened.

    Attributes:
        open: opens the text after the colon; it imports what it needs, so that naming a scheme loads nothing.
        example: a name of this scheme, for messages.
        torch: whether it needs the packages of the ``hf`` extra.
        file: whether the text is the path of one file.
    """

    open: Opener
    example: str
    torch: bool = False
    file: bool = False


_SCHEMES: Mapping[str, _Scheme] = {
    "gguf": _Scheme(_gguf, "gguf:./model.gguf", torch=True, file=True),
    "hf": _Scheme(_hf, "hf:org/name or hf:./folder", torch=True),
    "lab": _Scheme(_lab, "lab:causal", torch=True),
    "openai": _Scheme(_openai, "openai:http://localhost:8000/v1#model"),
    "recorded": _Scheme(_recorded, "recorded:answers.jsonl", file=True),
}
_ELSEWHERE = ("openai", "recorded")  # schemes of models that are not run on this machine


def open_model(uri: str, *, dtype: str | None = None, batch_tokens: int | None = None) -> Model:
    """Open the model that `uri` names.

    ``lab:causal?key=value``, ``hf:org/name@revision``, ``hf:./folder``, ``openai:URL#model`` or
    ``recorded:file.jsonl``; for the first three, each ``+folder`` after it applies a PEFT adapter or a saved
    treatment, until `close_model`. `dtype` (``float32``, ``bfloat16``, ``float16``) defaults to the
    checkpoint's own, or to float32 where the device multiplies that slowly; `batch_tokens` limits a scoring
    batch and defaults to what suits the device.

    Raises:
        UnknownName: no such scheme.
        UsageError: the string, the files that it names or an option cannot be used as written.
        EnvironmentProblem: a missing package, an unreachable hub, too little memory.
    """
    scheme, rest = _split_scheme(uri)
    if rest.endswith("+") and not (scheme.file or Path(rest).exists()):
        raise UsageError(
            f"In {uri!r} there is nothing after the last plus sign.",
            mend="Write the folder of an adapter or a saved treatment there, or leave the sign out.",
        )
    base, additions = split_additions(rest, files=scheme.file)
    if scheme.torch or additions:
        require_hf(f"Opening {uri}")
    model = scheme.open(base, dtype=dtype, batch_tokens=batch_tokens)
    if hasattr(model, "module"):
        from evenhand.models.together import Named

        # Models of other packages take the attribute and make no use of it.
        model.named = Named(f"{uri.partition(':')[0]}:{base}", dtype, batch_tokens)  # type: ignore[attr-defined]
    if not additions:
        return model
    with ExitStack() as contexts:
        for folder in additions:
            model = _add(model, folder, contexts)
        _keep(model, contexts.pop_all())
    model.spec = replace(model.spec, uri=uri)
    return model


def _keep(model: Any, contexts: ExitStack) -> None:
    """Keep what was put on the model as long as it or its module: a collected context restores the base.

    Whoever takes the module alone, ``open_model(uri).module``, holds the treated one. What is still open at
    the program's end is closed before torch is gone.
    """
    model.closing = contexts
    if hasattr(model, "module"):
        model.module.__dict__["_evenhand_closing"] = contexts  # past torch, which looks for parameters in it
    _opened_contexts.add(contexts)


_opened_contexts: WeakSet[ExitStack] = WeakSet()


@atexit.register
def _close_contexts() -> None:
    for contexts in list(_opened_contexts):
        contexts.close()


def check_name(uri: str) -> None:
    """Refuse a model's name that cannot be opened, as far as that is told without opening it.

    Raises:
        UnknownName: no such scheme.
        UsageError: the string cannot be used as written, or a file or folder that it names is not there.
    """
    scheme, rest = _split_scheme(uri)
    base, additions = split_additions(rest, files=scheme.file)
    if scheme is _SCHEMES["lab"]:
        from evenhand.lab import parse

        parse(base)
    place = base if expanded(Path(base)).exists() else base.partition("?")[0]
    named = [Path(place)] if scheme.file or written_as_path(base) else []
    for path in (*named, *additions):
        if not expanded(path).exists():
            raise BadData(f"{uri} names {path}, which is not there.", mend="Name a file or folder that is.")


def check_running(uri: str, *, dtype: str | None, batch_tokens: int | None) -> None:
    """Refuse options of running a model beside one that runs elsewhere, or has run: they would do nothing.

    Raises:
        UsageError: one is given for an endpoint or for recorded answers.
    """
    given = [name for name, value in (("dtype", dtype), ("batch-tokens", batch_tokens)) if value is not None]
    if given and uri.partition(":")[0] in _ELSEWHERE:
        raise UsageError(
            f"{' and '.join(given)} would have no effect: {uri} is not run on this machine.",
            mend=f"Leave out {' and '.join(f'--{name}' for name in given)}.",
        )


def close_model(model: Model) -> None:
    """Remove what opening added to `model`: the base's bits are restored; do not use `model` again. Hidden
    states that were kept of it are freed.

    Doing it twice, or to a model without additions, is not an error. An endpoint has nothing to close: each
    exchange closes its own connection.
    """
    if (module := getattr(model, "module", None)) is not None:
        from evenhand.scoring.kept import forget

        forget(module)
    closing = getattr(model, "closing", None)
    if isinstance(closing, ExitStack):
        closing.close()
        if module is not None:
            module.__dict__.pop("_evenhand_closing", None)


@contextmanager
def opened(uri: str, *, dtype: str | None = None, batch_tokens: int | None = None) -> Iterator[Model]:
    """The model that `uri` names, closed at the end; arguments and errors as in `open_model`."""
    model = open_model(uri, dtype=dtype, batch_tokens=batch_tokens)
    try:
        yield model
    finally:
        close_model(model)


def _split_scheme(uri: str) -> tuple[_Scheme, str]:
    """The scheme of a model's name, and the text after its colon.

    Raises:
        UsageError: the name is not a text, or one of the two is missing.
        UnknownName: no such scheme.
    """
    if not isinstance(uri, str):
        raise UsageError(f"{uri!r} is not the name of a model.", mend="Give a text such as 'lab:causal'.")
    scheme, colon, rest = uri.partition(":")
    known = {*_SCHEMES, *_registered()}
    if not colon or scheme not in known:
        if not colon and uri in known:
            raise UsageError(f"{uri!r} is a scheme without a model.", mend=f"Write {_scheme(uri).example}.")
        near = f"Write hf:{uri} if it is a Hugging Face name or folder." if not colon else ""
        raise UnknownName("model scheme", scheme if colon else uri, known, mend=near)
    if not rest:
        raise UsageError(f"{uri!r} names no model.", mend=f"Write {_scheme(scheme).example}.")
    return _scheme(scheme), rest


def _scheme(name: str) -> _Scheme:
    point = _registered().get(name)
    if point is None:
        return _SCHEMES[name]
    return _Scheme(point.load(), f"a name after it: {name}:NAME")


def split_additions(rest: str, *, files: bool = False) -> tuple[str, list[Path]]:
    """Split ``base+folder+folder`` at its plus signs, except those inside a path that exists."""
    parts = rest.split("+")
    count = 1
    if files or written_as_path(rest):
        longest = (n for n in range(len(parts), 0, -1) if os.path.exists(expanded(Path("+".join(parts[:n])))))  # noqa: PTH110
        count = next(longest, 1)
    return "+".join(parts[:count]), [Path(part).expanduser() for part in parts[count:]]


def require_hf(purpose: str) -> None:
    """Check that the packages of the ``hf`` extra are installed, without importing them.

    Raises:
        MissingExtra: one is not installed.
    """
    for package in ("torch", "transformers", "safetensors"):
        if find_spec(package) is None:
            raise MissingExtra(package, "hf", purpose)


@cache
def _registered() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="evenhand.models")}


def _add(model: Model, folder: Path, contexts: ExitStack) -> Model:
    """`model` with the adapter or the saved treatment in `folder`, until `contexts` are left."""
    from evenhand.treatments import holds_treatment, load

    settle(folder)
    if not is_folder(folder):
        raise BadData(
            f"There is no folder {folder}.", mend="Give the folder of an adapter or a saved treatment."
        )
    if not holds_treatment(folder):
        raise BadData(
            f"{folder} holds neither an adapter_config.json (PEFT) nor a mitigation.json (a treatment).",
            mend="Name a folder that peft or `evenhand mitigate` wrote.",
        )
    return contexts.enter_context(load(folder).applied(model))
