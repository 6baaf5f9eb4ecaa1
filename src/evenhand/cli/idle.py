"""Options without effect beside others are refused: who gives one believes that it does something."""

from __future__ import annotations

from collections.abc import Mapping

from evenhand.cli.configured import typed
from evenhand.errors import UsageError


def refuse_idle(given: Mapping[str, object], beside: str, *, why: str, mend: str) -> None:
    """Refuse the options `given`, by their names, that do nothing `beside` another one, which `why` explains.

    None and False say that an option was not given; what a file of ``--config`` gives is not refused.

    Raises:
        UsageError: one was; `mend` says what to type instead.
    """
    idle = [name for name, value in given.items() if typed(name, value) not in (None, False)]
    if idle:
        verb = "has" if len(idle) == 1 else "have"
        raise UsageError(f"{' and '.join(idle)} {verb} no effect beside {beside}: {why}.", mend=mend)
