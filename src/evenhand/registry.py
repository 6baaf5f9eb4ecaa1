"""Finding components: by walking a folder, and by entry points of other packages.

A module of one of the folders below holds either one component, named `component`, which has the module's
name; or several, listed in `components = (...)`, of which each says its name itself (its `name`, else its
``__name__``). To list names only modules of the second sort are imported, so they have to be light. A module
whose name starts with an underscore is a helper. Another package adds components through entry points of the
group ``evenhand.<folder>``, each of which names one. No two components of a kind have one name.

Everywhere a component with arguments is written ``name:key=value,key=value``; in a list, a part that
starts with ``key=`` belongs to the component before it: ``genbiaseval:split=profession,attribute=race,ub``
names two. A component may name one of its options as `bare`: that one may stand without its key, before
the others. ``lm_eval:hellaswag`` is ``lm_eval:task=hellaswag``. Only the component knows the key, so
`parse` keeps such a value as it is, and `keyed` looks the key up. A value, or a name in one, that holds a
comma stands in double quotes (`evenhand.quoting`), which stay: ``drop:columns="a,b"|c``.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints
from importlib.metadata import entry_points as every_entry_point
from pathlib import Path
from types import ModuleType
from typing import Any

from evenhand import quoting
from evenhand.errors import BadOption, EnvironmentProblem, UnknownName, UsageError

FOLDERS: Mapping[str, str] = {
    "metric": "evenhand.metrics",
    "benchmark": "evenhand.benchmarks",
    "locator": "evenhand.locators",
    "mitigation": "evenhand.mitigations",
    "treatment": "evenhand.treatments",
    "control": "evenhand.controls",
    "audit": "evenhand.audits",
    "repair": "evenhand.repairs",
}
LISTERS: Mapping[str, str] = {kind: f"evenhand ls {kind}s" for kind in FOLDERS if kind != "treatment"}
"""The command that lists the components of a kind."""
LARGEST_SEED = 2**32 - 1  # what every library's generator takes
_REASONS: Mapping[str, str] = {
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
    "int_parsing_size": "is too large",
    "float_parsing": "is no number",
    "bool_parsing": "is neither true nor false",
}
_OPTION = re.compile(r"^\s*[A-Za-z_]\w*\s*=")
_SEVERAL = re.compile(r"^components\b[^=\n]*=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """A parsed ``name:key=value,...``; `str` gives the canonical text back, options sorted.

    An option without its key has the key ``""``; see `keyed`.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        options = ",".join(f"{key}={value}" if key else value for key, value in sorted(self.options.items()))
        return f"{self.name}:{options}" if options else self.name


def parse(text: str) -> ComponentSpec:
    """Read one component.

    Raises:
        UsageError: the text names none, more than one, or has an option without a value.
    """
    specs = parse_many(text)
    if len(specs) != 1:
        raise UsageError(
            f"{text!r} names {len(specs)} components.",
            mend="Write one: name:key=value,key=value (a value that holds a comma in double quotes)",
        )
    return specs[0]


def parse_many(text: str) -> tuple[ComponentSpec, ...]:
    """Read a comma-separated list of components, in order."""
    if not isinstance(text, str):
        raise _no_component(text)
    specs: list[tuple[str, dict[str, str]]] = []
    for part in quoting.pieces(text, ","):
        if _OPTION.match(part) and specs:
            _read_option(part, specs[-1][1])
            continue
        name, colon, option = part.partition(":")
        if not name.strip():
            raise UsageError(
                f"{text!r} has a component without a name.", mend="Write name:key=value,key=value"
            )
        specs.append((name.strip(), {}))
        if colon:
            _read_first(option, specs[-1][1])
    return tuple(ComponentSpec(name, options) for name, options in specs)


