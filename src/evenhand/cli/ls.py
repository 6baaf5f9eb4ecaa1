"""``evenhand ls``: list models, components and attributes."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer

from evenhand.cli import console
from evenhand.cli.options import Json

MODELS: tuple[tuple[str, str], ...] = (
    (
        "lab:causal",
        "A small model with a planted, known bias, trained here; ?planted=none and ?block=2 are variants.",
    ),
    ("lab:masked", "The same planted bias in a small masked model (BERT); ?planted=none is its control."),
    ("lab:seq2seq", "The same in a small sequence-to-sequence model (T5); ?planted=none is its control."),
    ("lab:decisions", "A small model that approves or refuses people; ?planted=none is its control."),
    ("hf:org/name@revision", "A causal, masked or sequence-to-sequence model of the Hugging Face hub."),
    ("hf:./folder", "Such a model in a folder, in safetensors."),
    ("hf:org/name+folder", "The same with a PEFT adapter, or with a treatment that `mitigate` saved."),
    ("recorded:file.jsonl", "Answers that were collected elsewhere; needs no torch."),
)


class Kind(StrEnum):
    """What `ls` can list."""

    ALL = "all"
    BENCHMARKS = "benchmarks"
    METRICS = "metrics"
    LOCATORS = "locators"
    MITIGATIONS = "mitigations"
    CONTROLS = "controls"
    AUDITS = "audits"
    REPAIRS = "repairs"
    ATTRIBUTES = "attributes"
    MODELS = "models"


What = Annotated[Kind, typer.Argument(metavar="[KIND]", help="|".join(Kind))]


def ls(what: What = Kind.ALL, as_json: Json = False) -> int:
    """List what there is: names, titles and options."""
    with _uncollected():
        return _listed(what, as_json)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without searches for circular garbage: imports leave hardly any, and searching took a sixth of `ls`.

    What was made counts as old afterwards, so that the next search does not begin with all of it.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            if not gc.get_freeze_count():  # else another part of this process keeps objects apart
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _listed(what: Kind, as_json: bool) -> int:
    kinds = [kind for kind in Kind if kind is not Kind.ALL] if what is Kind.ALL else [what]
    found = {kind.value: entries(kind) for kind in kinds}
    if as_json:
        console.emit(found)
        return 0
    for name, rows in found.items():
        columns = {"name": "name", "title": "what it is", "better": "better", "options": "options"}
        shown = [key for key in columns if any(row.get(key) for row in rows)]
        cells = [[_cell(row.get(key, "")) for key in shown] for row in rows]
        console.table(name, [columns[key] for key in shown], cells, labels=len(shown))
    return 0


def _cell(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "\n".join(value)


def entries(kind: Kind) -> list[dict[str, Any]]:
    """Each entry's `name`, `title` and `options` (as ``key=type (default value)``); a metric's `better`."""
    if kind is Kind.MODELS:
        return [{"name": name, "title": title, "options": []} for name, title in MODELS]
    if kind is Kind.ATTRIBUTES:
        return _attributes()
    from evenhand import registry

    singular = kind.value.removesuffix("s")
    return [_component(singular, name) for name in registry.names(singular)]


def _attributes() -> list[dict[str, Any]]:
    from evenhand.lexicons import attribute, attribute_names, language

    found = []
    for about in map(attribute, attribute_names()):
        spoken = f" ({language(about.language).name})" if about.language != "en" else ""
        title = f"{', '.join(about.group_names)}{spoken}"
        found.append({"name": about.name, "title": title, "options": []})
    return found


def _component(kind: str, name: str) -> dict[str, Any]:
    from evenhand import registry

    try:
        found = registry.get(kind, name)
    except ImportError as error:
        title = f"needs the package {error.name}: pip install 'evenhand[hf]'"
        return {"name": name, "title": title, "options": []}
    if kind == "metric":
        return {"name": name, "title": found.title, "better": found.direction, "options": []}
    described = [registry.described(option) for option in registry.options(found).values()]
    return {"name": name, "title": _title(found), "options": described}


def _title(found: Any) -> str:
    return (inspect.getdoc(found) or "").partition("\n\n")[0].replace("\n", " ")
