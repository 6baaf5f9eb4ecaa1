"""The typer application: every verb by its name, in the order in which people need them.

`app_of` makes it of one verb where that is the first argument, since importing and describing the others
takes longer than many a command. `app` has all of them: it shows the help and completes names.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

from evenhand import __version__
from evenhand.cli.configured import Configured

if TYPE_CHECKING:
    app: typer.Typer

VERBS: Mapping[str, str] = {  # each a function of its own name in a module of its own name
    "demo": "The main workflow on a small model trained here, in plain words.",
    "audit": "Is this data set fit to train or to judge with?",
    "measure": "How biased is this model, on what, how certainly?",
    "locate": "Which blocks carry the bias?",
    "mitigate": "Reduce it, and keep the treatment.",
    "verify": "Is it mitigated, or just broken?",
    "report": "Write a stored run as one HTML file.",
    "compare": "Two stored runs on the same items.",
    "gate": "Fail a build when a run misses a condition.",
    "lint": "What cannot be right in a published table.",
    "reproduce": "A paper's tables on any model.",
    "plan": "What a verify would run.",
    "push": "A treated model with its card, to the hub.",
    "validate": "Check a study file or a configuration.",
    "ls": "What there is to use.",
    "doctor": "What this machine has, and what is missing.",
}
GROUPS: Mapping[str, tuple[str, str]] = {  # of commands: the module whose `app` it is, and what it is for
    "study": ("study", "Many mitigations on many models, from one file."),
    "monitor": ("monitor_canaries", "Keep it that way in production: a service with alerts."),
    "data": ("data", "Benchmark data: list, fetch, check, find."),
}
LOOKS_AT_ALL = "validate"  # a file for --config is checked against the options of every command


def app_of(first: str) -> typer.Typer:
    """The application for a command line that begins with this word: of that verb alone where it is one."""
    alone = first in {*VERBS, *GROUPS} and first != LOOKS_AT_ALL
    return _made((first,) if alone else (*VERBS, *GROUPS))


@cache
def _made(names: tuple[str, ...]) -> typer.Typer:
    """The application of these verbs and groups of commands."""
    made = typer.Typer(
        name="evenhand",
        help="Measure, locate, mitigate, verify and monitor social bias in language models.",
        epilog="Start with `evenhand demo`. A model is named by one string: lab:causal, "
        "hf:org/name@revision, hf:./folder, openai:URL#model, recorded:file.jsonl. With arguments: "
        "name:key=value,key=value.",
        context_settings={"help_option_names": ["-h", "--help"]},  # sub-commands inherit it
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    made.callback()(_root)
    for name in names:
        module, short = GROUPS.get(name, (name, VERBS.get(name, "")))
        home = importlib.import_module(f"evenhand.cli.{module}")
        if name in GROUPS:
            made.add_typer(home.app, name=name, short_help=short)
        else:
            made.command(name, cls=Configured, short_help=short)(getattr(home, name))
    return made


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"evenhand {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", "-V", callback=_version, is_eager=True, help="Say which version."
    ),
) -> None:
    """Measure, locate, mitigate, verify and monitor social bias in language models."""


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return app_of("")
