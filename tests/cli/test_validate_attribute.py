"""``evenhand validate`` on attributes and language packs, and what ``ls attributes`` says of languages."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from tests.cli.conftest import Run

OWN = """name = "height"
frame = "The {profession} who {action} is"
[[groups]]
name = "tall"
terms = ["tall"]
[[groups]]
name = "short"
terms = ["short"]
"""


def _pack(old: str = "", new: str = "") -> None:
    text = files("evenhand.lexicons").joinpath("packs", "gender_fr.toml").read_text("utf-8")
    own = text.replace('name = "gender_fr"', 'name = "own_fr"')
    assert old in own
    Path("pack.toml").write_text(own.replace(old, new, 1), encoding="utf-8")


def test_a_usable_pack_is_described(run: Run) -> None:
    _pack()
    answer = run("validate", "pack.toml")
    assert answer.code == 0
    assert "pack.toml is a usable language pack." in answer.out
    said = " ".join(answer.out.split())
    assert "French: 132 professions x 9 actions = 1188 prompts" in said
    assert "Terms: il; elle; of no group: iel, ael." in said


def test_every_problem_of_a_pack_is_named(run: Run) -> None:
    _pack('["répare des voitures"', '["est fatiguée"')
    text = Path("pack.toml").read_text("utf-8")
    Path("pack.toml").write_text(text.replace("a souri", "a souri à son mari"), encoding="utf-8")
    answer = run("validate", "pack.toml", "--json")
    assert answer.code == 2
    found = answer.json
    assert (found["kind"], found["valid"], len(found["problems"])) == ("attribute", False, 2)
    assert "holds" not in found
    assert "[professions] car mechanic has 'est fatiguée': a participle or adjective" in found["problems"][0]
    assert "smile has the gendered word 'mari'" in found["problems"][1]
    assert "is no usable attribute or language pack:" in run("validate", "pack.toml").out


def test_a_plain_attribute_is_checked_too(run: Run) -> None:
    Path("own.toml").write_text(OWN, encoding="utf-8")
    answer = run("validate", "own.toml", "--json")
    assert answer.code == 0
    found = answer.json
    assert (found["kind"], found["valid"], found["problems"]) == ("attribute", True, [])
    assert found["holds"] == "English sentences about the English professions. Terms: tall; short."


def test_the_list_of_attributes_names_languages(run: Run) -> None:
    listed = {entry["name"]: entry["title"] for entry in run("ls", "attributes", "--json").json["attributes"]}
    assert (listed["gender_de"], listed["gender"]) == ("er, sie (German)", "male, female")
