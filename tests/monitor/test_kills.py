"""kill -9 while events are stored, and while the schema moves: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from evenhand.monitor import chain
from evenhand.monitor.ingest import take
from evenhand.monitor.store import Store, tables
from evenhand.monitor.store.migrating import current, migrate, newest
from tests.monitor.made import decision
from tests.monitor.sending import SIZE
from tests.support.scripts import ROOT


def killed(store: Store, folder: Path, start: int, rng: random.Random) -> int:
    """Start a sender, kill it after it has acknowledged a few batches; the number of the last of those."""
    address = "" if store.sqlite else store.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.monitor.sending", str(folder), address, str(start)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    for _ in range(rng.randint(1, 5)):
        process.stdout.readline()
    time.sleep(rng.random() * 0.02)
    process.send_signal(signal.SIGKILL)
    lines = process.stdout.read().split()  # acknowledged before it died
    process.wait()
    return max(map(int, lines), default=start)


def check(store: Store, acknowledged: int) -> int:
    """Everything acknowledged is there, whole and counted once; the number of the next batch."""
    p, c, g = tables.predictions.c, tables.cells.c, tables.groups.c
    asked = select(  # in one statement: the server may still commit what a killed client sent
        select(func.count()).select_from(tables.predictions).scalar_subquery(),
        select(func.count(p.prediction_id.distinct())).scalar_subquery(),
        select(func.sum(c.events)).join(tables.groups).where(g.attribute == "").scalar_subquery(),
        select(func.count()).select_from(tables.subjects).scalar_subquery(),
    )
    with store.reading() as connection:
        stored, names, counted, people = connection.execute(asked).one()
    assert stored == names == counted == people
    assert stored % SIZE == 0
    assert stored >= SIZE * (acknowledged + 1)
    return stored // SIZE


def run(store: Store, folder: Path, times: int) -> None:
    rng, following = random.Random(7), 0
    for _ in range(times):
        following = check(store, killed(store, folder, following, rng))
        # The caller who got no answer sends the last batch again.
        again = take(store, [decision(f"{following - 1}-{i}") for i in range(SIZE)])
        assert again.duplicates == SIZE


def test_killed_while_events_are_stored(store, tmp_path) -> None:
    run(store, tmp_path / "data", 2)


@pytest.mark.slow
def test_killed_fifty_times(store, tmp_path) -> None:
    run(store, tmp_path / "data", 50)


def dies(store: Store, folder: Path, script: str) -> None:
    """Run a script on the database in a process that kills itself; it is given the folder and the address."""
    address = "" if store.sqlite else store.url.render_as_string(hide_password=False)
    given = [sys.executable, "-c", script, str(folder), address]
    done = subprocess.run(given, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_killed_in_the_middle_of_a_migration_up(store, tmp_path) -> None:
    """The process dies after the second step: the schema is the old one, with its data, and goes up again."""
    take(store, [decision("a")])
    migrate(store.writer, "0010")
    script = (
        "import itertools, os, signal, sys\n"
        "from pathlib import Path\n"
        "from alembic.runtime.migration import HeadMaintainer\n"
        "from evenhand.monitor.store.migrating import migrate\n"
        "from evenhand.monitor.store.opening import connect\n"
        "update, steps = HeadMaintainer.update_to_step, itertools.count(1)\n"
        "def killed(self, step):\n"
        "    update(self, step)\n"
        "    if next(steps) == 2:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "HeadMaintainer.update_to_step = killed\n"
        "migrate(connect(Path(sys.argv[1]), sys.argv[2] or None).writer)\n"
    )
    dies(store, tmp_path / "data", script)
    with store.reading() as connection:
        assert current(connection) == "0010"
    assert migrate(store.writer) == newest()
    assert chain.check(store) == []
    assert take(store, [decision("a"), decision("b")]).accepted == 1


def test_killed_in_the_middle_of_a_migration(store, tmp_path) -> None:
    """The process dies in the second step down: both steps are undone, and the data are there."""
    take(store, [decision("a")])
    script = (
        "import os, signal, sys\n"
        "from evenhand.monitor.store.migrations import m0001_store as step\n"
        "from evenhand.monitor.store import open_store\n"
        "from evenhand.monitor.store.migrating import migrate\n"
        "from sqlalchemy import MetaData\n"
        "MetaData.drop_all = lambda self, bind, **_: (bind.exec_driver_sql('drop table texts'),"
        " os.kill(os.getpid(), signal.SIGKILL))\n"
        "migrate(open_store(sys.argv[1], sys.argv[2] or None).writer, 'base')\n"
    )
    dies(store, tmp_path / "data", script)
    with store.reading() as connection:
        assert current(connection) == newest()
        assert connection.scalar(select(func.count()).select_from(tables.texts)) == 0
    assert take(store, [decision("a"), decision("b")]).accepted == 1
