"""ls, plan, doctor, the component lists, and what an import costs."""

from __future__ import annotations

import dataclasses
import gc
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from evenhand import __version__, registry
from evenhand.cli import console, doctor
from evenhand.cli.options import components
from evenhand.errors import UsageError
from evenhand.progress import duration
from evenhand.studies import control_models
from tests.cli.conftest import Run

HEAVY = ("torch", "transformers", "pandas", "scipy", "numpy", "jinja2", "rich")
NEVER_LISTED = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "huggingface_hub",
    "pandas",
    "scipy",
)
NEVER_LISTED += ("jinja2", "fairlearn", "datasets", "lm_eval")


def imported(argv: list[str], names: tuple[str, ...]) -> tuple[int, list[str], str]:
    """The exit code of one command in a process of its own, which of `names` it imported, and its stdout."""
    code = (
        "import sys\n"
        "from evenhand.cli import main\n"
        f"code = main({argv!r})\n"
        f"sys.stderr.write('\\n' + ','.join(name for name in {names!r} if name in sys.modules))\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    found = done.stderr.rpartition("\n")[2]
    return done.returncode, found.split(",") if found else [], done.stdout


@pytest.mark.parametrize("argv", [["--help"], ["verify", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(argv: list[str]) -> None:
    code, found, out = imported(argv, HEAVY)
    assert (code, found) == (0, [])
    assert "evenhand" in out


# Rich draws the tables; what imports numpy is a module of metrics or of what computes with them.
@pytest.mark.parametrize(
    ("kind", "numbers"),
    [("all", True), ("benchmarks", True), ("metrics", True), ("locators", True), ("mitigations", True)]
    + [(kind, False) for kind in ("controls", "attributes", "models")],
)
def test_ls_imports_no_library_that_a_list_of_names_needs_not(kind: str, numbers: bool) -> None:
    code, found, out = imported(["ls", kind], (*NEVER_LISTED, *(() if numbers else ("numpy",))))
    assert (code, found) == (0, [])
    assert (kind if kind != "all" else "lab:causal") in out


def test_module_runs_like_the_command() -> None:
    argv = [sys.executable, "-m", "evenhand", "ls", "nothing", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert '"exit": 2' in done.stdout


@pytest.mark.parametrize("kind", ["benchmark", "metric", "locator", "mitigation", "control"])
def test_ls_lists_the_registry(run: Run, kind: str) -> None:
    data = run("ls", f"{kind}s", "--json").json
    assert [row["name"] for row in data[f"{kind}s"]] == list(registry.names(kind))
    assert all(row["title"] for row in data[f"{kind}s"])


def test_ls_all_names_every_kind(run: Run) -> None:
    answer = run("ls")
    assert answer.code == 0
    for word in ("genbiaseval", "afgb_normalised", "bmi", "lftf", "gender", "lab:causal"):
        assert word in answer.out


def test_ls_shows_options_with_defaults(run: Run) -> None:
    (lftf,) = [row for row in run("ls", "mitigations", "--json").json["mitigations"] if row["name"] == "lftf"]
    assert "loss=nll|mass_preserving|symmetric_kl|printed (default nll)" in lftf["options"]


def test_ls_keeps_controls_apart(run: Run) -> None:
    kinds = ("mitigations", "controls")
    rows = {kind: {row["name"] for row in run("ls", kind, "--json").json[kind]} for kind in kinds}
    assert {"noise", "sham"} <= rows["controls"]
    assert not rows["controls"] & rows["mitigations"]


def test_ls_without_torch_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(kind: str, name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(registry, "get", missing)
    (first, *_) = run("ls", "locators", "--json").json["locators"]
    assert "pip install 'evenhand[hf]'" in first["title"]


def test_plan_counts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_models, "counts", lambda extent, shammed: {"sham": (1, 3), "noise": (1, 2)})
    data = run(
        "plan",
        "lab:causal",
        "-b",
        "genbiaseval,genhinteval",
        "--capability",
        "facts:set=world",
        "--json",
        "--no-minutes",
    ).json
    by_name = {entry["benchmark"].partition(":")[0]: entry for entry in data["benchmarks"]}
    # GenBiasEval's test part: 944 prompts, each asked for he, she and they.
    assert by_name["genbiaseval"]["items"] == 944
    assert by_name["genbiaseval"]["rows"] == 3 * 944
    # Control models are measured on the first bias benchmark and on capability, not on the others.
    assert [by_name[name]["models"] for name in ("genbiaseval", "facts", "genhinteval")] == [7, 7, 2]
    assert data["cells"] == 16
    assert data["rows"] == sum(e["rows"] * e["models"] for e in data["benchmarks"])


def test_plan_limited(run: Run) -> None:
    answer = run(
        "plan",
        "lab:causal",
        "-b",
        "genbiaseval",
        "--capability",
        "facts",
        "--limit",
        "100",
        "--control",
        "none",
        "--no-minutes",
    )
    assert "not reportable" in answer.out
    row = next(line.split() for line in answer.out.splitlines() if line.strip().startswith("genbiaseval"))
    assert row[2:] == ["100", "300", "2"]
    assert "control models: none" in answer.out


def test_plan_takes_the_options_of_verify_and_refuses_what_it_refuses(run: Run) -> None:
    words = ("plan", "lab:causal", "--with", "lftf", "--control", "none", "--no-minutes")
    more = ("--seed", "3", "--margin", ".02", "--dtype", "float32", "--batch-tokens", "512")
    assert run(*words, *more, "--locator", "gradient").code == 0
    assert "'gradient'" in run(*words, "--locator", "gradien").err
    idle = run("plan", "lab:causal", "--with", "prompt", "--locator", "gradient", "--no-minutes")
    assert "it would have no effect" in idle.err
    assert idle.code == 2


def test_plan_control_forms() -> None:
    assert control_models.counts("none") == {}
    standard, reduced = control_models.counts("standard"), control_models.counts("reduced")
    assert standard["sham"] == (6, 13)  # the first and the last look
    assert reduced["sham"] == (6, 6)
    assert set(control_models.counts("full")) > set(standard)


def test_plan_refuses_unknown_mitigations(run: Run) -> None:
    answer = run("plan", "lab:causal", "--with", "lft")
    assert answer.code == 2
    assert "'lftf'" in answer.err


def test_doctor(run: Run) -> None:
    answer = run("doctor", "--json")
    found = {f["name"]: f for f in answer.json["findings"]}
    assert {
        "python",
        "numpy",
        "torch",
        "cores",
        "memory",
        "disk (cache)",
        "gpu",
        "cache folder",
        "threads",
    } <= set(found)
    assert answer.json["healthy"] == all(f["ok"] for f in found.values())
    assert answer.code == (0 if answer.json["healthy"] else 4)


def test_doctor_names_the_mend_of_a_missing_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.version

    def without_torch(name: str) -> str:
        if name == "torch":
            raise doctor.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", without_torch)
    answer = run("doctor")
    assert answer.code == 4
    assert "torch: pip install 'evenhand[hf]'" in answer.out
    assert "MISSING" in answer.out


def test_doctor_calls_an_absent_extra_no_fault(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.version

    def without_duckdb(name: str) -> str:
        if name == "duckdb":
            raise doctor.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", without_duckdb)
    answer = run("doctor")
    assert answer.code == 0
    assert "extra audit: for audits of data: pip install 'evenhand[audit]'" in answer.out


def test_doctor_knows_every_extra_and_its_packages() -> None:
    """An extra that is for users, and a package of it, cannot be added and forgotten here."""
    with (Path(__file__).parents[2] / "pyproject.toml").open("rb") as file:
        told = tomllib.load(file)["project"]["optional-dependencies"]
    wanted = {
        extra: {re.split(r"[\[<>=]", one)[0] for one in packages} - {"evenhand"}
        for extra, packages in told.items()
        if extra not in {"hf", "dev", "browser"}
    }
    assert {extra: set(packages) for extra, (_, packages) in doctor.FURTHER.items()} == wanted


def test_doctor_warns_of_too_many_threads(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    assert "exceeds the" in run("doctor").out


def test_components() -> None:
    assert components(None) == ()
    assert components(["a:x=1,y=2,b", "b", "c"]) == ("a:x=1,y=2", "b", "c")
    with pytest.raises(UsageError):
        components([","])


@pytest.mark.parametrize("argv", [[], ["measure"], ["verify"], ["gate"], ["ls"], ["data"], ["data", "pull"]])
def test_a_short_help_everywhere(run: Run, argv: list[str]) -> None:
    assert run(*argv, "-h") == run(*argv, "--help")
    assert "-h, --help" in run(*argv, "-h").out


def test_the_version(run: Run) -> None:
    assert run("-V").out == run("--version").out == f"evenhand {__version__}\n"


def _completed(line: str) -> list[str]:
    """What bash is offered for the last word of `line`."""
    told = {"_EVENHAND_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    code = "from evenhand.cli import main; main()"
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ, **told})
    return done.stdout.split()


def test_shells_complete_verbs_and_components() -> None:
    assert _completed("evenhand me") == ["measure"]
    assert _completed("evenhand verify lab:causal --with lf") == ["lftf"]
    assert _completed("evenhand locate lab:causal --with ") == list(registry.names("locator"))
    assert _completed("evenhand measure lab:causal -b facts,genb") == ["facts,genbiaseval"]
    assert _completed("evenhand data pu") == ["pull"]


def test_completion_is_shown_for_a_shell(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # What runs the tests need not be a shell that can complete.
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    assert "_EVENHAND_COMPLETE=complete_bash" in run("--show-completion").out


def test_a_key_is_never_broken(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In a narrow terminal the interval gives way, at a space; what is typed elsewhere stays whole."""
    monkeypatch.setenv("COLUMNS", "60")
    head = ("key", "metric", "before", "after", "change", "95 % interval", "p")
    row = ("counterfactual_deo_sum", "a title", "0.397", "0.175", "+0.144", "−0.253 to −0.189", "< 0.001")
    console.table("t", head, [row], labels=2, spare=1)
    assert "counterfactual_deo_sum" in capsys.readouterr().out


@pytest.mark.parametrize("on", [True, False])
def test_listing_leaves_the_search_for_garbage_as_it_was(on: bool, run: Run) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        assert run("ls", "models").code == 0
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()


def test_plan_says_how_long_and_what_could_be_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become minutes for programs and a sentence for people; without a forecast it says why."""
    from evenhand.studies import plan as studies

    whole = studies.plan("lab:causal", "lftf", capability=("facts:set=world",))
    timed = dataclasses.replace(whole, seconds=(90.0, 300.0), smallest=0.0512)
    monkeypatch.setattr(studies, "timed_plan", lambda *_, **__: timed)
    data = run("plan", "lab:causal", "--json").json
    assert (data["minutes"], data["smallest_effect"], data["models"]["treated"]) == ([1.5, 5.0], 0.0512, 1)
    said = run("plan", "lab:causal").out
    ends = f"{duration(90)} to {duration(300)}"
    assert f"It takes about {ends} for 26 to 54 models" in " ".join(said.split())
    assert f"A fall of {whole.primary} by 0.051 or more would probably be certain" in " ".join(said.split())
    monkeypatch.setattr(
        studies, "timed_plan", lambda *_, **__: dataclasses.replace(whole, untimed="No torch.")
    )
    assert "How long it takes is not known: No torch." in run("plan", "lab:causal").out
    assert run("plan", "lab:causal", "--json").json["minutes"] is None


def test_plan_says_how_much_memory_and_what_to_type(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from evenhand.studies import plan as studies
    from evenhand.studies.memory import Memory

    whole = studies.plan("lab:causal", "lftf", capability=("facts:set=world",))
    parts = {"weights": 1_500_000_000, "logits": 67_000_000, "kept states": 1000}
    memory = Memory(
        parts, "fitting", 1_567_001_000, 1_200_000_000, 1_000_000_000, 2 * 10**9, {"cpu": 1_500_000_000}, {}
    )

    def said(found: Memory | None, unsized: str = "") -> str:
        planned = dataclasses.replace(whole, memory=found, unsized=unsized)
        monkeypatch.setattr(studies, "sized_plan", lambda *_, **__: planned)
        return " ".join(run("plan", "lab:causal", "--no-minutes").out.split())

    fits = said(memory)
    assert "It takes about 1.6 GB of memory, most while fitting: weights 1.5 GB, logits 67 MB." in fits
    assert "does not fit" not in fits
    data = run("plan", "lab:causal", "--no-minutes", "--json").json["memory"]
    assert (data["total"], data["free"], data["fits"]) == (1_567_001_000, 2 * 10**9, True)
    assert data["parts"] == parts

    tight = dataclasses.replace(
        memory,
        free=10**9,
        places={"cuda:0": 10**9, "cpu": 5 * 10**8},
        ways={"--batch-tokens 512": 900_000_000, "--dtype bfloat16": 600_000_000},
        unknown=("thresholds",),
    )
    words = said(tight)
    assert "beside this process it needs 1.2 GB, 1.0 GB are free." in words
    assert "Type --batch-tokens 512 (900 MB) or --dtype bfloat16 (600 MB)." in words
    assert "The weights go to: cuda:0 1.0 GB, cpu 500 MB." in words
    assert "What thresholds takes is not in it." in words
    assert "Use a smaller model" in said(dataclasses.replace(tight, ways={}))
    assert "How much memory it takes is not known: No torch." in said(None, "No torch.")
    assert run("plan", "lab:causal", "--no-minutes", "--json").json["memory"] is None