def spec_texts(texts: str | Iterable[str], kind: str = "benchmark") -> tuple[str, ...]:
    """The canonical specs in a text or in several, each of which may list more than one; each once, in order.

    Raises:
        UsageError: a text is not a list of components.
        UnknownName: an option stands without its key, and no component of the kind has the name before it.
    """
    several = [texts] if isinstance(texts, str) else texts
    if not isinstance(several, Iterable) or isinstance(several, bytes):
        raise _no_component(texts)
    return tuple(dict.fromkeys(str(keyed(kind, spec)) for text in several for spec in parse_many(text)))


def keyed(kind: str, spec: ComponentSpec) -> ComponentSpec:
    """`spec` with the key of an option that was written without it; nothing is imported where none was.

    Raises:
        UnknownName: no component of that kind has the name.
        UsageError: the component has no such option.
    """
    if "" not in spec.options:
        return spec
    key = getattr(get(kind, spec.name), "bare", "")
    if not key:
        raise _no_option(spec.options[""])
    rest = {name: value for name, value in spec.options.items() if name}
    return ComponentSpec(spec.name, {key: spec.options[""]} | rest)


def _no_component(given: object) -> UsageError:
    return UsageError(
        f"{given!r} is not the name of a component.",
        mend="Give a text such as 'genbiaseval', 'name:key=value', or a list of such texts.",
    )


def _read_first(option: str, options: dict[str, str]) -> None:
    """Read the option after the colon, which alone may have no key."""
    if _OPTION.match(option) or not option.strip():
        _read_option(option, options)
    else:
        options[""] = option.strip()


def _read_option(part: str, options: dict[str, str]) -> None:
    key, equals, value = part.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise _no_option(part)
    if key.strip() in options:
        raise UsageError(f"The option {key.strip()} is given twice.", mend="Write it once.")
    options[key.strip()] = value.strip()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a component stands: in a `module` of this package, or at an entry `point` of another one."""

    module: str = ""
    point: EntryPoint | None = None

    def load(self, name: str) -> Any:
        if self.point is not None:
            try:
                return self.point.load()
            except Exception as error:  # code of another package: whatever it raises
                raise _unusable(name, self, f"{type(error).__name__}: {error}") from error
        found = importlib.import_module(self.module)
        return _components(found)[name] if hasattr(found, "components") else found.component

    def __str__(self) -> str:
        if self.point is None:
            return self.module
        package = f" of the package {self.point.dist.name}" if self.point.dist else ""
        return f"{self.point.value}{package}"


def _components(module: ModuleType) -> dict[str, Any]:
    """The components of a module that holds several, by name."""
    found: dict[str, Any] = {}
    for one in module.components:
        name = getattr(one, "name", None)
        name = name if isinstance(name, str) else one.__name__
        if found.setdefault(name, one) is not one:
            raise _claimed_twice("component", name, module.__name__, module.__name__)
    return found


def _walked(package: ModuleType) -> Iterator[tuple[str, _Place]]:
    """Each component of a folder by name; a module is imported only where it holds several."""
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        path = f"{package.__name__}.{info.name}"
        if _holds_several(path):
            yield from ((name, _Place(path)) for name in _components(importlib.import_module(path)))
        else:
            yield info.name, _Place(path)


def _holds_several(path: str) -> bool:
    """Whether the module assigns `components`, judged by its source, without importing it."""
    spec = importlib.util.find_spec(path)
    source = getattr(spec and spec.loader, "get_source", lambda _: None)(path)
    if source is None and spec is not None and spec.origin is not None:
        # pytest imports a package that brings a plug-in by a loader of its own, which gives no source.
        source = Path(spec.origin).read_text(encoding="utf-8")
    return bool(_SEVERAL.search(source or ""))


def _no_option(part: str) -> UsageError:
    return UsageError(
        f"{part.strip()!r} is not an option.", mend="Options are written key=value, with commas between."
    )


def _unusable(name: str, place: object, why: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"The component {name!r} of {place} cannot be used: {why}.",
        mend="Repair the package that registers it, or uninstall it.",
    )


@cache
def _installed() -> Any:  # until Python 3.12 another class than EntryPoints, with the same `select`
    """What all installed packages register, read once: each reading searches every package's folder."""
    return every_entry_point()


