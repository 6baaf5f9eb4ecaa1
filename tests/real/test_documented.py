"""The commands and the Python of every page, run in the page's order in an empty folder.

Only their size is smaller, by the rules of `trial_size.py`, which also names what cannot be run here with its
reason: nothing else is left out, and `test_nothing_is_left_out` counts. What a page takes for granted is made
in `presupposed.py`. No page reaches any address but this machine's own.
"""

from __future__ import annotations

import io
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evenhand import registry, sources
from evenhand.cli import main
from evenhand.testing import MetricCase, tiny
from evenhand.testing import __main__ as contracts
from tests.publishing.receiving import Receiver, receiving
from tests.real import presupposed as given
from tests.real.trial_size import (
    CODES,
    DATA,
    ELSEWHERE,
    MINUTES,
    NEEDS,
    PROGRAMS,
    PYTHON,
    RAY,
    REWRITES,
    rewritten,
    smaller,
)
from tests.support import server
from tests.support.columns import PRONOUNS, pronouns
from tests.support.pages import PAGES, ROOT, Item, Step, is_command, items, steps
from tests.support.scripts import script

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Page:
    """What a page takes for granted, and what its Python does not define."""

    given: tuple[given.Given, ...] = ()
    names: Callable[[], dict[str, Any]] = dict
    started: int = 0
    """How many services the page starts."""


def _frame() -> dict[str, Any]:
    import pandas as pd

    return {"frame": pd.read_csv("people.csv").replace({"hired": {0: "no", 1: "yes"}})}


def _metric_case() -> dict[str, Any]:
    return {"MetricCase": MetricCase, "pronouns": pronouns, "PRONOUNS": PRONOUNS}


TABLE: dict[str, Page] = {
    "README.md": Page((given.people, given.study, given.tables, given.policy), started=1),
    "adding.md": Page(names=_metric_case),
    "after-the-fact.md": Page(),
    "attributes.md": Page((given.block("toml", 0, "caste.toml"),)),
    "audits.md": Page((given.people, given.texts, given.published), _frame),
    "capability.md": Page((given.models("model"), given.task)),
    "ci.md": Page((given.stored("run", "runs/treated"),)),
    "composition.md": Page((given.decider("model"),)),
    "endpoints.md": Page(),
    "fair-decisions.md": Page(),
    "faircon.md": Page((given.people, given.block("toml", 0, "credit.toml"))),
    "language-packs.md": Page((given.models("german"), given.german, given.pack)),
    "lint.md": Page((given.tables,)),
    "monitor.md": Page((given.block("toml", 0, "policy.toml"),)),
    "operations.md": Page((given.service,), started=2),
    "recorded.md": Page((given.prompts, given.scores)),
    "release.md": Page((given.models("base"),)),
    "reports.md": Page((given.stored("kept"), given.location)),
    "reproduce.md": Page((given.models("llama"),)),
    "scale.md": Page((given.models("model"), given.study)),
    "studies.md": Page((given.few,)),
    "testing.md": Page((given.guest,)),
    "tutorial.md": Page((given.models("base", "ours"),)),
    "verdicts.md": Page((given.models("base", "ours"), given.answers)),
    "methods/dama.md": Page((given.models("my-model"),)),
    "methods/leace.md": Page((given.encoder("my-encoder"),)),
    "methods/sentence_debias.md": Page((given.encoder("my-encoder"),)),
}
"""The pages that presuppose something, or start or define it; others stand for themselves."""

PASSWORD = "twelve or more"


