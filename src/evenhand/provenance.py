"""What makes a record here and now: versions, commit, machine and device; nothing heavy is imported for it.

`MadeBy` has no time: the same command writes the same files again, byte for byte, also after a kill. Only
what is printed says when (`now`).
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from evenhand import __version__
from evenhand.records import MadeBy, ModelSpec

PACKAGES = ("numpy", "torch", "transformers")  # what decides a figure beside evenhand itself
UNKNOWN = "not recorded: an earlier version of evenhand wrote it"
_SHOWN = 12  # signs of a commit that a person needs


def made_by(spec: ModelSpec | None = None, *, packages: Iterable[str] | None = None) -> MadeBy:
    """What makes a record now, with the model of `spec` where one is open.

    `packages` are those in use; by default the ones of `PACKAGES` that this process has imported.
    """
    used = [name for name in PACKAGES if name in sys.modules] if packages is None else packages
    found = {name: _version(name) for name in used}
    return MadeBy(
        evenhand=__version__,
        commit=commit(),
        python=platform.python_version(),
        platform=platform.platform(),
        packages={name: text for name, text in found.items() if text is not None},
        device=None if spec is None else spec.device,
        dtype=None if spec is None else spec.dtype,
    )


def line(made: MadeBy | None) -> str:
    """`made` as one line for people."""
    if made is None:
        return UNKNOWN
    commit = f" (commit {made.commit[:_SHOWN]})" if made.commit else ""
    parts = [
        f"evenhand {made.evenhand}{commit}",
        f"Python {made.python}",
        *(f"{name} {text}" for name, text in made.packages.items()),
        made.platform,
    ]
    if made.device:
        parts.append(f"on {made.device}" + (f" in {made.dtype}" if made.dtype else ""))
    return ", ".join(parts)


def now() -> str:
    """The time in UTC, to the second: ``2026-01-31T12:00:00Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def commit() -> str | None:
    """The git commit of the evenhand that runs; None where it was not installed from git.

    Of a checkout it is the newest commit: changes that were not committed do not show.
    """
    return _of_checkout(Path(__file__).parents[2]) or _of_install()


@cache
def _version(package: str) -> str | None:
    """The installed version; None without the package's metadata."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _of_install() -> str | None:
    """The commit that pip notes of a package that it installed from git (``direct_url.json``)."""
    with suppress(PackageNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        noted = json.loads(distribution("evenhand").read_text("direct_url.json") or "{}")
        return str(noted["vcs_info"]["commit_id"])
    return None


def _of_checkout(root: Path) -> str | None:
    """The commit that is checked out in `root`, read from git's own files: git need not be there."""
    with suppress(OSError, ValueError):
        place = root / ".git"
        if place.is_file():  # a worktree: the file names the folder
            place = root / place.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        head = (place / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref:"):
            return head or None
        return _of_branch(place, head.removeprefix("ref:").strip())
    return None


def _of_branch(place: Path, branch: str) -> str | None:
    """The newest commit of `branch`: in a file of its own, or in the list of packed ones."""
    shared = place / "commondir"
    common = place / shared.read_text(encoding="utf-8").strip() if shared.is_file() else place
    for file in (place / branch, common / branch):
        if file.is_file():
            return file.read_text(encoding="utf-8").strip()
    for row in (common / "packed-refs").read_text(encoding="utf-8").split("\n"):
        if row.endswith(f" {branch}"):
            return row.partition(" ")[0]
    return None
