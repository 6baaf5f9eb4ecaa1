"""``evenhand validate``: check a study file, a configuration or an attribute before any weights load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from evenhand.cli import configured, console, failures
from evenhand.cli.options import DataDir, Json
from evenhand.errors import UsageError, did_you_mean

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A study, a file for --config, or an attribute or language pack."),
]
Verb = Annotated[
    str | None,
    typer.Option("--verb", metavar="COMMAND", help="The command that a file for --config is for."),
]
SIGNS = ("models", "mitigations")  # keys that only a study file has
ATTRIBUTE_SIGNS = ("frame", "groups", "crosses", "base")  # keys that only a file of an attribute has


def validate(
    ctx: typer.Context, file: File, verb: Verb = None, data_dir: DataDir = None, as_json: Json = False
) -> int:
    """Check a study file, a file for --config, or an attribute or language pack: every problem at once.

    Exit code 2 if there is one. Keys, components, grids, training data and budgets are checked; of an
    attribute its words, and whether a sentence gives away the group that it asks for. No model is opened.
    """
    from evenhand.studies.grid import checking
    from evenhand.studies.grid.file import load_toml

    table = load_toml(file)
    is_study = verb is None and any(key in table for key in SIGNS)
    holds, look = "", list[str]()
    if not is_study and verb is None and any(key in table for key in ATTRIBUTE_SIGNS):
        kind, problems, holds, look = _attribute(file)
    else:
        problems = checking.check(file)[1] if is_study else _config(ctx, table, verb)
        kind = "study" if is_study else "configuration"
    if as_json:
        extra = {"holds": holds, "look": look} if holds else {}
        console.emit({"file": str(file), "kind": kind, "valid": not problems, "problems": problems} | extra)
    elif problems:
        article = "attribute or language pack" if kind == "attribute" else kind
        console.say(f"{file} is no usable {article}:")
        for problem in problems:
            console.say(f"  - {problem}")
    else:
        console.say(f"{file} is a usable {kind}.")
        if holds:
            console.say(holds)
        for one in look:
            console.say(f"  Look at this, which no rule decides: {one}")
    return UsageError.exit_code if problems else 0


def _attribute(file: Path) -> tuple[str, list[str], str, list[str]]:
    """What a file of an attribute is, its problems; where it has none, what it holds and what to look at."""
    from evenhand.lexicons import checked_file, described, look_at

    about, problems = checked_file(file)
    kind = "attribute" if about is None or not about.is_pack else "language pack"
    if about is None:
        return kind, problems, "", []
    return kind, problems, described(about), look_at(about)


def _config(ctx: typer.Context, table: Mapping[str, Any], verb: str | None) -> list[str]:
    """Every problem of a file for --config: what no command has, and what a command refuses."""
    root: Any = ctx.find_root().command
    if verb is not None:
        found = _command(root, verb.split())
        if found is None:
            return [f"there is no command {verb!r}{did_you_mean(verb, root.commands)}"]
        return _of_command(table, verb.split(), found)
    everywhere = {name for one in _every(root) for name in configured.names_of(one)}
    problems = [
        f"no command has an option {key!r}{did_you_mean(key.replace('-', '_'), everywhere)}"
        for key, value in table.items()
        if not isinstance(value, Mapping) and key.replace("-", "_") not in everywhere
    ]
    problems += _common({k: v for k, v in table.items() if not isinstance(v, Mapping)}, _every(root))
    for key, value in table.items():
        if not isinstance(value, Mapping):
            continue
        command = _command(root, [key])
        if command is None:
            problems.append(f"there is no command {key!r}{did_you_mean(key, root.commands)}")
            continue
        for path, own in _tables(command, [key], value):
            found_own = _command(root, path)
            problems += [f"[{'.'.join(path)}]: {text}" for text in _of_command(own, [], found_own)]
    return problems


def _tables(
    command: Any, path: list[str], table: Mapping[str, Any]
) -> list[tuple[list[str], Mapping[str, Any]]]:
    """The tables of a command, or those of the commands below it."""
    below = getattr(command, "commands", None)
    if below is None:
        return [(path, table)]
    return [
        ([*path, key], value) for key, value in table.items() if isinstance(value, Mapping) and key in below
    ]


def _of_command(table: Mapping[str, Any], path: list[str], command: Any) -> list[str]:
    values, problems = configured.settings(table, path, configured.names_of(command))
    return [*problems, *_typed(command, configured.as_lists(values, command))]


def _common(values: Mapping[str, Any], commands: Sequence[Any]) -> list[str]:
    """Values for several commands that each command with such an option refuses."""
    problems = []
    for key, value in values.items():
        said = []
        for command in commands:
            found, wrong = configured.settings({key: value}, [], configured.names_of(command))
            if found or (wrong and key.replace("-", "_") in configured.names_of(command)):
                said.append([*wrong, *_typed(command, configured.as_lists(found, command))])
        if said and all(said):
            problems += said[0]
    return problems


def _typed(command: Any, values: Mapping[str, Any]) -> list[str]:
    """What the command itself refuses, value by value."""
    problems = []
    with command.make_context(command.name, [], resilient_parsing=True) as context:
        for parameter in command.params:
            if parameter.name not in values:
                continue
            try:
                parameter.process_value(context, values[parameter.name])
            except Exception as error:
                known = failures.as_known(error)
                if known is None:
                    raise
                mend = known.mend if known is error else ""  # the parser's own says where help is
                name = parameter.name.rstrip("_")
                problems.append(f"{name}: {known.what} {mend}".strip().rstrip("."))
    return problems


def _command(root: Any, path: list[str]) -> Any | None:
    found = root
    for step in path:
        found = getattr(found, "commands", {}).get(step)
    return found


def _every(root: Any) -> list[Any]:
    """Every command that is no group."""
    below = getattr(root, "commands", None)
    return [root] if below is None else [one for command in below.values() for one in _every(command)]
