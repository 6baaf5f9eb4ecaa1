"""What a single option may hold, looked at as soon as it is read: by every command, also with --print-config.

An option whose text has a grammar or names of its own is refused here, whatever stands beside it. What hangs
on this machine (a file, a package, a model of the hub) is left to the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import typer

from evenhand.errors import BadData, BadModel, EnvironmentProblem, UsageError

OF_THE_MACHINE = (
    BadData,
    BadModel,
    EnvironmentProblem,
    ImportError,
    OSError,
)  # another may have what is missing


def checked(*checks: Callable[[Any], object]) -> Callable[[Any], Any]:
    """A callback of typer's: hands the value to each check, and gives it back as it is.

    An option that was not given (None, or an empty list) is not looked at.
    """

    def callback(value: Any) -> Any:
        for check in () if value is None or value == [] else checks:
            with suppress(*OF_THE_MACHINE):
                check(value)
        return value

    return callback


def each(check: Callable[[str], object]) -> Callable[[Sequence[str]], None]:
    """`check`, of every value of an option that may be repeated."""

    def all_of(values: Sequence[str]) -> None:
        for value in values:
            check(value)

    return all_of


def components(kind: str) -> Callable[[str], None]:
    """Whether a text is a list of components of this kind, with options that they have."""

    def check(text: str) -> None:
        from evenhand import registry

        for spec in registry.spec_texts([text], kind):
            registry.create(kind, spec)

    return check


def method(text: str) -> None:
    """Whether a text names a mitigation, a control, or several after each other."""
    from evenhand.studies.methods import made_method

    made_method(text)


def model(uri: str) -> None:
    """Whether a text is the name of a model."""
    from evenhand.opening import check_name

    check_name(uri)


def model_or_run(uri: str) -> None:
    """Whether a text is the name of a model, where it has the form of one and is no folder's."""
    from evenhand.files import is_folder

    if ":" in uri and not is_folder(uri):
        model(uri)


def attribute(name: str) -> None:
    """Whether there is such an attribute, built in or in a file."""
    from evenhand.lexicons import attribute as found

    found(name)


def place(text: str) -> None:
    """Whether a text names a place to work at."""
    from evenhand.workers import parse

    parse(text)


def tracker(name: str) -> None:
    """Whether figures can be sent to a tracker of that name."""
    from evenhand.publishing.tracking import check

    check(name)


def part(text: str) -> None:
    """Whether a text is a part, such as 2/8."""
    from evenhand.studies.grid.running import parse_part

    parse_part(text)


def dtype(name: str) -> None:
    """Whether there is such a dtype."""
    from evenhand.models.loading import torch_dtype

    torch_dtype(name)


def condition(text: str) -> None:
    """Whether a text is a condition of the gate."""
    from evenhand.studies.compare import read_condition

    read_condition(text)


def slices(text: str) -> None:
    """Whether a text names slices."""
    if not names_in(text):
        raise UsageError(
            f"--by {text!r} names no slices.", mend="Write their names, such as --by task,domain."
        )


def names_in(text: str) -> tuple[str, ...]:
    """The names that commas separate, each once."""
    return tuple(dict.fromkeys(filter(None, (name.strip() for name in text.split(",")))))


def recipe(source: str) -> None:
    """Whether there are recipes of that source."""
    from evenhand.reproductions import recipe_of

    recipe_of(source)


def scope(name: str) -> None:
    """Whether a key of the monitor can have that scope."""
    from evenhand.monitor.roles import known_scopes

    known_scopes([name])


def role(name: str) -> None:
    """Whether a person can have that role in the monitor."""
    from evenhand.monitor.roles import known_role

    known_role(name)


def hours(value: float) -> None:
    """Whether a canary can run so often."""
    from evenhand.monitor.canaries import check_hours

    check_hours(value)


def minutes(value: float) -> None:
    """Whether a budget is a time."""
    from evenhand.studies.options import VerifyOptions

    VerifyOptions(budget=value)


def share(value: float) -> None:
    """Whether a margin is a share; typer's own range check handles nan wrongly."""
    from evenhand.errors import BadOption
    from evenhand.studies.options import VerifyOptions

    try:
        VerifyOptions(margin=value)
    except BadOption as error:
        raise typer.BadParameter(str(error)) from None