@dataclass
class Reader:
    """Types what a page says, and keeps what went wrong."""

    endpoint: str
    names: dict[str, Any]
    capsys: pytest.CaptureFixture[str]
    wrong: list[tuple[Any, ...]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def types(self, item: Item) -> None:
        """Do what one item says."""
        if item.python:
            self.python(item.text)
            return
        if NEEDS.get(item.text) in (RAY, MINUTES):
            return
        data = [sources.entry(name) for part, name in DATA.items() if part in item.text]
        if any(sources.find(one) is None for one in data):
            self.absent.append(item.text)
            return
        for step in steps(rewritten(item.text, self.endpoint)):
            code = self._done(step)
            program = step.words[1]
            wanted = {2, 4} if item.text in NEEDS else CODES.get(program, {0})
            if code not in wanted:
                self.wrong.append((item.text, code, self.capsys.readouterr().err[-400:]))

    def _done(self, step: Step) -> int:
        sys.stdin = io.StringIO(f"{PASSWORD}\n")
        if not step.into:
            return started(step.words)
        with Path(step.into).open("w") as file, redirect_stdout(file):
            return started(step.words)

    def python(self, text: str) -> None:
        """Run a block of Python."""
        if "evenhand_gate" in text:
            Path("test_gate.py").write_text(text)
            gates = [sys.executable, "-m", "pytest", "-q", "test_gate.py"]
            done = subprocess.run(gates, check=False, capture_output=True, text=True)
            if not re.search(r"^2 (passed|failed) in", done.stdout, re.MULTILINE):  # an error is neither
                self.wrong.append((text, done.stdout))
            return
        for found, instead in PYTHON:
            text = re.sub(found, instead, text)
        text = re.sub(r'"(\w+(?::[^"]*)?)"', lambda one: f'"{smaller(one[1])}"', text)
        exec(text, self.names)
        for name in re.findall(r"^def (test_\w+)\(\)", text, re.MULTILINE):
            self.names[name]()


def started(words: list[str]) -> int:
    """The exit code of a program with its words."""
    if words[0] == "evenhand":
        return main(words[1:])
    if words[:3] == ["python", "-m", "evenhand.testing"]:
        return contracts.main(words[3:])
    if words[0] == "python" and words[1].startswith("perf/"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words[1:])
            return int(script(words[1]).main())
    return subprocess.run(words, check=False).returncode  # cat, install


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A server with a tiny model."""
    with server.serving(tiny.model("llama", bos=True, max_position_embeddings=1024)) as state:
        yield state.url


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
    with receiving(Receiver()) as hub:
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


def told(page: Path) -> list[Item]:
    """What of a page is run here."""
    elsewhere = of(page) in ELSEWHERE
    typed = items(page.read_text("utf-8"))
    return [one for one in typed if (not elsewhere if one.python else is_command(one.text))]


def _fresh() -> None:
    """Let the registry look again for what is installed."""
    for one in (registry._places, registry.names):
        one.cache_clear()


TYPED = [page for page in PAGES if of(page) != "reference.md" and told(page)]  # it has formulas, no command


@pytest.mark.parametrize("page", TYPED, ids=of)
def test_a_page_from_its_first_command_to_its_last(
    page: Path,
    endpoint: str,
    services: list[int],
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", sys.stdin)  # each command reads a password from one of its own
    monkeypatch.setenv("EVENHAND_MONITOR_DATA", str(tmp_path / "var/lib/evenhand"))
    known = TABLE.get(of(page), Page())
    for one in known.given:
        one(page.read_text("utf-8"))
    if Path("site").exists():
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        request.addfinalizer(_fresh)
        _fresh()
    reader = Reader(endpoint, known.names(), capsys)
    for item in told(page):
        reader.types(item)
    assert reader.wrong == [], "\n".join(map(str, reader.wrong))
    assert services == [200] * known.started
    if reader.absent:
        pytest.skip(f"{len(reader.absent)} commands need data that are not here: {'; '.join(reader.absent)}")


def test_nothing_is_left_out() -> None:
    run, left = Counter[str](), Counter[str]()
    for page in TYPED:
        for line in (one.text for one in items(page.read_text("utf-8")) if not one.python):
            if line in NEEDS:
                left[NEEDS[line]] += 1
            elif is_command(line):
                run[of(page)] += 1
            else:
                left[PROGRAMS[line.split()[0]]] += 1
    print(f"{run.total()} commands of {len(run)} pages are run.", *left.items(), sep="\n")
    assert (run.total(), len(run), left.total()) == (168, 33, 31)


def test_what_the_tables_name_is_on_a_page() -> None:
    assert set(TABLE) <= {of(page) for page in TYPED}
    there = {one.text for page in TYPED for one in items(page.read_text("utf-8"))}
    assert set(NEEDS) <= there
    assert all(any(part in one for one in there) for part in DATA)
    for found, _ in REWRITES:
        assert any(re.search(found, one) for one in there), found


def test_a_wrong_command_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    reader = Reader("http://127.0.0.1:9/v1", {}, capsys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", sys.stdin)
        for line in ("evenhand ls benchmarks", "evenhand ls --nothing", "evenhand lint none.csv"):
            reader.types(Item(line))
    assert [(line, code) for line, code, _ in reader.wrong] == [
        ("evenhand ls --nothing", 2),
        ("evenhand lint none.csv", 2),
    ]


def test_a_command_is_made_smaller_where_it_does_not_say_how_large() -> None:
    assert smaller("faircon:lam=10") == "faircon:rounds=1,lam=10"
    assert smaller("decisions:test=all,train=9") == "decisions:dev=24,test=all,train=9"
    line = "evenhand verify 'openai:https://host/v1?api=completions#a/b' --with lftf"
    small = "evenhand verify 'openai:E?api=completions#tiny' --with lftf:epochs=1 --limit 8 --control none"
    assert rewritten(line, "E") == small
