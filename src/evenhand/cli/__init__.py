"""The command line: one file a verb. `main` is the entry point of ``evenhand`` and ``python -m evenhand``.

Nothing heavy is imported before a verb runs, so ``evenhand --help`` stays fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from evenhand import progress
from evenhand.cli import console, failures, interrupts, quiet
from evenhand.errors import BadOption


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` is what stands after ``evenhand`` (None: the process's own arguments).

    Without any argument it shows the help.

    Returns the exit code: 0 done, 1 a gate failed, 2 usage, 3 inconclusive, 4 environment, 130 interrupted,
    141 the reader of stdout has gone.
    Errors that a user can mend are printed, not raised.
    """
    with interrupts.sigterm_as_interrupt():  # first: a process is often stopped while it still starts
        arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
        as_json = "--json" in arguments
        progress.enable()
        try:
            with console.any_text(), console.only_json_on_stdout(as_json), quiet.third_parties():
                return _run(arguments, as_json=as_json)
        finally:
            progress.disable()


def _run(arguments: list[str], *, as_json: bool) -> int:
    try:
        from evenhand.cli.app import app

        _check_unicode(arguments)
        code = app(args=arguments, prog_name="evenhand", standalone_mode=False)
        if code == failures.INTERRUPTED:  # typer turns Ctrl-C into a plain return
            raise KeyboardInterrupt
        console.flush()  # what cannot be printed must show here, not while the interpreter ends
        return code if isinstance(code, int) else 0
    except BaseException as error:
        return failures.report(error, as_json=as_json)


def _check_unicode(arguments: Sequence[str]) -> None:
    """What is given is kept in JSON and shown in reports, which hold Unicode only.

    Raises:
        BadOption: the shell gave bytes that are no text in this system's encoding.
    """
    for argument in arguments:
        if any("\ud800" <= sign <= "\udfff" for sign in argument):
            raise BadOption(
                f"The argument {argument!a} holds bytes that are no text in this system's encoding.",
                mend="Rename the file to UTF-8, or set a UTF-8 locale (LC_ALL=C.UTF-8).",
            )
