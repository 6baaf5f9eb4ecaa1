"""The commands and the Python of every page, run in an empty folder: its blocks in order, then its prose.

Only their size is smaller, by the rules of `trial_size.py`, which also names what cannot be run here with its
reason: nothing else is left out, and `test_nothing_is_left_out` counts. What a page takes for granted is made
in `presupposed.py`, and what it shows of an output is compared with what is printed, by `shown.py`. No page
reaches any address but this machine's own.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from evenhand import registry
from evenhand.testing import MetricCase, tiny
from tests.monitor.receiving import hook, post
from tests.publishing.receiving import Receiver, receiving
from tests.real import presupposed as given
from tests.real.reader import Reader
from tests.real.starting import cluster, is_here, recipe, started
from tests.real.trial_size import (
    BY_CI,
    DATA,
    ELSEWHERE,
    HUB,
    IMAGES,
    INDEX,
    NEEDS,
    NOT_HERE,
    REWRITES,
    SYSTEMD,
    reason,
    rewritten,
    smaller,
)
from tests.support import postgres, server
from tests.support.columns import PRONOUNS, pronouns
from tests.support.pages import PAGES, ROOT, Item, is_pattern, items, spans

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Page:
    """What a page takes for granted, and what its Python does not define."""

    given: tuple[given.Given, ...] = ()
    names: Callable[[], dict[str, Any]] = dict
    started: int = 0
    """How many services of ours the page starts."""
    tables: int = 0
    """How many of its tables its commands print."""


def _frame() -> dict[str, Any]:
    import pandas as pd

    return {"frame": pd.read_csv("people.csv").replace({"hired": {0: "no", 1: "yes"}})}


def _metric_case() -> dict[str, Any]:
    return {"MetricCase": MetricCase, "pronouns": pronouns, "PRONOUNS": PRONOUNS}


TABLE: dict[str, Page] = {
    "README.md": Page((given.people, given.study, given.tables, given.policy), started=1),
    "adding.md": Page(names=_metric_case),
    "after-the-fact.md": Page(),
    "attributes.md": Page((given.block("toml", 0, "caste.toml"), given.block("toml", 1, "people.toml"))),
    "audits.md": Page((given.people, given.texts, given.published), _frame, tables=1),
    "capability.md": Page((given.models("model"), given.task, given.stored("run"))),
    "ci.md": Page((given.stored("run", "runs/treated"),)),
    "composition.md": Page((given.decider("model"),)),
    "endpoints.md": Page((given.models("tiny"), given.asked_of_a_vendor)),
    "fair-decisions.md": Page(tables=2),
    "faircon.md": Page((given.people, given.block("toml", 0, "credit.toml")), tables=2),
    "language-packs.md": Page((given.models("german"), given.german, given.pack)),
    "lint.md": Page((given.tables,)),
    "monitor.md": Page((given.block("toml", 0, "policy.toml"), given.events, given.unsent, given.held)),
    "operations.md": Page((given.service,), started=3),
    "recorded.md": Page((given.prompts, given.scores)),
    "release.md": Page((given.models("base"),)),
    "reports.md": Page((given.stored("kept"), given.location)),
    "reproduce.md": Page((given.models("llama"),)),
    "scale.md": Page((given.models("model"), given.study), tables=1),
    "studies.md": Page((given.few, given.block("toml", 1, "evenhand.toml"), given.stored("a", "b"))),
    "testing.md": Page((given.guest, given.models("tiny"))),
    "tutorial.md": Page((given.models("base", "ours"),)),
    "validity.md": Page((given.folder("docs"),), tables=3),
    "verdicts.md": Page((given.models("base", "ours", "SmolLM2-135M-Instruct"), given.answers)),
    "which-mitigation.md": Page((given.study,)),
    "methods/dama.md": Page((given.models("my-model"),)),
    "methods/leace.md": Page((given.encoder("my-encoder"),)),
    "methods/sentence_debias.md": Page((given.encoder("my-encoder"),)),
}
"""The pages that presuppose something, or start or define it; others stand for themselves."""


@pytest.fixture
def places(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The page's folder, a server with a tiny model, and where the page names them PostgreSQL and Ray."""
    text, own = page.read_text("utf-8"), tiny.model("llama", bos=True, max_position_embeddings=1024)
    with ExitStack() as stack:
        found = {"here": str(tmp_path)}
        found["endpoint"] = stack.enter_context(server.serving(own, instead=given.vendor)).url
        if "postgresql://" in text and (programs := postgres.programs_here()):
            monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
            found["postgres"] = stack.enter_context(postgres.running()).address
        if "ray://" in text and is_here("ray"):
            found["ray"] = stack.enter_context(cluster())
        yield found


