"""What made a record: versions without imports, the commit from git's own files, one line for people."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from evenhand import __version__, provenance
from evenhand.provenance import PACKAGES, UNKNOWN, line, made_by, now
from evenhand.records import ModelSpec, from_json, to_json

COMMIT, OTHER = "a" * 40, "b" * 40


def test_it_says_the_versions_of_what_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", sys)
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    made = made_by(ModelSpec("m", "d", dtype="bfloat16", device="cpu"))
    assert made.evenhand == __version__
    assert "numpy" in made.packages
    assert "transformers" not in made.packages
    assert (made.device, made.dtype) == ("cpu", "bfloat16")
    assert from_json(type(made), to_json(made)) == made


def test_it_imports_nothing_heavy() -> None:
    code = "import sys; from evenhand.provenance import *; made_by(packages=PACKAGES); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "numpy", "pydantic"} & set(done.stdout.split())


def test_a_package_that_is_not_installed_is_left_out() -> None:
    assert made_by(packages=("numpy", "no-such-package-here")).packages.keys() == {"numpy"}


def test_one_line_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "commit", lambda: COMMIT)
    text = line(made_by(ModelSpec("m", "d", dtype="float32", device="cpu"), packages=PACKAGES))
    assert text.startswith(f"evenhand {__version__} (commit {'a' * 12}), Python 3.")
    assert text.endswith(", on cpu in float32")
    assert "\n" not in text
    assert line(None) == UNKNOWN


def test_the_time_is_utc_to_the_second() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now())


def written(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_commit_of_a_checkout(tmp_path: Path) -> None:
    of = provenance._of_checkout
    assert of(tmp_path) is None
    written(tmp_path / ".git/HEAD", f"{COMMIT}\n")
    assert of(tmp_path) == COMMIT
    written(tmp_path / ".git/HEAD", "ref: refs/heads/main\n")
    assert of(tmp_path) is None  # a branch without a commit
    written(tmp_path / ".git/packed-refs", f"# pack-refs\n{OTHER} refs/heads/main\n^{COMMIT}\n")
    assert of(tmp_path) == OTHER
    written(tmp_path / ".git/refs/heads/main", f"{COMMIT}\n")
    assert of(tmp_path) == COMMIT


def test_the_commit_of_a_worktree(tmp_path: Path) -> None:
    own = tmp_path / "main/.git/worktrees/w"
    written(own / "HEAD", "ref: refs/heads/w\n")
    written(own / "commondir", "../..\n")
    written(tmp_path / "main/.git/refs/heads/w", f"{COMMIT}\n")
    written(tmp_path / "w/.git", f"gitdir: {own}\n")
    assert provenance._of_checkout(tmp_path / "w") == COMMIT


@pytest.mark.parametrize(
    ("noted", "found"),
    [
        (f'{{"vcs_info": {{"vcs": "git", "commit_id": "{COMMIT}"}}}}', COMMIT),
        ('{"dir_info": {"editable": true}}', None),
        (None, None),
        ("[]", None),
        ("{", None),
    ],
)
def test_the_commit_of_an_installed_package(
    monkeypatch: pytest.MonkeyPatch, noted: str | None, found: str | None
) -> None:
    monkeypatch.setattr(
        provenance, "distribution", lambda name: SimpleNamespace(read_text=lambda file: noted)
    )
    assert provenance._of_install() == found
