"""``python -m perf.bench``: measure the cases, print the table, append to the history, write the page."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from evenhand import sources
from evenhand.models.loading import quiet
from evenhand.provenance import line as made_line
from evenhand.provenance import made_by, now

from . import locating, memory, page, scoring, statistics, training
from .harness import CLOCKS, Case, Found, Skip, matrix_rate, measured, timed
from .inputs import SIZES, Setting

MODULES: tuple[ModuleType, ...] = (scoring, training, locating, statistics, memory)
"""The families of cases, each with a mapping `CASES`: add a module here."""
ON_GPU: tuple[ModuleType, ...] = (scoring, training, locating)
ROOT = Path(__file__).parents[2]
HISTORY = ROOT / "perf" / "history.jsonl"
DATA = ROOT.parent / "shared" / "data"
TITLES = {"small": "Performance at a small shape", "124m": "Performance"}
CLOCK_WORDS = {
    "cpu": "Seconds are CPU seconds of the process, which others disturb less than the time that passes.",
    "wall": "Seconds are those that passed.",
}


def options_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options as given.

    Raises:
        SystemExit: an option cannot be read, or a name is no case.
    """
    parser = argparse.ArgumentParser(
        prog="python -m perf.bench", description="Ratios of costs, case by case."
    )
    parser.add_argument("--size", choices=tuple(SIZES), default="small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--items",
        action="append",
        type=_most,
        default=[],
        metavar="N or CASE=N",
        help="the most items of a workload, or of one case's, to fit a run into a time; may be repeated",
    )
    parser.add_argument("--only", action="append", choices=tuple(_cases(MODULES)), metavar="CASE")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: all there are"
    )
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="cpu", help="on a GPU always wall")
    parser.add_argument(
        "--json", action="store_true", help="print the line of the history in place of a table"
    )
    parser.add_argument("--out", type=Path, help="write the page here")
    parser.add_argument(
        "--last",
        type=int,
        default=1,
        metavar="N",
        help="the page is of the last N runs of this size in the history, this one among them",
    )
    parser.add_argument("--history", type=Path, default=HISTORY)
    options = parser.parse_args(argv)
    if options.rounds < 1 or options.threads < 1 or options.last < 1:
        parser.error("--rounds, --threads and --last are 1 or more.")
    return options


def _most(text: str) -> tuple[str, int]:
    """What ``--items`` holds: the case, "" for all that are not named, and the most items of its workload.

    Raises:
        argparse.ArgumentTypeError: no such case, or a number that is no whole number of 2 or more.
    """
    case, _, number = text.rpartition("=")
    if case and case not in _cases(MODULES):
        names = ", ".join(_cases(MODULES))
        raise argparse.ArgumentTypeError(f"{case!r} is no case. There are {names}.")
    if not number.isdecimal() or int(number) < 2:
        raise argparse.ArgumentTypeError(f"{number!r} is no whole number of 2 or more.")
    return case, int(number)


def _cases(modules: Sequence[ModuleType]) -> dict[str, Any]:
    return {name: build for module in modules for name, build in module.CASES.items()}


def run(options: argparse.Namespace, device: str, skipped: dict[str, str]) -> list[Found]:
    """Measure every chosen case on one device; what cannot run is added to `skipped`."""
    clock = CLOCKS[options.clock if device == "cpu" else "wall"]
    most = dict(options.items)
    found = []
    for name, build in _cases(MODULES if device == "cpu" else ON_GPU).items():
        if options.only and name not in options.only:
            continue
        try:
            case: Case = build(Setting(options.size, device, most.get(name, most.get(""))))
            found.append(
                measured(
                    case,
                    rounds=options.rounds,
                    meter=memory.peak if case.unit == "MB" else timed(clock, device),
                    rate=lambda: matrix_rate(clock, device),
                    device=device,
                    say=_remark,
                )
            )
            _remark(page.text(found[-1:], {}).partition("\n")[2])
        except Skip as why:
            skipped[name] = str(why)
            _remark(f"{name}: left out, {why}")
        gc.collect()
    return found


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def about_run(options: argparse.Namespace) -> dict[str, Any]:
    """How the run was made, for the history and for the page."""
    layers, width = SIZES[options.size]
    only = [("only", name) for name in options.only or ()]
    items = [f"{case}={most}" if case else str(most) for case, most in options.items]
    given = [(name, getattr(options, name)) for name in ("size", "rounds", "threads", "clock")]
    shown = " ".join(f"--{name} {value}" for name, value in [*given, *(("items", i) for i in items), *only])
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    made = made_line(made_by(packages=("numpy", "torch", "transformers", "lm_eval", "scipy", "fairlearn")))
    return {
        "when": now(),
        "command": f"python -m perf.bench {shown}",
        "title": TITLES[options.size],
        "size": options.size,
        "rounds": options.rounds,
        "threads": options.threads,
        "items": items,
        "layers": layers,
        "width": width,
        "clock": CLOCK_WORDS[options.clock],
        "machine": f"{made}; {processor()}; {options.threads} thread(s); GPU: {gpu or 'none'}.",
    }


def processor() -> str:
    """The processor's name, and which fast products it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown processor"
    facts: Mapping[str, str] = {
        key.strip(): value.strip() for key, _, value in (text.partition(":") for text in lines) if value
    }
    flags = set(facts.get("flags", "").split())
    fast = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return f"{facts.get('model name', 'unknown processor')} ({', '.join(fast) or 'no wide units'})"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench; exit status 1 when the numbers of a peer differ from ours."""
    options = options_of(argv)
    torch.set_num_threads(options.threads)
    with_data()
    skipped: dict[str, str] = {}
    found: list[Found] = []
    devices = {"cpu": ["cpu"], "cuda": ["cuda"], "auto": ["cpu", "cuda"]}[options.device]
    with quiet():
        for device in devices:
            if device == "cuda" and not torch.cuda.is_available():
                skipped["GPU"] = "there is none here, so nothing was measured on one"
                continue
            found += run(options, device, skipped)
    about = about_run(options)
    record = page.line(found, skipped, about)
    print(record if options.json else page.text(found, skipped))
    page.remember(options.history, record)
    if options.out:
        alike = {name: about[name] for name in ("size", "clock")}
        runs = page.last(options.history, options.last, **alike)
        options.out.write_text(page.of_runs(runs, tuple(_cases(MODULES))), encoding="utf-8")
    return int(not all(one.equal for one in found))


def with_data() -> None:
    """Name the benchmarks' data beside the clone, where no other folder is named."""
    import os

    if DATA.is_dir():
        os.environ.setdefault(sources.VARIABLE, str(DATA))


if __name__ == "__main__":
    sys.exit(main())