@pytest.fixture
def received() -> Iterator[Callable[[], None]]:
    """What lets the policy of a page send to a web server and a mail server of the tests."""
    with hook() as web, post() as mail:
        yield lambda: given.sent_to(web.address, mail.port)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """No address but this machine's own; a hub that takes uploads and a tracker stand for those elsewhere."""
    connect = socket.socket.connect

    def here(own: socket.socket, address: Any) -> None:
        if own.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise OSError(f"a page asked {address}")
        connect(own, address)

    monkeypatch.setattr(socket.socket, "connect", here)
    tracker = SimpleNamespace(
        set_experiment=lambda _: None,
        start_run=lambda **_: redirect_stdout(sys.stdout),
        log_params=lambda _: None,
        log_metrics=lambda _: None,
    )
    monkeypatch.setitem(sys.modules, "mlflow", tracker)  # type: ignore[arg-type]
    with mock.patch.dict(os.environ), receiving(Receiver()) as hub:  # what a page sets ends with it
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A service that is asked whether it is well, and stopped; what each answered."""
    testclient = pytest.importorskip("fastapi.testclient")
    said: list[int] = []

    def run(own: Any, sockets: Any) -> None:
        client = testclient.TestClient(own.config.app, base_url="http://localhost")
        said.append(client.get("/health").status_code)

    monkeypatch.setattr("uvicorn.Server.run", run)
    return said


def of(page: Path) -> str:
    """A page's name in `TABLE`."""
    return str(page.relative_to(ROOT)).removeprefix("docs/")


@cache
def typed() -> dict[Path, list[Item]]:
    """What each page has readers type: its blocks, then what its prose says and nothing before did.

    The reference has formulas, and no command.
    """
    texts = {page: page.read_text("utf-8") for page in PAGES if of(page) != "reference.md"}
    found = {page: items(text) for page, text in texts.items()}
    said = {one.text for rows in found.values() for one in rows}
    for page, text in texts.items():
        found[page] += [Item(line) for line in spans(text) if line not in said]
        said.update(spans(text))
    return found


def told(page: Path) -> list[Item]:
    """What of a page is run here."""
    elsewhere = of(page) in ELSEWHERE
    return [one for one in typed()[page] if (not elsewhere if one.python else is_run(one.text))]


def is_run(line: str) -> bool:
    """Whether a line is typed here."""
    return not is_pattern(line) and line not in BY_CI and (not reason(line) or NEEDS.get(line) == HUB)


def _fresh() -> None:
    """Let the registry look again for what is installed."""
    for one in (registry._installed, registry._places, registry.names):
        one.cache_clear()


TYPED = [page for page in typed() if told(page)]


