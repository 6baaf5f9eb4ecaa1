"""The lowest versions that pyproject.toml allows work: a new environment with exactly them, and tests inside.

Downloads gigabytes, so that `make lowest` alone runs it. `EVENHAND_LOWEST` names a folder where the
environments are kept from one run to the next.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripts import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("hf", "fairness")
_BOUND = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9][0-9.]*)")

PLAIN = (
    "tests/cli/test_failures.py", "tests/cli/test_helpers.py", "tests/cli/test_verbs.py", "tests/metrics",
    "tests/reports/test_command.py", "tests/reports/test_report.py", "tests/studies/test_rule.py",
    "tests/studies/test_store.py", "tests/studies/test_verdict.py", "tests/test_registry.py",
    "tests/stats",
)  # fmt: skip
"""What works without the extras."""
WHOLE = (
    "tests/locators", "tests/mitigations/test_faircon.py", "tests/mitigations/test_lftf.py",
    "tests/models/test_causal.py", "tests/models/test_layout.py", "tests/models/test_loading.py",
    "tests/postprocessing", "tests/scoring/test_engine.py", "tests/scoring/test_prefix.py",
    "tests/test_api.py", "tests/treatments/test_treatments.py",
)  # fmt: skip
"""What needs them."""


def bounds(*extras: str) -> tuple[str, ...]:
    """``name==version`` for every requirement of the package and of `extras`, at its lower bound."""
    given = [*PROJECT["dependencies"], *(r for e in extras for r in PROJECT["optional-dependencies"][e])]
    found = [_BOUND.fullmatch(requirement) for requirement in given]
    assert all(found), f"a requirement without a lower bound, or with more than that: {given}"
    return tuple(f"{m[1]}=={m[2]}" for m in found if m)


def test_every_requirement_has_a_lower_bound_and_the_pins_meet_it() -> None:
    pinned = dict(pin.split("==") for pin in bounds(*EXTRAS))
    listed = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-").splitlines()
    tested = dict(line.split("==") for line in listed if "==" in line)
    for name, low in pinned.items():
        assert _numbers(tested[name]) >= _numbers(low), f"{name}: tested with {tested[name]}, below {low}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0]))


class Environment:
    """A Python with the lowest versions of the package's requirements and of `extras`."""

    def __init__(self, folder: Path, *extras: str) -> None:
        self.python = folder / "bin" / "python"
        pytest_bound = next(r for r in PROJECT["optional-dependencies"]["dev"] if r.startswith("pytest>"))
        pins = (*bounds(*extras), pytest_bound.replace(">=", "=="))
        kept = folder / "pins.txt"
        if kept.is_file() and kept.read_text(encoding="utf-8").split() == list(pins):
            return
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        done = subprocess.run(
            [self.python, "-m", "pip", "install", "--quiet", *pins],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(pins)} cannot be installed together: {done.stderr[-2000:]}"
        kept.write_text("\n".join(pins), encoding="utf-8")

    def run(self, *argv: str, home: Path) -> str:
        """The standard output of ``python -m argv``, which must succeed; lab models are kept in `home`."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("EVENHAND_")},
            "PYTHONPATH": str(ROOT / "src"),
            "EVENHAND_CACHE": str(home / "lab"),
        }
        done = subprocess.run(
            [self.python, "-m", *argv], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def json(self, *argv: str, home: Path) -> Any:
        """What a command prints with ``--json``."""
        return json.loads(self.run("evenhand", *argv, "--json", home=home))

    def test(self, *paths: str, home: Path) -> None:
        """Run tests in it; at least one must pass and none may fail."""
        said = self.run("pytest", "-q", "-p", "no:cacheprovider", *paths, home=home)
        assert re.search(r"\d+ passed", said), said[-2000:]


def _folder(name: str, factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("EVENHAND_LOWEST")
    return Path(kept).absolute() / name if kept else factory.mktemp(name)


@pytest.mark.slow
@pytest.mark.lowest
def test_the_lowest_versions_without_extras(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    there = Environment(_folder("plain", tmp_path_factory))
    assert "measure" in there.run("evenhand", "--help", home=tmp_path)
    assert "genbiaseval" in json.dumps(there.json("ls", home=tmp_path))
    answers, few = tmp_path / "answers.jsonl", ("-b", "genbiaseval", "--limit", "20")
    asked = there.json("measure", "recorded:none", *few, "--dry-run", home=tmp_path)["requests"]
    lines = [{"context": r["context"], "text": r["text"], "logprob": -1.5} for r in asked]
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    taken = there.json("measure", f"recorded:{answers}", *few, home=tmp_path)
    assert taken["measurements"][0]["n"] == 20
    there.test(*PLAIN, home=tmp_path)


@pytest.mark.slow
@pytest.mark.lowest
def test_the_lowest_versions_with_models_and_fairness(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    there = Environment(_folder("whole", tmp_path_factory), *EXTRAS)
    taken = there.json("measure", "lab:causal", "--limit", "20", home=tmp_path)
    assert {m["n"] for m in taken["measurements"]} == {20}
    located = there.json("locate", "lab:causal", "--with", "ablation", home=tmp_path)
    scores = {s["site"]: s["value"] for s in located["location"]["scores"]}
    assert max(scores, key=lambda site: scores[site]) == "block.2"  # where it is planted
    run = str(tmp_path / "run")
    quick = ("--limit", "20", "--control", "none", "--out", run)
    judged = there.json("verify", "lab:causal", "--with", "lftf", *quick, home=tmp_path)
    assert judged["verdict"]
    there.run("evenhand", "report", run, "--html", str(tmp_path / "report.html"), home=tmp_path)
    assert "<svg" in (tmp_path / "report.html").read_text(encoding="utf-8")
    there.test(*WHOLE, home=tmp_path)
