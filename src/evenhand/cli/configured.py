"""``--config FILE.toml`` and ``--print-config``, which every command takes.

A file gives options by their names, ``batch-tokens`` or ``batch_tokens``; an argument by its own, such as
``uri``. What stands on the command line wins over it. A table named after a command, ``[verify]``, holds
options of that command only; the tables of other commands are passed over, so one file can serve several.
"""

from __future__ import annotations

import contextlib
import enum
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from evenhand.cli import console
from evenhand.cli.given import OF_THE_MACHINE
from evenhand.errors import BadData, did_you_mean, listed
from evenhand.toml import as_toml

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., int])
OWN = ("config", "print_config", "help")
_WANTED = "evenhand.print_config"
_filed: ContextVar[frozenset[str]] = ContextVar("filed", default=frozenset())
_printing: ContextVar[bool] = ContextVar("printing", default=False)


class Configured(TyperCommand):
    """A command that also takes its options from a TOML file, and prints them as one."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params += _shared()

    def invoke(self, ctx: Any) -> Any:
        """Run the command, or print what it would run with, if it would run with that."""
        printing = bool(ctx.meta.get(_WANTED))
        filed = {
            option
            for parameter in self.params
            if getattr(ctx.get_parameter_source(parameter.name), "name", "") == "DEFAULT_MAP"
            for option in parameter.opts
        }
        tokens = _filed.set(frozenset(filed)), _printing.set(printing)
        try:
            if not printing:
                return super().invoke(ctx)
            if getattr(self.callback, "checks_first", False):
                with contextlib.suppress(_Ready, *OF_THE_MACHINE):
                    super().invoke(ctx)
            console.say(as_toml(_resolved(ctx)).rstrip())
            return 0
        finally:
            _filed.reset(tokens[0])
            _printing.reset(tokens[1])


class _Ready(BaseException):
    """Not an error: a command has looked at its options, and is not to go on."""


def checks_first(command: F) -> F:
    """Mark a command that looks at its options beside each other before any work, and then calls `ready`."""
    command.checks_first = True  # type: ignore[attr-defined]
    return command


def ready() -> None:
    """Every option was looked at: the command ends here where it is only asked to print them."""
    if _printing.get():
        raise _Ready


def typed(option: str, value: T | None) -> T | None:
    """The value of an option, such as ``--locator``; None where a file of ``--config`` gave it.

    Such a file serves several commands: what has no effect in one of them was not meant for that.
    """
    return None if option in _filed.get() else value


def _use(ctx: typer.Context, value: Path | None) -> Path | None:
    """Make the values of the file the defaults of the command."""
    if value is None or ctx.resilient_parsing:
        return value
    from evenhand.studies.grid.file import load_toml

    found, problems = settings(load_toml(value), ctx.command_path.split()[1:], names_of(ctx.command))
    if problems:
        raise BadData(
            f"{value} is no usable configuration of {ctx.command_path}: {listed(problems)}.",
            mend=f"`evenhand validate {value}` lists every problem.",
        )
    ctx.default_map = {**(ctx.default_map or {}), **as_lists(found, ctx.command)}
    return value


def _note(ctx: typer.Context, value: bool) -> bool:
    if value:
        ctx.meta[_WANTED] = True
    return value


_Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        is_eager=True,
        expose_value=False,
        callback=_use,
        help="Take options from this file; those on the command line win.",
    ),
]
_Print = Annotated[
    bool,
    typer.Option(
        "--print-config",
        is_eager=True,
        expose_value=False,
        callback=_note,
        help="Print the options as such a file, and do nothing.",
    ),
]


def _carrier(config: _Config = None, print_config: _Print = False) -> None:
    """Nothing: typer reads the two options that every command has from this signature."""


def _shared() -> list[Any]:
    """The two options, made anew for each command."""
    carrier = typer.Typer(add_completion=False)
    carrier.command()(_carrier)
    return list(typer.main.get_command(carrier).params)


def names_of(command: Any) -> dict[str, str]:
    """How each parameter of a command may be written in a file, and its own name.

    An argument also as its help calls it, ``endpoint`` for ENDPOINT, where no other is called so.
    """
    found: dict[str, str] = {}
    shown = Counter(word for parameter in command.params for word in _shown(parameter))
    for parameter in command.params:
        if parameter.name in OWN:
            continue
        long = [o.lstrip("-").replace("-", "_") for o in getattr(parameter, "opts", ()) if o.startswith("--")]
        for name in (parameter.name, *long):
            found[name] = parameter.name
    for parameter in command.params:
        for word in _shown(parameter):
            if shown[word] == 1:
                found.setdefault(word, parameter.name)
    return found


def _shown(parameter: Any) -> list[str]:
    """The words by which the help calls an argument."""
    if parameter.param_type_name != "argument":
        return []
    return re.findall("[a-z]+", (parameter.metavar or "").lower())


def as_lists(values: Mapping[str, Any], command: Any) -> dict[str, Any]:
    """Values by parameter; one value of an option that may be given several times becomes a list of one."""
    several = {p.name for p in command.params if getattr(p, "multiple", False)}
    return {
        name: value if isinstance(value, list) or name not in several else [value]
        for name, value in values.items()
    }


def settings(
    table: Mapping[str, Any], path: Sequence[str], names: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """The values of a file for the command at `path`, by parameter, and every problem.

    A value of the command's own table wins over one outside of it.
    """
    own: Any = table
    for step in path:
        own = own.get(step, {}) if isinstance(own, Mapping) else {}
    common = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    flat = {key: value for key, value in own.items() if not isinstance(value, Mapping)} if own else {}
    found: dict[str, Any] = {}
    problems = []
    for key, value in {**common, **flat}.items():
        name = names.get(key.replace("-", "_"))
        if name is None:
            problems.append(f"there is no option {key!r}{did_you_mean(key.replace('-', '_'), names)}")
        elif isinstance(value, list) and not all(isinstance(one, str | int | float) for one in value):
            problems.append(f"{key} = {value!r} is no list of values")
        else:
            found[name] = value
    return found, problems


def _resolved(ctx: Any) -> dict[str, Any]:
    """What the command would run with, in its own order and by the names of its options; no empty list."""
    found: dict[str, Any] = {}
    for parameter in ctx.command.params:
        value = _plain(ctx.params.get(parameter.name))
        if parameter.name not in OWN and value != []:
            found[_written(parameter)] = value
    return found


def _written(parameter: Any) -> str:
    """How a parameter is written in a file: by its long option, an argument by its name."""
    long = [one.lstrip("-") for one in getattr(parameter, "opts", ()) if one.startswith("--")]
    return long[0].replace("-", "_") if long else str(parameter.name)


def _plain(value: Any) -> Any:
    """A parameter's value as TOML can hold it; None where it was not given."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value