@pytest.mark.parametrize("page", TYPED, ids=of)
def test_a_page_from_its_first_command_to_its_last(
    page: Path,
    places: dict[str, str],
    received: Callable[[], None],
    services: list[int],
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", sys.stdin)  # each command reads a password from one of its own
    monkeypatch.setenv("EVENHAND_WEBHOOK_SECRET", "a secret")
    monkeypatch.setenv("EVENHAND_MONITOR_DATA", str(tmp_path / "var/lib/evenhand"))
    known, text = TABLE.get(of(page), Page()), page.read_text("utf-8")
    for one in known.given:
        one(text)
    received()
    if known.started and "postgres" in places:
        given.filled(places["postgres"])
    if Path("site").exists():
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        request.addfinalizer(_fresh)
        _fresh()
    reader = Reader(text, places, known.names(), capsys)
    for item in told(page):
        reader.types(item)
    assert reader.wrong == [], "\n".join(map(str, reader.wrong))
    assert services == [200] * (known.started - ("postgres" not in places and "postgresql://" in text))
    assert len(reader.tables) == known.tables, reader.tables
    if reader.absent:
        what = "; ".join(dict.fromkeys(reader.absent))
        pytest.skip(f"{len(reader.absent)} commands need data or programs that are not here: {what}")


def test_nothing_is_left_out() -> None:
    run, left = Counter[str](), Counter[str]()
    patterns = []
    for page, rows in typed().items():
        for line in (one.text for one in rows if not one.python):
            if is_pattern(line):
                patterns.append(line)
            elif why := reason(line):
                left[why] += 1
            elif line not in BY_CI:
                run[of(page)] += 1
    print(f"{run.total()} commands of {len(run)} pages are run.", *left.items(), sep="\n")
    assert patterns == ["evenhand gate RUN CONDITION...", "python -m perf.reports FILE.html ..."]
    assert (run.total(), len(run), dict(left)) == (
        252,
        52,
        {INDEX: 13, HUB: 7, IMAGES: 2, SYSTEMD: 4},
    )


def test_what_ci_runs_itself_is_in_its_script() -> None:
    lines = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert [one for one in BY_CI if one not in lines] == []


def test_every_extra_that_a_page_installs_is_one() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    lines = [one.text for rows in typed().values() for one in rows if "pip install" in one.text]
    named = {
        name
        for line in lines
        for list_ in re.findall(r"evenhand\[([\w,-]+)\]", line)
        for name in list_.split(",")
    }
    assert len(named) > 4
    assert named <= set(extras)


def test_what_the_tables_name_is_on_a_page() -> None:
    assert set(TABLE) <= {of(page) for page in TYPED}
    there = {one.text for rows in typed().values() for one in rows if not one.python}
    assert set(NEEDS) | set(BY_CI) <= there
    assert all(any(reason(one) == why for one in there) for why in NOT_HERE.values())
    assert all(any(part in one for one in there) for part in DATA)
    for line in [one for one in there if one.startswith("make ")]:
        there.update(recipe(line.split()[1]))
    for found, _ in REWRITES:
        assert any(re.search(found, one) for one in there), found


def test_a_wrong_command_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    reader = Reader("", {}, {}, capsys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", sys.stdin)
        for line in ("evenhand ls benchmarks", "evenhand ls --nothing", "evenhand lint none.csv"):
            reader.types(Item(line))
    assert [(line, code) for line, _, code, _ in reader.wrong] == [
        ("evenhand ls --nothing", 2),
        ("evenhand lint none.csv", 2),
    ]


def test_a_command_is_made_smaller_where_it_does_not_say_how_large() -> None:
    assert smaller("faircon:lam=10") == "faircon:rounds=1,lam=10"
    assert smaller("decisions:test=all,train=9") == "decisions:dev=24,test=all,train=9"
    line = "evenhand verify 'openai:https://host/v1?api=completions#a/b' --with lftf"
    small = "evenhand verify 'openai:E?api=completions#tiny' --with lftf:epochs=1 --limit 8 --control none"
    assert rewritten(line, endpoint="E") == small
    budgeted = rewritten("evenhand verify MODEL --with prompt --budget 20")
    assert budgeted == "evenhand verify lab:causal --with prompt --budget 0.01 --limit 8"


def test_what_the_prose_says_comes_last_and_once() -> None:
    texts = {of(page): [one.text for one in rows] for page, rows in typed().items()}
    assert texts["monitor.md"][-2:-1] == ['evenhand monitor erase ID ID --use-case loans --why "asked for"']
    assert "evenhand monitor verify" not in texts["monitor.md"]  # a block of operations.md has it
    assert "evenhand monitor messages ls --problems" in texts["monitor.md"]
    assert "evenhand monitor messages ls --problems" not in texts["operations.md"]


def test_a_pipe_ends_as_a_shell_says() -> None:
    assert started(["false", "|", "cat"]) == 1
    assert started(["evenhand", "ls", "--nothing", "|", "cat"]) == 2
