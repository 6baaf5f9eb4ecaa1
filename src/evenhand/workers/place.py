"""Where work is done, as ``--on`` names it.

``ray`` is a cluster that is started on this machine for as long as the command runs; ``ray://host:10001`` one
that runs already, through its client port; ``ray://auto`` the one that this machine belongs to. After a
question mark stands what each piece of work takes: ``ray?cpus=4&gpus=1&memory=20GB``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from evenhand.errors import BadOption, listed
from evenhand.sizes import in_bytes

LOCAL, AUTO = "local", "auto"
_MEND = "Write ray, ray://auto or ray://HOST:PORT, such as ray://head:10001?cpus=2&memory=20GB."


@dataclass(frozen=True)
class Place:
    """A Ray cluster, and what one piece of work takes there.

    `address` is `LOCAL`, `AUTO` or ``ray://host:port``; `gpus` None means one wherever the cluster has any;
    `memory` is in bytes, None for what each piece says itself.
    """

    address: str
    cpus: int = 1
    gpus: float | None = None
    memory: int | None = None


def parse(text: str) -> Place:
    """The place that `text` names.

    Raises:
        BadOption: it names none, or a value cannot be used.
    """
    name, _, query = text.partition("?")
    if name == "ray":
        address = LOCAL
    elif name == "ray://auto":
        address = AUTO
    elif name.startswith("ray://") and _has_host(name):
        address = name
    else:
        raise BadOption(f"on={text!r} names no place to work.", mend=_MEND)
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise BadOption(f"What follows the question mark of {text!r} cannot be read.", mend=_MEND) from None
    unknown = sorted(set(given) - {"cpus", "gpus", "memory"})
    if unknown:
        raise BadOption(
            f"{listed(unknown)} cannot be asked of a cluster.", mend="Write cpus, gpus or memory."
        )
    return Place(
        address, _cpus(given.get("cpus", "1")), _gpus(given.get("gpus")), _memory(given.get("memory"))
    )


def _has_host(name: str) -> bool:
    try:
        parts = urlsplit(name)
        return bool(parts.hostname) and parts.port is not None and parts.path in ("", "/")
    except ValueError:  # a port beyond the largest
        return False


def _cpus(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise BadOption(f"cpus={text} is no number of processors.", mend="Write a whole number from 1 on.")
    return int(text)


def _gpus(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,2}|0?\.\d+", text):
        raise BadOption(
            f"gpus={text} is no number of graphics cards.",
            mend="Write a whole number, or a part of one such as .5.",
        )
    return float(text)


def _memory(text: str | None) -> int | None:
    if text is None:
        return None
    found = in_bytes(text)
    if found is None:
        raise BadOption(f"memory={text} is no size.", mend="Write one such as memory=20GB or memory=500MB.")
    return found
