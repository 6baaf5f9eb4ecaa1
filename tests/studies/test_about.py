"""The default benchmarks follow the attribute and its language; what does not fit is left out and named."""

from __future__ import annotations

from pathlib import Path

import pytest

import evenhand
from evenhand.errors import UnknownName, UsageError
from evenhand.studies import defaults
from tests.cli.conftest import Run, run  # noqa: F401

MODEL = "hf:org/name"
OF_GENDER = {"coreference", "definitional"}
EVERYTHING = defaults.CAPABILITY["hf"]


def about(attribute: str) -> list[str]:
    return [f"genbiaseval:attribute={attribute},split=heldout"]


@pytest.mark.parametrize(
    ("attribute", "hints"),
    [
        ("gender", 2),
        ("gender_nonbinary", 2),
        ("gender_de", 2),
        ("gender_fr", 2),
        ("gender_nonbinary_es", 1),  # its nouns have no third form
        ("race", 0),
        ("religion", 0),
        ("age", 0),
        ("race_gender", 0),
    ],
)
def test_hints_are_those_of_the_attribute(attribute: str, hints: int) -> None:
    first, *others = defaults.treated_bias(MODEL, attribute)
    assert first == f"genbiaseval:attribute={attribute},split=heldout"
    assert len(others) == hints
    assert all(f"attribute={attribute}" in one and one.startswith("genhinteval:") for one in others)
    assert len(defaults.bias(MODEL, attribute)) == 1 + (hints > 0)


@pytest.mark.parametrize("attribute", ["gender", "gender_nonbinary", "race_gender"])
def test_english_gender_keeps_everything_and_says_nothing(attribute: str) -> None:
    assert defaults.capability(MODEL, about(attribute)) == EVERYTHING
    assert defaults.left_out(MODEL, about(attribute)) == ""


@pytest.mark.parametrize("attribute", ["race", "religion", "age"])
def test_what_is_about_he_and_she_is_left_out_of_others(attribute: str) -> None:
    kept = defaults.capability(MODEL, about(attribute))
    assert set(EVERYTHING) - set(kept) == OF_GENDER
    said = defaults.left_out(MODEL, about(attribute))
    assert said == "Left out of the default capability, being about he and she: coreference and definitional."


@pytest.mark.parametrize(
    ("attribute", "spoken"), [("gender_de", "German"), ("gender_nonbinary_fr", "French")]
)
@pytest.mark.parametrize("model", [MODEL, "lab:causal"])
def test_no_english_item_is_taken_for_another_language(attribute: str, spoken: str, model: str) -> None:
    assert defaults.capability(model, about(attribute)) == ()
    said = defaults.left_out(model, about(attribute))
    assert said.startswith("Capability was not measured: the default questions and texts are English")
    assert f"these sentences are {spoken}." in said
    assert "neutral text moved is measured on English texts" in said


def test_of_two_languages_the_english_items_stay_and_it_is_said() -> None:
    both = ["genbiaseval:split=heldout", *about("gender_es")]
    assert defaults.capability(MODEL, both) == EVERYTHING
    assert "what it costs in Spanish is unknown" in defaults.left_out(MODEL, both)


def test_benchmarks_without_an_attribute_keep_everything() -> None:
    for specs in ([], ["bbq"], ["bbq", *about("race")]):
        assert defaults.capability(MODEL, specs) == EVERYTHING
        assert defaults.left_out(MODEL, specs) == ""


FILE = """
name = "caste"
frame = "The {profession} who {action} is"
[[groups]]
name = "dalit"
terms = ["Dalit"]
[[groups]]
name = "brahmin"
terms = ["Brahmin"]
"""


def test_a_file_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    Path("caste.toml").write_text(FILE)
    assert defaults.treated_bias(MODEL, "caste.toml") == ("genbiaseval:attribute=caste.toml,split=heldout",)
    found = run("plan", MODEL, "--attribute", "caste.toml", "--no-minutes", "--json").json
    assert {one["benchmark"] for one in found["benchmarks"]} & {*OF_GENDER, "genhinteval"} == set()
    assert "being about he and she" in found["note"]
    Path("caste.toml").write_text(FILE + 'terms = ["x"]')  # no TOML
    assert run("plan", MODEL, "--attribute", "caste.toml", "--no-minutes").code == 2


def test_the_plan_and_the_verdict_say_it(run: Run) -> None:  # noqa: F811
    planned = evenhand.plan("lab:causal", benchmarks=about("gender_de"), control="none")
    assert [one.role for one in planned.benchmarks] == ["bias"]
    assert planned.note.startswith("Capability was not measured")
    own = evenhand.plan("lab:causal", benchmarks=about("gender_de"), control="none", capability="facts")
    assert own.note == ""
    said = run("plan", "lab:causal", "--attribute", "gender_de", "--no-minutes").out
    assert "Note: Capability was not measured" in " ".join(said.split())


def test_a_verdict_without_what_fits_is_undecided(tmp_path: Path) -> None:
    found = evenhand.verify(
        "lab:causal",
        "lftf:epochs=1",
        benchmarks=about("gender_de"),
        control="none",
        limit=12,
        out=tmp_path / "run",
    )
    assert found.capability.kept is None
    assert found.capability.checks == ()
    assert any(note.startswith("Capability was not measured") for note in found.notes)
    assert not [m for m in found.before if m.role == "capability"]


def test_refused() -> None:
    with pytest.raises(UnknownName):
        defaults.treated_bias(MODEL, "gendr_de")
    with pytest.raises(UsageError, match="decides about people"):
        defaults.bias("lab:decisions", "race")


def test_an_attribute_and_a_benchmark_exclude_each_other(run: Run) -> None:  # noqa: F811
    answer = run("measure", "lab:causal", "--attribute", "race", "-b", "genbiaseval")
    assert answer.code == 2
    assert "--attribute has no effect beside --benchmark" in answer.err
