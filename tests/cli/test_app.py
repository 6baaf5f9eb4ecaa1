"""The application is made of one verb where one is named, and of all where somebody looks at all."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from typer.main import get_command

from evenhand.cli import app as apps
from tests.cli.conftest import Run


def commands(first: str) -> set[str]:
    return set(get_command(apps.app_of(first)).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [*apps.VERBS, *apps.GROUPS])
def test_a_verb_alone_is_what_it_is_among_all(name: str) -> None:
    alone, among = (get_command(apps.app_of(first)).commands[name] for first in (name, ""))  # type: ignore[attr-defined]
    assert [p.opts for p in alone.params] == [p.opts for p in among.params]
    assert (alone.help, alone.short_help) == (among.help, among.short_help)
    assert commands(name) == ({name} if name != apps.LOOKS_AT_ALL else {*apps.VERBS, *apps.GROUPS})


def test_help_and_unknown_words_see_all(run: Run) -> None:
    assert commands("") == commands("--help") == commands("lss") == {*apps.VERBS, *apps.GROUPS}
    assert "Did you mean 'ls'?" in run("lss").err
    shown = run("--help").out
    assert all(f"  {name} " in shown for name in (*apps.VERBS, *apps.GROUPS))


def test_every_verb_has_a_module_of_its_name() -> None:
    for name in apps.VERBS:
        assert callable(getattr(importlib.import_module(f"evenhand.cli.{name}"), name))
    with pytest.raises(AttributeError):
        _ = apps.application  # type: ignore[attr-defined]


def test_one_verb_imports_no_other() -> None:
    code = (
        "import sys; from evenhand.cli import main; main(['ls', 'models']); "
        "print(sorted(n for n in sys.modules if n in ('numpy', 'evenhand.cli.show', 'evenhand.cli.verify')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
