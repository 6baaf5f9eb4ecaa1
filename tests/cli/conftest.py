"""The command line with the library replaced by hand-made records."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evenhand import studies
from evenhand.cli import main
from evenhand.records import Attribution, Measurement, Verification
from evenhand.studies import options, verbs
from tests.support import records_factory as make


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run one command in an empty folder and give its exit code and both streams."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def command(*argv: str) -> Answer:
        code = main(list(argv))
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return command


class Given(dict[str, Any]):
    """The fields that a verb was given, once the true record of options has taken them."""

    def __init__(self, kind: Callable[..., Any], **fields: Any) -> None:
        kind(**fields)
        super().__init__(fields)

    def __getattr__(self, name: str) -> Any:
        return self[name]


@dataclass
class Library:
    """Stands in for the verbs of the library: answers with records and keeps what it was asked."""

    record: Verification = field(default_factory=make.verification)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    raises: BaseException | None = None

    def _note(self, *what: Any) -> None:
        self.asked.append(what)
        if self.raises is not None:
            raise self.raises

    def run_folder(self, uri: str, mitigation: str, options: dict[str, Any]) -> Path:
        return Path(options.get("out") or "runs/default")

    def measure(
        self, uri: str, benchmarks: tuple[str, ...], options: dict[str, Any], *, by: tuple[str, ...]
    ) -> list[Measurement]:
        self._note("measure", uri, benchmarks, options, *([by] if by else []))
        return list(self.record.before[:2])

    def locate(self, uri: str, locator: str, options: dict[str, Any]) -> Attribution:
        self._note("locate", uri, locator, options)
        return make.location(locator, specific=locator != "bmi")

    def mitigate(self, uri: str, mitigation: str, out: Path, options: dict[str, Any]) -> dict[str, Any]:
        self._note("mitigate", uri, mitigation, out, options)
        return {"method": mitigation, "digest": "ab" * 32, "location": make.location(), "out": str(out)}

    def verify(
        self,
        uri: str,
        mitigation: str | None,
        options: dict[str, Any],
        *,
        treated: str | None = None,
        on: str | None = None,
    ) -> Verification:
        self._note("verify", uri, mitigation, options, *([treated] if treated else []))
        return self.record


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    """The verbs without models."""
    # A module first imported while a name is replaced would keep the replacement after the test.
    for module in pkgutil.iter_modules(studies.__path__, "evenhand.studies."):
        importlib.import_module(module.name)
    fake = Library()
    for name in ("run_folder", "measure", "locate", "mitigate", "verify"):
        monkeypatch.setattr(verbs, name, getattr(fake, name))
    for name in ("RunOptions", "VerifyOptions"):
        monkeypatch.setattr(options, name, partial(Given, getattr(options, name)))
    return fake
