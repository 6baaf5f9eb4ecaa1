"""A command in several processes, which ``torchrun`` or ``accelerate launch`` started.

The first process is the command. The others read no arguments, print nothing but a fault of their own, and
answer shares of what the first one's models are asked (see `evenhand.models.together`).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evenhand.cli import console, failures, processes, quiet
from evenhand.errors import UsageError

if TYPE_CHECKING:
    from evenhand.models.opened import Opened
    from evenhand.models.together import Named

SHARED = ("measure", "locate", "verify")
"""The verbs that several processes can carry out."""


@contextmanager
def leading(arguments: Sequence[str]) -> Iterator[None]:
    """Inside, the other processes, if any, answer with this one, which carries out `arguments`.

    Raises:
        UsageError: the verb is not for several processes.
        EnvironmentProblem: the others cannot be reached.
    """
    if not processes.launched():
        yield
        return
    from evenhand.opening import require_hf

    require_hf("Working in several processes")
    from evenhand.models import together

    _choose_device()
    with together.leading(processes.size()):
        verb = next((word for word in arguments if not word.startswith("-")), "")
        if verb not in SHARED:
            raise UsageError(
                f"`evenhand {verb}` is for one process, and a launcher started it.",
                mend=f"Start it without torchrun; {', '.join(SHARED)} share their work between processes.",
            )
        yield


def follow() -> int:
    """Answer shares of the first process's requests until it is done; returns the exit code."""
    with console.only_json_on_stdout(True), quiet.third_parties():  # stdout is the first one's
        try:
            from evenhand.models import together

            _choose_device()
            together.serve(processes.rank(), processes.size(), _open)
        except BaseException as error:
            known = failures.as_known(error)
            if known is not None:
                return known.exit_code  # the first process says it
            if isinstance(error, KeyboardInterrupt):
                return failures.INTERRUPTED
            return failures.report(error, as_json=False)
    return 0


def undisturbed() -> None:
    """Let nothing end the first process before it has said what went wrong: its launcher will try to."""
    if processes.size() > 1 and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _open(named: Named) -> Opened:
    from evenhand.models.opened import Opened
    from evenhand.opening import open_model

    model = open_model(named.uri, dtype=named.dtype, batch_tokens=named.batch_tokens)
    assert isinstance(model, Opened)  # as the first process's is
    return model


def _choose_device() -> None:
    """Give this process a graphics card of its own, where the machine has several."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(processes.local_rank() % torch.cuda.device_count())
