"""Places for results on the command line: refused in one sentence before a model is opened, and SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand.studies import verbs
from evenhand.studies.store import save_measurements, save_verification
from evenhand.treatments import About
from evenhand.treatments.prompt import PromptTreatment
from tests.cli.conftest import Library, Run
from tests.cli.test_bad_input import SOURCE, paragraph
from tests.support import records_factory as make

# There is no such model: a command that looked at its output only afterwards would say so instead.
MODEL = "hf:./no-such-model"
VERBS = {
    "measure": ("measure", MODEL, "--out"),
    "verify": ("verify", MODEL, "--with", "prompt", "--out"),
    "locate": ("locate", MODEL, "--out"),
    "mitigate": ("mitigate", MODEL, "--with", "prompt", "--out"),
    "faircon": ("mitigate", MODEL, "--with", "faircon:resume={}", "-b", "decisions:task=lab", "--out", "new"),
    "demo": ("demo", "--out"),
    "html": ("report", "run", "--html"),
    "lm-eval": ("report", "run", "--lm-eval"),
}


def argv(verb: str, place: str) -> list[str]:
    words = [word.format(place) for word in VERBS[verb]]
    return words if verb == "faircon" else [*words, place]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file/below", "lies below"),
        ("file/below/deep", "lies below"),
        ("x" * 300, "is too long: it has 300 bytes"),
        ("new/" + "x" * 300, "is too long: it has 300 bytes"),
    ],
)
def test_a_place_that_cannot_be(run: Run, verb: str, place: str, said: str) -> None:
    Path("file").write_text("mine")
    answer = run(*argv(verb, place))
    assert answer.code == 2
    assert said in paragraph(answer)
    assert [path.name for path in Path().iterdir()] == ["file"]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in {"html", "lm-eval"}])
def test_a_file_where_a_folder_should_be(run: Run, verb: str) -> None:
    Path("file").write_text("mine")
    answer = run(*argv(verb, "file"))
    assert answer.code == 2
    assert "file is a file, not a folder. Name a" in paragraph(answer).replace("another", "a")
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("number", [13, 28, 30])
def test_no_room_and_no_right(run: Run, verb: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.mkstemp", refused)
    answer = run(*argv(verb, "new"))
    assert answer.code == 4
    assert f"cannot be written: {os.strerror(number)}" in paragraph(answer)


@pytest.mark.parametrize("option", ["--html", "--lm-eval"])
def test_a_report_is_a_file_of_ours(run: Run, option: str) -> None:
    save_verification(Path("run"), make.verification())
    name = "out.html" if option == "--html" else "out.json"
    Path(name).write_text("mine")
    answer = run("report", "run", option, name)
    assert answer.code == 2
    assert f"{name} is not replaced: there is such a file already" in paragraph(answer)
    assert Path(name).read_text() == "mine"
    Path(name).unlink()
    assert [run("report", "run", option, name).code for _ in range(2)] == [0, 0]
    edited = Path(name).read_text().replace("genbiaseval", "genbiaseval (mine)", 1)
    Path(name).write_text(edited)
    assert "it was changed since evenhand wrote it" in paragraph(run("report", "run", option, name))
    assert Path(name).read_text() == edited
    if option == "--html":
        answer = run("report", "run", "--html", "run")
        assert (answer.code, "run is a folder, not a file" in paragraph(answer)) == (2, True)


def test_a_report_is_one_output(run: Run) -> None:
    save_verification(Path("run"), make.verification())
    answer = run("report", "run", "--html", "out.html", "--card", "README.md")
    assert answer.code == 2
    assert "--html and --card are several outputs. Call `evenhand report` once for each" in paragraph(answer)
    assert [path.name for path in Path().iterdir()] == ["run"]
    assert run("report", "run").code == 0
    assert Path("report.html").is_file()


@pytest.mark.parametrize("held", ["a verification", "measurements"])
def test_a_folder_holds_one_kind_of_run(run: Run, held: str) -> None:
    """Readers look for a verification first: they would never show what was measured into its folder."""
    if held == "measurements":
        save_measurements(Path("run"), make.verification().before)
        verb = "verify"
    else:
        save_verification(Path("run"), make.verification())
        verb = "measure"
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    answer = run(*argv(verb, "run"))
    assert answer.code == 2
    assert f"run holds {held} already" in paragraph(answer)
    assert "Name another folder with --out." in paragraph(answer)
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_a_report_through_a_link_keeps_the_link(run: Run) -> None:
    save_measurements(Path("run"), make.verification().before)
    Path("link.html").symlink_to("real.html")
    assert run("report", "run", "--html", "link.html").code == 0
    assert Path("link.html").is_symlink()
    assert run("report", "run", "--html", os.devnull).code == 2
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        ("measure", "measurements.json"),
        ("verify", "verification.json"),
        ("verify", "report.html"),
        ("verify", "treatment/notes.txt"),
        ("locate", "location.json"),
        ("demo", "report.html"),
    ],
)
def test_a_file_of_the_users_in_the_runs_folder(run: Run, verb: str, name: str) -> None:
    Path("out", name).parent.mkdir(parents=True)
    Path("out", name).write_text("mine")
    answer = run(*argv(verb, "out"))
    assert answer.code == 2
    assert "is not replaced" in paragraph(answer)
    assert [str(path) for path in Path().rglob("*") if path.is_file()] == [f"out/{name}"]


@pytest.mark.parametrize("linked", [False, True])
def test_mitigate_replaces_only_what_evenhand_wrote(run: Run, linked: bool, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("mine")
    if linked:
        Path("link").symlink_to(thesis)
    answer = run(*argv("mitigate", "link" if linked else "thesis"))
    assert answer.code == 2
    assert "or an old version did (it holds chapter.tex)" in paragraph(answer)
    PromptTreatment(About("prompt", "0" * 64, 0), "Be fair.").save(tmp_path / "treated")
    (tmp_path / "treated" / "prompt.txt").write_text("Be very fair.")
    answer = run(*argv("mitigate", "treated"))
    assert answer.code == 2
    assert "its file prompt.txt was changed since evenhand wrote it" in paragraph(answer)
    assert (thesis / "chapter.tex").read_text() == "mine"
    assert (tmp_path / "treated" / "prompt.txt").read_text() == "Be very fair."


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_mitigate_does_not_replace_where_somebody_works(run: Run, place: str) -> None:
    Path("mine").touch()
    answer = run(*argv("mitigate", place))
    assert answer.code == 2
    assert "evenhand does not replace by another folder. Name a folder inside it" in paragraph(answer)
    assert Path("mine").exists()


@pytest.mark.parametrize("cache", ["file", "file/below"])
def test_a_cache_that_is_a_file(run: Run, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("mine")
    monkeypatch.setenv("EVENHAND_CACHE", cache)
    for command in (
        ("measure", "lab:causal"),
        ("measure", "openai:http://127.0.0.1:9/v1#m", "-b", "genbiaseval"),
        ("data", "pull", "bbq/Age.jsonl"),
    ):
        answer = run(*command)
        assert answer.code == 4
        assert f"The cache cannot be in {cache}: " in paragraph(answer)
        assert "EVENHAND_CACHE" in paragraph(answer)
    assert "is not a folder" in run("doctor").out
    assert Path("file").read_text() == "mine"


def test_sigterm_ends_as_an_interrupt(run: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def long(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass
        raise AssertionError("the signal should have come")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(verbs, "measure", long)
    answer = run("measure", MODEL)
    assert answer.code == 130
    assert paragraph(answer) == "evenhand: Interrupted. The same command resumes."
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_sigterm_kills(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from evenhand.cli import main\n"
        "from evenhand.studies import verbs\n"
        "def stubborn(*_, **__):\n"
        "    try:\n"
        "        print('begun', flush=True)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('first', flush=True)\n"
        "        time.sleep(60)\n"
        "verbs.measure = stubborn\n"
        "sys.exit(main(['measure', 'recorded:x', '-b', 'facts']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert process.stdout is not None
    for word in ("begun", "first"):
        assert process.stdout.readline() == f"{word}\n"
        process.terminate()
    assert process.wait(30) == -signal.SIGTERM
    process.stdout.close()
