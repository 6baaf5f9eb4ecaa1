"""The command line: one file per verb. `main` is the entry point of ``evenhand`` and ``python -m evenhand``.

No slow module is imported before a verb runs, so ``evenhand --help`` stays fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from evenhand import progress
from evenhand.cli import console, failures, interrupts, launched, processes, quiet
from evenhand.errors import BadOption


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` holds the arguments after ``evenhand`` (None: the process's own arguments).

    Without any argument it shows the help.

    Returns the exit code: 0 done, 1 a gate failed, 2 usage, 3 inconclusive, 4 environment, 130 interrupted,
    141 the reader of stdout has closed it.
    Errors that a user can correct are printed, not raised.

    Of several processes that ``torchrun`` or ``accelerate launch`` started, the first alone reads `argv` and
    prints; see `evenhand.cli.launched`.
    """
    if processes.rank() > 0:
        return launched.follow()
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
        from evenhand.cli.app import app_of

        _check_unicode(arguments)
        with launched.leading(arguments):
            code = app_of(arguments[0])(args=arguments, prog_name="evenhand", standalone_mode=False)
        if code == failures.INTERRUPTED:  # typer turns Ctrl-C into a plain return
            raise KeyboardInterrupt
        console.flush()  # an output error must occur here, not while the interpreter exits
        return code if isinstance(code, int) else 0
    except BaseException as error:
        launched.undisturbed()
        return failures.report(error, as_json=as_json)


def _check_unicode(arguments: Sequence[str]) -> None:
    """Check that the arguments are valid Unicode, since they are stored in JSON and shown in reports.

    Raises:
        BadOption: the shell gave bytes that are not text in this system's encoding.
    """
    for argument in arguments:
        if any("\ud800" <= sign <= "\udfff" for sign in argument):
            raise BadOption(
                f"The argument {argument!a} holds bytes that are not text in this system's encoding.",
                mend="Rename the file to UTF-8, or set a UTF-8 locale (LC_ALL=C.UTF-8).",
            )
