"""Finding components: by walking a folder, and by entry points of other packages.

A component is the object named `component` in a module of one of the folders below; the module's name
is the component's name, and a module whose name starts with an underscore is a helper. Another package
adds components through entry points of the group ``evenhand.<folder>``.

Everywhere a component with arguments is written ``name:key=value,key=value``; in a list, a part that
starts with ``key=`` belongs to the component before it: ``genbiaseval:split=profession,attribute=race,ub``
names two. The first option of a component in `BARE` may stand
without its key: ``lm_eval:hellaswag`` is ``lm_eval:task=hellaswag``.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from evenhand.errors import BadOption, UnknownName, UsageError

FOLDERS: Mapping[str, str] = {
    "metric": "evenhand.metrics",
    "benchmark": "evenhand.benchmarks",
    "locator": "evenhand.locators",
    "mitigation": "evenhand.mitigations",
}
# Components whose first option may stand without its key: parsing must not import them to know.
BARE: Mapping[str, str] = {"lm_eval": "task", "multiple_choice": "file"}
LARGEST_SEED = 2**32 - 1  # what every library's generator takes
_REASONS: Mapping[str, str] = {
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
    "int_parsing_size": "is too large",
    "float_parsing": "is no number",
    "bool_parsing": "is neither true nor false",
}
_OPTION = re.compile(r"^\s*[A-Za-z_]\w*\s*=")


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """A parsed ``name:key=value,...``; `str` gives the canonical text back, options sorted."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        options = ",".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name}:{options}" if options else self.name


def parse(text: str) -> ComponentSpec:
    """Read one component.

    Raises:
        UsageError: the text names none, more than one, or has an option without a value.
    """
    specs = parse_many(text)
    if len(specs) != 1:
        raise UsageError(
            f"{text!r} names {len(specs)} components.", mend="Write one: name:key=value,key=value"
        )
    return specs[0]


def parse_many(text: str) -> tuple[ComponentSpec, ...]:
    """Read a comma-separated list of components, in order."""
    if not isinstance(text, str):
        raise _no_component(text)
    specs: list[tuple[str, dict[str, str]]] = []
    for part in text.split(","):
        if _OPTION.match(part) and specs:
            _read_option(part, specs[-1][1])
            continue
        name, colon, option = part.partition(":")
        if not name.strip():
            raise UsageError(f"{text!r} has an empty name.", mend="Write name:key=value,key=value")
        specs.append((name.strip(), {}))
        if colon:
            _read_option(_with_key(name.strip(), option), specs[-1][1])
    return tuple(ComponentSpec(name, options) for name, options in specs)


def spec_texts(texts: str | Iterable[str]) -> tuple[str, ...]:
    """The canonical specs in a text or in several, each of which may list more than one; each once, in order.

    Raises:
        UsageError: a text is not a list of components.
    """
    several = [texts] if isinstance(texts, str) else texts
    if not isinstance(several, Iterable) or isinstance(several, bytes):
        raise _no_component(texts)
    return tuple(dict.fromkeys(str(spec) for text in several for spec in parse_many(text)))


def _no_component(given: object) -> UsageError:
    return UsageError(
        f"{given!r} is not the name of a component.",
        mend="Give a text such as 'genbiaseval', 'name:key=value', or a list of such texts.",
    )


def _with_key(name: str, option: str) -> str:
    """`option` with the key that the component's `BARE` gives it, where it is written alone."""
    key = BARE.get(name)
    return option if key is None or not option.strip() or _OPTION.match(option) else f"{key}={option}"


def _read_option(part: str, options: dict[str, str]) -> None:
    key, equals, value = part.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise UsageError(
            f"{part.strip()!r} is not an option.", mend="Options are written key=value, with commas between."
        )
    options[key.strip()] = value.strip()


@cache
def _entry_points(kind: str) -> Mapping[str, Any]:
    return {point.name: point for point in entry_points(group=FOLDERS[kind])}


@cache
def names(kind: str) -> tuple[str, ...]:
    """The names of all components of a kind (``benchmark``, ``metric``, ...), sorted."""
    package = importlib.import_module(FOLDERS[kind])
    walked = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
    return tuple(sorted(walked | set(_entry_points(kind))))


def get(kind: str, name: str) -> Any:
    """The component itself.

    Raises:
        UnknownName: nothing of that kind has this name; the message lists what exists.
    """
    if name not in names(kind):
        raise UnknownName(kind, name, names(kind))
    points = _entry_points(kind)
    if name in points:
        return points[name].load()
    return importlib.import_module(f"{FOLDERS[kind]}.{name}").component


def find(kind: str, name: str) -> Any | None:
    """The component, or None where none of that name is installed or what it needs is missing."""
    try:
        return get(kind, name)
    except (UnknownName, ImportError):
        return None


def create(kind: str, spec: str | ComponentSpec) -> Any:
    """Build a component that is made by a callable, with the options of its spec.

    Values are converted by the callable's annotations, so ``lr=1e-4`` arrives as a float.

    Raises:
        UnknownName: no such component.
        BadOption: no such option, or a value of the wrong type; the message lists the options.
    """
    parsed = spec if isinstance(spec, ComponentSpec) else parse(spec)
    factory = get(kind, parsed.name)
    known = options(factory)
    for key in parsed.options:
        if key not in known:
            raise BadOption(f"{kind} {parsed.name!r} has no option {key!r}.", mend=_mend(known))
    values = {key: _convert(parsed, key, value, known[key]) for key, value in parsed.options.items()}
    for key, value in values.items():
        if key.endswith("seed") and isinstance(value, int) and not 0 <= value <= LARGEST_SEED:
            raise BadOption(
                f"{parsed.name}:{key}={value} cannot be.",
                mend=f"Write a whole number from 0 to {LARGEST_SEED}.",
            )
    return factory(**values)


def spec_of(name: str, component: Any) -> str:
    """The canonical spec of a dataclass component: its name and the options that are not the defaults.

    Fields with ``repr=False`` are for programs, not for people, and stay out.
    """
    given = {
        f.name: str(getattr(component, f.name))
        for f in dataclasses.fields(component)
        if f.repr and getattr(component, f.name) != f.default
    }
    return str(ComponentSpec(name, given))


def options(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The options of a component, by name, annotations resolved."""
    hints = typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    signature = inspect.signature(factory)
    return {
        name: parameter.replace(annotation=hints.get(name, str))
        for name, parameter in signature.parameters.items()
    }


def _convert(spec: ComponentSpec, key: str, value: str, parameter: inspect.Parameter) -> Any:
    import pydantic

    try:
        return pydantic.TypeAdapter(parameter.annotation).validate_strings(value)
    except pydantic.ValidationError as error:
        found = error.errors()[0]
        reason = f"{value} {_REASONS[found['type']]}" if found["type"] in _REASONS else found["msg"]
        raise BadOption(
            f"{spec.name}:{key}={value} is not valid: {reason}.", mend=_mend({key: parameter})
        ) from None


def _mend(known: Mapping[str, inspect.Parameter]) -> str:
    if not known:
        return "It takes no options."
    return "It takes: " + ", ".join(described(p) for p in known.values()) + "."


def described(parameter: inspect.Parameter) -> str:
    """One option as people read it: ``name=type (default value)``."""
    kind = parameter.annotation
    if typing.get_origin(kind) is typing.Literal:
        text = "|".join(str(choice) for choice in typing.get_args(kind))
    else:
        text = getattr(kind, "__name__", str(kind)).replace("typing.", "")
    default = "" if parameter.default is inspect.Parameter.empty else f" (default {parameter.default})"
    return f"{parameter.name}={text}{default}"
