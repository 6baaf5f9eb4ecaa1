"""The commands and the Python of every page, run in an empty folder: its blocks in order, then its prose.

Only their size is smaller, by the rules of `trial_size.py`, which also names what cannot be run here with its
reason: nothing else is left out, and `test_nothing_is_left_out` counts. What a page takes for granted is made
in `presupposed.py`. No page reaches any address but this machine's own.
"""

from __future__ import annotations

import importlib
import io
import re
import shlex
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evenhand import registry, sources
from evenhand.cli import main
from evenhand.testing import MetricCase, tiny
from tests.publishing.receiving import Receiver, receiving
from tests.real import presupposed as given
from tests.real.trial_size import (
    CODES,
    DATA,
    ELSEWHERE,
    NEEDS,
    PROGRAMS,
    PYTHON,
    REWRITES,
    UNTYPED,
    rewritten,
    smaller,
)
from tests.support import server
from tests.support.columns import PRONOUNS, pronouns
from tests.support.pages import PAGES, ROOT, Item, Step, is_command, is_pattern, items, spans, steps
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
    "attributes.md": Page((given.block("toml", 0, "caste.toml"), given.block("toml", 1, "people.toml"))),
    "audits.md": Page((given.people, given.texts, given.published), _frame),
    "capability.md": Page((given.models("model"), given.task, given.stored("run"))),
    "ci.md": Page((given.stored("run", "runs/treated"),)),
    "composition.md": Page((given.decider("model"),)),
    "endpoints.md": Page(),
    "fair-decisions.md": Page(),
    "faircon.md": Page((given.people, given.block("toml", 0, "credit.toml"))),
    "language-packs.md": Page((given.models("german"), given.german, given.pack)),
    "lint.md": Page((given.tables,)),
    "monitor.md": Page((given.block("toml", 0, "policy.toml"), given.events, given.unsent, given.held)),
    "operations.md": Page((given.service,), started=2),
    "recorded.md": Page((given.prompts, given.scores)),
    "release.md": Page((given.models("base"),)),
    "reports.md": Page((given.stored("kept"), given.location)),
    "reproduce.md": Page((given.models("llama"),)),
    "scale.md": Page((given.models("model"), given.study)),
    "studies.md": Page((given.few, given.block("toml", 1, "evenhand.toml"), given.stored("a", "b"))),
    "testing.md": Page((given.guest, given.models("tiny"))),
    "tutorial.md": Page((given.models("base", "ours"),)),
    "verdicts.md": Page((given.models("base", "ours", "SmolLM2-135M-Instruct"), given.answers)),
    "which-mitigation.md": Page((given.study,)),
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
        if NEEDS.get(item.text) in UNTYPED:
            return
        data = [sources.entry(name) for part, name in DATA.items() if part in item.text]
        if any(sources.find(one) is None for one in data):
            self.absent.append(item.text)
            return
        for step in steps(rewritten(item.text, self.endpoint)):
            code = self._done(step)
            program = step.words[2 if step.words[1] == "-m" else 1]
            wanted = CODES.get(item.text, {4} if item.text in NEEDS else CODES.get(program, {0}))
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
    if "|" in words:
        ours = f'evenhand() {{ {shlex.quote(sys.executable)} -m evenhand "$@"; }}'
        line = shlex.join(words).replace("'|'", "|")
        return subprocess.run(["bash", "-o", "pipefail", "-c", f"{ours}\n{line}"], check=False).returncode
    if words[0] == "evenhand":
        return main(words[1:])
    if words[0] == "python":
        own = words[2:] if words[1] == "-m" else words[1:]
        module = importlib.import_module(own[0]) if words[1] == "-m" else script(own[0])
        if hasattr(module, "__path__"):
            module = importlib.import_module(f"{own[0]}.__main__")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", own)
            return int(module.main() or 0)
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
    return [one for one in typed()[page] if (not elsewhere if one.python else is_command(one.text))]


def _fresh() -> None:
    """Let the registry look again for what is installed."""
    for one in (registry._places, registry.names):
        one.cache_clear()


TYPED = [page for page in typed() if told(page)]


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
    monkeypatch.setenv("EVENHAND_WEBHOOK_SECRET", "a secret")
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
    patterns = []
    for page, rows in typed().items():
        for line in (one.text for one in rows if not one.python):
            if line in NEEDS:
                left[NEEDS[line]] += 1
            elif is_command(line):
                run[of(page)] += 1
            elif is_pattern(line):
                patterns.append(line)
            else:
                left[PROGRAMS[line.split()[0]]] += 1
    print(f"{run.total()} commands of {len(run)} pages are run.", *left.items(), sep="\n")
    assert patterns == ["evenhand gate RUN CONDITION...", "python -m perf.reports FILE.html ..."]
    assert (run.total(), len(run), left.total()) == (216, 50, 61)


def test_what_the_tables_name_is_on_a_page() -> None:
    assert set(TABLE) <= {of(page) for page in TYPED}
    there = {one.text for rows in typed().values() for one in rows}
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
    budgeted = rewritten("evenhand verify MODEL --with prompt --budget 20", "E")
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
