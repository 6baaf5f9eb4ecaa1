"""Kill a command at a chosen instant, look at what stands, run it again, compare every byte.

Every run is a process forked from this warm one, so that a kill costs a second and not ten. As a script it
prints one JSON object a kill: ``python -m tests.support.kills SEED KILLS [every-rename [VERB]]``.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

PEOPLE = "decisions:task=lab,shots=0,n=8,labels=left|smiled,train=6,dev=4"
ACCURACY = "decision_accuracy:task=lab,shots=0,n=8,labels=left|smiled"
FAIRCON = "faircon:rounds=2,length=2,lr=5e-3"
STEPS = ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync")
RENAMES = ("rename", "replace")
SECONDS = 120.0  # after which a run is given up


@dataclass(frozen=True)
class Command:
    """A command to kill, and the one that ran before it in the same folder."""

    verb: str
    before: tuple[str, ...]
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Strike:
    """Where to kill: `side` of step `number` (from 0), or `seconds` after the start."""

    number: int = -1
    side: str = "before"
    seconds: float = -1.0


@dataclass(frozen=True)
class Kill:
    """What one kill did: where it struck, what stood then (old or new), and every fault found."""

    verb: str
    where: str
    stood: str
    faults: tuple[str, ...]
    struck: bool = True  # False: the command had ended before


def commands(model: Path) -> tuple[Command, ...]:
    """The three verbs that write folders; each finds another result where it writes."""
    uri = f"hf:{model}"
    mitigate = ("mitigate", uri, "--out", "treated", "-b", PEOPLE)
    measure = ("measure", uri, "-b", "genbiaseval,genhinteval", "--out", "run", "--limit")
    judged = ("verify", uri, "--with", FAIRCON, "-b", PEOPLE, "--capability", ACCURACY)
    verify = (*judged, "--control", "none", "--out", "run", "--seed")
    return (
        Command("mitigate", (*mitigate, "--with", "prompt"), (*mitigate, "--with", FAIRCON)),
        Command("measure", (*measure, "2"), (*measure, "3")),
        Command("verify", (*verify, "1"), (*verify, "0")),
    )


def warm() -> None:
    """Import what the commands need, without using it: threads do not survive a fork."""
    import torch

    torch.set_num_threads(1)
    import jinja2  # noqa: F401
    import pandas  # noqa: F401
    import peft  # noqa: F401
    import scipy.stats  # noqa: F401
    from transformers import LlamaForCausalLM  # noqa: F401

    from evenhand import registry

    for name in ("cli.app", "models.loading", "reports.view", "studies.verbs", "studies._table"):
        import_module(f"evenhand.{name}")

    for kind in ("mitigation", "control", "metric"):
        for name in registry.names(kind):
            registry.get(kind, name)
    for spec in (PEOPLE, ACCURACY, "genbiaseval", "genhinteval"):
        registry.create("benchmark", spec).load()


def forked(work: Callable[[], int], folder: Path) -> int:
    """Start `work` in `folder` in a process of its own, its output in ``output`` beside; gives its id."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.chdir(folder)
        log = os.open(folder.with_name("output"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(child: int) -> int:
    """The exit code of a process, negative for a signal; one that hangs is killed."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1


def run(argv: Sequence[str]) -> int:
    """The command, in this process."""
    from evenhand.cli import main

    return main(list(argv))


def stepping(argv: Sequence[str], strike: Strike, log: Path) -> int:
    """The command, with every change of the file system written to `log`, and killed where `strike` says."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    count = 0

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            nonlocal count
            here, count = count, count + 1
            paths = [os.path.relpath(arg) for arg in args[:2] if isinstance(arg, str | Path)]
            what = " -> ".join([f"{name} {paths[0]}", *paths[1:]]) if paths else name
            os.write(handle, f"{what}\n".encode())
            if here == strike.number and strike.side == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            given = real(*args, **options)
            if here == strike.number:
                os.kill(os.getpid(), signal.SIGKILL)
            return given

        return step

    for name in STEPS:
        setattr(os, name, wrapped(name, getattr(os, name)))
    return run(argv)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below `folder`, hidden or not: files with their bytes, folders with None."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


class Bench:
    """A folder in which one command is killed again and again."""

    def __init__(self, command: Command, place: Path) -> None:
        self.command = command
        self.place = place
        place.mkdir()
        self.start, self.goal = place / "start", place / "goal"
        self.start.mkdir()
        self._must(command.before, self.start)
        shutil.copytree(self.start, self.goal)
        begun = time.monotonic()
        child = forked(lambda: stepping(command.argv, Strike(), place / "steps"), self.goal)
        if code := ended(child):
            raise AssertionError(f"{command.verb} ends with {code}: {(place / 'output').read_text()}")
        self.seconds = time.monotonic() - begun
        self.steps = (place / "steps").read_text().splitlines()
        self.old, self.new = self._standing(self.start), self._standing(self.goal)

    def _must(self, argv: Sequence[str], folder: Path) -> None:
        if code := ended(forked(lambda: run(argv), folder)):
            raise AssertionError(f"{argv} ends with {code}: {(self.place / 'output').read_text()}")

    def _standing(self, folder: Path) -> str:
        """What a reader finds in a copy of `folder`: the digest of the treatment or of the run."""
        copy, said = self.place / "copy", self.place / "said"
        said.unlink(missing_ok=True)
        shutil.copytree(folder, copy)
        ended(forked(lambda: look(self.command.verb, said), copy))
        shutil.rmtree(copy)
        return said.read_text() if said.exists() else "nothing"

    def kill(self, strike: Strike) -> Kill:
        """Kill the command there, look, run it again, and compare with what a run leaves that was not."""
        work, log = self.place / "work", self.place / "log"
        log.unlink(missing_ok=True)
        shutil.copytree(self.start, work)
        child = forked(lambda: stepping(self.command.argv, strike, log), work)
        if strike.seconds >= 0:
            time.sleep(strike.seconds)
            os.kill(child, signal.SIGKILL)
        code = ended(child)
        where = self._where(strike, log, code)
        stood = {self.old: "old", self.new: "new"}.get(self._standing(work), "")
        faults = [] if stood else ["neither the old nor the new result can be read"]
        if again := ended(forked(lambda: run(self.command.argv), work)):
            faults.append(f"the same command then ends with {again}: {self._last_line()}")
        faults += _differences(tree(work), tree(self.goal))
        shutil.rmtree(work)
        return Kill(self.command.verb, where, stood, tuple(faults), struck=code == -signal.SIGKILL)

    def _where(self, strike: Strike, log: Path, code: int) -> str:
        if code != -signal.SIGKILL:
            return f"nowhere: it had ended with {code}"
        steps = log.read_text().splitlines() if log.exists() else []
        last = steps[-1] if steps else "its start"
        if strike.seconds >= 0:
            return f"{strike.seconds:.3f} s, after {last} (step {len(steps)})"
        return f"{strike.side} {last} (step {strike.number + 1})"

    def _last_line(self) -> str:
        return (self.place / "output").read_text().strip().splitlines()[-1]


def look(verb: str, said: Path) -> int:
    """Write down what a reader finds in this folder."""
    from evenhand.records import digest, to_json

    if verb == "mitigate":
        from evenhand.treatments import load

        said.write_text(load(Path("treated")).digest)
    else:
        from evenhand.studies.store import load_run

        said.write_text(digest(to_json(load_run(Path("run")))))
    return 0


def _differences(found: dict[str, bytes | None], wanted: dict[str, bytes | None]) -> Iterator[str]:
    for name in sorted(found.keys() | wanted.keys()):
        if name not in wanted:
            yield f"left over: {name}"
        elif name not in found:
            yield f"lost: {name}"
        elif found[name] != wanted[name]:
            yield f"differs: {name}"


def strikes(bench: Bench, chance: random.Random, *, every_rename: bool) -> Iterator[Strike]:
    """Without end: an instant, a step and a rename by turns; every rename first instead, if so wished."""
    renames = [i for i, step in enumerate(bench.steps) if step.split()[0] in RENAMES]
    others = [i for i in range(len(bench.steps)) if i not in renames]
    every = [Strike(number=i, side=side) for i in renames for side in ("before", "after")]
    if every_rename:
        yield from every
    chance.shuffle(every)
    for number in itertools.count():
        yield Strike(seconds=chance.uniform(0, 0.9 * bench.seconds))
        yield Strike(number=chance.choice(others))
        if not every_rename:
            yield every[number % len(every)]


def kills(verb: str, seed: int, least: int, place: Path, *, every_rename: bool) -> Iterator[Kill]:
    """Kill the command `verb` (see `strikes`) `least` times, and until every rename was met if so wished."""
    from evenhand.testing import tiny

    warm()
    model = place / "model"
    tiny.module("llama", max_position_embeddings=256).save_pretrained(model)
    tiny.tokenizer().save_pretrained(model)
    for command in commands(model):
        if verb in (command.verb, "all"):
            bench = Bench(command, place / command.verb)
            renames = sum(step.split()[0] in RENAMES for step in bench.steps)
            wanted = max(least, 2 * renames if every_rename else 0)
            for strike in strikes(bench, random.Random(seed), every_rename=every_rename):
                kill = bench.kill(strike)
                yield kill
                wanted -= kill.struck
                if wanted <= 0:
                    break


def _main(seed: str, least: str, extent: str = "", verb: str = "all") -> None:
    with tempfile.TemporaryDirectory() as place:
        os.environ["EVENHAND_CACHE"] = str(Path(place) / "cache")
        real = Path(os.path.realpath(place))
        for kill in kills(verb, int(seed), int(least), real, every_rename=extent == "every-rename"):
            print(json.dumps(vars(kill)), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
