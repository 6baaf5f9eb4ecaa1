"""The failures of a command, as one paragraph on stderr and an exit code."""

from __future__ import annotations

import contextlib
import errno
import traceback

from evenhand.cli import console, processes
from evenhand.errors import EvenhandError, MissingExtra, NoSpace, OutOfMemory, UsageError

HF_PACKAGES = frozenset({"torch", "transformers", "peft", "safetensors", "huggingface_hub", "tokenizers"})
INTERRUPTED = 130
CLOSED = 141  # the exit code that a shell reports for a program ended by SIGPIPE
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ENDED = "Interrupted, by somebody or because another process of this run has ended."
UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h: a fault of the program, unlike every code of the error tree


def report(error: BaseException, *, as_json: bool) -> int:
    """Print the error and its remedy; returns the exit code."""
    if _reader_gone(error):
        console.abandon()
        return CLOSED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        what = "Interrupted." if processes.size() == 1 else _ENDED
        return _printed("Interrupted", what, "The same command resumes.", INTERRUPTED, as_json)
    known = as_known(error)
    if known is not None:
        return _printed(type(known).__name__, known.what, known.mend, known.exit_code, as_json)
    console.warn("".join(traceback.format_exception(error)).rstrip("\n"))
    what = f"An unexpected {type(error).__name__}: {error}."
    mend = (
        "This is a fault of evenhand: please report it with the lines above and the output of "
        "`evenhand doctor`."
    )
    return _printed("Unexpected", what, mend, UNEXPECTED, as_json)


def as_known(error: BaseException) -> EvenhandError | None:
    """The matching error of evenhand's own hierarchy; None if the error is unexpected."""
    if isinstance(error, EvenhandError):
        return error
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in HF_PACKAGES:
        return MissingExtra(str(error.name), "hf", "Working with a model's weights")
    if isinstance(error, MemoryError):
        return OutOfMemory(
            "The memory is full.", mend="Use a smaller --batch-tokens, a smaller model or more memory."
        )
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" at {error.filename}" if error.filename else ""
        large = error.errno == errno.EFBIG
        what = "A file would be larger than this system allows" if large else "The disk is full"
        return NoSpace(
            f"{what}{where}.",
            mend="Free some space or use another --out; the same command resumes.",
        )
    return _usage(error)


def _reader_gone(error: BaseException) -> bool:
    """Whether the reader of stdout has closed it, as in ``evenhand ls | head -1``.

    Click and rich turn that into an exit with code 1, which would read as a gate that failed.
    """
    return isinstance(error, BrokenPipeError) or (
        isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError)
    )


def _usage(error: BaseException) -> UsageError | None:
    """The argument parser's error; it names the option, and `format_message` gives its text."""
    message = getattr(error, "format_message", None)
    if message is None or not hasattr(error, "exit_code"):
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "evenhand"
    what = " ".join(str(message()).split()).replace("Value error, ", "")
    return UsageError(
        what if what.endswith((".", "?", "!")) else f"{what}.",
        mend=f"`{command} --help` lists what there is.",
    )


def _printed(kind: str, what: str, mend: str, code: int, as_json: bool) -> int:
    console.warn(console.one_paragraph(f"evenhand: {what} {mend}"))
    if as_json:
        with contextlib.suppress(OSError):  # stderr has already reported it
            console.emit({"error": {"kind": kind, "what": what, "mend": mend, "exit": code}})
    console.abandon()
    return code
