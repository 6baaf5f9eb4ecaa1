"""``evenhand doctor``: what this machine has, what is missing, and the remedy."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from evenhand.cli import console
from evenhand.cli.options import Json
from evenhand.decimals import fixed
from evenhand.errors import EnvironmentProblem

CORE = ("numpy", "scipy", "pandas", "pyarrow", "pydantic", "typer", "rich", "jinja2")
HF = ("torch", "transformers", "peft", "safetensors", "huggingface-hub")
# What further verbs need, by extra: each is advice, for nobody needs all of them.
FURTHER = {
    "audit": ("audits of data", ("ibis-framework", "duckdb")),
    "monitor": (
        "`monitor`",
        ("fastapi", "uvicorn", "sqlalchemy", "alembic", "argon2-cffi", "cryptography", "httpx"),
    ),
    "postgres": ("audits and the monitor on PostgreSQL", ("psycopg",)),
    "spark": ("audits through Spark", ("pyspark",)),
    "fairness": ("`thresholds` and `calibration`", ("fairlearn", "scikit-learn")),
    "gguf": ("models as GGUF files", ("gguf",)),
    "notebooks": ("the notebooks of the documentation", ("ipykernel", "nbclient", "nbformat")),
    "servers": ("`transformers serve` beside `openai:`", ("fastapi", "openai", "uvicorn")),
    "ray": ("`--on ray`", ("ray",)),
    "lm-eval": ("tasks of the LM evaluation harness", ("lm-eval",)),
}
NEEDED_GIB = {"memory": 2.0, "disk": 2.0}  # enough for the lab and a small model


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `ok` False is a fault with a `mend` (a remedy); with ok True, `mend` is advice."""

    name: str
    value: str
    ok: bool = True
    mend: str = ""


def doctor(as_json: Json = False) -> int:
    """Check this machine and list what is missing. The exit code is 4 if something is missing."""
    found = findings()
    healthy = all(finding.ok for finding in found)
    if as_json:
        console.emit({"healthy": healthy, "findings": [asdict(finding) for finding in found]})
    else:
        rows = [("ok" if f.ok else "MISSING", f.name, f.value) for f in found]
        console.table("doctor", ("", "what", "found"), rows, labels=3)
        for finding in found:
            if finding.mend:
                console.say(f"{finding.name}: {finding.mend}")
        console.say("Everything needed is here." if healthy else "Something is missing: see above.")
    return 0 if healthy else EnvironmentProblem.exit_code


def findings() -> list[Finding]:
    """Everything that `doctor` checks, in order."""
    from evenhand import __version__
    from evenhand.folders import named_cache

    cache = named_cache()
    return [
        Finding("evenhand", __version__),
        _python(),
        *(_package(name, f"pip install '{name}'") for name in CORE),
        *(_package(name, "pip install 'evenhand[hf]'") for name in HF),
        *(_further(extra, *about) for extra, about in FURTHER.items()),
        Finding("cores", f"{_cores()} usable of {os.cpu_count()}"),
        _threads(),
        _memory(),
        _gpu(),
        _cache(cache),
        _disk("disk (cache)", cache),
        _disk("disk (here)", Path.cwd()),
        _made_by(),
    ]


def _made_by() -> Finding:
    """What records that are made here say of what made them."""
    from evenhand.provenance import PACKAGES, line, made_by

    return Finding("records say", line(made_by(packages=PACKAGES)))


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("python", platform.python_version(), ok, "" if ok else "Use Python 3.11 or newer.")


def _package(name: str, mend: str) -> Finding:
    found = _version(name)
    return Finding(name, "not installed", ok=False, mend=mend) if found is None else Finding(name, found)


def _further(extra: str, purpose: str, packages: Sequence[str]) -> Finding:
    """An extra; one that is absent is no fault."""
    found = {name: _version(name) for name in packages}
    if absent := [name for name, number in found.items() if number is None]:
        advice = f"for {purpose}: pip install 'evenhand[{extra}]'"
        return Finding(f"extra {extra}", f"not installed: {', '.join(absent)}", mend=advice)
    return Finding(f"extra {extra}", ", ".join(f"{name} {number}" for name, number in found.items()))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _threads() -> Finding:
    named = os.environ.get("OMP_NUM_THREADS")
    if named is None:
        return Finding("threads", "chosen by torch (OMP_NUM_THREADS is not set)")
    more = named.isdigit() and int(named) > _cores()
    advice = f"OMP_NUM_THREADS exceeds the {_cores()} usable cores: expect it to be slow." if more else ""
    return Finding("threads", f"OMP_NUM_THREADS={named}", mend=advice)


def _memory() -> Finding:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (AttributeError, ValueError, OSError):  # not every system reports it
        return Finding("memory", "unknown")
    ok = total >= NEEDED_GIB["memory"]
    return Finding(
        "memory", f"{fixed(free, 1)} GiB free of {fixed(total, 1)}", ok, "" if ok else "2 GiB are needed."
    )


def _disk(name: str, folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))  # noqa: PTH110
    free = shutil.disk_usage(there).free / 2**30
    ok = free >= NEEDED_GIB["disk"]
    mend = "" if ok else "2 GiB are needed: free some space, or point EVENHAND_CACHE or --out elsewhere."
    return Finding(name, f"{fixed(free, 1)} GiB free at {there}", ok, mend)


def _cache(folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))  # noqa: PTH110
    if there.is_dir() and os.access(there, os.W_OK):
        return Finding("cache folder", str(folder))
    why = "is not writable" if there.is_dir() else "is not a folder"
    return Finding("cache folder", f"{folder} {why}", ok=False, mend="Set EVENHAND_CACHE to another folder.")


def _gpu() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("gpu", "unknown without torch")
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", "none: models run on the processor")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Finding("gpu", ", ".join(names))
