"""Who does independent pieces of work: this process, one after the other, or the processes of a Ray cluster.

A piece is a function of a module and its arguments, both picklable. What it makes it writes into a folder
that every machine sees, so that a piece whose process died is begun again and finds what was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evenhand.workers.pieces import Ended, Here, Piece, Workers
from evenhand.workers.place import Place, parse

__all__ = ["Ended", "Here", "Piece", "Place", "Workers", "parse", "workers"]


@contextmanager
def workers(on: str | None) -> Iterator[Workers]:
    """The workers that `on` names (`evenhand.workers.place`) while the context lasts; None is this process.

    Raises:
        BadOption: `on` cannot be used as written, or no machine has what a piece takes.
        MissingExtra: Ray is not installed.
        EnvironmentProblem: the cluster cannot be reached, or its machines do not have this program.
    """
    if on is None:
        yield Here()
        return
    place = parse(on)
    from evenhand.workers.on_ray import connected

    with connected(place) as found:
        yield found
