"""Pieces of work in the processes of a Ray cluster (https://docs.ray.io).

Ray chooses the machine by the processors, graphics cards and memory that a piece takes, and begins a piece
again whose process died; here is only what goes in and comes out. Every machine must see the folder in which
the command was begun, at the same path, and have the same version of this program.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evenhand import __version__
from evenhand.decimals import fixed
from evenhand.errors import BadOption, EnvironmentProblem, MissingExtra
from evenhand.progress import say
from evenhand.workers.pieces import Ended, Piece
from evenhand.workers.place import LOCAL, Place

AGAIN = 3  # how often a piece is begun again whose process died
_DIED = (
    "Its log lies in Ray's own folder (/tmp/ray/session_latest/logs). Where memory ran out, say what a piece"
)
_SHARED = "Begin it in a folder that every machine of the cluster sees at the same path, such as one on NFS."


class OnRay:
    """The processes of a Ray cluster that this process is connected to; see `connected`."""

    def __init__(self, place: Place) -> None:
        import ray

        self._ray, self._place = ray, place
        resources = ray.cluster_resources()
        gpus = place.gpus if place.gpus is not None else float(min(1.0, resources.get("GPU", 0.0)))
        self._takes: dict[str, float] = {"CPU": place.cpus, "GPU": gpus, "memory": place.memory or 0}
        self._most = self._check_room()
        self._begun: dict[Any, Piece] = {}
        self._remote: Any = ray.remote(_carried)
        self._check_machines()

    @property
    def slots(self) -> int:
        """How many pieces the cluster has room for, and one that waits, so that a cluster may grow."""
        resources = self._ray.cluster_resources()
        room = [resources.get(name, 0.0) // wanted for name, wanted in self._takes.items() if wanted]
        return 1 + max(1, int(min(room)))

    def begin(self, piece: Piece) -> None:
        """Give a piece to the cluster, with the memory that was asked for, else with what it says itself.

        One that says more than any machine has gets a machine's whole memory: what it says is an estimate.
        """
        memory = self._place.memory or min(piece.memory or 0, self._most)
        remote = self._remote.options(
            num_cpus=self._takes["CPU"],
            num_gpus=self._takes["GPU"],
            memory=memory or None,
            max_retries=AGAIN,
            retry_exceptions=False,
        )
        self._begun[remote.remote(str(Path.cwd()), piece)] = piece

    def ended(self) -> Ended:
        """Wait for any piece."""
        (first, *_), _ = self._ray.wait(list(self._begun), num_returns=1)
        piece = self._begun.pop(first)
        try:
            found: Ended = self._ray.get(first)
        except self._ray.exceptions.RayError as error:
            return Ended(piece.key, error=_lost(piece, error))
        return found

    def stop(self) -> None:
        """Let go of what is still worked on."""
        for one in self._begun:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(one, force=True)

    def _check_room(self) -> int:
        """Refuse what no machine of the cluster has, for which Ray would wait without end.

        Returns the bytes of memory of the machine that has most.
        """
        machines: list[Mapping[str, float]] = [
            one["Resources"] for one in self._ray.nodes() if one["Alive"] and one["Resources"].get("CPU")
        ]
        if any(all(m.get(name, 0.0) >= wanted for name, wanted in self._takes.items()) for m in machines):
            return int(max(m.get("memory", 0.0) for m in machines))
        wanted = ", ".join(_said(name, value) for name, value in self._takes.items() if value)
        there = "; ".join(
            ", ".join(_said(name, m.get(name, 0.0)) for name in self._takes if m.get(name)) for m in machines
        )
        raise BadOption(
            f"No machine of the cluster has {wanted} for one piece of work; there are: {there or 'none'}.",
            mend="Ask for less after the question mark, such as --on 'ray?cpus=1&gpus=0&memory=2GB'.",
        )

    def _check_machines(self) -> None:
        """Refuse a cluster whose processes are another program, or do not see this folder."""
        cwd = str(Path.cwd())
        version, sees = self._ray.get(self._ray.remote(_about).options(num_cpus=0).remote(cwd))
        if version != __version__:
            raise EnvironmentProblem(
                f"The cluster has evenhand {version}, and here is {__version__}: figures would be mixed.",
                mend="Install the same version on every machine.",
            )
        if not sees:
            raise EnvironmentProblem(f"The cluster does not see the folder {cwd}.", mend=_SHARED)


@contextmanager
def connected(place: Place) -> Iterator[OnRay]:
    """A connection to the cluster of `place`, while the context lasts; a local one is started and ended.

    Raises:
        MissingExtra: Ray is not installed.
        EnvironmentProblem: the cluster cannot be reached, or its machines do not have this program.
        BadOption: no machine has what a piece of work takes.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", "ray", f"Working on {place.address}") from None
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if place.address == LOCAL:
        # A piece that needs more memory than there is would be begun again without end.
        os.environ.setdefault("RAY_task_oom_retries", str(AGAIN))
        os.environ.setdefault("RAY_worker_niceness", "0")  # it does the command's own work
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options["include_dashboard"] = False
    try:
        ray.init(address=place.address, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
        raise EnvironmentProblem(
            f"The Ray cluster {place.address} cannot be reached: {str(error).strip()[:300]}",
            mend="Start one with `ray start --head`, or write --on ray for one on this machine. A cluster "
            "may ask for a token, as those of Ray 2.60 do: this process needs it too (RAY_AUTH_MODE=token, "
            "and RAY_AUTH_TOKEN or the cluster's ~/.ray/auth_token).",
        ) from None
    try:
        found = OnRay(place)
        say(f"Up to {max(1, found.slots - 1)} pieces of work at a time on the Ray cluster ({place.address}).")
        try:
            yield found
        finally:
            found.stop()
    finally:
        ray.shutdown()


def _about(cwd: str) -> tuple[str, bool]:
    """This program's version on a worker, and whether the folder is there."""
    return __version__, Path(cwd).is_dir()


def _carried(cwd: str, piece: Piece) -> Ended:
    """A piece, carried out on a worker in the folder of the command; its errors come back as values."""
    if not Path(cwd).is_dir():
        why = EnvironmentProblem(f"A machine of the cluster does not see the folder {cwd}.", mend=_SHARED)
        return Ended(piece.key, error=why)
    os.chdir(cwd)
    found = piece.done()
    try:
        pickle.dumps(found.error)
    except Exception:  # of another package, and made of what cannot travel
        return Ended(piece.key, error=RuntimeError(f"{type(found.error).__name__}: {found.error}"))
    return found


def _lost(piece: Piece, error: Exception) -> EnvironmentProblem:
    """What to say of a piece that ended without an answer."""
    return EnvironmentProblem(
        f"The process that did {piece.said} died, also when it was begun again ({type(error).__name__}).",
        mend=f"{_DIED} takes, such as --on 'ray?memory=20GB'. The same command goes on from what was stored.",
    )


def _said(name: str, value: float) -> str:
    if name == "memory":
        return f"{fixed(value / 1e9, 1)} GB of memory"
    return f"{value:g} {name}{'s' * (value != 1)}"