def entry_points(group: str) -> EntryPoints:
    """What installed packages register in a group."""
    found: EntryPoints = _installed().select(group=group)
    return found


@cache
def _places(kind: str) -> Mapping[str, _Place]:
    """Where each component of a kind stands.

    Raises:
        EnvironmentProblem: two modules or packages claim one name.
    """
    found: dict[str, _Place] = {}
    added = ((point.name, _Place(point=point)) for point in entry_points(group=FOLDERS[kind]))
    for name, place in (*_walked(importlib.import_module(FOLDERS[kind])), *added):
        there = found.setdefault(name, place)
        if str(there) != str(place):
            raise _claimed_twice(kind, name, str(there), str(place))
    return found


def _claimed_twice(kind: str, name: str, first: str, second: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"Two components claim the name of the {kind} {name!r}: {first} and {second}.",
        mend="Give one of them another name, or uninstall the package that adds it.",
    )


@cache
def names(kind: str) -> tuple[str, ...]:
    """The names of all components of a kind (``benchmark``, ``metric``, ...), sorted.

    Raises:
        EnvironmentProblem: two modules or packages claim one name.
    """
    return tuple(sorted(_places(kind)))


def own_names(kind: str) -> tuple[str, ...]:
    """The names of the components that stand in this package, whatever else is installed, sorted."""
    return tuple(sorted(name for name, place in _places(kind).items() if place.point is None))


def get(kind: str, name: str) -> Any:
    """The component itself.

    Raises:
        UnknownName: nothing of that kind has this name; the message gives near names.
    """
    if name not in names(kind):
        raise UnknownName(kind, name, names(kind), lister=LISTERS.get(kind, ""))
    return _places(kind)[name].load(name)


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
    parsed = keyed(kind, spec if isinstance(spec, ComponentSpec) else parse(spec))
    factory = get(kind, parsed.name)
    if not callable(factory):
        raise _unusable(parsed.name, _places(kind)[parsed.name], f"it is a {type(factory).__name__}")
    known = options(factory)
    for key in parsed.options:
        if key not in known:
            raise BadOption(f"{kind} {parsed.name!r} has no option {key!r}.", mend=_mend(known))
    values = {key: _convert(parsed, key, value, known[key]) for key, value in parsed.options.items()}
    for key, value in values.items():
        if key.endswith("seed") and isinstance(value, int) and not 0 <= value <= LARGEST_SEED:
            raise BadOption(
                f"{parsed.name}:{key}={value} is out of range.",
                mend=f"Write a whole number from 0 to {LARGEST_SEED}.",
            )
    return factory(**values)


def spec_of(name: str, component: Any) -> str:
    """The canonical spec of a dataclass component: its name and the options that are not the defaults.

    Fields with ``repr=False`` are for programs, or change nothing in the result, and stay out.
    """
    given = {
        f.name: str(getattr(component, f.name))
        for f in dataclasses.fields(component)
        if f.repr and getattr(component, f.name) != f.default
    }
    return str(ComponentSpec(name, given))


def options(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The options of a component, by name, annotations resolved."""
    hints = typing.get_type_hints(factory)  # of a class those of its bases, each in its own module
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


def _kind_of(kind: Any) -> str:
    """A type as people read it; of a choice its values, of several types all of them."""
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(str(choice) for choice in typing.get_args(kind))
    if typing.get_origin(kind) is typing.Union:
        return " | ".join("None" if one is type(None) else _kind_of(one) for one in typing.get_args(kind))
    return getattr(kind, "__name__", str(kind)).replace("typing.", "")


def described(parameter: inspect.Parameter) -> str:
    """One option as people read it: ``name=type (default value)``."""
    text = _kind_of(parameter.annotation)
    default = "" if parameter.default is inspect.Parameter.empty else f" (default {parameter.default})"
    return f"{parameter.name}={text}{default}"
